package bootstrap

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"mime"
	"net"
	"net/http"
	"net/url"
	"time"
)

// limits are the time-outs and the number of attempts of a download.
type limits struct {
	connect time.Duration // to open a connection
	tls     time.Duration // for the handshake on it
	header  time.Duration // for the header of the answer
	stall   time.Duration // for the next bytes of the body
	tries   int
	backoff time.Duration // before the second attempt; doubled before each later one
}

var defaultLimits = limits{
	// Below ten seconds: a person waits for this message.
	connect: 8 * time.Second,
	tls:     8 * time.Second,
	header:  30 * time.Second,
	stall:   30 * time.Second,
	tries:   3,
	backoff: 500 * time.Millisecond,
}

// A dialer opens a connection.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// A client gets files from a source.
type client struct {
	http   *http.Client
	source *source
	limits limits
	log    *slog.Logger
}

func (f *fetcher) newClient(s *source) *client {
	l, dial := f.limits, f.dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: l.connect}).DialContext
	}
	return &client{source: s, limits: l, log: f.log, http: &http.Client{Transport: authorizer{source: s, next: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dial,
		TLSHandshakeTimeout:   l.tls,
		ResponseHeaderTimeout: l.header,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   maxDownloads,
		// The lock has the hash of the uncompressed file.
		DisableCompression: true,
	}}}}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// A download downloads one file into the cache.
type download struct {
	*client
	artifact Artifact
	url      *url.URL
	cache    *cache
	progress *progressCounter
}

var errStalled = errors.New("the download stalled")

// retryable marks an error after which the same request may succeed.
type retryable struct{ error }

func (e retryable) Unwrap() error { return e.error }

// diskError marks an error of the cache's file system.
type diskError struct{ err error }

func (e *diskError) Error() string { return e.err.Error() }
func (e *diskError) Unwrap() error { return e.err }

