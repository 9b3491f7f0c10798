package dynamolocal

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/core"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/wire"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/fault"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/internal/httpserver"
)

const (
	// Account is the ID of the account that all tables belong to: 000000000000.
	Account = core.Account

	// Region is the region of clients that use Server.AWSConfig: us-east-1.
	Region = httpserver.Region
)

// Options configures a Server. The zero value suits most tests.
type Options struct {
	// Addr is the TCP address to listen on, host:port. Defaults to
	// "127.0.0.1:0": a free port that only this machine can reach. With
	// "0.0.0.0:0" other machines can call the service, but not set faults.
	Addr string

	// TransitionDelay is how long a table stays CREATING, UPDATING or DELETING,
	// and an added index CREATING. Defaults to 0: the change is complete when
	// the call returns. AWS takes seconds for a table, minutes for an index.
	// Must not be negative.
	TransitionDelay time.Duration

	// Logger gets one Debug line for each request, and an Error line for each
	// fault of the server itself. The data of items is never logged. Defaults to
	// nil: nothing is logged.
	Logger *slog.Logger
}

func (o *Options) validate() error {
	if o.TransitionDelay < 0 {
		return fmt.Errorf("dynamolocal: Options.TransitionDelay: %s is negative", o.TransitionDelay)
	}
	return nil
}

// Server is a DynamoDB in this process. Its methods may be called concurrently.
type Server struct {
	front  *httpserver.Server
	faults *httpserver.Faults
}

// Start starts a server that runs until Close; nil means the default options.
// It fails when an option is out of range or Addr cannot be listened on.
func Start(opts *Options) (*Server, error) {
	if opts == nil {
		opts = &Options{}
	}
	if err := opts.validate(); err != nil {
		return nil, err
	}
	logger := opts.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	faults := wire.NewFaults()
	service := core.New(core.Config{
		TransitionDelay: opts.TransitionDelay,
		StaysCreating: func(table string) bool {
			_, hit := faults.Apply(fault.StayCreating, httpserver.Call{Tables: []string{table}})
			return hit
		},
	})
	server, err := httpserver.Serve("dynamolocal", opts.Addr, wire.NewHandler(service, faults, logger), faults, logger)
	if err != nil {
		return nil, err
	}
	return &Server{server, faults}, nil
}

// StartTest starts a server for a test and closes it when the test ends; nil
// means the default options. The test fails when the server cannot be started
// or closed.
func StartTest(t testing.TB, opts *Options) *Server {
	t.Helper()
	return httpserver.StartTest(t, Start, opts)
}

// URL returns the endpoint for clients, http://HOST:PORT.
func (s *Server) URL() string { return s.front.URL() }

// AWSConfig returns a configuration for clients of the AWS SDK for Go: the
// server's endpoint, Region, placeholder credentials, and an HTTP client that
// speaks HTTP/2. Each call returns a configuration with its own connections.
func (s *Server) AWSConfig() aws.Config { return s.front.AWSConfig() }

// SetFaults replaces the rules that make calls fail on purpose. Without
// arguments it removes all rules. Counts, After and For of the new rules begin
// anew. When a rule is invalid, it returns an error and changes nothing.
func (s *Server) SetFaults(rules ...fault.Rule) error { return s.faults.Set(rules) }

// Close stops the server; its tables are gone. Running requests get a quarter
// of a second, then all connections are cut. Further calls return the same
// error.
func (s *Server) Close() error { return s.front.Close() }
