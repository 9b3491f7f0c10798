// Package connect configures AWS clients so that they fail within seconds, with an error
// of one line. With the SDK's own defaults a dead endpoint is reported after minutes, in
// a dozen lines.
//
//	cfg, err := connect.LoadConfig(ctx, nil)
//	client := kinesis.NewFromConfig(cfg)
//	_, err = client.ListStreams(ctx, nil)
//	err = connect.Explain(err, connect.Location("kinesis", client.Options().BaseEndpoint, cfg.Region))
//
// All functions may be called concurrently.
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
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// DefaultRegion is the region if neither the caller nor the environment sets one.
const DefaultRegion = "us-east-1"

const (
	dialTimeout        = 2 * time.Second
	credentialsTimeout = 4 * time.Second
	// A put of 10 MiB may take a while, but a call without an answer must end too.
	answerTimeout = 30 * time.Second
)

// Options are the optional settings of LoadConfig.
type Options struct {
	// Region is the AWS region, such as eu-west-1. Defaults to the region that the
	// environment or the shared configuration files set, else DefaultRegion.
	Region string
	// NoCredentials skips the search for credentials, for programs that call no service.
	NoCredentials bool
}

// LoadConfig returns the configuration for AWS clients, and an error if no credentials
// are found. A nil opts means the defaults. It reads the environment as the SDK does,
// AWS_ENDPOINT_URL included. It calls no service but the source of the credentials, such
// as AWS SSO, for at most 4 seconds.
//
// Clients wait at most 2 seconds for a connection, and at most 30 for the beginning of an
// answer. They make the SDK's 3 attempts. To see a dead endpoint sooner, give the first call
// a context that ends within seconds, and fewer attempts.
func LoadConfig(ctx context.Context, opts *Options) (aws.Config, error) {
	if opts == nil {
		opts = &Options{}
	}
	client := awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout }).
		WithTransportOptions(func(t *http.Transport) { t.ResponseHeaderTimeout = answerTimeout })
	cfg, err := config.LoadDefaultConfig(ctx,
		config.WithHTTPClient(client),
		config.WithRegion(opts.Region),
		config.WithDefaultRegion(DefaultRegion),
		// The SDK's warnings would only repeat what the error says.
		config.WithLogger(logging.Nop{}))
	if err != nil {
		return cfg, explained{"read the AWS configuration: " + oneLine(err.Error()), err}
	}
	if opts.NoCredentials {
		return cfg, nil
	}
	within, cancel := context.WithTimeout(ctx, credentialsTimeout)
	defer cancel()
	_, err = cfg.Credentials.Retrieve(within)
	switch {
	case err == nil:
		return cfg, nil
	case ctx.Err() != nil:
		return cfg, ctx.Err()
	}
	line := "no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run with an AWS role"
	// If nothing is configured, the last place that is tried is EC2's metadata service.
	// Its error tells the user nothing.
	if why := oneLine(err.Error()); !strings.Contains(why, "EC2 IMDS") {
		line += " (" + why + ")"
	}
	return cfg, explained{line, err}
}

// Location returns where a client's calls go, for Explain: "kinesis at
// http://127.0.0.1:4567", or "kinesis in us-east-1" if endpoint is nil. The endpoint is
// BaseEndpoint of the client's Options, which AWS_ENDPOINT_URL sets too.
func Location(service string, endpoint *string, region string) string {
	if endpoint != nil {
		return service + " at " + *endpoint
	}
	return service + " in " + region
}

// Explain returns a call's error in one line: what AWS answered, or what did not answer
// and what to check. errors.Is and errors.As still find the error. Explain returns nil for
// nil.
func Explain(err error, location string) error {
	var api smithy.APIError
	var response *smithyhttp.ResponseError
	var sent *url.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &api) && api.ErrorCode() != "UnknownError":
		return explained{strings.TrimSuffix(api.ErrorCode()+": "+oneLine(api.ErrorMessage()), ": "), err}
	case errors.As(err, &response) && response.HTTPStatusCode() != 0:
		return explained{fmt.Sprintf("%s answered with HTTP status %d and no error code: is it the right endpoint?", location, response.HTTPStatusCode()), err}
	case errors.Is(err, context.DeadlineExceeded):
		return noAnswer(location, "no answer in time", err)
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &sent):
		return noAnswer(location, oneLine(sent.Err.Error()), err)
	}
	return explained{oneLine(err.Error()), err}
}

func noAnswer(location, why string, err error) error {
	return explained{fmt.Sprintf("%s does not answer (%s): check the region, the endpoint flags, AWS_ENDPOINT_URL and the network", location, why), err}
}

// explained is an error with another text.
type explained struct {
	line string
	err  error
}

func (e explained) Error() string { return e.line }
func (e explained) Unwrap() error { return e.err }

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
