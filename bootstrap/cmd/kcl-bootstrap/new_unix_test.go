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
	want := `created orders, which reads the stream orders in us-east-1:
  README.md        how to build, try and deploy it
  records.go       what to do with a record; begin here
  records_test.go  its test, without KCL
  main.go          the program and its configuration
  Dockerfile       an image that needs only the network of AWS
  deployment.yaml  the deployment in Kubernetes
  orders.service   the systemd unit
next:
  cd 'my orders'
  go mod tidy && go test ./...
  go run .
`
	if status != 0 || stdout != want || stderr != "" || b.requests() != 0 {
		t.Errorf("status %d, %q, %s", status, stderr, stdout)
	}

	// Again in the same place.
	status, stdout, stderr = b.run(t, nil, "new", "my orders", "--module", "example.com/orders")
	if status != 1 || stdout != "" || stderr != "kcl-bootstrap: cannot create a project in my orders: it is not empty; name a new or an empty folder\n" {
		t.Errorf("again: status %d, %q, %q", status, stdout, stderr)
	}

	// All the names, the region from the environment, the flags first; then the
	// form of one process for each shard, and a stream by its ARN.
	europe := []string{"AWS_REGION=", "AWS_DEFAULT_REGION=eu-west-1"}
	for _, c := range []struct {
		flags  []string
		stdout []string
		files  map[string]string
	}{
		{
			[]string{"--stream=s", "--application=app", "--processor-version=v9.9.9", "deep/er/consumer"},
			[]string{"created consumer, which reads the stream s in eu-west-1:\n", "  cd deep/er/consumer\n", "  go run .\n"},
			map[string]string{"go.mod": "processor/worker v9.9.9\n", "main.go": "Application: \"app\",\n"},
		},
		{
			[]string{"--stream=arn:aws:kinesis:ap-south-1:123456789012:stream/s", "--application=app", "by/arn"},
			[]string{"created arn, which reads the stream arn:aws:kinesis:ap-south-1:123456789012:stream/s in ap-south-1:\n"},
			map[string]string{"main.go": "\"arn:aws:kinesis:ap-south-1:123456789012:stream/s\",\n"},
		},
		{
			[]string{"--children", "--stream=s", "--application=app", "--processor-version=v9.9.9", "child"},
			[]string{"created child, which reads the stream s in eu-west-1:\n", "  cd child\n  go mod tidy && go test ./...\n  go build\n  kcl-bootstrap -e -p sample.properties\n"},
			map[string]string{"go.mod": "processor v9.9.9\n", "sample.properties": "\napplicationName = app\n"},
		},
	} {
		status, stdout, stderr := b.run(t, europe, append([]string{"new"}, c.flags...)...)
		if status != 0 || stderr != "" {
			t.Errorf("%q: status %d, %s", c.flags, status, stderr)
		}
		for _, want := range c.stdout {
			if !strings.Contains(stdout, want) {
				t.Errorf("%q: %s, want %q", c.flags, stdout, want)
			}
		}
		dir := filepath.Join(filepath.Dir(b.properties), filepath.FromSlash(c.flags[len(c.flags)-1]))
		for name, want := range c.files {
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil || !strings.Contains(string(text), want) {
				t.Errorf("%s: %v, without %q: %s", name, err, want, text)
			}
		}
	}

	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "DIR is missing"},
		{[]string{""}, "DIR is missing"},
		{[]string{"a", "b"}, `unexpected argument "b"`},
		{[]string{"my consumer"}, `module path "my consumer" is not like example.com/team/orders; name one with --module`},
		{[]string{"/"}, "--module"},
		{[]string{"xyz", "--region", ""}, "--region"},
		{[]string{"xyz", "--stream", ""}, "--stream"},
		{[]string{"xyz", "--stream", "arn:aws:kinesis:us-east-1:123456789012:stream/s", "--region", "eu-west-1"}, "is not in region eu-west-1"},
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
