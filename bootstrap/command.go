package bootstrap

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// A Command describes how to start the daemon. Java, Jars and Properties are required.
type Command struct {
	// Java is the path of the java command, as FindJava returns it.
	Java string
	// Jars are the daemon's files, as Fetch returns them.
	Jars []string
	// Properties are the daemon's properties. It gets the file that they were read from,
	// or a copy with further properties at its end: those that Set has set, and the worker
	// ID of a Claim. An Entry for which the property streams is set gets streams as
	// FormatStreams writes it, and the name of the first stream as streamName, which the
	// daemon's classes require.
	Properties *Properties

	// JavaOptions are options of Java itself, such as -Xmx256m. They, and those in
	// JAVA_TOOL_OPTIONS and JDK_JAVA_OPTIONS, replace options that suit the memory and
	// the processors: see the README.
	JavaOptions []string
	// ClassPath lists further jars and folders for the end of the class path, for
	// example one with a credentials provider of the user's.
	ClassPath []string
	// LogConfiguration is the path of a logback.xml for the daemon. If it is empty, Run
	// uses one of this package, at RunOptions.LogLevel.
	LogConfiguration string

	// Claim, if not nil, is the claim of the daemon's worker ID. The daemon inherits its
	// lock. See ClaimWorkerID.
	Claim *WorkerIDClaim

	// CacheDir is the folder in which Fetch keeps the jars. The class-data archives of
	// an Entry, which halve the CPU time of Java's start, are kept there too. Defaults to
	// "", no archives. None are used if others may write to the folder, or if JavaOptions
	// or Java's variables name an archive.
	CacheDir string

	// Entry, if not nil, is started instead of the daemon. LogConfiguration then has no
	// effect.
	Entry *Entry
}

// An Entry is a main class that runs KCL instead of the daemon's main class; package
// engine has one. It ignores SIGTERM and Ctrl-C: its caller must ask it to stop in another
// way. On Linux it is killed when this process ends in any way.
type Entry struct {
	// Class is the name of the main class.
	Class string
	// Jar is the jar that contains it. It is the first of the class path.
	Jar string
	// Dir is a folder for the files of the run. The caller removes it.
	Dir string
	// Args returns the arguments for the path of the properties file.
	Args func(properties string) []string

	// Classes lists the classes for an archive, in the format of Java's option
	// SharedClassListFile, gzipped.
	Classes []byte
	// Ready, if not nil, is closed when the start has succeeded. If there is no archive,
	// one is then made in the background after 30 s, with the lowest priority. That takes
	// 10 s of CPU time and half a GB of memory. If less than 1 GiB is free, a later run
	// makes it.
	Ready <-chan struct{}
}

// Args returns the command and its arguments, to be printed or for exec.Command. All
// paths are absolute, so it works in any folder, except that the daemon starts
// executableName from its working directory. Without a LogConfiguration the daemon logs
// in its own way, to its standard output. It is an error if the daemon needs a copy of
// the properties file, see Command.Properties: only Run writes one.
//
// The class path has the jars, sorted, then the folder of the properties file, which may
// contain the classes of a credentials provider, then ClassPath, and nothing else.
//
// The region of the properties is also set for all other clients in Java unless another
// one is set elsewhere: the client that assumes a role has no region without it.
//
// The encodings are set because Java otherwise uses that of the locale, before version 18
// for everything and later for its output, and writes '?' for characters that it lacks.
func (c Command) Args() ([]string, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	p := c.daemonProperties()
	if p.needCopy() {
		return nil, errors.New("bootstrap: the daemon needs a copy of the properties file, which only Run writes: properties were set or have no file, a worker ID is claimed, or an Entry needs the property streams")
	}
	return c.args(p, p.file, c.LogConfiguration, os.Environ())
}

func (c Command) validate() error {
	var errs []error
	for _, f := range []struct {
		missing   bool
		name, use string
	}{
		{c.Java == "", "Java", "FindJava"}, {len(c.Jars) == 0, "Jars", "Fetch"}, {c.Properties == nil, "Properties", "ReadProperties"},
	} {
		if f.missing {
			errs = append(errs, fmt.Errorf("bootstrap: Command.%s: it is required; %s returns it", f.name, f.use))
		}
	}
	return errors.Join(errs...)
}

