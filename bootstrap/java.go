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

// ErrNoJava is the error of FindJava when there is none.
var ErrNoJava = errors.New("no Java")

// ErrOldJava is the error of FindJavaOf when Java is too old.
var ErrOldJava = errors.New("too old a Java")

// A replaceableError is of a search for Java that nobody has said the place for.
type replaceableError struct{ error }

func (e replaceableError) Unwrap() error { return e.error }

// CanFetchJava reports whether an error of FindJava or FindJavaOf is one that
// FetchJava mends: neither a path nor JAVA_HOME was given, and PATH has no Java that
// will do.
func CanFetchJava(err error) bool { return errors.As(err, new(replaceableError)) }

// FindJavaOf returns what FindJava does, if it is of this version or a later one.
func FindJavaOf(path string, least int) (string, error) {
	java, err := FindJava(path)
	if err != nil {
		return "", err
	}
	version, err := JavaVersion(java)
	if err == nil && version < least {
		err = fmt.Errorf("%w: %s is version %d, and %d or later is needed; %s",
			ErrOldJava, java, version, least, remedy(path, fmt.Sprintf("install Java %d or later", least)))
	}
	if err != nil && path == "" && os.Getenv("JAVA_HOME") == "" {
		err = replaceableError{err}
	}
	if err != nil {
		return "", err
	}
	return java, nil
}

// FindJava returns the absolute path of the java command: at path, which may
// be the command itself or the folder of a Java installation (with bin/java in
// it); if path is empty, in the folder that JAVA_HOME names; if that is not set,
// in PATH. A path or a JAVA_HOME that is wrong is an error, not passed over. So is
// what PATH has as java and does not tell a version: macOS has such a command for
// those who have no Java.
func FindJava(path string) (string, error) {
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
		return "", replaceableError{fmt.Errorf("%w: JAVA_HOME is not set and PATH has no %s; %s", ErrNoJava, name, do)}
	}
	java, err := find("PATH: ", name)
	if err != nil {
		return "", err
	}
	if _, err := JavaVersion(java); err != nil {
		return "", replaceableError{fmt.Errorf("%w: PATH: %w; %s", ErrNoJava, err, do)}
	}
	return java, nil
}

// remedy says what to do about a Java that FindJava has been looking for.
func remedy(path, install string) string {
	switch {
	case path != "":
		return "name another java command or Java installation"
	case os.Getenv("JAVA_HOME") != "":
		return "correct JAVA_HOME, or unset it, and one is fetched"
	}
	return install + ", or set JAVA_HOME"
}

// JavaVersion returns the version of a java command, such as 8 or 17. It reads
// the file release of the installation, or else what java -version prints.
func JavaVersion(java string) (int, error) {
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
		return 0, fmt.Errorf("cannot tell the version of %s: -version: %w", java, err)
	}
	version, ok := parseJavaVersion(printedVersion, text)
	if !ok {
		return 0, fmt.Errorf("cannot tell the version of %s: -version printed none; is it Java?", java)
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

// lookExecutable tells whether the system would find and execute a command
// with this name. The error is short: the caller names the command.
func lookExecutable(name string) error {
	_, err := exec.LookPath(name)
	// A match in the working directory is one for Java too.
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
