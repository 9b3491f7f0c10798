package main

import (
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// plainBodies hides from net/http that a request's body is an io.WriterTo.
//
// The SDK closes the body when it has the head of the answer. net/http may at
// that moment not have looked yet whether anything comes behind the last byte
// of the body; it does so by WriteTo, and that of a closed body of smithy-go
// 1.28.8 returns io.EOF where Read's end is no error. net/http takes it for a
// failed request and cuts the connection in the middle of the answer; the SDK
// sends the call again, and every record of it is in the stream twice.
type plainBodies struct{ client aws.HTTPClient }

func (p plainBodies) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return p.client.Do(r)
}
