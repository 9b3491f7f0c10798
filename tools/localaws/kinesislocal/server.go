package kinesislocal

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/fault"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/internal/front"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal/internal/core"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal/internal/wire"
)

// Account is the ID of the account that a client is of unless its access key is
// the ID of another, and Region the region that clients with AWSConfig use.
const (
	Account = "000000000000"
	Region  = front.Region
)

// Config says how a Server behaves. The zero value is right for tests.
type Config struct {
	// Addr is the TCP address to listen on, host:port. Default "127.0.0.1:0":
	// a free port, for this machine only.
	Addr string

	// TransitionDelay is how long a stream stays CREATING, UPDATING or
	// DELETING. Default 0: a stream is ACTIVE, resharded or gone when the call
	// returns. AWS takes some ten seconds. Never negative.
	TransitionDelay time.Duration

	// SubscriptionLife is how long a subscription to a shard lasts before the
	// client must subscribe again. Default 5 minutes, as on AWS. Never negative.
	SubscriptionLife time.Duration

	// Limits says whether shards have the throughput of real ones. Default
	// NoLimits.
	Limits Limits

	// MaxBytes bounds the memory that records take, in bytes. When more is put
	// the oldest records of all streams are dropped, and Log gets a Warn line.
	// Default 0: no bound. Less than MinMaxBytes is an error.
	MaxBytes int64

	// Log gets one Debug line for each request, with the account that asks and
	// the stream or consumer as it names it (the attribute resource: an ARN, or
	// a stream's name), and an Error line for a fault of the server; record data
	// never. Default nil: nothing is logged.
	Log *slog.Logger
}

// Limits says what a shard takes and gives.
type Limits int

const (
	// NoLimits is as much as the machine can do.
	NoLimits Limits = iota
	// RealLimits are those of AWS: a shard takes 1 MiB and 1,000 records a
	// second, and gives 2 MiB in 5 calls of GetRecords a second, and 2 MiB a
	// second to each consumer that subscribes. What is beyond them gets
	// ProvisionedThroughputExceededException; subscriptions wait.
	RealLimits
)

// MinMaxBytes is the smallest Config.MaxBytes: the largest PutRecords, and then
// some.
const MinMaxBytes = 16 << 20

// Server is a Kinesis Data Streams service in this process. Its methods may be
// called concurrently.
type Server struct {
	front  *front.Server
	faults *front.Faults
}

// Start listens and serves until Close. It fails when Addr is not an address
// or is taken.
func Start(config Config) (*Server, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	service := core.New(core.Config{
		TransitionDelay:  config.TransitionDelay,
		SubscriptionLife: config.SubscriptionLife,
		RealLimits:       config.Limits == RealLimits,
		MaxBytes:         config.MaxBytes,
		Log:              config.Log,
	})
	faults := wire.NewFaults()
	server, err := front.Serve(config.Addr, wire.NewHandler(service, Account, faults, config.Log), faults, config.Log)
	if err != nil {
		return nil, fmt.Errorf("kinesislocal: %w", err)
	}
	return &Server{server, faults}, nil
}

func (c Config) check() error {
	switch {
	case c.TransitionDelay < 0:
		return fmt.Errorf("kinesislocal: TransitionDelay is %s: it must not be negative", c.TransitionDelay)
	case c.SubscriptionLife < 0:
		return fmt.Errorf("kinesislocal: SubscriptionLife is %s: it must not be negative", c.SubscriptionLife)
	case c.Limits != NoLimits && c.Limits != RealLimits:
		return fmt.Errorf("kinesislocal: Limits is %d: it must be NoLimits or RealLimits", c.Limits)
	case c.MaxBytes != 0 && c.MaxBytes < MinMaxBytes:
		return fmt.Errorf("kinesislocal: MaxBytes is %d: it must be 0 or at least %d", c.MaxBytes, MinMaxBytes)
	}
	return nil
}

// URL returns the endpoint for clients, http://HOST:PORT.
func (s *Server) URL() string { return s.front.URL() }

// AWSConfig returns a configuration for clients of the AWS SDK for Go: the
// server's endpoint, a region, credentials that are none, and an HTTP client
// that speaks HTTP/2. Each call returns one with connections of its own.
func (s *Server) AWSConfig() aws.Config { return s.front.AWSConfig("kinesislocal") }

// AWSConfigOf is AWSConfig for clients of another account, by its ID of 12
// digits: that is their access key. It panics when it is no such ID.
func (s *Server) AWSConfigOf(account string) aws.Config {
	if !wire.IsAccount(account) {
		panic(fmt.Sprintf("kinesislocal: AWSConfigOf(%q): the ID of an account has 12 digits", account))
	}
	config := s.AWSConfig()
	config.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: account, SecretAccessKey: "local", Source: "kinesislocal"}, nil
	})
	return config
}

// SetFaults replaces the rules for what goes wrong on purpose; without
// arguments nothing does. It returns an error, and changes nothing, when a rule
// cannot be followed.
func (s *Server) SetFaults(rules ...fault.Rule) error { return s.faults.Set(rules) }

// Close stops the server, and its streams are gone. Subscriptions end. Requests
// under way get a quarter of a second, then all connections are cut. Further
// calls return what the first one did.
func (s *Server) Close() error {
	if err := s.front.Close(); err != nil {
		return fmt.Errorf("kinesislocal: %w", err)
	}
	return nil
}