// args returns the command for these properties, which the daemon reads in a file.
func (c Command) args(p *Properties, file, logConfiguration string, env []string) ([]string, error) {
	if _, err := p.CheckStock(); err != nil && c.Entry == nil {
		return nil, err
	}
	classPath := slices.Sorted(slices.Values(c.Jars))
	if c.Entry != nil {
		classPath = slices.Insert(classPath, 0, c.Entry.Jar)
	}
	if p.file != "" {
		classPath = append(classPath, filepath.Dir(p.file))
	}
	classPath = append(classPath, c.ClassPath...)
	for i, entry := range classPath {
		abs, err := filepath.Abs(entry)
		if err != nil {
			return nil, fmt.Errorf("class path: %w", err)
		}
		// Java cannot quote it, and a * at the end means all jars of a folder.
		if strings.ContainsRune(abs, filepath.ListSeparator) || strings.HasSuffix(abs, "*") {
			return nil, fmt.Errorf("%s cannot be in a Java class path: its name contains %q or ends in *; use another folder",
				abs, filepath.ListSeparator)
		}
		classPath[i] = abs
	}
	// The daemon looks for a resource of this name before it looks for a file. No
	// resource has an absolute path as its name.
	properties, err := filepath.Abs(file)
	if err != nil {
		return nil, fmt.Errorf("properties file %s: %w", file, err)
	}
	args := []string{c.Java, "-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "-Dstderr.encoding=UTF-8"}
	args = append(args, p.regionOption()...)
	args = append(args, defaultJavaOptions(availableMemory(), runtime.GOMAXPROCS(0), namedOptions(env, c.JavaOptions))...)
	args = append(args, c.JavaOptions...)
	args = append(args, "-cp", strings.Join(classPath, string(filepath.ListSeparator)))
	if c.Entry != nil {
		return append(append(args, c.Entry.Class), c.Entry.Args(properties)...), nil
	}
	args = append(args, daemonMain, "--properties-file", properties)
	if logConfiguration != "" {
		log, err := filepath.Abs(logConfiguration)
		if err != nil {
			return nil, fmt.Errorf("log configuration %s: %w", logConfiguration, err)
		}
		args = append(args, "--log-configuration", log)
	}
	return args, nil
}

// write writes the files that a run with these properties needs into its folder, and
// returns the command with its arguments.
func (c Command) write(p *Properties, dir string, level slog.Level, env []string) ([]string, error) {
	file, log := p.file, c.LogConfiguration
	if p.needCopy() {
		file = filepath.Join(dir, "run.properties")
		if err := os.WriteFile(file, appendProperties(p.text, p.overrides()), 0o600); err != nil {
			return nil, fmt.Errorf("cannot write this run's properties: %w", err)
		}
	}
	if log == "" && c.Entry == nil {
		log = filepath.Join(dir, "logback.xml")
		if err := os.WriteFile(log, logConfigurationFor(level), 0o600); err != nil {
			return nil, fmt.Errorf("cannot write this run's log configuration: %w", err)
		}
	}
	return c.args(p, file, log, env)
}

// daemonProperties returns the properties that the daemon gets.
func (c Command) daemonProperties() *Properties {
	p := *c.Properties
	p.values = maps.Clone(p.values)
	if c.Claim != nil {
		p.Set("workerId", c.Claim.ID)
	}
	if c.Entry != nil {
		for name, value := range p.entryStreams() {
			p.Set(name, value)
		}
	}
	return &p
}

// needCopy reports whether the file of the properties, if any, is not all of them.
func (p *Properties) needCopy() bool { return p.file == "" || len(p.overrides()) > 0 }

// appendProperties returns the text of a properties file with further
// properties: the last of a name counts. The empty line ends a last line that
// ends in a backslash.
func appendProperties(text []byte, properties map[string]string) []byte {
	text = append(text[:len(text):len(text)], "\n\n"...)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		text = fmt.Appendf(text, "%s=%s\n", escapeProperty(name), escapeProperty(properties[name]))
	}
	return text
}

// escapeProperty returns a name or value as a properties file must have it:
// Java reads it as ISO 8859-1, with UTF-16 in escapes.
func escapeProperty(text string) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(text)) {
		switch {
		case unit >= '0' && unit <= '9' || unit >= 'A' && unit <= 'Z' || unit >= 'a' && unit <= 'z' ||
			unit == '.' || unit == '-' || unit == '_' || unit == '/':
			b.WriteByte(byte(unit))
		default:
			fmt.Fprintf(&b, "\\u%04x", unit)
		}
	}
	return b.String()
}

// shutdownGrace returns how long the daemon gives itself to stop.
func (p *Properties) shutdownGrace() time.Duration {
	// One that is no number is for Check to tell.
	millis, _ := strconv.ParseInt(javaTrim(p.value("shutdownGraceMillis")), 10, 64)
	return max(0, time.Duration(millis)*time.Millisecond)
}
