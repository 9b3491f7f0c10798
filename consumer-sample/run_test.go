package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
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
	for _, tc := range []struct {
		args []string
		want string // of the fields that this is about
	}{
		{nil, "file= stream= stream.p=kclgosample application= id= state="},
		{[]string{"--stream", "s", "--application", "a"}, "file= stream=s stream.p=kclgosample application=a id= state="},
		{[]string{"-p", "f"}, "file=f stream= stream.p= application= id= state="},
		{[]string{"--set", "streamName = s", "--worker-id", "w"}, "file= stream= stream.p=s application= id=w state="},
		{[]string{"-p", "f", "--set", "streamName=s=t", "--worker-id", "auto", "--state-dir", "d"}, "file=f stream= stream.p=s=t application= id= state=d"},
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
		got := fmt.Sprintf("file=%s stream=%s stream.p=%s application=%s id=%s state=%s",
			c.PropertiesFile, c.Stream, c.Properties["streamName"], c.Application, c.WorkerID, c.StateDir)
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

// What the worker says at Info and above is for people too; what the daemon
// says is in the log alone.
func TestConsole(t *testing.T) {
	var file, terminal bytes.Buffer
	log := slog.New(console{
		Handler: slog.NewTextHandler(&file, nil),
		say:     func(format string, args ...any) { fmt.Fprintf(&terminal, format+"\n", args...) },
	})
	log.Info("daemon started", "version", "3.1.3", "pid", 17)
	log.Debug("detail")
	log.With("shardId", "0").Error("failed", "error", errors.New("one\ntwo"))
	log.With("source", "daemon").Error("java's")
	if want := "daemon started, version 3.1.3, pid 17\nfailed, error one | two\n"; terminal.String() != want {
		t.Errorf("got %q, want %q", terminal.String(), want)
	}
	if n := strings.Count(file.String(), "\n"); n != 3 {
		t.Errorf("%d lines in the log, want 3:\n%s", n, &file)
	}
}

// A download is told in a line a second where there are no live lines, and
// beside them where there are.
func TestFetchProgress(t *testing.T) {
	for _, live := range []bool{false, true} {
		var said, noted []string
		f := fetchProgress{
			say:  func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) },
			note: func(text string) bool { noted = append(noted, text); return live },
		}
		for n := range 4 {
			f.report(bootstrap.Progress{Files: n, TotalFiles: 3, Bytes: int64(n) * 1e6, TotalBytes: 3e6})
		}
		if len(said) > 1 || len(said) == 0 && !live || len(said) > 0 && said[0] != "fetching 0 of 3 jars, 0.0 of 3.0 MB" {
			t.Errorf("said %q", said)
		}
		if live && len(said) > 0 || noted[len(noted)-1] != "" {
			t.Errorf("said %q, noted %q", said, noted)
		}
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
	if cmd.ProcessState.ExitCode() != 1 || !strings.HasPrefix(last[len(last)-1], "consumer-sample: "+file+":3: error: maxRecord:") {
		t.Errorf("status %d, stderr:\n%s", cmd.ProcessState.ExitCode(), &stderr)
	}
}
