// Package connect makes the configuration of AWS clients that fail soon, and in
// one line, when they cannot work: by the SDK's own defaults a dead endpoint is
// known after minutes, in a dozen lines.
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

// DefaultRegion is used when neither the caller nor the environment names one.
const DefaultRegion = "us-east-1"

const (
	dialTimeout        = 2 * time.Second
	credentialsTimeout = 4 * time.Second
	// A put of 10 MiB may take its time, a call that is never answered must end
	// all the same.
	answerTimeout = 30 * time.Second
)

// Config returns the configuration of clients whose credentials have been found.
// The environment and the shared configuration files say what region does not,
// which may be empty. No service is called yet: give the first call a context
// that ends in seconds, and few attempts.
func Config(ctx context.Context, region string) (aws.Config, error) {
	cfg, err := ConfigWithoutCredentials(ctx, region)
	if err != nil {
		return cfg, err
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
	line := "no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run where a role gives them"
	// The chain ends at EC2's metadata service when nothing else is configured:
	// why that one failed tells the user nothing.
	if why := oneLine(err.Error()); !strings.Contains(why, "EC2 IMDS") {
		line += " (" + why + ")"
	}
	return cfg, explained{line, err}
}

// ConfigWithoutCredentials is Config for those who want to know the region and
// call nothing.
func ConfigWithoutCredentials(ctx context.Context, region string) (aws.Config, error) {
	client := awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout }).
		WithTransportOptions(func(t *http.Transport) { t.ResponseHeaderTimeout = answerTimeout })
	cfg, err := config.LoadDefaultConfig(ctx,
		config.WithHTTPClient(client),
		config.WithRegion(region),
		config.WithDefaultRegion(DefaultRegion),
		// The SDK's warnings would be more lines next to the one that says what
		// failed.
		config.WithLogger(logging.Nop{}))
	if err != nil {
		return cfg, explained{"read the AWS configuration: " + oneLine(err.Error()), err}
	}
	return cfg, nil
}

// Where says where a client's calls go, for Explain: "kinesis at
// http://127.0.0.1:4567", or "kinesis in us-east-1" without an endpoint.
func Where(service string, endpoint *string, region string) string {
	if endpoint != nil {
		return service + " at " + *endpoint
	}
	return service + " in " + region
}

// Explain turns a call's error into one line: what AWS answered, or what gave no
// answer, and what to check. The error stays reachable by errors.Is and errors.As;
// nil stays nil.
func Explain(err error, where string) error {
	var api smithy.APIError
	var response *smithyhttp.ResponseError
	var sent *url.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &api) && api.ErrorCode() != "UnknownError":
		return explained{strings.TrimSuffix(api.ErrorCode()+": "+oneLine(api.ErrorMessage()), ": "), err}
	case errors.As(err, &response) && response.HTTPStatusCode() != 0:
		return explained{fmt.Sprintf("%s answered with HTTP status %d and no error that it should know: is it the right endpoint?", where, response.HTTPStatusCode()), err}
	case errors.Is(err, context.DeadlineExceeded):
		return noAnswer(where, "no answer in time", err)
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &sent):
		return noAnswer(where, oneLine(sent.Err.Error()), err)
	}
	return explained{oneLine(err.Error()), err}
}

func noAnswer(where, why string, err error) error {
	return explained{fmt.Sprintf("%s does not answer (%s): check the region, the endpoint flags, AWS_ENDPOINT_URL and the network", where, why), err}
}

// explained is an error in other words.
type explained struct {
	line string
	err  error
}

func (e explained) Error() string { return e.line }
func (e explained) Unwrap() error { return e.err }

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
