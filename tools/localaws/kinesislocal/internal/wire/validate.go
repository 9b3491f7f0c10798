package wire

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/internal/httpserver"
)

// constraints collects the violations of a request, in the words of AWS.
type constraints struct{ violations []string }

func (c *constraints) violate(value, member, format string, args ...any) {
	c.violations = append(c.violations,
		fmt.Sprintf("Value %sat '%s' failed to satisfy constraint: Member must %s", value, member, fmt.Sprintf(format, args...)))
}

// err returns a ValidationException, or nil without violations.
func (c *constraints) err() error {
	switch n := len(c.violations); n {
	case 0:
		return nil
	case 1:
		return &failure{validationException, "1 validation error detected: " + c.violations[0]}
	default:
		return &failure{validationException, strconv.Itoa(n) + " validation errors detected: " + strings.Join(c.violations, "; ")}
	}
}

func (c *constraints) required(member string, present bool) {
	if !present {
		c.violate("null ", member, "not be null")
	}
}

func quoted(value string) string { return "'" + value + "' " }

// namePattern is the constraint of stream names and shard IDs.
var namePattern = regexp.MustCompile(`^[a-zA-Z0-9_.-]+$`)

func (c *constraints) name(member string, value *string) {
	if value == nil {
		return
	}
	if !namePattern.MatchString(*value) {
		c.violate(quoted(httpserver.Truncate(*value)), member, "satisfy regular expression pattern: [a-zA-Z0-9_.-]+")
	}
	c.length(member, *value, 1, 128)
}

func (c *constraints) length(member, value string, low, high int) {
	n := utf8.RuneCountInString(value)
	if n < low {
		c.violate(quoted(value), member, "have length greater than or equal to %d", low)
	}
	if n > high {
		c.violate(quoted(httpserver.Truncate(value)), member, "have length less than or equal to %d", high)
	}
}

var arnPattern = regexp.MustCompile(`^arn:aws[^:]*:kinesis:[^:]*:\d{12}:stream/(\S+)$`)

func (c *constraints) stream(ref streamRef) {
	c.name("streamName", ref.StreamName)
	if ref.StreamARN != nil && !arnPattern.MatchString(*ref.StreamARN) {
		c.violate(quoted(httpserver.Truncate(*ref.StreamARN)), "streamARN", `satisfy regular expression pattern: arn:aws.*:kinesis:.*:\d{12}:stream/\S+`)
	}
}

var (
	consumerARNPattern = regexp.MustCompile(`^arn:aws[^:]*:kinesis:[^:]*:\d{12}:stream/([a-zA-Z0-9_.-]+)/consumer/[a-zA-Z0-9_.-]+:\d+$`)
	plainStreamPattern = regexp.MustCompile(`^arn:aws[^:]*:kinesis:[^:]*:\d{12}:stream/([a-zA-Z0-9_.-]+)$`)
)

func (c *constraints) consumerARN(arn *string) {
	if arn != nil && !consumerARNPattern.MatchString(*arn) {
		c.violate(quoted(httpserver.Truncate(*arn)), "consumerARN",
			`satisfy regular expression pattern: ^(arn):aws.*:kinesis:.*:\d{12}:.*stream\/[a-zA-Z0-9_.-]+\/consumer\/[a-zA-Z0-9_.-]+:[0-9]+`)
	}
}

// resourceARN is the constraint of the ARN of a stream or consumer.
func (c *constraints) resourceARN(arn *string) {
	c.required("resourceARN", arn != nil)
	if arn != nil && !consumerARNPattern.MatchString(*arn) && !plainStreamPattern.MatchString(*arn) {
		c.violate(quoted(httpserver.Truncate(*arn)), "resourceARN", `satisfy regular expression pattern: arn:aws.*:kinesis:.*:\d{12}:.*stream/\S+`)
	}
}

// requiredStreamARN is the constraint of operations that take no name of a stream.
func (c *constraints) requiredStreamARN(arn *string) {
	c.required("streamARN", arn != nil)
	c.stream(streamRef{StreamARN: arn})
}

func (c *constraints) recordSize(kib *int32) { c.within("maxRecordSizeInKiB", kib, 1024, 10240) }

const maxTagsGiven = 200

func (c *constraints) tags(tags map[string]string) {
	c.required("tags", tags != nil)
	switch n := len(tags); {
	case n == 0 && tags != nil:
		c.violate("'{}' ", "tags", "have length greater than or equal to 1")
	case n > maxTagsGiven:
		c.violate("", "tags", "have length less than or equal to %d", maxTagsGiven)
	default:
		for _, key := range slices.Sorted(maps.Keys(tags)) {
			c.length("tags.key", key, 1, 128)
			c.length("tags.value", tags[key], 0, 256)
		}
	}
}

func (c *constraints) tagKeys(keys []string) {
	c.required("tagKeys", keys != nil)
	switch n := len(keys); {
	case n == 0 && keys != nil:
		c.violate("'[]' ", "tagKeys", "have length greater than or equal to 1")
	case n > 50:
		c.violate("", "tagKeys", "have length less than or equal to 50")
	default:
		for i, key := range keys {
			c.length(fmt.Sprintf("tagKeys.%d.member", i+1), key, 1, 128)
		}
	}
}

func (c *constraints) within(member string, value *int32, low, high int32) {
	if value == nil {
		return
	}
	if *value < low {
		c.violate(quoted(strconv.Itoa(int(*value))), member, "have value greater than or equal to %d", low)
	}
	if *value > high {
		c.violate(quoted(strconv.Itoa(int(*value))), member, "have value less than or equal to %d", high)
	}
}

// oneOf is the constraint of an enumeration.
func oneOf[T ~string](c *constraints, member string, value *string, values []T) {
	if value != nil && !slices.Contains(values, T(*value)) {
		c.violate(quoted(httpserver.Truncate(*value)), member, "satisfy enum value set: %v", values)
	}
}

// number is the constraint of hash keys and sequence numbers.
func (c *constraints) number(member string, value *string, maxDigits int) {
	if value == nil {
		return
	}
	ok := *value != "" && len(*value) <= maxDigits && strings.Trim(*value, "0123456789") == "" && (*value == "0" || (*value)[0] != '0')
	if !ok {
		c.violate(quoted(httpserver.Truncate(*value)), member, `satisfy regular expression pattern: 0|([1-9]\d{0,%d})`, maxDigits-1)
	}
}

// entry checks the record of PutRecord, or one record of PutRecords. Messages do
// not quote the partition key, because it is the user's data.
func (c *constraints) entry(prefix string, e putRecordsRequestEntry) {
	c.required(prefix+"data", e.Data != nil)
	if len(e.Data) > maxPutBytes {
		c.violate("", prefix+"data", "have length less than or equal to %d", maxPutBytes)
	}
	c.required(prefix+"partitionKey", e.PartitionKey != nil)
	if e.PartitionKey != nil {
		if n := utf8.RuneCountInString(*e.PartitionKey); n < 1 {
			c.violate("", prefix+"partitionKey", "have length greater than or equal to 1")
		} else if n > 256 {
			c.violate("", prefix+"partitionKey", "have length less than or equal to 256")
		}
	}
	c.number(prefix+"explicitHashKey", e.ExplicitHashKey, 39)
}
