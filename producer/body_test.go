package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"

	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// A response that arrives before net/http has finished with the request's body does not
// break the request. Otherwise its records would be put twice.
func TestEarlyAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, "answer")
	}))
	defer server.Close()

	answered := make(chan struct{})
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			return slowConn{conn, answered}, err
		},
	}}
	defer client.CloseIdleConnections()
	wrote := make(chan error, 1)
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		WroteRequest: func(info httptrace.WroteRequestInfo) { wrote <- info.Err },
	})

	request := smithyhttp.NewStackRequest().(*smithyhttp.Request)
	request.Method = http.MethodPost
	request.URL.Scheme, request.URL.Host = "http", strings.TrimPrefix(server.URL, "http://")
	request, err := request.SetStream(strings.NewReader("the records"))
	if err != nil {
		t.Fatal(err)
	}
	request.ContentLength = int64(len("the records"))

	// Handle does what the SDK does: it closes the body when it has the response.
	out, _, err := smithyhttp.NewClientHandlerWithOptions(plainBodies{client}).Handle(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	close(answered)
	if err := <-wrote; err != nil {
		t.Errorf("net/http considers the request failed: %v", err)
	}
	body, err := io.ReadAll(out.(*smithyhttp.Response).Body)
	if err != nil || string(body) != "answer" {
		t.Errorf("the response's body is %q, error %v, want answer", body, err)
	}
}

// slowConn is a connection whose Write returns only when the response has arrived.
type slowConn struct {
	net.Conn
	answered chan struct{}
}

func (c slowConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if strings.Contains(string(p), "the records") {
		<-c.answered
	}
	return n, err
}
