package bootstrap

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed96110120/kinesis-client-go/bootstrap/internal/javaproperties"
	"github.com/seed96110120/kinesis-client-go/bootstrap/internal/lines"
)

// Properties is the content of the daemon's properties file. Set aside, it is
// not changed once read, and may be shared.
type Properties struct {
	// File is the absolute path of the file.
	File   string
	given  string // the path as it was given, for messages
	values map[string]setting
	// repeated are the settings that a later one of the file undid.
	repeated []repetition
}

// A setting is a value and where it stands: no line if Set has set it.
type setting struct {
	value string
	line  int
}

// A repetition is a setting that does not hold, and the one that does.
type repetition struct {
	name             string
	line, heldByLine int
}

// A Finding is one thing that a check has found in a properties file.
type Finding struct {
	// File is the path as it was given, or empty for a property that
	// Properties.Set has set.
	File string
	// Line is where the property starts, from 1; 0 if it is not in the file.
	Line int
	// Warning is false for what the daemon would fail of, or silently do
	// otherwise than it says there; true for what is probably not meant.
	Warning bool
	// Key is the property, as it is written in the file; empty if the file is no
	// file of properties.
	Key string
	// Text says what it is, without the Key. It repeats no value that may be a
	// secret.
	Text string
	// Suggestion says what to do; empty if the Text leaves no question.
	Suggestion string
}

// String returns one line: FILE:LINE: error: KEY: TEXT; SUGGESTION, or warning.
// What is not in the file has no LINE.
func (f Finding) String() string {
	where := f.File
	switch {
	case f.Line > 0:
		where = fmt.Sprintf("%s:%d", f.File, f.Line)
	case where == "":
		where = "set apart from the file"
	}
	kind := "error"
	if f.Warning {
		kind = "warning"
	}
	text := f.Text
	if f.Key != "" {
		text = f.Key + ": " + text
	}
	if f.Suggestion != "" {
		text += "; " + f.Suggestion
	}
	return lines.Plain(where + ": " + kind + ": " + text)
}

// A ConfigError lists everything that is wrong with a properties file, at least
// one thing.
type ConfigError struct {
	// Findings are errors, not warnings, in the order of the checks.
	Findings []Finding
}

// Error returns all findings in one line.
func (e *ConfigError) Error() string {
	lines := make([]string, len(e.Findings))
	for i, f := range e.Findings {
		lines[i] = f.String()
	}
	return strings.Join(lines, "; ")
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
	list, err := javaproperties.Parse(text)
	if err != nil {
		var malformed *javaproperties.SyntaxError
		errors.As(err, &malformed)
		return nil, &ConfigError{[]Finding{{File: file, Line: malformed.Line, Text: malformed.Text, Suggestion: `write \\ for a backslash`}}}
	}
	p := &Properties{File: abs, given: file, values: make(map[string]setting, len(list))}
	for _, property := range list {
		p.values[property.Key] = setting{property.Value, property.Line}
	}
	for _, property := range list {
		if held := p.values[property.Key].line; held != property.Line {
			p.repeated = append(p.repeated, repetition{property.Key, property.Line, held})
		}
	}
	return p, nil
}

// Get returns the value of a property; the daemon looks names up with their
// case. The exception is AwsCredentialsProvider, for which see Check.
func (p *Properties) Get(name string) (value string, ok bool) {
	s, ok := p.values[name]
	return s.value, ok
}

// Set puts a value in the place of the file's, for checks and for Get; see
// Command.Overrides for the daemon. It must not be called while another
// goroutine uses p.
func (p *Properties) Set(name, value string) { p.values[name] = setting{value: value} }

func (p *Properties) value(name string) string { return p.values[name].value }

func (p *Properties) has(name string) bool { return javaTrim(p.value(name)) != "" }
