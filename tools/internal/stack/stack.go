// Package stack runs the Kinesis and the DynamoDB of localaws in this process, and makes
// the settings with which a KCL application uses them. All data is in memory.
package stack

import (
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/seed96110120/kinesis-client-go/tools/localaws"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal"
)

// Region is the region for clients of the stack. Both services ignore it.
const Region = "us-east-1"

// Options are the options of Start.
type Options struct {
	// KinesisPort and DynamoDBPort are TCP ports. Defaults to free ones.
	KinesisPort, DynamoDBPort int

	// Logger gets what both services log. Defaults to nil: nothing is logged.
	Logger *slog.Logger
}

// Endpoints are the URLs of a Kinesis and a DynamoDB, such as http://127.0.0.1:PORT.
type Endpoints struct{ KinesisURL, DynamoDBURL string }

// A Stack is a running Kinesis and DynamoDB. Its methods may be called concurrently.
type Stack struct {
	Endpoints
	*localaws.Server
}

// Start starts both services.
func Start(opts *Options) (*Stack, error) {
	if opts == nil {
		opts = new(Options)
	}
	local := func(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
	s, err := localaws.Start(&localaws.Options{
		Kinesis:  kinesislocal.Options{Addr: local(opts.KinesisPort), Logger: opts.Logger},
		DynamoDB: dynamolocal.Options{Addr: local(opts.DynamoDBPort), Logger: opts.Logger},
	})
	if err != nil {
		return nil, err
	}
	return &Stack{Endpoints{s.Kinesis.URL(), s.DynamoDB.URL()}, s}, nil
}

// A Setting is a name and a value.
type Setting struct{ Name, Value string }

// PropertiesText returns settings as lines of a properties file.
func PropertiesText(settings []Setting) string {
	var b strings.Builder
	for _, s := range settings {
		fmt.Fprintf(&b, "%s = %s\n", s.Name, s.Value)
	}
	return b.String()
}

// Override returns the text of a properties file with settings appended. Lines that set one
// of them become comments.
func Override(text string, settings []Setting) string {
	names := make(map[string]bool)
	for _, s := range settings {
		names[s.Name] = true
	}
	var b strings.Builder
	continued := false // the last line is a comment now and ended in a backslash
	for line := range strings.Lines(text) {
		trimmed := strings.TrimLeft(line, " \t")
		name := trimmed
		if end := strings.IndexAny(trimmed, "=: \t\r\n"); end >= 0 {
			name = trimmed[:end]
		}
		out := continued || names[name]
		if out {
			b.WriteString("# set below: ")
		}
		b.WriteString(line)
		content := strings.TrimRight(line, "\r\n")
		backslashes := len(content) - len(strings.TrimRight(content, `\`))
		continued = out && backslashes%2 == 1
	}
	if !strings.HasSuffix(text, "\n") {
		b.WriteString("\n")
	}
	return b.String() + "\n# Written by this project's tools.\n" + PropertiesText(settings)
}

// Env returns the environment variables with which each AWS SDK uses the endpoints, with
// fake credentials, and looks for no others on an EC2 instance.
func (e Endpoints) Env() []Setting {
	return []Setting{
		{"AWS_ENDPOINT_URL_KINESIS", e.KinesisURL},
		{"AWS_ENDPOINT_URL_DYNAMODB", e.DynamoDBURL},
		{"AWS_REGION", Region},
		{"AWS_DEFAULT_REGION", Region}, // what the AWS command line reads
		{"AWS_ACCESS_KEY_ID", "local"},
		{"AWS_SECRET_ACCESS_KEY", "local"},
		{"AWS_EC2_METADATA_DISABLED", "true"},
	}
}

// unwanted are environment variables that would make an SDK use other credentials or
// another configuration than Env's.
var unwanted = []string{
	"AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
	"AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
	"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
}

// Unset returns the names of the variables that must not be set together with Env's.
func Unset() []string { return slices.Clone(unwanted) }

// Environ returns environ, a list as os.Environ returns it, changed so that a process with
// it uses the endpoints.
func (e Endpoints) Environ(environ []string) []string {
	settings := e.Env()
	drop := Unset()
	for _, v := range settings {
		drop = append(drop, v.Name)
	}
	kept := slices.DeleteFunc(slices.Clone(environ), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(drop, name)
	})
	for _, v := range settings {
		kept = append(kept, fmt.Sprintf("%s=%s", v.Name, v.Value))
	}
	return kept
}

// Properties returns MultiLangDaemon's properties for the local services: the endpoints, and
// the shortest intervals that were measured to work. They do not suit AWS, which would
// throttle and bill so many calls.
func (e Endpoints) Properties() []Setting {
	return []Setting{
		{"kinesisEndpoint", e.KinesisURL},
		{"dynamoDBEndpoint", e.DynamoDBURL},
		{"regionName", Region},
		{"AwsCredentialsProvider", "DefaultCredentialsProvider"},
		// There is no local CloudWatch, and no property for its endpoint.
		{"metricsLevel", "NONE"},
		{"retrievalMode", "POLLING"},
		{"initialPositionInStream", "TRIM_HORIZON"},
		{"leaseAssignmentIntervalMillis", "500"},
		{"inMemoryWorkerMetricsCaptureFrequencyMillis", "100"},
		{"workerMetricsReporterFreqInMillis", "1000"},
		// KCL's own: leases are balanced after few reports.
		{"noOfPersistedMetricsPerWorkerMetrics", "10"},
		{"workerMetricsEMAAlpha", "0.5"},
		{"failoverTimeMillis", "3000"},
		{"idleTimeBetweenReadsInMillis", "500"},
		// No stop takes that long; on a busy machine 10 s were too few.
		{"shutdownGraceMillis", "60000"},
	}
}
