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

// A profile has the settings of one of the AWS profiles, from both files that they
// are in.
type profile map[string]string

// profileName is the name of the profile that holds where none is named.
func profileName() string { return cmp.Or(os.Getenv("AWS_PROFILE"), "default") }

// readProfile returns nil if there is no such profile.
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

// profileOf looks at the profile that a credentials provider takes, when no other
// provider may take its place. A test of tools/e2e has the daemon's classes take a
// profile of each kind. What they cannot take is here.
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
			c.warn(property, fmt.Sprintf("there is no AWS profile %q here", name), "aws configure list-profiles shows those that there are")
		case p["login_session"] != "":
			c.error(property, fmt.Sprintf("the AWS profile %q is of aws login, which the daemon's AWS SDK does not know", name),
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

// loggedIn reports whether the AWS CLI has left a token of SSO that can be used or
// renewed, where the daemon's AWS SDK looks for it.
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
		return true // for the daemon to judge
	}
	// The older form, without a session, is not renewed.
	return time.Now().Before(token.ExpiresAt) || p["sso_session"] != "" && token.RefreshToken != ""
}
