// Package httpserver has what both services share: listening and closing, injected
// faults, and who the client is.
package httpserver

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"sync"
	"time"
)

// Region is the region of clients that do not sign for a region.
const Region = "us-east-1"

// Server serves a handler over HTTP/1.1 and HTTP/2 with prior knowledge. Its
// methods may be called concurrently.
type Server struct {
	name   string // of its package, for errors
	url    string
	http   *http.Server
	served chan struct{}      // closed when http.Server.Serve has returned
	cancel context.CancelFunc // ends waiting requests
	close  func() error
}

// Serve listens on addr and serves until Close. addr defaults to a free port that
// only this machine can reach. name is the package at the start of errors.
func Serve(name, addr string, handler http.Handler, faults *Faults, logger *slog.Logger) (*Server, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%s: Options.Addr: cannot listen, choose another address (port 0 takes a free port): %w", name, err)
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true) // KCL uses it for Kinesis
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{
		name:   name,
		url:    "http://" + dialable(listener.Addr().(*net.TCPAddr)),
		served: make(chan struct{}),
		cancel: cancel,
	}
	mux := http.NewServeMux()
	mux.HandleFunc(faultsPath, faults.serve)
	mux.Handle("/", handler)
	s.http = &http.Server{
		Handler:           mux,
		Protocols:         &protocols,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       withConn,
	}
	s.close = sync.OnceValue(s.stop)
	go func() {
		defer close(s.served)
		if err := s.http.Serve(listener); err != http.ErrServerClosed {
			logger.Error("serving ended", "error", err)
		}
	}()
	return s, nil
}

// dialable returns the address for clients on this machine.
func dialable(addr *net.TCPAddr) string {
	if addr.IP.IsUnspecified() {
		return fmt.Sprintf("127.0.0.1:%d", addr.Port)
	}
	return addr.String()
}

// URL returns the endpoint for clients, http://HOST:PORT.
func (s *Server) URL() string { return s.url }

// Close ends waiting requests, gives running requests a quarter of a second, and
// cuts all connections. Further calls return the same error.
func (s *Server) Close() error { return s.close() }

func (s *Server) stop() error {
	s.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), 250*time.Millisecond)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil { // Shutdown waits longer than that for idle HTTP/2 connections
		err = s.http.Close()
	}
	<-s.served
	if err != nil {
		return fmt.Errorf("%s: close: %w", s.name, err)
	}
	return nil
}

type connKey struct{}

// withConn stores the connection in the context, so that CloseConnection can close
// it.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// CloseConnection closes the connection of a request and ends its handler.
func CloseConnection(ctx context.Context) {
	if c, ok := ctx.Value(connKey{}).(net.Conn); ok {
		c.Close()
	}
	panic(http.ErrAbortHandler)
}

var credentialScope = regexp.MustCompile(`Credential=([^/]+)/\d{8}/([a-z0-9-]+)/`)

// Signer returns the access key that a request is signed with, and the region that
// it is signed for.
func Signer(r *http.Request) (accessKey, region string) {
	if m := credentialScope.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
		return m[1], m[2]
	}
	return "", Region
}

// RequestID returns a new request ID.
func RequestID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
