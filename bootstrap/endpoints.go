package bootstrap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// endpointTimeout is how long CheckEndpoints waits for a connection.
const endpointTimeout = 5 * time.Second

// endpointProperties are the endpoints of the clients without which the daemon cannot work.
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

// usedURLs returns the URLs that the daemon's clients will use, as far as they are known in
// advance: those of the properties, of AWS's variables, and of AWS.
func (p *Properties) usedURLs(env []string) []*url.URL {
	var all []*url.URL
	add := func(value string) bool {
		u, err := endpoint{value: value}.url()
		if err == nil {
			all = append(all, u)
		}
		return err == nil
	}
	for _, e := range p.endpoints() {
		add(e.value)
	}
	own, region := len(all) > 1, p.value("regionName")
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		switch {
		case strings.HasPrefix(name, "AWS_ENDPOINT_URL"):
			own = add(value) && name == "AWS_ENDPOINT_URL" || own
		case name == "AWS_REGION":
			region = cmp.Or(region, value)
		}
	}
	if !own {
		domain := ".amazonaws.com"
		if strings.HasPrefix(region, "cn-") {
			domain += ".cn"
		}
		for _, service := range []string{"kinesis", "dynamodb"} {
			add("https://" + service + "." + cmp.Or(javaTrim(region), "us-east-1") + domain)
		}
	}
	return all
}

// CheckEndpoints opens and closes a connection to each endpoint in the properties
// (kinesisEndpoint, dynamoDBEndpoint), because the daemon itself goes on for minutes if
// nobody answers. It connects as Java will in the environment of this process and with these
// options of Java: if that is through a proxy, it asks the proxy for the connection. For the
// endpoints of AWS it only checks that the proxy answers and accepts the credentials.
// CheckEndpoints waits at most 5 s. The error is a [*ConfigError], an error about the proxy,
// or the cause of ctx.
func (p *Properties) CheckEndpoints(ctx context.Context, javaOptions ...string) error {
	endpoints, urls := p.endpoints(), p.usedURLs(os.Environ())
	route := newJavaProxy(os.Environ(), javaOptions, urls)
	failed := make([]error, len(endpoints))
	var proxyErr error
	var wg sync.WaitGroup
	for i, e := range endpoints {
		wg.Go(func() { failed[i] = e.reach(ctx, route) })
	}
	through := slices.IndexFunc(urls, func(u *url.URL) bool { return !route.goesDirect(u) })
	if len(endpoints) == 0 && through >= 0 {
		wg.Go(func() { proxyErr = route.connect(ctx, urls[through]) })
	}
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var refused *proxyRefusal
	if errors.As(proxyErr, &refused) && refused.code != http.StatusProxyAuthRequired {
		proxyErr = nil // it may allow other names of AWS
	}
	if proxyErr != nil {
		return fmt.Errorf("%w; correct %s, or name the hosts that need no proxy in NO_PROXY", proxyErr, route.from)
	}
	var findings []Finding
	for i, err := range failed {
		switch {
		case err == nil:
		case errors.As(err, new(*proxyError)):
			findings = append(findings, p.finding(endpoints[i].property, err.Error(), "name its host in NO_PROXY if it needs no proxy"))
		default:
			findings = append(findings, p.finding(endpoints[i].property, err.Error(), "start what should answer, or correct the property"))
		}
	}
	if findings == nil {
		return nil
	}
	return &ConfigError{findings}
}

// reach opens a connection to the endpoint as Java will.
func (e endpoint) reach(ctx context.Context, route *javaProxy) error {
	u, err := e.url()
	if err != nil {
		return err
	}
	if !route.goesDirect(u) {
		return route.connect(ctx, u)
	}
	conn, err := dial(ctx, u)
	if err != nil {
		return fmt.Errorf("nobody answers at %s: %w", redact(u), err)
	}
	return conn.Close()
}

// dial connects to the host of a URL. The error does not have the address.
func dial(ctx context.Context, u *url.URL) (net.Conn, error) {
	dialer := net.Dialer{Timeout: endpointTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), portOf(u)))
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return conn, err
}
