package kcl

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Stream is a stream that an application reads, as the user named it.
type Stream struct {
	// Name is always set. ARN is set if the user named the stream by its ARN.
	Name, ARN string
	// Position is where reading starts. Its Kind is empty if nothing sets a position
	// for this stream.
	Position Position
	// ConsumerARN is the ARN of a registered fan-out consumer of this stream. It is
	// empty if KCL registers one.
	ConsumerARN string
}

var (
	streamName  = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,128}$`)
	streamARN   = regexp.MustCompile(`^arn:aws[^:]*:kinesis:[-a-z0-9]+:[0-9]{12}:stream/([a-zA-Z0-9_.-]{1,128})$`)
	consumerARN = regexp.MustCompile(`^(arn:aws[^:]*:kinesis:[-a-z0-9]+:[0-9]{12}:stream/([a-zA-Z0-9_.-]{1,128}))/consumer/[a-zA-Z0-9_.-]{1,128}:[0-9]+$`)
)

// ParseStream parses a name or an ARN.
func ParseStream(s string) (Stream, error) {
	if strings.HasPrefix(s, "arn:") {
		m := streamARN.FindStringSubmatch(s)
		if m == nil {
			return Stream{}, fmt.Errorf("%q is not the ARN of a stream: arn:aws:kinesis:REGION:ACCOUNT:stream/NAME", s)
		}
		return Stream{Name: m[1], ARN: s}, nil
	}
	if !streamName.MatchString(s) {
		return Stream{}, fmt.Errorf("stream name %q is not valid: use 1 to 128 letters, digits, and _ . -, or an ARN", s)
	}
	return Stream{Name: s}, nil
}

// SetConsumer sets ConsumerARN. It returns an error if arn is not the ARN of a consumer of
// this stream.
func (s *Stream) SetConsumer(arn string) error {
	m := consumerARN.FindStringSubmatch(arn)
	if m == nil {
		return fmt.Errorf("%q is not the ARN of a consumer: arn:aws:kinesis:REGION:ACCOUNT:stream/NAME/consumer/NAME:SECONDS", arn)
	}
	// If the stream is known by name only, it may be another account's. Kinesis finds out.
	if s.String() != m[1] && s.String() != m[2] {
		return fmt.Errorf("consumer %s is of another stream", arn)
	}
	s.ConsumerARN = arn
	return nil
}

// String returns the stream as the user named it.
func (s Stream) String() string { return cmp.Or(s.ARN, s.Name) }

// Region returns the region in the stream's ARN or in its consumer's, and "" if neither is
// set.
func (s Stream) Region() string { return arnField(cmp.Or(s.ARN, s.ConsumerARN), 3) }

// Account returns the account in the ARN, and "" if the stream is named by its name.
func (s Stream) Account() string { return arnField(s.ARN, 4) }

func arnField(arn string, i int) string {
	if parts := strings.Split(arn, ":"); i < len(parts) {
		return parts[i]
	}
	return ""
}

// Identifier returns KCL's identifier of a stream in an application with several streams:
// ACCOUNT:NAME:EPOCH. EPOCH is the time at which the stream was created, in seconds since
// 1970. So a stream that was deleted and created again has another identifier.
func Identifier(arn string, created time.Time) (string, error) {
	s, err := ParseStream(arn)
	if err != nil {
		return "", err
	}
	if s.ARN == "" || created.Unix() <= 0 {
		return "", fmt.Errorf("stream %q has no ARN or no creation time (%v): KCL cannot name its leases", arn, created)
	}
	return fmt.Sprintf("%s:%s:%d", s.Account(), s.Name, created.Unix()), nil
}

// MatchesIdentifier reports whether s is the identifier, or the name or ARN of its
// stream.
func MatchesIdentifier(s, identifier string) bool {
	parts := strings.Split(identifier, ":")
	if s == identifier || len(parts) != 3 {
		return s == identifier
	}
	stream, err := ParseStream(s)
	return err == nil && stream.Name == parts[1] && (stream.ARN == "" || stream.Account() == parts[0])
}
