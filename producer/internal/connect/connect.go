// Package connect makes a Kinesis client that fails soon, and in one line, when
// it cannot work: the SDK's own defaults retry a dead endpoint for minutes.
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
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// DefaultRegion is used when neither a flag nor the environment names a region.
const DefaultRegion = "us-east-1"

const (
	dialTimeout        = 2 * time.Second
	credentialsTimeout = 4 * time.Second
	firstAnswerTimeout = 5 * time.Second
	// A call that uploads 10 MiB may take its time, one that never answers
	// must end all the same.
	answerTimeout = 30 * time.Second
)

// Options says where Kinesis is. Empty fields leave the choice to the SDK: the
// environment (AWS_REGION, AWS_ENDPOINT_URL_KINESIS, AWS_ENDPOINT_URL) and the
// shared configuration files.
type Options struct {
	Region   string
	Endpoint string
}

// Kinesis returns a client whose credentials have been found. It does not call
// Kinesis yet; see FirstAnswer.
func Kinesis(ctx context.Context, o Options) (*kinesis.Client, error) {
	httpClient := awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout }).
		WithTransportOptions(func(t *http.Transport) { t.ResponseHeaderTimeout = answerTimeout })
	load := []func(*config.LoadOptions) error{
		config.WithHTTPClient(httpClient),
		config.WithDefaultRegion(DefaultRegion),
		// The SDK's warnings would be more lines next to the one that says what
		// failed.
		config.WithLogger(logging.Nop{}),
	}
	if o.Region != "" {
		load = append(load, config.WithRegion(o.Region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("read the AWS configuration: %w", Explain(err, ""))
	}
	credentials, cancel := context.WithTimeout(ctx, credentialsTimeout)
	defer cancel()
	if _, err := cfg.Credentials.Retrieve(credentials); err != nil {
		return nil, noCredentials(ctx, err)
	}
	return kinesis.NewFromConfig(cfg, func(ko *kinesis.Options) {
		ko.HTTPClient = plainBodies{ko.HTTPClient}
		if o.Endpoint != "" {
			ko.BaseEndpoint = aws.String(o.Endpoint)
		}
	}), nil
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
	return context.WithTimeoutCause(ctx, firstAnswerTimeout,
		fmt.Errorf("no answer within %v", firstAnswerTimeout))
}

// Name says where the client's calls go: its endpoint, or the region's own.
func Name(client *kinesis.Client) string {
	o := client.Options()
	if o.BaseEndpoint != nil {
		return *o.BaseEndpoint
	}
	return "the endpoint of " + o.Region
}

// Explain turns an SDK error into one line: what AWS answered, or which endpoint
// gave no answer. The error stays reachable by errors.Is and errors.As.
func Explain(err error, endpoint string) error {
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
			line: fmt.Sprintf("kinesis at %s answered with HTTP status %d and no error that Kinesis knows: is it Kinesis?", endpoint, response.HTTPStatusCode()),
			err:  err,
		}
	}
	if endpoint != "" {
		var sent *url.Error
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			return unreachable(endpoint, "no answer in time", err)
		case errors.Is(err, context.Canceled):
			return err
		case errors.As(err, &sent):
			return unreachable(endpoint, oneLine(sent.Err.Error()), err)
		}
	}
	return &explained{line: oneLine(err.Error()), err: err}
}

func unreachable(endpoint, why string, err error) error {
	return &explained{
		line: fmt.Sprintf("kinesis at %s does not answer (%s): check --endpoint, AWS_ENDPOINT_URL and the network", endpoint, why),
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
