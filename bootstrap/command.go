package bootstrap

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// A Command is what it takes to start the daemon.
type Command struct {
	// Java is the path of the java command, as FindJava returns it.
	Java string
	// Jars are the daemon's files, as Fetch returns them.
	Jars []string
	// Properties is the path of the properties file.
	Properties string
	// LogConfiguration is the path of a logback.xml; if empty, the daemon
	// logs to its standard output.
	LogConfiguration string
}

// Args returns the command with its arguments, ready for Run or for
// exec.Command: all paths are absolute, so that it works from any folder,
// except that the daemon starts executableName from its working directory.
//
// The class path has the jars, sorted, and then the folder of the properties
// file, where a logback.xml and a credentials provider's classes may lie;
// nothing else. The daemon looks for a resource with the properties file's
// name before it looks for a file: an absolute path is no resource's name but
// that file's own.
//
// The encodings are set because Java otherwise takes the locale's, before 18
// for all and later for its output, and writes '?' for what that lacks.
func (c Command) Args() ([]string, error) {
	if c.Java == "" || len(c.Jars) == 0 || c.Properties == "" {
		return nil, errors.New("the command needs Java, the jars and the properties file")
	}
	properties, err := filepath.Abs(c.Properties)
	if err != nil {
		return nil, fmt.Errorf("properties file %s: %w", c.Properties, err)
	}
	classPath := slices.Sorted(slices.Values(c.Jars))
	classPath = append(classPath, filepath.Dir(properties))
	for i, entry := range classPath {
		if classPath[i], err = filepath.Abs(entry); err != nil {
			return nil, fmt.Errorf("class path: %w", err)
		}
		// Java has no way to quote it, and takes a last * for all jars.
		if strings.ContainsRune(entry, filepath.ListSeparator) || strings.HasSuffix(entry, "*") {
			return nil, fmt.Errorf("%s cannot be in a Java class path: its name has a %q or ends in *; use another folder",
				entry, filepath.ListSeparator)
		}
	}
	args := []string{
		c.Java,
		"-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "-Dstderr.encoding=UTF-8",
		"-cp", strings.Join(classPath, string(filepath.ListSeparator)),
		daemonMain,
		"--properties-file", properties,
	}
	if c.LogConfiguration != "" {
		log, err := filepath.Abs(c.LogConfiguration)
		if err != nil {
			return nil, fmt.Errorf("log configuration %s: %w", c.LogConfiguration, err)
		}
		args = append(args, "--log-configuration", log)
	}
	return args, nil
}

// Quote returns the command as one line to paste into a shell: a POSIX shell,
// or on Windows cmd.exe (which takes no line of more than 8191 characters).
func Quote(args []string) string {
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = quote(arg)
	}
	return strings.Join(quoted, " ")
}
