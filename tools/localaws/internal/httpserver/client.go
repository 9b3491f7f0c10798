package httpserver

import (
	"context"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// AWSConfig returns a configuration for clients of the AWS SDK for Go: the
// server's endpoint, Region, placeholder credentials with the access key
// "local", and its own HTTP client, which speaks HTTP/2.
//
// With HTTP/1.1, version 1.28.8 of smithy-go sometimes cuts the connection in the
// middle of a response that came at once: a put is then sent twice, and a
// subscription ends.
func (s *Server) AWSConfig() aws.Config {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	return aws.Config{
		HTTPClient:   &http.Client{Transport: &http.Transport{Protocols: &protocols}},
		Region:       Region,
		BaseEndpoint: aws.String(s.URL()),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local", Source: s.name}, nil
		}),
	}
}
