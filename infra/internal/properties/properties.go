// Package properties reads from a MultiLangDaemon's properties file what
// concerns its AWS resources.
package properties

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	java "github.com/magiconair/properties"

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

// File is what a properties file says; a field is empty when it says nothing.
type File struct {
	Application string
	// Streams are those of streams, or the one of streamArn or streamName.
	Streams          []kcl.Stream
	Region           string
	KinesisEndpoint  string
	DynamoDBEndpoint string
	// Position is where a stream without a position of its own starts: LATEST when
	// the file says nothing, as in KCL.
	Position kcl.Position
}

// Read reads the file. A file that gives tables names of their own is refused:
// what is made here would not be what the daemon uses.
func Read(path string) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the properties: %w", err)
	}
	f, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("properties %s: %w", path, err)
	}
	return f, nil
}

func parse(text []byte) (*File, error) {
	// java.util.Properties reads Latin 1 and knows no ${...}.
	loader := java.Loader{Encoding: java.ISO_8859_1, DisableExpansion: true}
	// The daemon takes a byte order mark for a part of the first name, and
	// kcl-bootstrap refuses that; here the name is what was meant.
	p, err := loader.LoadBytes(bytes.TrimPrefix(text, []byte("\uFEFF")))
	if err != nil {
		return nil, err
	}
	get := func(name string) string { return strings.TrimSpace(p.GetString(name, "")) }
	f := &File{
		Application:      get("applicationName"),
		Region:           cmp.Or(get("regionName"), get("kinesisClient.region"), get("dynamoDbClient.region")),
		KinesisEndpoint:  cmp.Or(get("kinesisEndpoint"), get("kinesisClient.endpointOverride")),
		DynamoDBEndpoint: cmp.Or(get("dynamoDBEndpoint"), get("dynamoDbClient.endpointOverride")),
	}
	for _, name := range []string{"kinesisClient.region", "dynamoDbClient.region"} {
		if region := get(name); region != "" && region != f.Region {
			return nil, fmt.Errorf("%s is %q beside %q: kcl-infra makes all in one region", name, region, f.Region)
		}
	}
	if f.Streams, err = streams(p); err != nil {
		return nil, err
	}
	if arn := get("fanoutConfig.consumerArn"); arn != "" && len(f.Streams) == 1 {
		if err := f.Streams[0].SetConsumer(arn); err != nil {
			return nil, fmt.Errorf("fanoutConfig.consumerArn: %w", err)
		}
	}
	for _, s := range f.Streams {
		if f.Region = cmp.Or(f.Region, s.Region()); s.Region() != "" && s.Region() != f.Region {
			return nil, fmt.Errorf("stream %s or its consumer is not in region %s: KCL reads all streams in one region", s, f.Region)
		}
	}
	for property, usual := range map[string]string{
		"tableName":                 "",
		"coordinatorStateTableName": "-CoordinatorState",
		"workerMetricsTableName":    "-WorkerMetricStats",
		"coordinatorStateTableConfigBean.coordinatorStateTableName": "-CoordinatorState",
		"workerMetricStatsTableConfigBean.workerMetricsTableName":   "-WorkerMetricStats",
	} {
		if name := get(property); name != "" && name != f.Application+usual {
			return nil, fmt.Errorf("%s is %q: kcl-infra knows only the usual name %q", property, name, f.Application+usual)
		}
	}
	f.Position, err = position(get("initialPositionInStream"), get("initialPositionInStreamExtended"))
	return f, err
}

// streams reads the streams; streamArn has precedence over streamName, as in KCL.
func streams(p *java.Properties) ([]kcl.Stream, error) {
	const key = "streams" // of this project, not of Amazon's
	value, several := p.Get(key)
	for _, name := range []string{"streamArn", "streamName"} {
		one := strings.TrimSpace(p.GetString(name, ""))
		switch {
		case one == "":
		case several:
			return nil, fmt.Errorf("%s is beside %s: remove one of them", key, name)
		default:
			s, err := kcl.ParseStream(one)
			if err == nil && (s.ARN != "") != (name == "streamArn") {
				err = fmt.Errorf("%q: a name goes to streamName, an ARN to streamArn", one)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			return []kcl.Stream{s}, nil
		}
	}
	if !several {
		return nil, nil
	}
	list, err := parseStreams(value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return list, nil
}

// position reads the two properties that set the same thing. Which of them wins
// in KCL is chance: it goes through them in the order of a hash table.
func position(name, seconds string) (kcl.Position, error) {
	switch {
	case name != "" && seconds != "":
		return kcl.Position{}, errors.New("initialPositionInStream and initialPositionInStreamExtended are both set: which of them KCL takes is chance")
	case seconds != "":
		n, err := strconv.ParseInt(seconds, 10, 64)
		if err != nil || n <= 0 {
			return kcl.Position{}, fmt.Errorf("initialPositionInStreamExtended %q is no number of seconds since the epoch", seconds)
		}
		return kcl.ParsePosition(kcl.AtTimestamp, n)
	case name != "":
		p, err := kcl.ParsePosition(name, 0)
		if err != nil {
			return p, fmt.Errorf("initialPositionInStream: %w", err)
		}
		return p, nil
	}
	return kcl.Position{Kind: kcl.Latest}, nil
}
