// Package localaws runs the AWS services that a KCL application needs inside a
// Go process: Kinesis (package kinesislocal) and DynamoDB (package dynamolocal),
// each on its own port.
//
// In a test:
//
//	server := localaws.StartTest(t, nil) // until the test ends
//	client := kinesis.NewFromConfig(server.AWSConfig())
//
// Other programs call [Start] and [Server.Close].
package localaws

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/internal/httpserver"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal"
)

// Options configures both services. The zero value suits most tests.
type Options struct {
	Kinesis  kinesislocal.Options
	DynamoDB dynamolocal.Options
}

// Server is a Kinesis and a DynamoDB in this process. Its methods may be called
// concurrently.
type Server struct {
	Kinesis  *kinesislocal.Server
	DynamoDB *dynamolocal.Server
}

// Start starts both services, which run until Close; nil means the default
// options. When one of them fails to start, neither runs, and the error has the
// causes of both.
func Start(opts *Options) (*Server, error) {
	if opts == nil {
		opts = &Options{}
	}
	kinesis, kinesisErr := kinesislocal.Start(&opts.Kinesis)
	dynamoDB, dynamoDBErr := dynamolocal.Start(&opts.DynamoDB)
	err := errors.Join(kinesisErr, dynamoDBErr)
	if err == nil {
		return &Server{kinesis, dynamoDB}, nil
	}
	if kinesisErr == nil {
		err = errors.Join(err, kinesis.Close())
	}
	if dynamoDBErr == nil {
		err = errors.Join(err, dynamoDB.Close())
	}
	return nil, err
}

// StartTest starts both services for a test and closes them when the test ends;
// nil means the default options. The test fails when they cannot be started or
// closed.
func StartTest(t testing.TB, opts *Options) *Server {
	t.Helper()
	return httpserver.StartTest(t, Start, opts)
}

// AWSConfig returns a configuration for clients of the AWS SDK for Go to both
// services. Each call returns a configuration with its own connections. Clients
// of other services do not reach AWS with it: they call Kinesis, which answers
// with an error.
func (s *Server) AWSConfig() aws.Config {
	c := s.Kinesis.AWSConfig()
	c.ConfigSources = []any{endpoints{"DynamoDB": s.DynamoDB.URL()}}
	return c
}

// endpoints maps the SDK's names of services to URLs. The SDK looks for its
// method.
type endpoints map[string]string

// GetServiceBaseEndpoint returns the endpoint of a service.
func (e endpoints) GetServiceBaseEndpoint(_ context.Context, sdkID string) (string, bool, error) {
	url, ok := e[sdkID]
	return url, ok, nil
}

// Close stops both services; all that they hold is gone. Further calls return
// the same errors.
func (s *Server) Close() error { return errors.Join(s.Kinesis.Close(), s.DynamoDB.Close()) }
