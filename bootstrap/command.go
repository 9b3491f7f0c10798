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

// A Command is what it takes to start the daemon. Java, Jars and Properties are
// required.
type Command struct {
	// Java is the path of the java command, as FindJava returns it.
	Java string
	// Jars are the daemon's files, as Fetch returns them.
	Jars []string
	// Properties is the path of the properties file.
	Properties string

	// JavaOptions are options of Java's own, such as -Xmx256m. They, and those in
	// JAVA_TOOL_OPTIONS and JDK_JAVA_OPTIONS, take the place of those that suit the
	// memory and the processors: see the README.
	JavaOptions []string
	// ClassPath are further jars and folders, for example with a credentials
	// provider of the user's, at the end of the class path.
	ClassPath []string
	// LogConfiguration is the path of a logback.xml for the daemon. If empty,
	// Run gives it one of this package's, at RunOptions.LogLevel.
	LogConfiguration string

	// Overrides are properties that take the place of those in the file. Run
	// gives the daemon a copy of the file that has them; Args cannot. An Entry gets
	// two more with the property streams: its streams as FormatStreams writes them,
	// and as streamName, on which the daemon's classes insist, the first one's name.
	Overrides map[string]string
	// Worker, if not nil, is the worker ID that the daemon gets, and whose lock
	// it inherits; see ClaimWorker. Args cannot do it.
	Worker *Worker

	// CacheDir is the folder that Fetch keeps the jars in. An Entry's class-data
	// archives are kept there too: Java starts in half the time with one. Empty means
	// none. They are left out where others may write to the folder, and where
	// JavaOptions or Java's variables name an archive.
	CacheDir string

	// Entry, if not nil, is started in the place of the daemon. Then
	// LogConfiguration has no effect.
	Entry *Entry
}

// An Entry is a main class that runs KCL in the place of the daemon's; package
// engine has one. It is not stopped by signals: on Windows it does not hear
// Ctrl-C, and on Linux it is killed when this process ends in any way.
type Entry struct {
	// Class is the name of the main class.
	Class string
	// Jar has it, and comes first in the class path.
	Jar string
	// Dir is a folder for the run's files; the caller removes it.
	Dir string
	// Args returns the arguments for the path of the properties file.
	Args func(properties string) []string

	// Classes are those to put into an archive, as Java's option SharedClassListFile
	// wants them, gzipped.
	Classes []byte
	// Good, if not nil, is closed when the run is good. If there is no archive, one is
	// made in the background 30 s later, with the lowest priority, in 10 s of a
	// processor and half a GB of memory, or later by another run where there is not
	// twice as much.
	Good <-chan struct{}
}

// Args returns the command with its arguments, to be shown or for
// exec.Command: all paths are absolute, so that it works from any folder,
// except that the daemon starts executableName from its working directory.
// Without a LogConfiguration the daemon logs in its own way, to its standard
// output.
//
// The class path has the jars, sorted, then the folder of the properties file,
// where a credentials provider's classes may lie, and then ClassPath; nothing
// else. The daemon looks for a resource with the properties file's name before
// it looks for a file: an absolute path is no resource's name but that file's
// own.
//
// The region of the properties is set for all of Java's clients where none is named
// elsewhere: the one that assumes a role is made without it.
//
// The encodings are set because Java otherwise takes the locale's, before 18
// for all and later for its output, and writes '?' for what that lacks.
func (c Command) Args() ([]string, error) {
	if len(c.overrides()) > 0 {
		return nil, errors.New("overrides, a claimed worker ID, and an entry with the property streams need Run")
	}
	return c.args(c.Properties, c.LogConfiguration, os.Environ())
}

// args returns the command with these files in the place of its own.
func (c Command) args(propertiesFile, logConfiguration string, env []string) ([]string, error) {
	if c.Java == "" || len(c.Jars) == 0 || c.Properties == "" {
		return nil, errors.New("the command needs Java, the jars and the properties file")
	}
	classPath := slices.Sorted(slices.Values(c.Jars))
	if c.Entry != nil {
		classPath = slices.Insert(classPath, 0, c.Entry.Jar)
	}
	classPath = append(classPath, filepath.Dir(c.Properties))
	classPath = append(classPath, c.ClassPath...)
	for i, entry := range classPath {
		abs, err := filepath.Abs(entry)
		if err != nil {
			return nil, fmt.Errorf("class path: %w", err)
		}
		// Java has no way to quote it, and takes a last * for all jars.
		if strings.ContainsRune(abs, filepath.ListSeparator) || strings.HasSuffix(abs, "*") {
			return nil, fmt.Errorf("%s cannot be in a Java class path: its name has a %q or ends in *; use another folder",
				abs, filepath.ListSeparator)
		}
		classPath[i] = abs
	}
	properties, err := filepath.Abs(propertiesFile)
	if err != nil {
		return nil, fmt.Errorf("properties file %s: %w", propertiesFile, err)
	}
	args := []string{c.Java, "-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "-Dstderr.encoding=UTF-8"}
	if p, err := c.effective(); err == nil { // Java says what is wrong with the file
		if _, err := p.CheckStock(); err != nil && c.Entry == nil {
			return nil, err
		}
		args = append(args, p.regionOption()...)
	}
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

// write writes the files that a run needs into a folder of its own, and
// returns the command with its arguments.
func (c Command) write(dir string, level slog.Level, env []string) ([]string, error) {
	properties, log := c.Properties, c.LogConfiguration
	if overrides := c.overrides(); len(overrides) > 0 {
		text, err := os.ReadFile(c.Properties)
		if err != nil {
			return nil, fmt.Errorf("cannot read the properties file: %w", err)
		}
		properties = filepath.Join(dir, "overridden.properties")
		if err := os.WriteFile(properties, appendProperties(text, overrides), 0o600); err != nil {
			return nil, fmt.Errorf("cannot write this run's properties: %w", err)
		}
	}
	if log == "" && c.Entry == nil {
		log = filepath.Join(dir, "logback.xml")
		if err := os.WriteFile(log, logConfigurationFor(level), 0o600); err != nil {
			return nil, fmt.Errorf("cannot write this run's log configuration: %w", err)
		}
	}
	return c.args(properties, log, env)
}

// overrides returns them with that of Worker, and for an Entry with those that stand
// for streams.
func (c Command) overrides() map[string]string {
	all := make(map[string]string)
	maps.Copy(all, c.Overrides)
	if c.Worker != nil {
		all["workerId"] = c.Worker.ID
	}
	if p, err := c.effective(); c.Entry != nil && err == nil {
		maps.Copy(all, p.entryStreams())
	}
	return all
}

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

// effective returns the properties that the daemon gets, but for the worker ID.
func (c Command) effective() (*Properties, error) {
	properties, err := ReadProperties(c.Properties)
	if err != nil {
		return nil, err
	}
	for name, value := range c.Overrides {
		properties.Set(name, value)
	}
	return properties, nil
}

// shutdownGrace returns how long the daemon gives itself to stop.
func (p *Properties) shutdownGrace() time.Duration {
	// One that is no number is for Check to tell.
	millis, _ := strconv.ParseInt(javaTrim(p.value("shutdownGraceMillis")), 10, 64)
	return max(0, time.Duration(millis)*time.Millisecond)
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
