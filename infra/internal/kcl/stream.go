package kcl

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Stream is a stream that an application reads, as its user names it.
type Stream struct {
	// Name is always set, ARN only for a stream that is named by its ARN.
	Name, ARN string
	// Position is where it is read from; its Kind is empty when nothing says so for
	// this stream.
	Position Position
	// ConsumerARN is the ARN of a registered fan-out consumer of this stream, empty
	// when KCL registers one.
	ConsumerARN string
}

var (
	streamName  = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,128}$`)
	streamARN   = regexp.MustCompile(`^arn:aws[^:]*:kinesis:[-a-z0-9]+:[0-9]{12}:stream/([a-zA-Z0-9_.-]{1,128})$`)
	consumerARN = regexp.MustCompile(`^(arn:aws[^:]*:kinesis:[-a-z0-9]+:[0-9]{12}:stream/([a-zA-Z0-9_.-]{1,128}))/consumer/[a-zA-Z0-9_.-]{1,128}:[0-9]+$`)
)

// ParseStream reads a name or an ARN.
func ParseStream(s string) (Stream, error) {
	if strings.HasPrefix(s, "arn:") {
		m := streamARN.FindStringSubmatch(s)
		if m == nil {
			return Stream{}, fmt.Errorf("%q is not the ARN of a stream: arn:aws:kinesis:REGION:ACCOUNT:stream/NAME", s)
		}
		return Stream{Name: m[1], ARN: s}, nil
	}
	if !streamName.MatchString(s) {
		return Stream{}, fmt.Errorf("stream name %q is none that AWS takes: 1 to 128 letters, digits, and _ . -, or an ARN", s)
	}
	return Stream{Name: s}, nil
}

// SetConsumer takes the ARN of a consumer of this stream.
func (s *Stream) SetConsumer(arn string) error {
	m := consumerARN.FindStringSubmatch(arn)
	if m == nil {
		return fmt.Errorf("%q is not the ARN of a consumer: arn:aws:kinesis:REGION:ACCOUNT:stream/NAME/consumer/NAME:SECONDS", arn)
	}
	// Another account may have a stream of that name: that is for Kinesis to tell.
	if s.String() != m[1] && s.String() != m[2] {
		return fmt.Errorf("consumer %s is of another stream", arn)
	}
	s.ConsumerARN = arn
	return nil
}

// String returns the stream as its user named it.
func (s Stream) String() string { return cmp.Or(s.ARN, s.Name) }

// Region is that of the stream's ARN or of its consumer's, empty without both.
func (s Stream) Region() string { return part(cmp.Or(s.ARN, s.ConsumerARN), 3) }

// Account is that of the ARN, empty for a stream that is named by its name.
func (s Stream) Account() string { return part(s.ARN, 4) }

func part(arn string, i int) string {
	if parts := strings.Split(arn, ":"); i < len(parts) {
		return parts[i]
	}
	return ""
}

// Identifier is what KCL calls a stream in an application of several:
// ACCOUNT:NAME:EPOCH. The epoch is the time of the stream's creation in seconds, so
// that a stream that was deleted and made again is another one.
func Identifier(arn string, created time.Time) (string, error) {
	s, err := ParseStream(arn)
	if err != nil {
		return "", err
	}
	if s.ARN == "" || created.Unix() <= 0 {
		return "", fmt.Errorf("stream %q has no ARN or was made at no time, %v: KCL cannot name its leases", arn, created)
	}
	return fmt.Sprintf("%s:%s:%d", s.Account(), s.Name, created.Unix()), nil
}

// Names tells whether s names the stream of an identifier: as it is, or by its name
// or ARN.
func Names(s, identifier string) bool {
	parts := strings.Split(identifier, ":")
	if s == identifier || len(parts) != 3 {
		return s == identifier
	}
	stream, err := ParseStream(s)
	return err == nil && stream.Name == parts[1] && (stream.ARN == "" || stream.Account() == parts[0])
}
