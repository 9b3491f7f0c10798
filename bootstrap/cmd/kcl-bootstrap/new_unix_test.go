//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNewCommand(t *testing.T) {
	b := newBench(t, nil)
	noRegion := []string{"AWS_REGION=", "AWS_DEFAULT_REGION="}
	status, stdout, stderr := b.run(t, noRegion, "new", "my orders", "--module", "example.com/orders")
	want := `made orders, which reads the stream orders in us-east-1:
  README.md          how to build, try and deploy it
  main.go            the record processor: begin here
  main_test.go       its test; the daemon is played
  sample.properties  the daemon's configuration
  logback.xml        the daemon's log, for kcl-bootstrap -l
  Dockerfile         an image that needs no network but AWS's
  orders.service     the systemd unit
next:
  cd 'my orders'
  go mod tidy && go test ./...
  go build
  kcl-bootstrap -e -p sample.properties
`
	if status != 0 || stdout != want || stderr != "" || b.requests() != 0 {
		t.Errorf("status %d, %q, %s", status, stderr, stdout)
	}

	// Again in the same place.
	status, stdout, stderr = b.run(t, nil, "new", "my orders", "--module", "example.com/orders")
	if status != 1 || stdout != "" || stderr != "kcl-bootstrap: cannot make a project in my orders: it has files already; name a new or an empty folder\n" {
		t.Errorf("again: status %d, %q, %q", status, stdout, stderr)
	}

	// All the names, the region from the environment, the flags first.
	status, stdout, _ = b.run(t, []string{"AWS_REGION=", "AWS_DEFAULT_REGION=eu-west-1"}, "new", "--stream=s", "--application=app", "--processor-version=v9.9.9", "deep/er/consumer")
	if status != 0 || !strings.Contains(stdout, "made consumer, which reads the stream s in eu-west-1:") || !strings.Contains(stdout, "  cd deep/er/consumer\n") {
		t.Errorf("status %d, %s", status, stdout)
	}
	dir := filepath.Join(filepath.Dir(b.properties), "deep", "er", "consumer")
	for name, want := range map[string]string{"go.mod": "processor v9.9.9\n", "sample.properties": "\napplicationName = app\n"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v, without %q: %s", name, err, want, text)
		}
	}

	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "which folder?"},
		{[]string{""}, "which folder?"},
		{[]string{"a", "b"}, `unexpected argument "b"`},
		{[]string{"my consumer"}, `module path "my consumer" is not one like example.com/team/orders; name it with --module`},
		{[]string{"/"}, "--module"},
		{[]string{"xyz", "--region", ""}, "--region"},
		{[]string{"xyz", "--stream", ""}, "--stream"},
		{[]string{"x"}, "--application"}, // DynamoDB wants three letters
		{[]string{"x", "--fly"}, "--fly"},
	} {
		status, stdout, stderr := b.run(t, noRegion, append([]string{"new"}, c.args...)...)
		if status != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.want) || !strings.Contains(stderr, "try kcl-bootstrap new --help") {
			t.Errorf("%q: status %d, %q, %q", c.args, status, stdout, stderr)
		}
	}
	for _, name := range []string{"a", "my consumer", "x", "xyz"} {
		if _, err := os.Lstat(filepath.Join(filepath.Dir(b.properties), name)); err == nil {
			t.Errorf("%s was made", name)
		}
	}
}
