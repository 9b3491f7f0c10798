// Package properties reads the settings of AWS resources in a properties file of the
// MultiLangDaemon:
//
//	file, err := properties.Read("orders.properties")
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

// File is the content of a properties file. A field is empty if the file does not set it.
type File struct {
	Application string
	// Streams are the streams of the property streams, or the one of streamArn or
	// streamName.
	Streams          []kcl.Stream
	Region           string
	KinesisEndpoint  string
	DynamoDBEndpoint string
	// Position is where streams without their own position start. Defaults to LATEST, as
	// in KCL.
	Position kcl.Position
}

// Read reads a properties file. It returns an error if the file changes the names of the
// tables: kcl-infra would then create tables that the daemon does not use.
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
	// java.util.Properties reads Latin 1 and does not expand ${...}.
	loader := java.Loader{Encoding: java.ISO_8859_1, DisableExpansion: true}
	// The daemon reads a byte order mark as part of the first name, which kcl-bootstrap
	// refuses. Here it is ignored.
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
			return nil, fmt.Errorf("%s is %q, but another property sets %q: kcl-infra needs one region for all", name, region, f.Region)
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
	for property, suffix := range map[string]string{
		"tableName":                 "",
		"coordinatorStateTableName": "-CoordinatorState",
		"workerMetricsTableName":    "-WorkerMetricStats",
		"coordinatorStateTableConfigBean.coordinatorStateTableName": "-CoordinatorState",
		"workerMetricStatsTableConfigBean.workerMetricsTableName":   "-WorkerMetricStats",
	} {
		if name := get(property); name != "" && name != f.Application+suffix {
			return nil, fmt.Errorf("%s is %q: kcl-infra supports only the default name %q", property, name, f.Application+suffix)
		}
	}
	f.Position, err = position(get("initialPositionInStream"), get("initialPositionInStreamExtended"))
	return f, err
}

// streams returns the streams. streamArn overrides streamName, as in KCL.
func streams(p *java.Properties) ([]kcl.Stream, error) {
	const key = "streams" // a property of this project, not of Amazon's
	value, several := p.Get(key)
	for _, name := range []string{"streamArn", "streamName"} {
		one := strings.TrimSpace(p.GetString(name, ""))
		switch {
		case one == "":
		case several:
			return nil, fmt.Errorf("%s and %s are both set: remove one of them", key, name)
		default:
			s, err := kcl.ParseStream(one)
			if err == nil && (s.ARN != "") != (name == "streamArn") {
				err = fmt.Errorf("%q: set streamName to a name, streamArn to an ARN", one)
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

// position returns the position that one of two properties sets. If both are set, KCL uses
// either: it goes through its properties in the order of a hash table.
func position(name, seconds string) (kcl.Position, error) {
	switch {
	case name != "" && seconds != "":
		return kcl.Position{}, errors.New("initialPositionInStream and initialPositionInStreamExtended are both set: KCL uses either of them at random")
	case seconds != "":
		n, err := strconv.ParseInt(seconds, 10, 64)
		if err != nil || n <= 0 {
			return kcl.Position{}, fmt.Errorf("initialPositionInStreamExtended %q is not a number of seconds since 1970", seconds)
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
