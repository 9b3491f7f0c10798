package properties

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

// wholeSeconds matches the times of RFC 3339 that initialPosition accepts.
var wholeSeconds = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$`)

// lastSecond is the end of the year 9999, the last one of RFC 3339.
const lastSecond = 253402300799

// parseStreams parses the value of the property streams. Streams are separated by commas.
// Each is a name or an ARN, followed by settings key=value, separated by white space. The
// error lists everything that is wrong in one line.
func parseStreams(value string) ([]kcl.Stream, error) {
	if blank(value) {
		return nil, errors.New("it names no stream")
	}
	var streams []kcl.Stream
	var errs []string
	seen := map[string]bool{}
	for i, element := range strings.Split(value, ",") {
		words := strings.FieldsFunc(element, isSpace)
		if len(words) == 0 {
			errs = append(errs, fmt.Sprintf("stream %d of the list is empty", i+1))
			continue
		}
		s, err := kcl.ParseStream(words[0])
		switch {
		case err != nil:
			errs = append(errs, err.Error())
			continue
		case seen[words[0]]:
			errs = append(errs, fmt.Sprintf("stream %s is named twice", words[0]))
		}
		seen[words[0]] = true
		for _, err := range applySettings(&s, words[1:]) {
			errs = append(errs, fmt.Sprintf("stream %s: %v", s, err))
		}
		streams = append(streams, s)
	}
	if len(errs) > 0 {
		return nil, errors.New(strings.Join(errs, "; "))
	}
	return streams, nil
}

// applySettings applies the settings in words to a stream.
func applySettings(s *kcl.Stream, words []string) (errs []error) {
	seen := map[string]bool{}
	for _, word := range words {
		key, value, ok := strings.Cut(word, "=")
		var err error
		switch {
		case !ok:
			err = fmt.Errorf("%q is not a setting key=value (separate streams with commas)", word)
		case seen[key]:
			err = fmt.Errorf("%s is set twice", key)
		case key == "initialPosition":
			s.Position, err = streamPosition(value)
		case key == "consumerArn":
			err = s.SetConsumer(value)
		default:
			err = fmt.Errorf("setting %q is neither initialPosition nor consumerArn", key)
		}
		if err != nil {
			errs = append(errs, err)
		}
		seen[key] = true
	}
	return errs
}

func streamPosition(value string) (kcl.Position, error) {
	if value == kcl.Latest || value == kcl.TrimHorizon {
		return kcl.Position{Kind: value}, nil
	}
	seconds, err := strconv.ParseInt(value, 10, 64)
	if err != nil && wholeSeconds.MatchString(value) {
		var at time.Time
		at, err = time.Parse(time.RFC3339, value)
		seconds = at.Unix()
	}
	if err != nil || seconds < 0 || seconds > lastSecond {
		return kcl.Position{}, fmt.Errorf("initialPosition %q is none of %s, %s, a time like 2026-11-30T00:00:00Z, and seconds since 1970", value, kcl.TrimHorizon, kcl.Latest)
	}
	return kcl.Position{Kind: kcl.AtTimestamp, Time: time.Unix(seconds, 0)}, nil
}

// isSpace reports whether r is white space in a properties file.
func isSpace(r rune) bool { return strings.ContainsRune(" \t\r\n\f", r) }

func blank(s string) bool { return strings.TrimFunc(s, isSpace) == "" }
