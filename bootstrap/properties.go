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

// Properties are the daemon's properties: those of a file that [ReadProperties] has
// read, with those that Set has set in their place. The zero Properties are those of an
// empty file. They may be used concurrently while nobody calls Set.
type Properties struct {
	file   string // its absolute path; empty if there is none
	given  string // its path as given, for messages
	text   []byte // its content
	values map[string]setting
	// repeated are the settings that a later line of the file overrides.
	repeated []repetition
}

// A setting is a value and its line in the file: 0 if Set has set it.
type setting struct {
	value string
	line  int
}

// A repetition is a setting that a later line of the file overrides.
type repetition struct {
	name               string
	line, overriddenBy int
}

// A Finding is a mistake in the properties, or what is probably one.
type Finding struct {
	// File is the path of the file as it was given. It is empty if Properties.Set has set
	// the property, or if there is no file.
	File string
	// Line is the line at which the property starts, from 1, or 0 if it is not in the file.
	Line int
	// Warning is false if the daemon would fail or silently do something else than the
	// property says, and true if the property is probably not meant so.
	Warning bool
	// Key is the name of the property as it is written, or empty if the file is not a
	// properties file.
	Key string
	// Text describes the mistake, without the Key. It repeats no value that may be a
	// secret.
	Text string
	// Suggestion says what to do. It is empty if that follows from the Text.
	Suggestion string
}

// String returns one line: FILE:LINE: error: KEY: TEXT; SUGGESTION, with "warning" for a
// warning, without LINE for a property that is not in the file, and with "override" for
// an empty File.
func (f Finding) String() string {
	where := f.File
	switch {
	case f.Line > 0:
		where = fmt.Sprintf("%s:%d", f.File, f.Line)
	case where == "":
		where = "override"
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

// A ConfigError lists all mistakes in the properties: at least one.
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

// ReadProperties reads a properties file as java.util.Properties does. The error is a
// [*ConfigError] if the file exists but is not a properties file.
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
		return nil, fmt.Errorf("properties file %s: %w", file, fs.ErrNotExist)
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
	p := &Properties{file: abs, given: file, text: text, values: make(map[string]setting, len(list))}
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

// Get returns the value of a property. Names are case-sensitive, as for the daemon; the
// one exception is AwsCredentialsProvider, see Check.
func (p *Properties) Get(name string) (value string, ok bool) {
	s, ok := p.values[name]
	return s.value, ok
}

// Set sets a property, instead of the value that the file may have. The file itself is
// not changed: [Command.Run] gives the daemon a copy. Set must not be called while another
// goroutine uses p, or while a Command with it runs.
func (p *Properties) Set(name, value string) {
	if p.values == nil {
		p.values = make(map[string]setting)
	}
	p.values[name] = setting{value: value}
}

// overrides returns the properties that Set has set.
func (p *Properties) overrides() map[string]string {
	all := make(map[string]string)
	for name, s := range p.values {
		if s.line == 0 {
			all[name] = s.value
		}
	}
	return all
}

func (p *Properties) value(name string) string { return p.values[name].value }

func (p *Properties) has(name string) bool { return javaTrim(p.value(name)) != "" }
