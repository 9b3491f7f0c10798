package bootstrap

import (
	"os"
	"runtime"
	"strings"
)

// utf8Locale returns an environment (nil: that of this process) whose locale uses UTF-8, and
// which is otherwise unchanged. Java on Linux uses the locale's encoding for the names of
// files, and loses the characters that it lacks; no option changes that.
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
	// Later entries replace earlier ones. LC_ALL would override LC_CTYPE; LANG keeps the
	// rest of it.
	env = append(env[:len(env):len(env)], "LC_CTYPE=C.UTF-8")
	if all := values["LC_ALL"]; all != "" {
		env = append(env, "LC_ALL=", "LANG="+all)
	}
	return env
}
