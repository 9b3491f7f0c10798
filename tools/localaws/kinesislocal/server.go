package kinesislocal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/fault"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/internal/httpserver"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal/internal/core"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal/internal/wire"
)

const (
	// DefaultAccount is the ID of the account that a client belongs to, unless
	// its access key is the ID of another account.
	DefaultAccount = "000000000000"

	// Region is the region of clients that use Server.AWSConfig: us-east-1.
	Region = httpserver.Region
)

// Options configures a Server. The zero value suits most tests.
type Options struct {
	// Addr is the TCP address to listen on, host:port. Defaults to
	// "127.0.0.1:0": a free port that only this machine can reach. With
	// "0.0.0.0:0" other machines can call the service, but not set faults.
	Addr string

	// TransitionDelay is how long a stream stays CREATING, UPDATING or
	// DELETING. Defaults to 0: the stream is ACTIVE, resharded or gone when the
	// call returns. AWS takes about ten seconds. Must not be negative.
	TransitionDelay time.Duration

	// SubscriptionLifetime is how long a subscription to a shard lasts before
	// the client must subscribe again. Defaults to 5 minutes, as on AWS. Must
	// not be negative.
	SubscriptionLifetime time.Duration

	// ThroughputLimits gives each shard the throughput of a shard on AWS: it
	// takes 1 MiB and 1,000 records a second, and returns 2 MiB a second in at
	// most 5 calls of GetRecords, and 2 MiB a second to each consumer that
	// subscribes. Calls beyond the limits fail with
	// ProvisionedThroughputExceededException; subscriptions wait. Defaults to
	// false: no limits.
	ThroughputLimits bool

	// MaxMemory is the most memory that the records of all streams may take,
	// in bytes. When a put exceeds it, the oldest records of all streams are
	// dropped, and Logger gets a Warn line. At least 16 MiB, 16777216. Defaults
	// to 0: no limit.
	MaxMemory int64

	// Logger gets one Debug line for each request, and an Error line for each
	// fault of the server itself. The line of a request has the client's
	// account and, in the attribute resource, the stream or consumer as the
	// client named it: an ARN or a stream's name. Record data is never logged.
	// Defaults to nil: nothing is logged.
	Logger *slog.Logger
}

// minMaxMemory is the smallest Options.MaxMemory: more than the largest
// PutRecords.
const minMaxMemory = 16 << 20

func (o *Options) validate() error {
	var errs []error
	if o.TransitionDelay < 0 {
		errs = append(errs, fmt.Errorf("kinesislocal: Options.TransitionDelay: %s is negative", o.TransitionDelay))
	}
	if o.SubscriptionLifetime < 0 {
		errs = append(errs, fmt.Errorf("kinesislocal: Options.SubscriptionLifetime: %s is negative", o.SubscriptionLifetime))
	}
	if o.MaxMemory != 0 && o.MaxMemory < minMaxMemory {
		errs = append(errs, fmt.Errorf("kinesislocal: Options.MaxMemory: %d must be 0 or at least %d", o.MaxMemory, minMaxMemory))
	}
	return errors.Join(errs...)
}

// Server is a Kinesis Data Streams service in this process. Its methods may be
// called concurrently.
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
	service := core.New(&core.Options{
		TransitionDelay:      opts.TransitionDelay,
		SubscriptionLifetime: opts.SubscriptionLifetime,
		ThroughputLimits:     opts.ThroughputLimits,
		MaxMemory:            opts.MaxMemory,
		Logger:               logger,
	})
	faults := wire.NewFaults()
	server, err := httpserver.Serve("kinesislocal", opts.Addr, wire.NewHandler(service, DefaultAccount, faults, logger), faults, logger)
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

// AWSConfigForAccount is like AWSConfig, for clients of another account: their
// access key is the account's ID. It panics unless the ID has 12 digits.
func (s *Server) AWSConfigForAccount(id string) aws.Config {
	if !wire.IsAccount(id) {
		panic(fmt.Sprintf("kinesislocal: AWSConfigForAccount(%q): the ID of an account has 12 digits", id))
	}
	config := s.AWSConfig()
	config.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: id, SecretAccessKey: "local", Source: "kinesislocal"}, nil
	})
	return config
}

// SetFaults replaces the rules that make calls fail on purpose. Without
// arguments it removes all rules. Counts, After and For of the new rules begin
// anew. When a rule is invalid, it returns an error and changes nothing.
func (s *Server) SetFaults(rules ...fault.Rule) error { return s.faults.Set(rules) }

// Close stops the server; its streams are gone. Subscriptions end. Running
// requests get a quarter of a second, then all connections are cut. Further
// calls return the same error.
func (s *Server) Close() error { return s.front.Close() }
