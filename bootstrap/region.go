package bootstrap

import (
	"os"
	"runtime"
	"strings"
)

// regionFromElsewhere reports whether the AWS SDK for Java finds a region outside the
// properties: in AWS_REGION, a system property, the profile, or on an EC2 instance. It reads
// only files and variables.
func regionFromElsewhere() bool { return regionNamed() || mayBeInstance() }

// regionNamed is regionFromElsewhere without the instance.
func regionNamed() bool {
	if os.Getenv("AWS_REGION") != "" {
		return true
	}
	if systemProperty(namedOptions(os.Environ(), nil), "aws.region") != "" {
		return true
	}
	return readProfile(profileName())["region"] != ""
}

// region returns the region of the properties, or an empty string.
func (p *Properties) region() string {
	for _, name := range []string{"regionName", "kinesisClient.region"} {
		if p.has(name) {
			return javaTrim(p.value(name))
		}
	}
	return ""
}

// regionOption returns the option that gives the region of the properties to clients that
// the daemon creates without it: the one that assumes a role.
func (p *Properties) regionOption() []string {
	if region := p.region(); region != "" && !regionNamed() {
		return []string{"-Daws.region=" + region}
	}
	return nil
}

// mayBeInstance reports whether an instance's metadata service may answer. It does not ask
// the service: that can take seconds if there is none.
func mayBeInstance() bool {
	if strings.EqualFold(os.Getenv("AWS_EC2_METADATA_DISABLED"), "true") {
		return false
	}
	switch runtime.GOOS {
	case "linux":
		for file, start := range map[string]string{
			"/sys/class/dmi/id/sys_vendor": "Amazon EC2",
			"/sys/hypervisor/uuid":         "ec2",
		} {
			text, err := os.ReadFile(file)
			if err == nil && strings.HasPrefix(string(text), start) {
				return true
			}
		}
		return false
	case "windows":
		return true // no file tells
	default:
		return false
	}
}
