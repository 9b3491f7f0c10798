package bootstrap

import (
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A profile has the settings of an AWS profile, from both files of profiles.
type profile map[string]string

// profileName returns the name of the default profile.
func profileName() string { return cmp.Or(os.Getenv("AWS_PROFILE"), "default") }

// readProfile reads a profile. It returns nil if there is none of this name.
func readProfile(name string) profile {
	home, _ := os.UserHomeDir()
	var all profile
	for _, f := range []struct{ variable, file string }{
		{"AWS_CONFIG_FILE", "config"},
		{"AWS_SHARED_CREDENTIALS_FILE", "credentials"},
	} {
		text, err := os.ReadFile(cmp.Or(os.Getenv(f.variable), filepath.Join(home, ".aws", f.file)))
		if err != nil {
			continue
		}
		inProfile := false
		for line := range strings.Lines(string(text)) {
			line = strings.TrimRight(line, " \t\r\n")
			if strings.HasPrefix(line, "[") {
				section, _, _ := strings.Cut(line[1:], "]")
				words := strings.Fields(section)
				inProfile = len(words) > 0 && words[len(words)-1] == name &&
					(len(words) == 1 || len(words) == 2 && words[0] == "profile")
				if inProfile && all == nil {
					all = profile{}
				}
				continue
			}
			// An indented line belongs to the setting before it.
			key, value, ok := strings.Cut(line, "=")
			if inProfile && ok && !strings.HasPrefix(line, "#") {
				all[strings.TrimRight(key, " \t")] = strings.TrimSpace(value)
			}
		}
	}
	return all
}

// profileOf checks the profile that a credentials provider uses, unless another provider may
// be used instead. It reports what the daemon's classes cannot use; a test in tools/e2e has
// them use a profile of each kind.
func (c *checker) profileOf(property, class, arguments string) {
	name, isDefault := profileName(), false
	switch class[strings.LastIndexByte(class, '.')+1:] {
	case "ProfileCredentialsProvider":
		named, _, _ := strings.Cut(arguments, "|")
		name = cmp.Or(named, name)
	case "DefaultCredentialsProvider":
		isDefault = true
		for _, variable := range []string{
			"AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE",
			"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
		} {
			if os.Getenv(variable) != "" {
				return // it has another source
			}
		}
		if mayBeInstance() {
			return
		}
	default:
		return
	}
	for seen := map[string]bool{}; name != "" && !seen[name]; {
		seen[name] = true
		p := readProfile(name)
		switch {
		case p == nil && (!isDefault || os.Getenv("AWS_PROFILE") != ""):
			c.warn(property, fmt.Sprintf("there is no AWS profile %q here", name), "aws configure list-profiles lists them")
		case p["login_session"] != "":
			c.error(property, fmt.Sprintf("the AWS profile %q uses aws login, which the daemon's AWS SDK does not know", name),
				"use another profile, with credential_process = aws configure export-credentials --format process --profile "+name)
		case p["role_arn"] != "" && p["mfa_serial"] != "":
			c.warn(property, fmt.Sprintf("the AWS profile %q has mfa_serial, and the daemon cannot ask for a code", name),
				"use another profile, with credential_process = aws configure export-credentials --format process --profile "+name)
		case (p["sso_session"] != "" || p["sso_start_url"] != "") && !p.loggedIn():
			c.warn(property, fmt.Sprintf("nobody is logged in for the AWS profile %q", name), "run aws sso login --profile "+name)
		}
		name = p["source_profile"]
	}
}

// loggedIn reports whether there is an SSO token of the AWS CLI that can be used or renewed,
// where the daemon's AWS SDK looks for it.
func (p profile) loggedIn() bool {
	home, _ := os.UserHomeDir()
	key := sha1.Sum([]byte(cmp.Or(p["sso_session"], p["sso_start_url"])))
	text, err := os.ReadFile(filepath.Join(home, ".aws", "sso", "cache", hex.EncodeToString(key[:])+".json"))
	if err != nil {
		return false
	}
	var token struct {
		ExpiresAt    time.Time
		RefreshToken string
	}
	if json.Unmarshal(text, &token) != nil {
		return true // the daemon decides
	}
	// The older form, without a session, is not renewed.
	return time.Now().Before(token.ExpiresAt) || p["sso_session"] != "" && token.RefreshToken != ""
}
