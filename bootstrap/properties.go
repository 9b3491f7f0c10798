package bootstrap

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"github.com/seed96110120/kinesis-client-go/bootstrap/internal/javaproperties"
)

// Properties is the content of the daemon's properties file. It is not changed
// once read, and may be shared.
type Properties struct {
	// File is the absolute path of the file.
	File   string
	given  string // the path as it was given, for messages
	values map[string]string
}

// A ConfigError lists everything that is wrong with a properties file.
type ConfigError struct {
	File string // as it was given
	// Problems has a line for each, at least one.
	Problems []string
}

// Error returns all problems in one line.
func (e *ConfigError) Error() string {
	return e.File + ": " + strings.Join(e.Problems, "; ")
}

// ReadProperties reads a properties file as java.util.Properties does. The
// error is a *ConfigError when the file is there but is none.
func ReadProperties(file string) (*Properties, error) {
	abs, err := filepath.Abs(file)
	if err != nil {
		return nil, fmt.Errorf("properties file %s: %w", file, err)
	}
	info, err := os.Stat(abs)
	if err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("properties file %s is not a regular file", file)
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(abs)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("properties file %s does not exist; name it with --properties: %w", file, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the properties file: %w", err)
	}
	values, err := javaproperties.Parse(text)
	if err != nil {
		return nil, &ConfigError{File: file, Problems: []string{err.Error()}}
	}
	return &Properties{File: abs, given: file, values: values}, nil
}

// Get returns the value of a property; the daemon looks names up with their
// case. The exception is AwsCredentialsProvider, for which see Check.
func (p *Properties) Get(name string) (value string, ok bool) {
	value, ok = p.values[name]
	return value, ok
}

func (p *Properties) has(name string) bool {
	return strings.TrimSpace(p.values[name]) != ""
}

// What DynamoDB and Kinesis take as a name of a table or stream.
var (
	tableName  = regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,255}$`)
	streamName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,128}$`)
	streamARN  = regexp.MustCompile(`^arn:[a-z0-9-]+:kinesis:([a-z0-9-]+):[0-9]{12}:stream/[a-zA-Z0-9_.-]{1,128}$`)
)

// Check looks for what would make the daemon fail at its start, or do nothing
// without end. It returns a *ConfigError with all that it finds, or nil:
//
//   - executableName is missing, or its first word (the daemon parts it at
//     spaces, without quoting) is no executable file: in PATH, or, where it
//     has a slash, from the working directory on;
//   - applicationName, AwsCredentialsProvider (which KCL looks up without
//     case), or both streamName and streamArn are missing, or have a form that
//     AWS refuses, such as a space at the end of the line;
//   - no region is named: not by regionName (a streamArn does not count), nor
//     by anything else that the AWS SDK looks at (see the README);
//   - an endpoint is not a URL of http or https.
//
// It depends on the environment, and may be called concurrently.
func (p *Properties) Check() error {
	var problems []string
	problem := func(format string, args ...any) {
		problems = append(problems, fmt.Sprintf(format, args...))
	}

	if !p.has("executableName") {
		problem("executableName is missing; set it to the command that processes records")
	} else if err := checkExecutable(p.values["executableName"]); err != nil {
		problem("%v", err)
	}

	if name := p.values["applicationName"]; !p.has("applicationName") {
		problem("applicationName is missing; set it to the name of this application, which its lease table gets too")
	} else if !tableName.MatchString(name) && !p.has("tableName") {
		problem("applicationName %q cannot name a DynamoDB table; use 3 to 255 of a-z A-Z 0-9 _ . -", name)
	}

	switch name, arn := p.values["streamName"], p.values["streamArn"]; {
	case !p.has("streamName") && !p.has("streamArn"):
		problem("streamName and streamArn are missing; set one of them to the stream to read")
	case p.has("streamArn") && !streamARN.MatchString(arn):
		problem("streamArn %q is not of the form arn:aws:kinesis:REGION:ACCOUNT:stream/NAME", arn)
	case !p.has("streamArn") && !streamName.MatchString(name):
		problem("streamName %q cannot name a stream; use 1 to 128 of a-z A-Z 0-9 _ . -", name)
	}

	if !p.hasCredentialsProvider() {
		problem("AwsCredentialsProvider is missing; DefaultCredentialsProvider is the usual one")
	}
	if !p.hasRegion() && !regionFromElsewhere() {
		problem("regionName is missing; set it to the stream's region, for example us-east-1")
	}
	for _, e := range p.endpoints() {
		if _, err := e.url(); err != nil {
			problem("%v", err)
		}
	}

	if problems == nil {
		return nil
	}
	return &ConfigError{File: p.given, Problems: problems}
}

// hasRegion tells whether all of the daemon's clients get a region from the
// file. A streamArn gives none.
func (p *Properties) hasRegion() bool {
	return p.has("regionName") ||
		p.has("kinesisClient.region") && p.has("dynamoDbClient.region") && p.has("cloudWatchClient.region")
}

func (p *Properties) hasCredentialsProvider() bool {
	for name := range p.values {
		if strings.EqualFold(name, "AwsCredentialsProvider") && p.has(name) {
			return true
		}
	}
	return false
}

// checkExecutable looks for the first word of executableName as Java will.
func checkExecutable(command string) error {
	name, _, _ := strings.Cut(command, " ")
	err := lookExecutable(name)
	switch {
	case err == nil:
		return nil
	case runtime.GOOS == "windows" || strings.Contains(name, "/"):
		return fmt.Errorf("executableName: %q cannot be executed: %w; a path starts at the working directory, or make it absolute", name, err)
	default:
		return fmt.Errorf("executableName: %q cannot be executed: %w; name the file with its path, for example ./%s", name, err, name)
	}
}
