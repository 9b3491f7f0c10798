package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/processor/worker"
)

// The sample's own properties are read as the daemon reads them.
func TestSampleSettings(t *testing.T) {
	properties, err := bootstrap.ReadProperties("sample.properties")
	if err != nil {
		t.Fatal(err)
	}
	got := sampleSettings()
	for name, value := range got {
		if want, ok := properties.Get(name); !ok || value != want {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
	}
	lines := 0
	for line := range strings.Lines(sampleProperties) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			lines++
		}
	}
	if len(got) != lines-1 { // without the executable
		t.Errorf("%d settings of %d lines: %v", len(got), lines, slices.Sorted(maps.Keys(got)))
	}
}

func TestConfig(t *testing.T) {
	const arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/a"
	for _, tc := range []struct {
		args []string
		want string // of the fields that this is about
	}{
		{nil, "file= stream= stream.p=kclgosample application= region= id= state= jars="},
		{[]string{"-c", "j"}, "file= stream= stream.p=kclgosample application= region= id= state= jars=j"},
		{[]string{"--stream", "s", "--application", "a"}, "file= stream=s stream.p=kclgosample application=a region= id= state= jars="},
		{[]string{"--stream", "s", "--stream", arn}, "file= stream=s," + arn + " stream.p=kclgosample application= region=eu-west-1 id= state= jars="},
		{[]string{"--stream", "s", "--stream", arn, "--region", "eu-west-1"}, "file= stream=s," + arn + " stream.p=kclgosample application= region=eu-west-1 id= state= jars="},
		{[]string{"--stream", arn, "--set", "regionName=us-east-2"}, "file= stream=" + arn + " stream.p=kclgosample application= region= id= state= jars="},
		{[]string{"--stream", arn, "-p", "f"}, "file=f stream=" + arn + " stream.p= application= region= id= state= jars="},
		{[]string{"--set", "streams = s, t"}, "file= stream= stream.p= application= region= id= state= jars="},
		{[]string{"-p", "f"}, "file=f stream= stream.p= application= region= id= state= jars="},
		{[]string{"--set", "streamName = s", "--worker-id", "w"}, "file= stream= stream.p=s application= region= id=w state= jars="},
		{[]string{"-p", "f", "--set", "streamName=s=t", "--worker-id", "auto", "--state-dir", "d"}, "file=f stream= stream.p=s=t application= region= id= state=d jars="},
	} {
		var f runFlags
		set := pflag.NewFlagSet("run", pflag.ContinueOnError)
		f.register(set)
		if err := set.Parse(tc.args); err != nil {
			t.Fatal(err)
		}
		if err := f.check(set); err != nil {
			t.Errorf("%q: %v", tc.args, err)
		}
		c := f.config()
		var streams []string
		for _, s := range c.Streams {
			streams = append(streams, s.Stream)
		}
		got := fmt.Sprintf("file=%s stream=%s stream.p=%s application=%s region=%s id=%s state=%s jars=%s",
			c.PropertiesFile, strings.Join(streams, ","), c.Properties["streamName"], c.Application, c.Region, c.Leases.WorkerID, c.Leases.StateDir, c.Java.Fetch.CacheDir)
		if got != tc.want {
			t.Errorf("%q:\ngot  %s\nwant %s", tc.args, got, tc.want)
		}
	}
}

// Beside a local Kinesis nothing is sent to the real CloudWatch, unless it is
// asked for.
func TestNoMetricsFromALocalStack(t *testing.T) {
	for _, tc := range []struct{ endpoint, set, want string }{
		{"", "", "SUMMARY"},
		{"http://127.0.0.1:1", "", ""},
		{"http://127.0.0.1:1", "metricsLevel=DETAILED", "DETAILED"},
	} {
		t.Setenv("AWS_ENDPOINT_URL_KINESIS", tc.endpoint)
		var f runFlags
		if tc.set != "" {
			f.set = []string{tc.set}
		}
		if got := f.config().Properties["metricsLevel"]; got != tc.want {
			t.Errorf("%+v: metricsLevel is %q", tc, got)
		}
	}
}

// captureStderr returns what say says.
func captureStderr(t *testing.T) *bytes.Buffer {
	var said bytes.Buffer
	stderr = &said
	t.Cleanup(func() { stderr = os.Stderr })
	return &said
}

// What the worker says at Info and above is for people too; what KCL says is in
// the log alone.
func TestConsole(t *testing.T) {
	said := captureStderr(t)
	var file bytes.Buffer
	log := slog.New(console{Handler: slog.NewTextHandler(&file, nil)})
	log.Info("daemon started", "version", "3.1.3", "pid", 17)
	log.Debug("detail")
	log.With("shardId", "0").Error("failed", "error", errors.New("one\ntwo"))
	log.Error("java's", "logger", "Scheduler")
	if want := "consumer-sample: daemon started, version 3.1.3, pid 17\nconsumer-sample: failed, error one | two\n"; said.String() != want {
		t.Errorf("got %q, want %q", said, want)
	}
	if n := strings.Count(file.String(), "\n"); n != 3 {
		t.Errorf("%d lines in the log, want 3:\n%s", n, &file)
	}
}

// A line every five seconds, if there is news, of what this worker has.
func TestTellRecords(t *testing.T) {
	said := captureStderr(t)
	synctest.Test(t, func(t *testing.T) {
		written.Store(0)
		ctx, cancel := context.WithCancel(t.Context())
		go tellRecords(ctx, func() worker.Status {
			return worker.Status{Shards: []worker.ShardStatus{{}, {}, {Left: time.Now()}}}
		})
		for range 3 {
			time.Sleep(5500 * time.Millisecond)
			if written.Load() < 1000 {
				written.Add(500)
			}
		}
		time.Sleep(time.Minute)
		cancel()
	})
	want := "consumer-sample: 500 records written so far, 100 a second, shards 2\nconsumer-sample: 1000 records written so far, 100 a second, shards 2\n"
	if said.String() != want {
		t.Errorf("got\n%swant\n%s", said, want)
	}
}

// A download is told in a line a second.
func TestTellDownload(t *testing.T) {
	said := captureStderr(t)
	synctest.Test(t, func(*testing.T) {
		tell := tellDownload()
		for n := range 4 {
			tell(bootstrap.Progress{Files: n, TotalFiles: 3, Bytes: int64(n) * 1e6, TotalBytes: 3e6})
			time.Sleep(600 * time.Millisecond)
		}
	})
	if want := "consumer-sample: fetching 0 of 3 jars, 0.0 of 3.0 MB\nconsumer-sample: fetching 2 of 3 jars, 2.0 of 3.0 MB\n"; said.String() != want {
		t.Errorf("got %q, want %q", said, want)
	}
}

// A wrong property is one line, and nothing is started for it.
func TestRunWithAWrongProperty(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a file.properties")
	if err := os.WriteFile(file, []byte("streamName = s\napplicationName = a\nmaxRecord = 7\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := sample(t, dir, "run", "-p", file)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.Run()
	last := strings.Split(strings.TrimSpace(stderr.String()), "\n")
	if strings.Contains(stderr.String(), "shard files") {
		t.Errorf("told of files that are not made:\n%s", &stderr)
	}
	if cmd.ProcessState.ExitCode() != 1 || !strings.HasPrefix(last[len(last)-1], "consumer-sample: "+file+":3: error: maxRecord:") {
		t.Errorf("status %d, stderr:\n%s", cmd.ProcessState.ExitCode(), &stderr)
	}
}
