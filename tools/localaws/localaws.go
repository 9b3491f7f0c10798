// Package localaws runs what a KCL application needs of AWS in a Go process: a
// Kinesis of kinesislocal and a DynamoDB of dynamolocal, each on a port of its
// own.
//
// [New] starts both for a test; [Start] does anywhere else.
package localaws

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/internal/front"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal"
)

// Config says how both behave. The zero value is right for tests.
type Config struct {
	Kinesis  kinesislocal.Config
	DynamoDB dynamolocal.Config
}

// Server is a Kinesis and a DynamoDB in this process.
type Server struct {
	Kinesis  *kinesislocal.Server
	DynamoDB *dynamolocal.Server
}

// Start starts both, which serve until Close. When one does not start, nothing
// is left behind.
func Start(config Config) (*Server, error) {
	kinesis, err := kinesislocal.Start(config.Kinesis)
	if err != nil {
		return nil, err
	}
	dynamoDB, err := dynamolocal.Start(config.DynamoDB)
	if err != nil {
		return nil, errors.Join(err, kinesis.Close())
	}
	return &Server{kinesis, dynamoDB}, nil
}

// TB is what New needs of a *testing.T, *testing.B or *testing.F.
type TB = front.TB

// New starts both for as long as a test lives. The functions change their
// Config, whose zero value is right for most tests. The test fails when they do
// not start.
func New(t TB, config ...func(*Config)) *Server {
	t.Helper()
	return front.New(t, Start, config)
}

// AWSConfig returns a configuration for clients of the AWS SDK for Go to both
// services. Each call returns one with connections of its own. A client of
// another service does not get to AWS with it.
func (s *Server) AWSConfig() aws.Config {
	c := s.Kinesis.AWSConfig()
	c.ConfigSources = []any{endpoints{"DynamoDB": s.DynamoDB.URL()}}
	return c
}

// endpoints has those of services by the SDK's names for them. The SDK looks for
// the method.
type endpoints map[string]string

// GetServiceBaseEndpoint returns the endpoint of a service.
func (e endpoints) GetServiceBaseEndpoint(_ context.Context, sdkID string) (string, bool, error) {
	url, ok := e[sdkID]
	return url, ok, nil
}

// Close stops both, and all that they hold is gone. It may be called more than
// once.
func (s *Server) Close() error { return errors.Join(s.Kinesis.Close(), s.DynamoDB.Close()) }
