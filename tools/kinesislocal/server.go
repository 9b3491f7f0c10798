package kinesislocal

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/kinesislocal/internal/core"
	"github.com/seed96110120/kinesis-client-go/tools/kinesislocal/internal/wire"
)

// Account is the ID of the account that all streams belong to.
const Account = "000000000000"

// Config says how a Server behaves. The zero value is right for tests.
type Config struct {
	// Addr is the TCP address to listen on, host:port. Default "127.0.0.1:0":
	// a free port, for this machine only.
	Addr string

	// TransitionDelay is how long a stream stays CREATING, UPDATING or
	// DELETING. Default 0: a stream is ACTIVE, resharded or gone when the call
	// returns. AWS takes some ten seconds. Never negative.
	TransitionDelay time.Duration

	// Log gets one Debug line for each request and an Error line for a fault
	// of the server; record data never. Default nil: nothing is logged.
	Log *slog.Logger
}

// Server is a Kinesis Data Streams service in this process. Its methods may be
// called concurrently.
type Server struct {
	url    string
	http   *http.Server
	served chan struct{} // closed when Serve has returned
	close  func() error
}

// Start listens and serves until Close. It fails when Addr is not an address
// or is taken.
func Start(config Config) (*Server, error) {
	if config.Addr == "" {
		config.Addr = "127.0.0.1:0"
	}
	if config.TransitionDelay < 0 {
		return nil, fmt.Errorf("kinesislocal: TransitionDelay is %s: it must not be negative", config.TransitionDelay)
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	listener, err := net.Listen("tcp", config.Addr)
	if err != nil {
		return nil, fmt.Errorf("kinesislocal: cannot listen, choose another Addr (port 0 takes a free one): %w", err)
	}
	service := core.New(core.Config{Account: Account, TransitionDelay: config.TransitionDelay})
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true) // what KCL speaks
	s := &Server{
		url: "http://" + dialable(listener.Addr().(*net.TCPAddr)),
		http: &http.Server{
			Handler:           wire.NewHandler(service, config.Log),
			Protocols:         &protocols,
			ReadHeaderTimeout: 10 * time.Second,
			ErrorLog:          slog.NewLogLogger(config.Log.Handler(), slog.LevelDebug),
		},
		served: make(chan struct{}),
	}
	s.close = sync.OnceValue(s.stop)
	go func() {
		defer close(s.served)
		if err := s.http.Serve(listener); err != http.ErrServerClosed {
			config.Log.Error("serving ended", "error", err)
		}
	}()
	return s, nil
}

// dialable is the address that a client on this machine uses.
func dialable(addr *net.TCPAddr) string {
	if addr.IP.IsUnspecified() {
		return fmt.Sprintf("127.0.0.1:%d", addr.Port)
	}
	return addr.String()
}

// URL returns the endpoint for clients, http://HOST:PORT.
func (s *Server) URL() string { return s.url }

// Close stops the server and forgets its streams. Requests under way get a
// quarter of a second, then all connections are cut. Further calls return what
// the first one did.
func (s *Server) Close() error { return s.close() }

func (s *Server) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 250*time.Millisecond)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil { // idle HTTP/2 connections outlast any short wait
		err = s.http.Close()
	}
	<-s.served
	if err != nil {
		return fmt.Errorf("kinesislocal: close: %w", err)
	}
	return nil
}