// retry calls do until it succeeds or another attempt is useless. what names it in the log.
func (c *client) retry(ctx context.Context, what string, do func(context.Context) error) error {
	for try := 1; ; try++ {
		err := do(ctx)
		var again retryable
		if err == nil || !errors.As(err, &again) || ctx.Err() != nil {
			return err
		}
		if try == c.limits.tries {
			return fmt.Errorf("%w (tried %d times)", err, try)
		}
		// Half fixed, half random, so that the downloads do not retry at the same time.
		wait := c.limits.backoff << (try - 1)
		wait = wait/2 + rand.N(wait/2+1)
		c.log.Debug("trying again", "artifact", what, "try", try+1, "after", wait, "error", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// get requests u, with a media type, and calls use with the answer if its status is good. Its
// body fails with errStalled when it makes no progress.
func (c *client) get(ctx context.Context, u *url.URL, accept string, use func(resp *http.Response, body io.Reader) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "kcl-bootstrap")
	req.Header.Set("Accept", accept)
	resp, err := c.http.Do(req)
	if err != nil {
		return requestError(err, c.source.kind)
	}
	defer resp.Body.Close()
	if err := checkStatus(resp, c.source.kind); err != nil {
		return err
	}
	body := &stallReader{
		ctx: ctx, r: resp.Body, timeout: c.limits.stall,
		timer: time.AfterFunc(c.limits.stall, func() { cancel(errStalled) }),
	}
	defer body.timer.Stop()
	return use(resp, body)
}

// isWebPage reports whether the server says that its answer is a web page.
func isWebPage(resp *http.Response) bool {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return kind == "text/html"
}

// run downloads the file, with all attempts.
func (d *download) run(ctx context.Context) error {
	return d.retry(ctx, d.artifact.String(), func(ctx context.Context) error { return d.get(ctx, d.url, "*/*", d.save) })
}

// save verifies the body of an answer, and puts it into the cache.
func (d *download) save(resp *http.Response, body io.Reader) (err error) {
	hint := fmt.Sprintf("is this %s a correct mirror of %s?", d.source.kind.name(), d.source.kind.of)
	webPage := isWebPage(resp)
	if webPage {
		hint = fmt.Sprintf("it is a web page: is there a proxy or a log-in page in front of the %s?", d.source.kind.name())
	}
	if n := resp.ContentLength; n >= 0 && n != d.artifact.Size {
		return fmt.Errorf("%w: it has %d bytes, not %d; %s", ErrNotVerified, n, d.artifact.Size, hint)
	}

	part, err := d.cache.create(d.artifact)
	if err != nil {
		return &diskError{err}
	}
	counted := int64(0)
	defer func() {
		if err != nil {
			part.discard()
			d.progress.add(0, -counted)
		}
	}()

	hash := sha256.New()
	count := writerFunc(func(p []byte) (int, error) {
		counted += int64(len(p))
		d.progress.add(0, int64(len(p)))
		return len(p), nil
	})
	// Read one byte more than the size, to detect a file that is too long.
	n, err := io.Copy(io.MultiWriter(count, diskWriter{part}, hash), io.LimitReader(body, d.artifact.Size+1))
	var onDisk *diskError
	switch {
	case errors.As(err, &onDisk):
		return err
	case errors.Is(err, errStalled):
		return retryable{fmt.Errorf("%w after %d of %d bytes", err, n, d.artifact.Size)}
	case err != nil:
		return retryable{fmt.Errorf("the download broke off after %d of %d bytes: %w", n, d.artifact.Size, err)}
	case n < d.artifact.Size && webPage:
		return fmt.Errorf("%w: it has %d bytes, not %d; %s", ErrNotVerified, n, d.artifact.Size, hint)
	case n < d.artifact.Size:
		return retryable{fmt.Errorf("%w: it ended after %d of %d bytes", ErrNotVerified, n, d.artifact.Size)}
	case n > d.artifact.Size:
		return fmt.Errorf("%w: it has more than %d bytes; %s", ErrNotVerified, d.artifact.Size, hint)
	}
	if got := [sha256.Size]byte(hash.Sum(nil)); got != d.artifact.SHA256 {
		return fmt.Errorf("%w: its SHA-256 is %x, not %x; %s", ErrNotVerified, got, d.artifact.SHA256, hint)
	}
	if err := part.place(d.artifact); err != nil {
		return &diskError{err}
	}
	d.progress.add(1, 0)
	return nil
}

// requestError shortens the error of a failed request, and marks one after which another
// attempt may succeed.
func requestError(err error, kind sourceKind) error {
	// url.Error repeats method and URL, which the caller names anyway.
	var reason *url.Error
	if errors.As(err, &reason) {
		err = reason.Err
	}
	var untrusted *tls.CertificateVerificationError
	if errors.As(err, &untrusted) {
		return fmt.Errorf("%w; if a proxy intercepts TLS, add its certificate to the system's", err)
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "proxyconnect" {
		return retryable{fmt.Errorf("%w; do HTTPS_PROXY and HTTP_PROXY name the right proxy?", err)}
	}
	if op == nil || op.Op != "dial" {
		return retryable{err}
	}
	err = fmt.Errorf("%w; is the network up, or is a proxy (HTTPS_PROXY) or another %s (%s) needed?", err, kind.what, kind.flag)
	if op.Timeout() {
		return err // it has already waited long enough
	}
	return retryable{err}
}

func checkStatus(resp *http.Response, kind sourceKind) error {
	status := fmt.Sprintf("status %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
	case code == http.StatusNotFound, code == http.StatusGone:
		return fmt.Errorf("%s; does this %s mirror %s?", status, kind.name(), kind.of)
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusProxyAuthRequired:
		return fmt.Errorf("%s; the %s or a proxy requires other credentials", status, kind.name())
	case code >= 500, code == http.StatusRequestTimeout, code == http.StatusTooManyRequests:
		return retryable{errors.New(status)}
	default:
		return errors.New(status)
	}
	return nil
}

// A stallReader resets its timer with each read that returns data. When the timer expires,
// its context ends with errStalled.
type stallReader struct {
	ctx     context.Context
	r       io.Reader
	timer   *time.Timer
	timeout time.Duration
}

func (s *stallReader) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if n > 0 {
		s.timer.Reset(s.timeout)
	}
	if err != nil && errors.Is(context.Cause(s.ctx), errStalled) {
		err = fmt.Errorf("%w for %v", errStalled, s.timeout)
	}
	return n, err
}

// A writerFunc is a function that is an io.Writer.
type writerFunc func(p []byte) (int, error)

func (w writerFunc) Write(p []byte) (int, error) { return w(p) }

// A diskWriter marks its errors.
type diskWriter struct{ w io.Writer }

func (d diskWriter) Write(p []byte) (int, error) {
	n, err := d.w.Write(p)
	if err != nil {
		err = &diskError{err}
	}
	return n, err
}
