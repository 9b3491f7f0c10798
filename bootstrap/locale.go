package bootstrap

import (
	"os"
	"runtime"
	"strings"
)

// utf8Locale returns an environment (nil: this process's) in which characters
// are UTF-8, and all else is as it was. Java on Linux takes the names of files
// from the locale, and loses what that lacks; no option changes it.
func utf8Locale(env []string) []string {
	if runtime.GOOS != "linux" {
		return env
	}
	if env == nil {
		env = os.Environ()
	}
	values := make(map[string]string)
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		values[name] = value
	}
	locale := values["LC_ALL"]
	if locale == "" {
		locale = values["LC_CTYPE"]
	}
	if locale == "" {
		locale = values["LANG"]
	}
	if name := strings.ToLower(strings.ReplaceAll(locale, "-", "")); strings.Contains(name, "utf8") {
		return env
	}
	// Later entries take the place of earlier ones. LC_ALL would outdo
	// LC_CTYPE; LANG stands for the rest of it.
	env = append(env[:len(env):len(env)], "LC_CTYPE=C.UTF-8")
	if all := values["LC_ALL"]; all != "" {
		env = append(env, "LC_ALL=", "LANG="+all)
	}
	return env
}
