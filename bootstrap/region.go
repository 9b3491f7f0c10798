package bootstrap

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// regionFromElsewhere tells whether the AWS SDK for Java finds a region that
// the properties do not name: in AWS_REGION, a system property, the profile,
// or on an EC2 instance. It looks where that SDK looks, in files and
// variables only.
func regionFromElsewhere() bool {
	if os.Getenv("AWS_REGION") != "" {
		return true
	}
	for _, name := range []string{"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"} {
		if strings.Contains(os.Getenv(name), "-Daws.region=") {
			return true
		}
	}
	return profileHasRegion() || mayBeInstance()
}

// profileHasRegion looks for region in the profile that AWS_PROFILE names, in
// the two files that profiles are in.
func profileHasRegion() bool {
	profile := os.Getenv("AWS_PROFILE")
	if profile == "" {
		profile = "default"
	}
	home, _ := os.UserHomeDir()
	for _, f := range []struct{ variable, file string }{
		{"AWS_CONFIG_FILE", "config"},
		{"AWS_SHARED_CREDENTIALS_FILE", "credentials"},
	} {
		file := os.Getenv(f.variable)
		if file == "" {
			file = filepath.Join(home, ".aws", f.file)
		}
		text, err := os.ReadFile(file)
		if err == nil && sectionHasRegion(string(text), profile) {
			return true
		}
	}
	return false
}

func sectionHasRegion(text, profile string) bool {
	inProfile := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		if strings.HasPrefix(line, "[") {
			section, _, _ := strings.Cut(line[1:], "]")
			words := strings.Fields(section)
			inProfile = len(words) > 0 && words[len(words)-1] == profile &&
				(len(words) == 1 || len(words) == 2 && words[0] == "profile")
			continue
		}
		// An indented line belongs to the setting before it.
		key, value, ok := strings.Cut(line, "=")
		if inProfile && ok && strings.TrimRight(key, " \t") == "region" && strings.TrimSpace(value) != "" {
			return true
		}
	}
	return false
}

// mayBeInstance tells whether an instance's metadata service may answer with
// a region. It does not ask it: that can take seconds where there is none.
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
