package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// endpointTimeout is how long CheckEndpoints waits for a connection.
const endpointTimeout = 5 * time.Second

// endpointProperties are those that the daemon hands to the clients without
// which it cannot work.
var endpointProperties = []string{
	"kinesisEndpoint",
	"kinesisClient.endpointOverride",
	"dynamoDBEndpoint",
	"dynamoDbClient.endpointOverride",
}

type endpoint struct{ property, value string }

func (p *Properties) endpoints() []endpoint {
	var all []endpoint
	for _, name := range endpointProperties {
		if value, ok := p.Get(name); ok {
			all = append(all, endpoint{name, value})
		}
	}
	return all
}

func (e endpoint) url() (*url.URL, error) {
	u, err := url.Parse(e.value)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		// The value is not repeated: it may hold anything.
		return nil, errors.New("it is not a URL of the form http://HOST:PORT")
	}
	return u, nil
}

// CheckEndpoints opens, and closes again, a connection to each endpoint that
// the properties name (kinesisEndpoint, dynamoDBEndpoint), because the daemon
// itself goes on for minutes when nobody answers. It waits 5 s at most. An
// endpoint that a proxy of the environment stands before is passed over. The
// error is a *ConfigError, or the cause that ctx ended with.
func (p *Properties) CheckEndpoints(ctx context.Context) error {
	endpoints := p.endpoints()
	failed := make([]error, len(endpoints))
	var wg sync.WaitGroup
	for i, e := range endpoints {
		wg.Go(func() { failed[i] = e.dial(ctx) })
	}
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var findings []Finding
	for i, err := range failed {
		if err != nil {
			findings = append(findings, p.finding(endpoints[i].property, err.Error(), "start what should answer, or correct the property"))
		}
	}
	if findings == nil {
		return nil
	}
	return &ConfigError{findings}
}

func (e endpoint) dial(ctx context.Context) error {
	u, err := e.url()
	if err != nil {
		return err
	}
	if through, err := http.ProxyFromEnvironment(&http.Request{URL: u}); through != nil || err != nil {
		return nil
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	dialer := net.Dialer{Timeout: endpointTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err == nil {
		return conn.Close()
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err // without the address, which stands before it already
	}
	return fmt.Errorf("nobody answers at %s: %w", redact(u), err)
}
