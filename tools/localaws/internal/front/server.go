// Package front is what the services have in common before a request reaches
// them: listening and closing, faults, and who the client is.
package front

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

// Region is the region of a client that does not sign for one.
const Region = "us-east-1"

// Server serves a handler over HTTP/1.1 and HTTP/2 with prior knowledge. Its
// methods may be called concurrently.
type Server struct {
	url    string
	http   *http.Server
	served chan struct{}      // closed when Serve has returned
	cancel context.CancelFunc // ends what waits
	close  func() error
}

// Serve listens on addr, by default a free port for this machine only, and
// serves until Close.
func Serve(addr string, handler http.Handler, faults *Faults, log *slog.Logger) (*Server, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("cannot listen, choose another Addr (port 0 takes a free one): %w", err)
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true) // what KCL speaks to Kinesis
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{
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
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       withConn,
	}
	s.close = sync.OnceValue(s.stop)
	go func() {
		defer close(s.served)
		if err := s.http.Serve(listener); err != http.ErrServerClosed {
			log.Error("serving ended", "error", err)
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

// Close ends what waits, gives requests under way a quarter of a second, and
// cuts all connections. Further calls return what the first one did.
func (s *Server) Close() error { return s.close() }

func (s *Server) stop() error {
	s.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), 250*time.Millisecond)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil { // idle HTTP/2 connections outlast any short wait
		err = s.http.Close()
	}
	<-s.served
	if err != nil {
		return fmt.Errorf("close: %w", err)
	}
	return nil
}

type connKey struct{}

// withConn makes the connection known to the handler, which must be able to
// cut it.
func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// Drop cuts the connection of a request and ends its handler.
func Drop(ctx context.Context) {
	if c, ok := ctx.Value(connKey{}).(net.Conn); ok {
		c.Close()
	}
	panic(http.ErrAbortHandler)
}

var credentialScope = regexp.MustCompile(`Credential=([^/]+)/\d{8}/([a-z0-9-]+)/`)

// Signer returns the access key that the client signed with, and the region
// that it signed for.
func Signer(r *http.Request) (accessKey, region string) {
	if m := credentialScope.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
		return m[1], m[2]
	}
	return "", Region
}

// RequestID returns a new one.
func RequestID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
