package dynamolocal

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/core"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/wire"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/fault"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/internal/front"
)

// Account is the ID of the account that all tables belong to, and Region the
// region that clients with AWSConfig use.
const (
	Account = core.Account
	Region  = front.Region
)

// Config says how a Server behaves. The zero value is right for tests.
type Config struct {
	// Addr is the TCP address to listen on, host:port. Default "127.0.0.1:0":
	// a free port, for this machine only.
	Addr string

	// TransitionDelay is how long a table stays CREATING, UPDATING or DELETING,
	// and an added index CREATING. Default 0: all is done when the call returns.
	// AWS takes seconds for a table, minutes for an index. Never negative.
	TransitionDelay time.Duration

	// Log gets one Debug line for each request and an Error line for a fault
	// of the server; items' data never. Default nil: nothing is logged.
	Log *slog.Logger
}

// Server is a DynamoDB in this process. Its methods may be called concurrently.
type Server struct {
	front  *front.Server
	faults *front.Faults
}

// Start listens and serves until Close. It fails when Addr is not an address
// or is taken.
func Start(config Config) (*Server, error) {
	if config.TransitionDelay < 0 {
		return nil, fmt.Errorf("dynamolocal: TransitionDelay is %s: it must not be negative", config.TransitionDelay)
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	faults := wire.NewFaults()
	service := core.New(core.Config{
		TransitionDelay: config.TransitionDelay,
		StaysCreating: func(table string) bool {
			_, hit := faults.Hit(fault.Creating, front.Call{Tables: []string{table}})
			return hit
		},
	})
	server, err := front.Serve(config.Addr, wire.NewHandler(service, faults, config.Log), faults, config.Log)
	if err != nil {
		return nil, fmt.Errorf("dynamolocal: %w", err)
	}
	return &Server{server, faults}, nil
}

// URL returns the endpoint for clients, http://HOST:PORT.
func (s *Server) URL() string { return s.front.URL() }

// AWSConfig returns a configuration for clients of the AWS SDK for Go: the
// server's endpoint, a region, credentials that are none, and an HTTP client
// that speaks HTTP/2. Each call returns one with connections of its own.
func (s *Server) AWSConfig() aws.Config { return s.front.AWSConfig("dynamolocal") }

// SetFaults replaces the rules for what goes wrong on purpose; without
// arguments nothing does. It returns an error, and changes nothing, when a rule
// cannot be followed.
func (s *Server) SetFaults(rules ...fault.Rule) error { return s.faults.Set(rules) }

// Close stops the server, and its tables are gone. Requests under way get a
// quarter of a second, then all connections are cut. Further calls return what
// the first one did.
func (s *Server) Close() error {
	if err := s.front.Close(); err != nil {
		return fmt.Errorf("dynamolocal: %w", err)
	}
	return nil
}
