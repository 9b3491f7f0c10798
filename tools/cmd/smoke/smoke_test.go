package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/seed96110120/kinesis-client-go/tools/internal/needs"
	"github.com/seed96110120/kinesis-client-go/tools/internal/roundtrip"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
)

var good = map[string]string{regionVariable: "eu-west-1", prefixVariable: "alice"}

// Nothing runs that is not asked for clearly.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		env  map[string]string
		want string
	}{
		"no yes":        {nil, nil, "costs about 0.05 US dollars"},
		"no region":     {[]string{"--yes"}, map[string]string{regionVariable: ""}, regionVariable},
		"no prefix":     {[]string{"--yes"}, map[string]string{prefixVariable: ""}, prefixVariable},
		"bad region":    {[]string{"--yes"}, map[string]string{regionVariable: "Europe"}, `"Europe"`},
		"bad prefix":    {[]string{"--yes"}, map[string]string{prefixVariable: "a/b"}, `"a/b"`},
		"an endpoint":   {[]string{"--yes"}, map[string]string{"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:1"}, "AWS_ENDPOINT_URL_DYNAMODB is set"},
		"a million":     {[]string{"--yes", "--records", "1000000"}, nil, "--records"},
		"an argument":   {[]string{"--yes", "now"}, nil, `"now"`},
		"unknown flag":  {[]string{"--yes", "--fly"}, nil, "--fly"},
		"a yes of no":   {[]string{"--yes=false"}, nil, "refused without --yes"},
		"yes as a word": {[]string{"yes"}, nil, `"yes"`},
	} {
		t.Run(name, func(t *testing.T) {
			for _, v := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KINESIS", "AWS_ENDPOINT_URL_DYNAMODB"} {
				t.Setenv(v, "")
			}
			for _, env := range []map[string]string{good, c.env} {
				for k, v := range env {
					t.Setenv(k, v)
				}
			}
			var stdout, stderr bytes.Buffer
			status := run(t.Context(), c.args, &stdout, &stderr)
			if status != 2 || stdout.Len() > 0 || strings.Count(stderr.String(), "\n") != 1 || !strings.Contains(stderr.String(), c.want) {
				t.Errorf("status %d, %q, %q, want %q", status, &stdout, &stderr, c.want)
			}
		})
	}
	env := func(name string) string { return good[name] }
	a, _, err := parse([]string{"--yes"}, env)
	b, _, _ := parse([]string{"--yes"}, env)
	if err != nil || !regexp.MustCompile(`^alice-smoke-\d{8}-\d{6}-[0-9a-f]{6}$`).MatchString(a.name) || a.name == b.name || a.region != "eu-west-1" {
		t.Errorf("%+v, %+v, %v", a, b, err)
	}
	if _, usage, err := parse([]string{"--help"}, env); err != nil || !strings.Contains(usage, cost) || !strings.Contains(usage, "--yes") {
		t.Errorf("%v: %s", err, usage)
	}
}

// On AWS nothing names an endpoint, and the region is the one that was given.
func TestAWS(t *testing.T) {
	at := aws("eu-west-1", []string{"HOME=/home/alice", "AWS_REGION=us-east-1"})
	for _, s := range at.properties {
		if strings.Contains(strings.ToLower(s.Name), "endpoint") {
			t.Errorf("%s is set", s.Name)
		}
	}
	if !slices.Equal(at.environ, []string{"HOME=/home/alice", "AWS_REGION=us-east-1", "AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1"}) ||
		!slices.Contains(at.properties, stack.Setting{Name: "regionName", Value: "eu-west-1"}) {
		t.Errorf("%+v", at)
	}
}

// local is the local stack in the place of AWS.
type local struct {
	*stack.Stack
	kinesis  *kinesis.Client
	dynamodb *dynamodb.Client
}

