package bootstrap

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// A proxyError says that the proxy did not make a connection.
type proxyError struct {
	route *javaProxy
	to    *url.URL
	cause error
}

func (e *proxyError) Error() string {
	return fmt.Sprintf("cannot reach %s through the proxy %s: %v", redact(e.to), e.route, e.cause)
}

func (e *proxyError) Unwrap() error { return e.cause }

// A proxyRefusal is a proxy's answer.
type proxyRefusal struct {
	code   int
	status string
}

func (e *proxyRefusal) Error() string { return "it answers " + e.status }

// connect asks the proxy for a connection to a URL's host, as the SDK does even for http, and
// closes it.
func (j *javaProxy) connect(ctx context.Context, u *url.URL) error {
	if err := j.ask(ctx, net.JoinHostPort(u.Hostname(), portOf(u))); err != nil {
		return &proxyError{j, u, err}
	}
	return nil
}

func (j *javaProxy) ask(ctx context.Context, address string) error {
	// Java speaks plain HTTP to a proxy of https too.
	if j.proxy.Scheme != "http" && j.proxy.Scheme != "https" {
		return fmt.Errorf("the AWS SDK for Java supports only http proxies, not %s", j.proxy.Scheme)
	}
	conn, err := dial(ctx, j.proxy)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	conn.SetDeadline(time.Now().Add(endpointTimeout))
	request := "CONNECT " + address + " HTTP/1.1\r\nHost: " + address + "\r\n"
	if user := j.proxy.User; user != nil {
		// Java sends them literally, without decoding.
		request += "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user.String())) + "\r\n"
	}
	if _, err := conn.Write([]byte(request + "\r\n")); err != nil {
		return err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodConnect})
	if err != nil {
		return fmt.Errorf("it does not answer as a proxy: %w", err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return &proxyRefusal{response.StatusCode, response.Status}
	}
	return nil
}
