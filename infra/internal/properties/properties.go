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
	Application      string
	StreamName       string
	Region           string
	KinesisEndpoint  string
	DynamoDBEndpoint string
	// Position is where the application starts: LATEST when the file says
	// nothing, as in KCL.
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
		StreamName:       get("streamName"),
		Region:           cmp.Or(get("regionName"), get("kinesisClient.region"), get("dynamoDbClient.region")),
		KinesisEndpoint:  cmp.Or(get("kinesisEndpoint"), get("kinesisClient.endpointOverride")),
		DynamoDBEndpoint: cmp.Or(get("dynamoDBEndpoint"), get("dynamoDbClient.endpointOverride")),
	}
	for _, name := range []string{"kinesisClient.region", "dynamoDbClient.region"} {
		if region := get(name); region != "" && region != f.Region {
			return nil, fmt.Errorf("%s is %q beside %q: kcl-infra makes all in one region", name, region, f.Region)
		}
	}
	if arn := get("streamArn"); arn != "" { // it has precedence in KCL
		parts := strings.SplitN(arn, ":", 6)
		if len(parts) != 6 || parts[0] != "arn" || parts[2] != "kinesis" || !strings.HasPrefix(parts[5], "stream/") {
			return nil, fmt.Errorf("streamArn %q is no ARN of a stream", arn)
		}
		f.StreamName = strings.TrimPrefix(parts[5], "stream/")
		if f.Region == "" {
			f.Region = parts[3]
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
