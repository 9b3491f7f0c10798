package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"time"
)

var (
	// ErrNoJava says that there is no Java, and, of FetchJava, that none can be fetched.
	ErrNoJava = errors.New("no Java")

	// ErrOldJava says that the Java found is too old.
	ErrOldJava = errors.New("this Java is too old")
)

// FindOrFetchJava returns the java command that FindJava finds. If it finds none and
// neither path nor JAVA_HOME names one, it fetches Java 25 as [FetchJava] does. nil options
// mean the defaults.
func FindOrFetchJava(ctx context.Context, path string, minVersion int, opts *FetchOptions) (string, error) {
	java, err := FindJava(path, minVersion)
	if err == nil || path != "" || os.Getenv("JAVA_HOME") != "" {
		return java, err
	}
	if java, err = FetchJava(ctx, nil, opts); err != nil {
		return "", fmt.Errorf("%w: JAVA_HOME is not set and PATH has no Java %d or later; %w", ErrNoJava, minVersion, err)
	}
	return java, nil
}

// FindJava returns the absolute path of a java command of minVersion, such as 17, or
// later. It looks at path, which is the command itself or the folder of a Java
// installation (which contains bin/java); if path is empty, in the folder that JAVA_HOME
// names; if that is not set, in PATH. The error wraps ErrNoJava or ErrOldJava. A wrong
// path or JAVA_HOME is an error, and so is a java command in PATH that prints no version:
// macOS has one where no Java is installed.
func FindJava(path string, minVersion int) (string, error) {
	java, err := locateJava(path)
	if err != nil {
		return "", err
	}
	do := remedy(path, fmt.Sprintf("install Java %d or later", max(minVersion, 17)))
	switch version, err := javaVersion(java); {
	case err != nil:
		return "", fmt.Errorf("%w: %w; %s", ErrNoJava, err, do)
	case version < minVersion:
		return "", fmt.Errorf("%w: %s is version %d, and %d or later is needed; %s", ErrOldJava, java, version, minVersion, do)
	}
	return java, nil
}

// locateJava finds a java command of any version.
func locateJava(path string) (string, error) {
	do := remedy(path, "install Java 17 or later")
	name := "java"
	if runtime.GOOS == "windows" {
		name = "java.exe"
	}
	find := func(what, command string) (string, error) {
		if err := lookExecutable(command); err != nil {
			return "", fmt.Errorf("%w: %s%s: %w; %s", ErrNoJava, what, command, err, do)
		}
		found, err := exec.LookPath(command)
		if err != nil && !errors.Is(err, exec.ErrDot) {
			return "", fmt.Errorf("%w: %s%w; %s", ErrNoJava, what, err, do)
		}
		return filepath.Abs(found)
	}
	if path != "" {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			path = filepath.Join(path, "bin", name)
		}
		return find("", path)
	}
	if home := os.Getenv("JAVA_HOME"); home != "" {
		return find("JAVA_HOME: ", filepath.Join(home, "bin", name))
	}
	if err := lookExecutable(name); err != nil {
		return "", fmt.Errorf("%w: JAVA_HOME is not set and PATH has no %s; %s", ErrNoJava, name, do)
	}
	return find("PATH: ", name)
}

// remedy says what to do if FindJava does not find Java.
func remedy(path, install string) string {
	switch {
	case path != "":
		return "name another java command or Java installation"
	case os.Getenv("JAVA_HOME") != "":
		return "correct JAVA_HOME, or unset it, and one is fetched"
	}
	return install + ", or set JAVA_HOME"
}

// javaVersion returns the version of a java command, such as 8 or 17, from the file release
// of the installation, or else from what java -version prints.
func javaVersion(java string) (int, error) {
	// The command is often a link into the installation.
	if path, err := filepath.EvalSymlinks(java); err == nil {
		text, _ := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(path)), "release"))
		if version, ok := parseJavaVersion(releaseVersion, text); ok {
			return version, nil
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, java, "-version")
	cmd.WaitDelay = time.Second // a process that it has left may hold the pipe
	text, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("cannot determine the version of %s: -version: %w", java, err)
	}
	version, ok := parseJavaVersion(printedVersion, text)
	if !ok {
		return 0, fmt.Errorf("cannot determine the version of %s: -version printed none; is it Java?", java)
	}
	return version, nil
}

// Java 8 calls itself 1.8.
var (
	releaseVersion = regexp.MustCompile(`(?m)^JAVA_VERSION="(?:1\.)?(\d+)`)
	printedVersion = regexp.MustCompile(`(?m)^\S+ version "(?:1\.)?(\d+)`)
)

func parseJavaVersion(pattern *regexp.Regexp, text []byte) (version int, ok bool) {
	found := pattern.FindSubmatch(text)
	if found == nil {
		return 0, false
	}
	version, err := strconv.Atoi(string(found[1]))
	return version, err == nil
}

// lookExecutable returns nil if the system would find and execute a command of this name. The
// error is short: the caller names the command.
func lookExecutable(name string) error {
	_, err := exec.LookPath(name)
	// Java accepts a match in the working directory too.
	if err == nil || errors.Is(err, exec.ErrDot) {
		return nil
	}
	switch {
	case filepath.Base(name) == name && errors.Is(err, exec.ErrNotFound):
		return errors.New("not found in PATH")
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("no such file")
	case errors.Is(err, fs.ErrPermission):
		return errors.New("not an executable file")
	}
	var reason *exec.Error
	if errors.As(err, &reason) {
		return reason.Err
	}
	return err
}
