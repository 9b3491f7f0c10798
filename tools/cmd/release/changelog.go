package main

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// A section of a CHANGELOG.md: what is below one of its headings
// "## [0.1.0] - 2026-11-25", "## [0.1.0]" and "## [Unreleased]".
type section struct {
	line int    // of the heading, from 1
	name string // as in 0.1.0
	date string // empty: not released yet
	body string
}

var sectionHeading = regexp.MustCompile(`^## \[([^\]]+)\](?: - (\d{4}-\d\d-\d\d))?\s*$`)

func sections(text string) (found []section) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		if m := sectionHeading.FindStringSubmatch(line); m != nil {
			found = append(found, section{line: n, name: m[1], date: m[2]})
		} else if len(found) > 0 {
			found[len(found)-1].body += line
		}
	}
	for i := range found {
		found[i].body = strings.TrimSpace(found[i].body)
	}
	return found
}

// errChangelog is what is wrong with a changelog, and where.
type errChangelog struct {
	line int
	text string
}

func (e errChangelog) Error() string { return e.text }

const unreleased = "Unreleased"

// entry returns the section of a version. That of the changes that are not
// released yet stands in for it.
func entry(text, version string) (section, error) {
	name := strings.TrimPrefix(version, "v")
	all := sections(text)
	for _, wanted := range []string{name, unreleased} {
		for _, s := range all {
			if s.name != wanted {
				continue
			}
			if s.body == "" {
				return s, errChangelog{s.line, fmt.Sprintf("nothing stands below [%s]: write what has changed for the users of %s", s.name, version)}
			}
			return s, nil
		}
	}
	return section{}, errChangelog{1, fmt.Sprintf("no entry for %s: write ## [%s] or ## [%s], and what has changed", version, unreleased, name)}
}

// dated returns the text with the version's entry named and dated.
func dated(text, version string, now time.Time) (string, error) {
	s, err := entry(text, version)
	if err != nil {
		return "", err
	}
	if s.date != "" {
		return text, nil
	}
	heading := fmt.Sprintf("## [%s] - %s\n", strings.TrimPrefix(version, "v"), now.Format(time.DateOnly))
	if s.name == unreleased {
		heading = "## [" + unreleased + "]\n\n" + heading
	}
	var b strings.Builder
	n := 0
	for line := range strings.Lines(text) {
		if n++; n == s.line {
			line = heading
		}
		b.WriteString(line)
	}
	return b.String(), nil
}
