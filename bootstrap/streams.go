package bootstrap

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Stream is a stream to read, with the settings that differ for it.
type Stream struct {
	// Stream is the name or the ARN of the stream. A name means a stream of the
	// account to which the credentials belong.
	Stream string
	// InitialPosition is where a shard without a checkpoint starts: LATEST, TRIM_HORIZON,
	// or AT_TIMESTAMP with InitialTimestamp. Defaults to initialPositionInStream and
	// initialPositionInStreamExtended.
	InitialPosition string
	// InitialTimestamp is the time for AT_TIMESTAMP, in whole seconds.
	InitialTimestamp time.Time
	// ConsumerARN is the ARN of a registered consumer of this stream, for FANOUT. If it is
	// empty, KCL registers one.
	ConsumerARN string
}

const (
	streamsProperty = "streams"
	atTimestamp     = "AT_TIMESTAMP"
	lastTime        = 253402300799 // the end of the year 9999, in seconds since 1970
)

// spaced matches white space beside a =, unless the value is missing.
var spaced = compiled(`[ \t\r\n\f]=|=[ \t\r\n\f]+[^ \t\r\n\f]`)

var timeForm = compiled(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})$`)

// Streams returns the streams that the property streams names, or else the one of
// streamArn, or else of streamName, or nil if none of these is set. It is an error if
// [ParseStreams] returns one, if streams and one of the others are both set, or if
// streamName or streamArn is not exactly one name or ARN.
func (p *Properties) Streams() ([]Stream, error) {
	name := "streamName"
	if p.has("streamArn") {
		name = "streamArn"
	}
	one := Stream{Stream: p.value(name)}
	switch {
	case !p.hasStreams() && !p.has(name):
		return nil, nil
	case p.hasStreams() && p.has(name):
		return nil, errors.New("streams and streamName or streamArn are both set; remove one")
	case p.hasStreams():
		return ParseStreams(p.value(streamsProperty))
	case name == "streamArn" && !streamARN().MatchString(one.Stream):
		return nil, fmt.Errorf("streamArn: %q is not the ARN of a stream; its form is arn:aws:kinesis:REGION:ACCOUNT:stream/NAME", one.Stream)
	case name == "streamName" && !streamName().MatchString(one.Stream):
		return nil, fmt.Errorf("streamName: %q is not the name of one stream; set streamArn to an ARN, and streams to several", one.Stream)
	}
	return []Stream{one}, nil
}

// hasStreams reports whether the property streams is set, even if it names no stream. A
// value that Set has set to "" unsets it.
func (p *Properties) hasStreams() bool {
	s, ok := p.values[streamsProperty]
	return ok && (s.line > 0 || javaTrim(s.value) != "")
}

// ParseStreams reads a value of the property streams: one or more streams, separated by
// commas. Each is a name or an ARN, followed by its own settings, all separated by white
// space:
//
//   - initialPosition=LATEST, TRIM_HORIZON or a time: in RFC 3339 format, in whole
//     seconds, or in seconds since 1970;
//   - consumerArn=ARN, of a consumer of this stream.
//
// No stream may be named twice. The error has all mistakes.
func ParseStreams(value string) ([]Stream, error) {
	if javaTrim(value) == "" {
		return nil, streamErrors{errors.New("it names no stream")}
	}
	var (
		streams []Stream
		errs    []error
		seen    = make(map[string]bool)
	)
	for i, element := range strings.Split(value, ",") {
		words := strings.FieldsFunc(element, func(r rune) bool { return strings.ContainsRune(" \t\r\n\f", r) })
		if len(words) == 0 {
			errs = append(errs, fmt.Errorf("stream %d is empty; remove a comma", i+1))
			continue
		}
		s := Stream{Stream: words[0]}
		if err := s.check(); err != nil {
			errs = append(errs, err)
			continue
		}
		if seen[s.Stream] {
			errs = append(errs, fmt.Errorf("%s is named twice; remove one", s.Stream))
		}
		seen[s.Stream] = true
		if spaced().MatchString(element) {
			errs = append(errs, fmt.Errorf("%s: a setting has no spaces around its =; write key=value", s.Stream))
			continue
		}
		set := make(map[string]bool)
		for _, setting := range words[1:] {
			key, text, ok := strings.Cut(setting, "=")
			var err error
			switch {
			case !ok:
				err = fmt.Errorf("%q is not a setting; write key=value, or a comma before the next stream", setting)
			case set[key]:
				err = fmt.Errorf("%s is set twice; remove one", key)
			case key == "initialPosition":
				err = s.setPosition(text)
			case key == "consumerArn":
				err = s.setConsumer(text)
			default:
				err = fmt.Errorf("unknown setting %q; use initialPosition or consumerArn", key)
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", s.Stream, err))
			}
			set[key] = true
		}
		streams = append(streams, s)
	}
	if errs != nil {
		return nil, streamErrors(errs)
	}
	return streams, nil
}

// streamErrors are several errors in one line.
type streamErrors []error

func (e streamErrors) Error() string {
	return strings.ReplaceAll(errors.Join(e...).Error(), "\n", "; ")
}

func (e streamErrors) Unwrap() []error { return e }

// check returns what is wrong with the name or ARN.
func (s *Stream) check() error {
	switch {
	case s.byARN() && !streamARN().MatchString(s.Stream):
		return fmt.Errorf("%q is not the ARN of a stream; its form is arn:aws:kinesis:REGION:ACCOUNT:stream/NAME", s.Stream)
	case !s.byARN() && !streamName().MatchString(s.Stream):
		return fmt.Errorf("%q cannot name a stream; use 1 to 128 of a-z A-Z 0-9 _ . -, or an ARN", s.Stream)
	}
	return nil
}

func (s *Stream) setPosition(text string) error {
	if text == "LATEST" || text == "TRIM_HORIZON" {
		s.InitialPosition = text
		return nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if seconds, number := strconv.ParseInt(text, 10, 64); number == nil {
		at, err = time.Unix(seconds, 0), nil
	} else if !timeForm().MatchString(text) {
		err = errors.New("another form")
	}
	if err != nil || at.Unix() < 0 || at.Unix() > lastTime {
		return fmt.Errorf("initialPosition=%s is not LATEST, TRIM_HORIZON, a time such as 2026-11-30T00:00:00Z, or seconds since 1970", text)
	}
	s.InitialPosition, s.InitialTimestamp = atTimestamp, at.UTC()
	return nil
}

func (s *Stream) setConsumer(arn string) error {
	switch s.ofConsumer(arn) {
	case "":
		return fmt.Errorf("consumerArn=%s is not the ARN of a consumer; its form is arn:aws:kinesis:REGION:ACCOUNT:stream/NAME/consumer/NAME:SECONDS", arn)
	case s.Stream:
		s.ConsumerARN = arn
		return nil
	}
	return fmt.Errorf("consumerArn=%s is of another stream; name a consumer of this one", arn)
}

// ofConsumer returns the stream of a consumer's ARN: its ARN if s has one, else its name,
// or "" if arn is not the ARN of a consumer. A name does not tell whether the stream is
// one of the same name in another account: the entry asks Kinesis.
func (s *Stream) ofConsumer(arn string) string {
	m := consumerARN().FindStringSubmatch(arn)
	switch {
	case m == nil:
		return ""
	case s.byARN():
		return arn[:strings.LastIndex(arn, "/consumer/")] // a stream may be named consumer
	}
	return m[2]
}

func (s *Stream) byARN() bool { return strings.HasPrefix(s.Stream, "arn:") }

// name returns the name of the stream.
func (s *Stream) name() string { return s.Stream[strings.LastIndexByte(s.Stream, '/')+1:] }

// FormatStreams returns the value of the property streams that ParseStreams reads. It also
// writes values that ParseStreams refuses: an invalid name, or an InitialTimestamp with
// parts of a second or without AT_TIMESTAMP.
func FormatStreams(streams []Stream) string {
	// An invalid value must not become a valid one.
	word := strings.NewReplacer(",", "?", "=", "?", " ", "?", "\t", "?", "\r", "?", "\n", "?", "\f", "?").Replace
	all := make([]string, len(streams))
	for i, s := range streams {
		all[i] = word(s.Stream)
		if s.InitialPosition != "" && (s.InitialPosition != atTimestamp || s.InitialTimestamp.IsZero()) {
			all[i] += " initialPosition=" + word(s.InitialPosition)
		}
		if !s.InitialTimestamp.IsZero() {
			if s.InitialPosition == "" {
				all[i] += " initialPosition="
			}
			all[i] += " initialPosition=" + s.InitialTimestamp.UTC().Format(time.RFC3339Nano)
		}
		if s.ConsumerARN != "" {
			all[i] += " consumerArn=" + word(s.ConsumerARN)
		}
	}
	return strings.Join(all, ", ")
}

// several returns the streams of the property streams, if it is valid.
func (c *checker) several() []Stream {
	if !c.hasStreams() {
		return nil
	}
	streams, _ := ParseStreams(c.value(streamsProperty))
	return streams
}

// streamList checks the property streams.
func (c *checker) streamList() {
	for _, other := range []string{"streamName", "streamArn"} {
		if c.has(other) {
			c.error(streamsProperty, other+" is set too", "remove one")
		}
	}
	streams, err := ParseStreams(c.value(streamsProperty))
	var errs streamErrors
	errors.As(err, &errs)
	for _, err := range errs {
		text, suggestion, _ := strings.Cut(err.Error(), "; ")
		c.error(streamsProperty, text, suggestion)
	}
	for _, s := range streams {
		wrong := keyType{name: "seconds"}.wrong(strconv.FormatInt(s.InitialTimestamp.Unix(), 10))
		if s.InitialPosition == atTimestamp && wrong != "" {
			c.error(streamsProperty, s.Stream+": initialPosition: "+wrong, "")
		}
	}
}

// ownPositions reports whether each stream has its own initial position.
func (c *checker) ownPositions() bool {
	streams := c.several()
	return streams != nil && !slices.ContainsFunc(streams, func(s Stream) bool { return s.InitialPosition == "" })
}

// CheckStock looks for properties that Amazon's own main class reads otherwise than Check
// does. It does not know the property streams, which is an error, and uses only the name in
// streamArn, which is a warning. The error is nil or a [*ConfigError].
func (p *Properties) CheckStock() (warnings []Finding, err error) {
	c := &checker{Properties: p}
	if c.hasStreams() {
		c.error(streamsProperty, "Amazon's MultiLangDaemon does not have it: it reads one stream",
			"set streamName to that stream, or run kcl-bootstrap --execute without --stock")
	}
	if c.has("streamArn") && !c.hasStreams() {
		c.warn("streamArn", "Amazon's MultiLangDaemon uses only the name in it, and reads the stream of that name in its own account",
			"set streamName if you mean that stream, or run kcl-bootstrap --execute without --stock")
	}
	if c.errors != nil {
		err = &ConfigError{c.errors}
	}
	return c.warnings, err
}

// entryStreams returns the property streams for an Entry, and the streamName that the
// daemon's classes require.
func (p *Properties) entryStreams() map[string]string {
	streams, err := ParseStreams(p.value(streamsProperty))
	if !p.hasStreams() || err != nil {
		return nil // Check says what is wrong
	}
	return map[string]string{"streamName": streams[0].name(), streamsProperty: FormatStreams(streams)}
}
