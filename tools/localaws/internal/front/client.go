package front

import (
	"context"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// AWSConfig returns a configuration for clients of the AWS SDK for Go: the
// server's endpoint, Region, credentials that are none, with source for their
// source, and an HTTP client of its own that speaks HTTP/2.
//
// With a client of HTTP/1.1, version 1.28.8 of smithy-go now and then cuts the
// connection in the middle of an answer that came at once: a put is then sent
// twice, and a subscription ends.
func (s *Server) AWSConfig(source string) aws.Config {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	return aws.Config{
		HTTPClient:   &http.Client{Transport: &http.Transport{Protocols: &protocols}},
		Region:       Region,
		BaseEndpoint: aws.String(s.URL()),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local", Source: source}, nil
		}),
	}
}

// TB is what New needs of a *testing.T, *testing.B or *testing.F.
type TB interface {
	// Helper is that of testing.TB.
	Helper()
	// Cleanup is that of testing.TB.
	Cleanup(func())
	// Fatal is that of testing.TB.
	Fatal(args ...any)
	// Error is that of testing.TB.
	Error(args ...any)
}

// New starts what lives as long as a test, with a zero C that the functions
// change. The test fails when it does not start, or does not close.
func New[C any, S io.Closer](t TB, start func(C) (S, error), config []func(*C)) S {
	t.Helper()
	var c C
	for _, f := range config {
		f(&c)
	}
	s, err := start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
