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

// Without --properties all is as with sample.properties.
func TestDefaultProperties(t *testing.T) {
	properties, err := bootstrap.ReadProperties("sample.properties")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{ // the worker's defaults
		"AwsCredentialsProvider":                   "DefaultCredentialsProvider",
		"shutdownGraceMillis":                      "10000",
		"callProcessRecordsEvenForEmptyRecordList": "true",
		"leaseAssignmentIntervalMillis":            "2000",
		"workerMetricsReporterFreqInMillis":        "3000",
		"noOfPersistedMetricsPerWorkerMetrics":     "40",
		"workerMetricsEMAAlpha":                    "0.07",
		"processingLanguage":                       "go",
	}
	maps.Copy(want, defaultProperties)
	for name, value := range want {
		if got, ok := properties.Get(name); !ok || got != value {
			t.Errorf("%s is %q in sample.properties, want %q", name, got, value)
		}
	}
	text, err := os.ReadFile("sample.properties")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			lines++
		}
	}
	if lines != len(want)+1 { // and the executable
		t.Errorf("%d properties in sample.properties, want executableName and %v", lines, slices.Sorted(maps.Keys(want)))
	}
}

func TestConfig(t *testing.T) {
	const arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/a"
	for _, tc := range []struct {
		args []string
		want string // some fields of the configuration
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
		if err := f.validate(set); err != nil {
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

// With a local Kinesis no metrics are sent to CloudWatch, unless they are asked for.
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
			t.Errorf("%+v: metricsLevel is %q, want %q", tc, got, tc.want)
		}
	}
}

// captureStderr returns what printLine prints.
func captureStderr(t *testing.T) *bytes.Buffer {
	var printed bytes.Buffer
	stderr = &printed
	t.Cleanup(func() { stderr = os.Stderr })
	return &printed
}

// What the worker logs at Info and above is printed too. What KCL logs is only in
// the log.
func TestConsole(t *testing.T) {
	printed := captureStderr(t)
	var file bytes.Buffer
	log := slog.New(console{Handler: slog.NewTextHandler(&file, nil)})
	log.Info("daemon started", "version", "3.1.3", "pid", 17)
	log.Debug("detail")
	log.With("shardId", "0").Error("failed", "error", errors.New("one\ntwo"))
	log.Error("java's", "logger", "Scheduler")
	if want := "consumer-sample: daemon started, version 3.1.3, pid 17\nconsumer-sample: failed, shardId 0, error one | two\n"; printed.String() != want {
		t.Errorf("got %q, want %q", printed, want)
	}
	if n := strings.Count(file.String(), "\n"); n != 3 {
		t.Errorf("%d lines in the log, want 3:\n%s", n, &file)
	}
}

// A line every five seconds, if records were written, with the shards of this worker.
func TestPrintProgress(t *testing.T) {
	printed := captureStderr(t)
	synctest.Test(t, func(t *testing.T) {
		recordsWritten.Store(0)
		ctx, cancel := context.WithCancel(t.Context())
		go printProgress(ctx, func() worker.Status {
			return worker.Status{Shards: []worker.ShardStatus{{}, {}, {Left: time.Now()}}}
		})
		for range 3 {
			time.Sleep(5500 * time.Millisecond)
			if recordsWritten.Load() < 1000 {
				recordsWritten.Add(500)
			}
		}
		time.Sleep(time.Minute)
		cancel()
	})
	want := "consumer-sample: 500 records written so far, 100 a second, shards 2\nconsumer-sample: 1000 records written so far, 100 a second, shards 2\n"
	if printed.String() != want {
		t.Errorf("got\n%swant\n%s", printed, want)
	}
}

// A download prints a line a second.
func TestDownloadPrinter(t *testing.T) {
	printed := captureStderr(t)
	synctest.Test(t, func(*testing.T) {
		progress := downloadPrinter()
		for n := range 4 {
			progress(bootstrap.Progress{Files: n, TotalFiles: 3, Bytes: int64(n) * 1e6, TotalBytes: 3e6})
			time.Sleep(600 * time.Millisecond)
		}
	})
	if want := "consumer-sample: fetching 0 of 3 jars, 0.0 of 3.0 MB\nconsumer-sample: fetching 2 of 3 jars, 2.0 of 3.0 MB\n"; printed.String() != want {
		t.Errorf("got %q, want %q", printed, want)
	}
}

// A wrong property is one line of error, and nothing is started.
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
		t.Errorf("announced files that are not created:\n%s", &stderr)
	}
	if cmd.ProcessState.ExitCode() != 1 || !strings.HasPrefix(last[len(last)-1], "consumer-sample: "+file+":3: error: maxRecord:") {
		t.Errorf("status %d, want 1 and a line about maxRecord; stderr:\n%s", cmd.ProcessState.ExitCode(), &stderr)
	}
}
