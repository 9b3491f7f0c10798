package main

import (
	"errors"
	"fmt"
	"strings"
)

// A failure is one thing that speaks against a release.
type failure struct {
	rule   string
	module string // folder
	file   string // relative to the root; empty where no file is to blame
	line   int    // in the file, from 1; 0: none
	text   string
}

// String has the form that editors and CI know: file, line, message.
func (f failure) String() string {
	at := f.module
	if f.file != "" {
		at = f.file
	}
	if f.line > 0 {
		at += fmt.Sprintf(":%d", f.line)
	}
	return fmt.Sprintf("%s: %s: %s: %s", at, f.rule, f.module, f.text)
}

type failures []failure

func (all failures) err() error {
	if len(all) == 0 {
		return nil
	}
	lines := []string{"cannot be released:"}
	for _, f := range all {
		lines = append(lines, f.String())
	}
	return errors.New(strings.Join(lines, "\n"))
}
