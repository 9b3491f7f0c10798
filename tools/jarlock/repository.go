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

// A repository is a Maven repository that is read over HTTP. Its methods may be called
// concurrently.
type repository struct {
	client *http.Client
	root   *url.URL
	wait   time.Duration // before the second try; the third waits twice as long
}

func newRepository(root string) (*repository, error) {
	u, err := url.Parse(root)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		// The message does not repeat it, because it may contain a password.
		return nil, errors.New("the repository must be a URL of the form https://HOST/PATH")
	}
	return &repository{client: &http.Client{Timeout: 2 * time.Minute}, root: u, wait: time.Second}, nil
}

var errNotFound = errors.New("status 404 Not Found")

// get returns a file of the repository. It tries three times if the network or the server
// fails.
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
		// The caller adds the URL to the error.
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

// artifact downloads a file and returns its entry in a lock. It compares the file with the
// repository's checksum, so that neither a proxy's page nor half a file gets into a lock.
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
	// Some checksums are followed by the file's name.
	sum, _, _ := strings.Cut(strings.TrimSpace(string(claimed)), " ")
	if got := sha1.Sum(content); hex.EncodeToString(got[:]) != strings.ToLower(sum) {
		return a, fmt.Errorf("%s does not have the repository's checksum", c)
	}
	a.SHA256, a.Size = sha256.Sum256(content), int64(len(content))
	return a, nil
}
