package properties

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

func TestParse(t *testing.T) {
	const ids = "applicationName = app\nstreamName = s\n"
	s := []kcl.Stream{{Name: "s"}}
	latest := kcl.Position{Kind: kcl.Latest}
	tests := []struct {
		name, in string
		want     File
	}{
		{"nothing", "", File{Position: latest}},
		{"KCL starts at LATEST unless told", ids, File{Application: "app", Streams: s, Position: latest}},
		{"position, in any case", ids + "initialPositionInStream : trim_horizon", File{Application: "app", Streams: s, Position: kcl.Position{Kind: kcl.TrimHorizon}}},
		{"timestamp", ids + "initialPositionInStreamExtended=1700000000", File{Application: "app", Streams: s, Position: kcl.Position{Kind: kcl.AtTimestamp, Time: time.Unix(1700000000, 0)}}},
		{"an ARN wins, and names the region", ids + "streamArn = arn:aws:kinesis:eu-west-1:123456789012:stream/other", File{Application: "app", Streams: []kcl.Stream{{Name: "other", ARN: "arn:aws:kinesis:eu-west-1:123456789012:stream/other"}}, Region: "eu-west-1", Position: latest}},
		{
			"comments, continued lines, endpoints", "# streamName = x\nstreamName = \\\n  s\nkinesisEndpoint = http://127.0.0.1:1\ndynamoDBEndpoint=http\\://127.0.0.1:2\nregionName = us-east-2",
			File{Streams: s, Region: "us-east-2", KinesisEndpoint: "http://127.0.0.1:1", DynamoDBEndpoint: "http://127.0.0.1:2", Position: latest},
		},
		{"a dollar is a dollar", "executableName = ${HOME}/run\nother = ${streamName}", File{Position: latest}},
		{
			"the clients' names", "kinesisClient.endpointOverride = http://127.0.0.1:1\ndynamoDbClient.endpointOverride = http://127.0.0.1:2\nkinesisClient.region = us-east-2\ndynamoDbClient.region = us-east-2",
			File{Region: "us-east-2", KinesisEndpoint: "http://127.0.0.1:1", DynamoDBEndpoint: "http://127.0.0.1:2", Position: latest},
		},
		{"DynamoDB's region alone", "dynamoDbClient.region = us-east-2", File{Region: "us-east-2", Position: latest}},
		{"a byte order mark", "\uFEFF" + ids, File{Application: "app", Streams: s, Position: latest}},
		{"the tables' long names", ids + "coordinatorStateTableConfigBean.coordinatorStateTableName = app-CoordinatorState\nworkerMetricStatsTableConfigBean.workerMetricsTableName = app-WorkerMetricStats", File{Application: "app", Streams: s, Position: latest}},
		{
			"several streams, with a region of their own", "streams = orders initialPosition=TRIM_HORIZON, \\\n  arn:aws:kinesis:eu-west-1:123456789012:stream/other",
			File{Region: "eu-west-1", Position: latest, Streams: []kcl.Stream{
				{Name: "orders", Position: kcl.Position{Kind: kcl.TrimHorizon}},
				{Name: "other", ARN: "arn:aws:kinesis:eu-west-1:123456789012:stream/other"},
			}},
		},
		{
			"a consumer of the one stream", ids + "fanoutConfig.consumerArn = arn:aws:kinesis:eu-west-1:123456789012:stream/s/consumer/c:1",
			File{Application: "app", Region: "eu-west-1", Position: latest, Streams: []kcl.Stream{{Name: "s", ConsumerARN: "arn:aws:kinesis:eu-west-1:123456789012:stream/s/consumer/c:1"}}},
		},
		{"the usual table names", ids + "tableName = app\ncoordinatorStateTableName = app-CoordinatorState", File{Application: "app", Streams: s, Position: latest}},
	}
	for _, tt := range tests {
		got, err := parse([]byte(tt.in))
		if err != nil || !reflect.DeepEqual(*got, tt.want) {
			t.Errorf("%s: got %+v, error %v, want %+v", tt.name, got, err, tt.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ in, want string }{
		{"applicationName = a\ntableName = other", "tableName"},
		{"applicationName = a\nworkerMetricsTableName = other", "workerMetricsTableName"},
		{"applicationName = a\ncoordinatorStateTableConfigBean.coordinatorStateTableName = other", "coordinatorStateTableName"},
		{"applicationName = a\nworkerMetricStatsTableConfigBean.workerMetricsTableName = other", "workerMetricsTableName"},
		{"regionName = us-east-1\nkinesisClient.region = us-east-2", "one region"},
		{"kinesisClient.region = us-east-1\ndynamoDbClient.region = us-east-2", "one region"},
		{"initialPositionInStream = AT_TIMESTAMP", "timestamp"},
		{"initialPositionInStream = OLDEST", "OLDEST"},
		{"initialPositionInStreamExtended = yesterday", "yesterday"},
		{"initialPositionInStream = LATEST\ninitialPositionInStreamExtended = 5", "both"},
		{"streamArn = arn:aws:s3:::bucket", "streamArn"},
		{"streamArn = orders", "streamArn to an ARN"},
		{"streamName = arn:aws:kinesis:us-east-1:123456789012:stream/a", "set streamName to a name"},
		{"streams = a\nstreamName = a", "streams and streamName are both set"},
		{"streams = a\nstreamArn = arn:aws:kinesis:us-east-1:123456789012:stream/a", "streams and streamArn are both set"},
		{"streamName = a\nfanoutConfig.consumerArn = arn:aws:kinesis:us-east-1:123456789012:stream/b/consumer/c:1", "fanoutConfig.consumerArn: consumer"},
		{"streams =", "streams: it names no stream"},
		{"streams = a, b c", "streams: stream b:"},
		{"regionName = us-east-2\nstreams = a consumerArn=arn:aws:kinesis:us-east-1:123456789012:stream/a/consumer/c:1", "is not in region us-east-2"},
		{"regionName = us-east-2\nstreams = a, arn:aws:kinesis:us-east-1:123456789012:stream/a", "is not in region us-east-2"},
		{"streams = arn:aws:kinesis:us-east-2:123456789012:stream/a, arn:aws:kinesis:us-east-1:123456789012:stream/a", "is not in region us-east-2"},
	}
	for _, tt := range tests {
		if f, err := parse([]byte(tt.in)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %+v, error %v, want an error with %s", tt.in, f, err, tt.want)
		}
	}
	if _, err := Read("no-such-file"); err == nil {
		t.Error("missing file: no error, want one")
	}
}
