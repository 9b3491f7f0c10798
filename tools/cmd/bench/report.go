package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strings"
)

// A report has the results of a bench, for a README.
type report struct {
	title  string
	tables []*table
	notes  []string // how it was measured
}

// A table has a row for each case and a column for each contender.
type table struct {
	title  string
	header []string
	rows   [][]string
}

// write writes the report in Markdown.
func (r *report) write(w io.Writer) error {
	var s strings.Builder
	fmt.Fprintf(&s, "%s. Measured on %s.\n", r.title, machine())
	line := func(cells []string) { fmt.Fprintf(&s, "| %s |\n", strings.Join(cells, " | ")) }
	for _, t := range r.tables {
		fmt.Fprintf(&s, "\n%s\n\n", t.title)
		line(t.header)
		fmt.Fprintf(&s, "|%s\n", strings.Repeat("---|", len(t.header)))
		for _, row := range t.rows {
			line(row)
		}
	}
	for _, n := range r.notes {
		fmt.Fprintf(&s, "\n%s\n", n)
	}
	_, err := io.WriteString(w, s.String())
	return err
}

var modelName = regexp.MustCompile(`(?m)^model name\s*: (.+)$`)

// machine describes the machine.
func machine() string {
	cpu := runtime.GOARCH
	text, _ := os.ReadFile("/proc/cpuinfo") // without it only the architecture is known
	if model := modelName.FindSubmatch(text); model != nil {
		cpu = string(model[1])
	}
	return fmt.Sprintf("%s, %d cores, %s, %s", cpu, runtime.NumCPU(), runtime.GOOS, runtime.Version())
}
