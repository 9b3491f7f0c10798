//go:build unix

package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// deadProxy is an environment with a proxy that cannot be reached, so that requests through
// it fail.
var deadProxy = []string{"HTTP_PROXY=http://127.0.0.1:1", "http_proxy=http://127.0.0.1:1", "HTTPS_PROXY=http://127.0.0.1:1"}

// The AWS SDK's own clients take the way that bootstrap gives them: in each
// environment the proxy sees those URLs that it is to see, by both clients.
//
// Guarantee: Behind a proxy Java takes the same way as Go, as far as it can.
func TestJavaTakesTheWayOfGo(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	java := testenv.JDK(t)
	program, err := filepath.Abs("testdata/Ask.java")
	if err != nil {
		t.Fatal(err)
	}
	fetched, err := bootstrap.Fetch(t.Context(), bootstrap.DaemonLock(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		env, options  []string
		properties    string
		through, past []string // the URLs
	}{
		"HTTP_PROXY, and what NO_PROXY covers": {
			env:        []string{"HTTP_PROXY=http://user:secret@<proxy>", "NO_PROXY=10.0.0.0/8, .test,kinesis.invalid:4566"},
			properties: "kinesisEndpoint = http://kinesis.invalid:4566\ndynamoDBEndpoint = http://LocalHost:1",
			through:    []string{"https://a.invalid", "http://b.invalid:8000"},
			past:       []string{"http://127.0.0.1:1", "http://localhost:1", "http://LocalHost:1", "https://a.b.test", "http://kinesis.invalid:4566"},
		},
		"HTTPS_PROXY alone, without a scheme": {
			env:        []string{"HTTPS_PROXY=<proxy>", "NO_PROXY=invalid"},
			properties: "kinesisEndpoint = http://[::1]:1",
			through:    []string{"https://kinesis.test"},
			past:       []string{"http://[::1]:1", "https://kinesis.invalid", "https://invalid"},
		},
		"system properties": {
			options: []string{"-Dhttp.proxyHost=127.0.0.1", "-Dhttp.proxyPort=<port>", "-Dhttp.nonProxyHosts=one.test"},
			env:     []string{"NO_PROXY=two.test"},
			through: []string{"https://three.test"},
			past:    []string{"http://127.0.0.1:1", "https://one.test", "https://two.test"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := newSeeingProxy(t)
			env := os.Environ()
			for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"} {
				env = append(env, name+"=")
			}
			_, port, _ := net.SplitHostPort(proxy.address)
			fill := strings.NewReplacer("<proxy>", proxy.address, "<port>", port)
			for _, e := range tt.env {
				env = append(env, fill.Replace(e))
			}
			var options []string
			for _, o := range tt.options {
				options = append(options, fill.Replace(o))
			}
			dir := t.TempDir()
			file := filepath.Join(dir, "p.properties")
			if err := os.WriteFile(file, []byte(tt.properties), 0o600); err != nil {
				t.Fatal(err)
			}
			properties, err := bootstrap.ReadProperties(file)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			err = bootstrap.Command{
				Java: java, Jars: fetched.Files, Properties: properties, JavaOptions: options,
				Entry: &bootstrap.Entry{Class: program, Jar: dir, Dir: dir, Args: func(string) []string { return append(tt.through, tt.past...) }},
			}.Run(t.Context(), &bootstrap.RunOptions{Env: env, Output: &out})
			if !errors.Is(err, bootstrap.ErrUnexpectedExit) || strings.Count(out.String(), "asked ") != len(tt.through)+len(tt.past) {
				t.Errorf("%v\n%s", err, &out)
			}
			for _, url := range tt.through {
				if n := proxy.saw(url); n != 2 {
					t.Errorf("%d of 2 clients came through the proxy to %s", n, url)
				}
			}
			for _, url := range tt.past {
				if n := proxy.saw(url); n != 0 {
					t.Errorf("%d clients came through the proxy to %s", n, url)
				}
			}
		})
	}
}

// A seeingProxy refuses all requests and records their hosts.
type seeingProxy struct {
	address string

	mu    sync.Mutex
	hosts map[string]int
}

func newSeeingProxy(t *testing.T) *seeingProxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	p := &seeingProxy{address: listener.Addr().String(), hosts: make(map[string]int)}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				p.mu.Lock()
				p.hosts[strings.ToLower(r.URL.Hostname())]++
				p.mu.Unlock()
				conn.Write([]byte("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
			}
			conn.Close()
		}
	}()
	return p
}

// saw returns the number of requests for a URL's host.
func (p *seeingProxy) saw(url string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return -1
	}
	return p.hosts[strings.ToLower(r.URL.Hostname())]
}