func startLocal(t *testing.T) local {
	t.Helper()
	needs.Java(t)
	needs.Workspace(t)
	s, err := stack.Start(t.Context(), stack.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	who := credentials.NewStaticCredentialsProvider("local", "local", "")
	return local{
		s,
		kinesis.New(kinesis.Options{BaseEndpoint: awssdk.String(s.KinesisURL()), Region: stack.Region, Credentials: who}),
		dynamodb.New(dynamodb.Options{BaseEndpoint: awssdk.String(s.DynamoDBURL()), Region: stack.Region, Credentials: who}),
	}
}

func (l local) services(extra ...stack.Setting) services {
	return services{environ: l.Environ(os.Environ()), properties: append(l.Properties(), extra...)}
}

// left names the streams and tables that there are.
func (l local) left(t *testing.T) (left []string) {
	t.Helper()
	streams, err := l.kinesis.ListStreams(context.Background(), &kinesis.ListStreamsInput{})
	if err != nil {
		t.Fatal(err)
	}
	tables, err := l.dynamodb.ListTables(context.Background(), &dynamodb.ListTablesInput{})
	if err != nil {
		t.Fatal(err)
	}
	return append(streams.StreamNames, tables.TableNames...)
}

// log is a standard error that calls at when a line contains mark.
type log struct {
	bytes.Buffer
	mark string
	at   func()
	once sync.Once
}

func (l *log) Write(p []byte) (int, error) {
	if l.mark != "" && strings.Contains(string(p), l.mark) {
		l.once.Do(l.at)
	}
	return l.Buffer.Write(p)
}

// What runs on AWS runs here, on the local stack: the records come once, and at
// the end there is no stream and no table, whatever the end was.
func TestSmoke(t *testing.T) {
	l := startLocal(t)
	none := func(t *testing.T, stderr *log) {
		t.Helper()
		if left := l.left(t); len(left) > 0 {
			t.Errorf("left: %q\n%s", left, stderr)
		}
	}
	t.Run("good", func(t *testing.T) {
		t.Setenv("TMPDIR", t.TempDir())
		stderr := &log{}
		o := options{name: "alice-smoke-good", region: stack.Region, records: 100}
		r, err := smoke(t.Context(), o, l.services(), stderr)
		if err != nil || r.Sent != 100 || !r.Good() || r.Shards != shards {
			t.Errorf("%v, %v\n%s", r, err, stderr)
		}
		if !strings.Contains(stderr.String(), "if this is killed: "+deleteCommand(o)) {
			t.Errorf("it does not say how to clean up:\n%s", stderr)
		}
		none(t, stderr)
		if files, _ := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "*")); len(files) > 0 {
			t.Errorf("files left: %q", files)
		}
	})
	t.Run("a daemon that fails", func(t *testing.T) {
		stderr := &log{}
		r, err := smoke(t.Context(), options{name: "alice-smoke-fails", records: 10}, l.services(
			stack.Setting{Name: "executableName", Value: "false"}, stack.Setting{Name: "shutdownGraceMillis", Value: "3000"}), stderr)
		if err == nil || errors.Is(err, roundtrip.ErrLeft) || r == nil || r.Good() {
			t.Errorf("%v, %v\n%s", r, err, stderr)
		}
		none(t, stderr)
	})
	for _, step := range []string{"making stream", "putting", "the first record is there"} {
		t.Run("Ctrl-C when "+step, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			stderr := &log{mark: step, at: cancel}
			if _, err := smoke(ctx, options{name: "alice-smoke-interrupted", records: 1000}, l.services(), stderr); errors.Is(err, roundtrip.ErrLeft) {
				t.Error(err)
			}
			if ctx.Err() == nil {
				t.Errorf("it did not come to that:\n%s", stderr)
			}
			none(t, stderr)
		})
	}
	t.Run("somebody else's", func(t *testing.T) {
		const name = "alice-smoke-taken"
		if _, err := l.kinesis.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: awssdk.String(name), ShardCount: awssdk.Int32(1)}); err != nil {
			t.Fatal(err)
		}
		stderr := &log{}
		if _, err := smoke(t.Context(), options{name: name, records: 10}, l.services(), stderr); err == nil || !strings.Contains(err.Error(), "stream or table "+name+" already") {
			t.Errorf("%v\n%s", err, stderr)
		}
		if left := l.left(t); !slices.Equal(left, []string{name}) {
			t.Errorf("there are %q, want %s alone", left, name)
		}
	})
}

// Without credentials nothing is made, and the reason is one line.
func TestNoCredentials(t *testing.T) {
	needs.Java(t)
	needs.Workspace(t)
	var environ []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "AWS_") {
			environ = append(environ, e)
		}
	}
	nothing := filepath.Join(t.TempDir(), "nothing")
	environ = append(environ, "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE="+nothing, "AWS_SHARED_CREDENTIALS_FILE="+nothing)
	stderr := &log{}
	_, err := smoke(t.Context(), options{name: "alice-smoke-nobody", records: 10}, aws("eu-west-1", environ), stderr)
	if err == nil || !strings.Contains(err.Error(), "no AWS credentials") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
	if strings.Contains(stderr.String(), "making stream") || strings.Contains(stderr.String(), "deleting") {
		t.Errorf("it went on:\n%s", stderr)
	}
}
