package main

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

// A repository is read over HTTP. It may be used by several goroutines.
type repository struct {
	client *http.Client
	root   *url.URL
	// wait is how long the second try waits; the third waits twice that.
	wait time.Duration
}

func newRepository(root string) (*repository, error) {
	u, err := url.Parse(root)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		// It is not repeated: a password may be in it.
		return nil, errors.New("the repository is not a URL of the form https://HOST/PATH")
	}
	return &repository{client: &http.Client{Timeout: 2 * time.Minute}, root: u, wait: time.Second}, nil
}

var errNotFound = errors.New("status 404 Not Found")

// get returns a file of the repository. It asks three times when the network or
// the server fails.
func (r *repository) get(ctx context.Context, path string) ([]byte, error) {
	address := r.root.JoinPath(path)
	for try := 1; ; try++ {
		text, err := r.once(ctx, address)
		if err == nil {
			return text, nil
		}
		if errors.Is(err, errNotFound) || try == 3 || ctx.Err() != nil {
			return nil, fmt.Errorf("cannot fetch %s: %w", address.Redacted(), err)
		}
		select {
		case <-time.After(time.Duration(try) * r.wait):
		case <-ctx.Done():
		}
	}
}

func (r *repository) once(ctx context.Context, address *url.URL) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := r.client.Do(req)
	if err != nil {
		// url.Error repeats the URL, which the caller names.
		var reason *url.Error
		if errors.As(err, &reason) {
			err = reason.Err
		}
		return nil, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return io.ReadAll(resp.Body)
	case http.StatusNotFound:
		return nil, errNotFound
	default:
		return nil, fmt.Errorf("status %s", resp.Status)
	}
}

// artifact downloads a file and returns what a lock says of it. The checksum
// that the repository serves beside it must agree: a page of a proxy, or half
// a file, would otherwise be locked for good.
func (r *repository) artifact(ctx context.Context, c bootstrap.Coordinate) (bootstrap.Artifact, error) {
	a := bootstrap.Artifact{Coordinate: c}
	content, err := r.get(ctx, c.Path())
	if err != nil {
		return a, err
	}
	claimed, err := r.get(ctx, c.Path()+".sha1")
	if err != nil {
		return a, err
	}
	// Some have the file's name after the sum.
	sum, _, _ := strings.Cut(strings.TrimSpace(string(claimed)), " ")
	if got := sha1.Sum(content); hex.EncodeToString(got[:]) != strings.ToLower(sum) {
		return a, fmt.Errorf("%s is not the file that the repository's own checksum names", c)
	}
	a.SHA256, a.Size = sha256.Sum256(content), int64(len(content))
	return a, nil
}
