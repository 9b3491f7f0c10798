package main

import (
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// plainBodies hides from net/http that a request's body implements io.WriterTo.
//
// The SDK closes the body when it has received the head of the response. At that moment
// net/http may not have checked yet whether the body has more bytes than announced. It
// checks with WriteTo, which returns io.EOF for a closed body in smithy-go 1.28.8, where
// Read would report the end without an error. net/http then considers the request failed
// and cuts the connection in the middle of the response. The SDK sends the call again,
// and all its records are in the stream twice.
type plainBodies struct{ client aws.HTTPClient }

func (p plainBodies) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return p.client.Do(r)
}
