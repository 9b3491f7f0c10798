// Package connect makes clients of Kinesis and DynamoDB that fail soon, and in
// one line, when they cannot work: the SDK's own defaults retry a dead endpoint
// for minutes.
package connect

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// DefaultRegion is used when neither a flag nor the environment names a region.
const DefaultRegion = "us-east-1"

const (
	dialTimeout        = 2 * time.Second
	credentialsTimeout = 3 * time.Second
	firstAnswerTimeout = 3 * time.Second
	answerTimeout      = 20 * time.Second
)

// Options says where the services are. Empty fields leave the choice to the SDK:
// the environment (AWS_REGION, AWS_ENDPOINT_URL_KINESIS,
// AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL) and the shared configuration files.
type Options struct {
	Region           string
	KinesisEndpoint  string
	DynamoDBEndpoint string
}

// Clients are clients whose credentials have been found.
type Clients struct {
	Kinesis  *kinesis.Client
	DynamoDB *dynamodb.Client
	Region   string
}

// Connect returns the clients. It calls neither service yet; see FirstAnswer.
func Connect(ctx context.Context, o Options) (*Clients, error) {
	cfg, err := load(ctx, o.Region)
	if err != nil {
		return nil, err
	}
	credentials, cancel := context.WithTimeout(ctx, credentialsTimeout)
	defer cancel()
	if _, err := cfg.Credentials.Retrieve(credentials); err != nil {
		return nil, noCredentials(ctx, err)
	}
	return &Clients{
		Kinesis: kinesis.NewFromConfig(cfg, func(ko *kinesis.Options) {
			if o.KinesisEndpoint != "" {
				ko.BaseEndpoint = aws.String(o.KinesisEndpoint)
			}
		}),
		DynamoDB: dynamodb.NewFromConfig(cfg, func(do *dynamodb.Options) {
			if o.DynamoDBEndpoint != "" {
				do.BaseEndpoint = aws.String(o.DynamoDBEndpoint)
			}
		}),
		Region: cfg.Region,
	}, nil
}

// Region returns the region that Connect would use; it needs no credentials.
func Region(ctx context.Context, flag string) (string, error) {
	cfg, err := load(ctx, flag)
	return cfg.Region, err
}

func load(ctx context.Context, region string) (aws.Config, error) {
	httpClient := awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout }).
		WithTransportOptions(func(t *http.Transport) { t.ResponseHeaderTimeout = answerTimeout })
	options := []func(*config.LoadOptions) error{
		config.WithHTTPClient(httpClient),
		config.WithDefaultRegion(DefaultRegion),
		// The SDK's warnings would be more lines next to the one that says what
		// failed.
		config.WithLogger(logging.Nop{}),
	}
	if region != "" {
		options = append(options, config.WithRegion(region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return cfg, fmt.Errorf("read the AWS configuration: %s", oneLine(err.Error()))
	}
	return cfg, nil
}

func noCredentials(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	line := "no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role gives them"
	// The chain ends at EC2's metadata service when nothing else is configured:
	// why that one failed tells the user nothing.
	if why := oneLine(err.Error()); !strings.Contains(why, "EC2 IMDS") {
		line += " (" + why + ")"
	}
	return &explained{line: line, err: err}
}

// FirstAnswer bounds the first call to an endpoint, so that one that nobody
// answers is known within seconds.
func FirstAnswer(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, firstAnswerTimeout)
}

// KinesisName says where calls to Kinesis go.
func (c *Clients) KinesisName() string {
	return name("kinesis", c.Kinesis.Options().BaseEndpoint, c.Region)
}

// DynamoDBName says where calls to DynamoDB go.
func (c *Clients) DynamoDBName() string {
	return name("dynamodb", c.DynamoDB.Options().BaseEndpoint, c.Region)
}

func name(service string, endpoint *string, region string) string {
	if endpoint != nil {
		return service + " at " + *endpoint
	}
	return service + " in " + region
}

// Explain turns an SDK error into one line: what AWS answered, or which service
// gave no answer. The error stays reachable by errors.Is and errors.As.
func Explain(err error, service string) error {
	if err == nil {
		return nil
	}
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() != "UnknownError" {
		line := api.ErrorCode()
		if message := oneLine(api.ErrorMessage()); message != "" {
			line += ": " + message
		}
		return &explained{line: line, err: err}
	}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.HTTPStatusCode() != 0 {
		return &explained{
			line: fmt.Sprintf("%s answered with HTTP status %d and no error that it should know: is it the right endpoint?", service, response.HTTPStatusCode()),
			err:  err,
		}
	}
	var sent *url.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return unreachable(service, "no answer in time", err)
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &sent):
		return unreachable(service, oneLine(sent.Err.Error()), err)
	}
	return &explained{line: oneLine(err.Error()), err: err}
}

func unreachable(service, why string, err error) error {
	return &explained{
		line: fmt.Sprintf("%s does not answer (%s): check the endpoint flags, AWS_ENDPOINT_URL and the network", service, why),
		err:  err,
	}
}

type explained struct {
	line string
	err  error
}

func (e *explained) Error() string { return e.line }
func (e *explained) Unwrap() error { return e.err }

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
