package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/sirupsen/logrus"

	"github.com/seed96110120/kinesis-client-go/processor/processortest"
	"github.com/seed96110120/kinesis-client-go/protocol"
)

// The tests run this test binary as the sample itself, and play its daemon over pipes.
const childEnv = "CONSUMER_SAMPLE_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

const shard = "shardId-000000000000"

// What is printed is one line, without characters that a terminal interprets.
func TestPrintLine(t *testing.T) {
	var out bytes.Buffer
	stderr = &out
	defer func() { stderr = os.Stderr }()
	log := slog.New(console{Handler: slog.NewTextHandler(io.Discard, nil)})
	log.Warn("a shard\ncannot be read", "error", "x\x1b[2J\u009b\r\nconsumer-sample: stopped as asked")
	if got, want := out.String(), "consumer-sample: a shard | cannot be read, error x\uFFFD[2J\uFFFD\uFFFD | consumer-sample: stopped as asked\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// process is the sample, started. The test is its Daemon.
type process struct {
	*processortest.Daemon
	t      *testing.T
	cmd    *exec.Cmd
	stderr *bytes.Buffer
}

func sample(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), childEnv+"=1")
	return cmd
}

func start(t *testing.T, s *processortest.Shard, dir string, args ...string) *process {
	t.Helper()
	c := &process{t: t, cmd: sample(t, dir, args...), stderr: &bytes.Buffer{}}
	c.cmd.Stderr = c.stderr
	c.cmd.Env = append(c.cmd.Env, "KCL_STREAM_NAME="+s.Stream, "KCL_LEASE_KEY="+s.Key)
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.cmd.Process.Kill(); c.cmd.Wait() })
	c.Daemon = s.Connect(t, stdin, stdout)
	return c
}

// newShard returns a shard with the records "record 1" to "record n".
func newShard(n int) *processortest.Shard {
	s := &processortest.Shard{ID: shard}
	for i := range n {
		s.Put("k", fmt.Sprintf("record %d", i+1))
	}
	return s
}

func (c *process) end(status int) {
	c.t.Helper()
	c.Close()
	c.cmd.Wait()
	if got := c.cmd.ProcessState.ExitCode(); got != status {
		c.t.Errorf("exit status %d, want %d; stderr: %s", got, status, c.stderr)
	}
}

func at(n int) protocol.Position { return protocol.Position{SequenceNumber: fmt.Sprint(n)} }

// onDisk returns the data of the shard file's lines.
func onDisk(t *testing.T, dir string) (data []string) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, shard+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var l struct{ Data string }
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		data = append(data, l.Data)
	}
	return data
}

// Guarantee: A child process that does not fail prints nothing to standard error. It
// logs to application.log.
func TestLifeCycle(t *testing.T) {
	testLifeCycle(t, newShard(2), "data")
	s := newShard(2) // of one of several streams
	s.Stream, s.Key = "orders", "111122223333:orders:1700:"+shard
	testLifeCycle(t, s, filepath.Join("data", "111122223333_orders_1700"))
}

func testLifeCycle(t *testing.T, s *processortest.Shard, folder string) {
	dir := t.TempDir()
	c := start(t, s, dir)
	c.Do(s.Initialize())
	c.Do(s.Next(0))
	c.Do(s.Next(2))
	c.Do(protocol.ShutdownRequested{})
	c.Do(protocol.LeaseLost{})
	c.end(0)
	if got := s.Checkpoints(); !slices.Equal(got, []protocol.Position{at(2), at(2)}) {
		t.Errorf("checkpoints %v, want two at 2", got)
	}
	if got := onDisk(t, filepath.Join(dir, folder)); strings.Join(got, ",") != "record 1,record 2" {
		t.Errorf("on disk: %q, want records 1 and 2", got)
	}
	if c.stderr.Len() > 0 {
		t.Errorf("stderr: %s", c.stderr)
	}
	log, err := os.ReadFile(filepath.Join(dir, "application.log"))
	if err != nil || !bytes.Contains(log, []byte("leaseLost")) || bytes.Contains(log, []byte("record 1")) {
		t.Errorf("error %v, want a log with leaseLost and without data; application.log:\n%s", err, log)
	}
	if named := bytes.Count(log, []byte("stream=\"111122223333:orders:1700\"")); (named > 0) != (s.Key != "") || named > 0 && named != bytes.Count(log, []byte("\n")) {
		t.Errorf("application.log names the stream %d times:\n%s", named, log)
	}
}

func TestShardEnd(t *testing.T) {
	s := newShard(0)
	c := start(t, s, t.TempDir())
	c.Do(s.Initialize())
	c.Do(protocol.ShardEnded{})
	c.end(0)
	if got := s.Checkpoint().SequenceNumber; got != protocol.ShardEnd {
		t.Errorf("the last checkpoint is %s, want %s", got, protocol.ShardEnd)
	}
}

// When the request to checkpoint arrives, the records are in the file.
//
// Guarantee: A record is on disk before the checkpoint that covers it.
func TestCheckpointFollowsDisk(t *testing.T) {
	dir := t.TempDir()
	s := newShard(50)
	c := start(t, s, dir, "--dir", "files", "--log", "log")
	c.Do(s.Initialize())
	for n := 1; n <= 50; n++ {
		c.Send(s.Next(1))
		c.Expect(protocol.Checkpoint{Position: at(n)})
		if got := onDisk(t, filepath.Join(dir, "files")); len(got) != n {
			t.Fatalf("%d records on disk at the checkpoint of %d", len(got), n)
		}
		c.Send(protocol.Checkpoint{Position: at(n)})
		c.Expect(protocol.Status{ResponseFor: "processRecords"})
	}
	c.end(0)
}

// Killed before its checkpoint, again and again, and started again at the last one:
// nothing is lost and nothing is written twice. If positions were compared as text,
// the tenth record would be lost.
//
// Guarantee: A file holds each record once, in the order of the shard, even if the
// daemon delivers records again after a crash.
func TestRestartAfterCrash(t *testing.T) {
	dir := t.TempDir()
	s := newShard(12)
	for n := 1; n <= 9; n++ {
		c := start(t, s, dir)
		c.Do(s.Initialize())
		c.Send(s.Next(n))
		c.Expect(protocol.Checkpoint{Position: at(n)})
		c.cmd.Process.Kill()
		c.cmd.Wait()
	}
	c := start(t, s, dir)
	c.Do(s.Initialize())
	c.Do(s.Next(12))
	c.Do(protocol.LeaseLost{})
	c.end(0)
	var want []string
	for _, r := range s.Records() {
		want = append(want, string(r.Data))
	}
	if got := onDisk(t, filepath.Join(dir, "data")); !slices.Equal(got, want) {
		t.Errorf("on disk: %q, want %q", got, want)
	}
	if got := s.Checkpoints(); !slices.Equal(got, []protocol.Position{at(12)}) {
		t.Errorf("checkpoints %v, want one at 12", got)
	}
}

// A checkpoint whose retries are all throttled comes with the next batch, even an empty
// one. After that an idle shard makes no more.
//
// Guarantee: If a checkpoint is throttled, the next batch checkpoints, even if it is
// empty.
func TestThrottledCheckpointIsMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := newShard(1)
		for call := 1; call <= 11; call++ {
			s.FailCheckpoint(call, "ThrottlingException")
		}
		log := logrus.New()
		log.SetOutput(io.Discard)
		d := s.Start(t, &consumer{dir: dir, log: log}, nil)
		d.Do(s.Initialize())
		d.Do(s.Next(1))
		if got := s.Checkpoints(); len(got) > 0 {
			t.Fatalf("checkpoints %v, want none", got)
		}
		d.Do(s.Next(0))
		d.Do(s.Next(0))
		if got := s.Checkpoints(); !slices.Equal(got, []protocol.Position{at(1)}) {
			t.Errorf("checkpoints %v, want one at 1", got)
		}
		d.Do(protocol.LeaseLost{})
	})
}

func TestCheckpointFailure(t *testing.T) {
	for exception, want := range map[string]int{"ShutdownException": 0, "InvalidStateException": 1} {
		t.Run(exception, func(t *testing.T) {
			s := newShard(1)
			s.FailCheckpoint(1, exception)
			c := start(t, s, t.TempDir())
			c.Do(s.Initialize())
			a := c.Begin(s.Next(1))
			if err := a.Wait(); (err != nil) != (want != 0) {
				t.Errorf("processRecords: error %v, want exit status %d", err, want)
			}
			if want == 0 {
				c.Do(protocol.LeaseLost{})
			}
			c.end(want)
			if want != 0 && !strings.Contains(c.stderr.String(), exception) {
				t.Errorf("stderr %q, want %s", c.stderr, exception)
			}
		})
	}
}

func TestDiskFailure(t *testing.T) {
	for want, args := range map[string][]string{
		"cannot make the folder": {"--dir", "file"},
		"name another with":      {"--log", "file/log"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		s := newShard(0)
		c := start(t, s, dir, args...)
		if err := c.Begin(s.Initialize()).Wait(); !errors.Is(err, io.EOF) {
			t.Errorf("error %v, want the end of the output", err)
		}
		c.end(1)
		if got := c.stderr.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, want) {
			t.Errorf("%q: stderr %q, want one line with %q", args, got, want)
		}
	}
}

// A lease that ends because the daemon dies frees its file for the next processor, even
// in the same process.
//
// Guarantee: A file is closed and unlocked when its lease ends, even if the daemon dies
// and calls no method.
func TestFileIsFreedWithItsLease(t *testing.T) {
	dir := t.TempDir()
	s := newShard(2)
	log := logrus.New()
	log.SetOutput(io.Discard)
	for n := 1; n <= 2; n++ {
		d := s.Start(t, &consumer{dir: dir, log: log}, nil)
		d.Do(s.Initialize()) // waits for the file, which the one before has locked
		d.Do(s.Next(1))
		d.Close()
	}
	if got := onDisk(t, dir); strings.Join(got, ",") != "record 1,record 2" {
		t.Errorf("on disk: %q, want records 1 and 2", got)
	}
}

func TestCommandLine(t *testing.T) {
	for _, tc := range []struct {
		args           []string
		status         int
		stdout, stderr string
	}{
		{[]string{"--help"}, 0, "kcl-bootstrap --execute -p sample.properties", ""},
		{[]string{"-h"}, 0, "--dir DIR", ""},
		{[]string{"--fly"}, 2, "", "see consumer-sample --help"},
		{[]string{"data"}, 2, "", `"data"`},
		{[]string{"run", "--help"}, 0, "consumer-sample run --stream orders", ""},
		{[]string{"run", "--fly"}, 2, "", "see consumer-sample run --help"},
		{[]string{"run", "data"}, 2, "", `"data"`},
		{[]string{"run", "--stream", ""}, 2, "", "--stream: it names no stream"},
		{[]string{"run", "--stream", "a", "--stream", " "}, 2, "", "--stream: it names no stream"},
		{[]string{"run", "--stream", "orders,returns"}, 2, "", "repeat --stream"},
		{[]string{"run", "--stream", "a/b"}, 2, "", "or an ARN"},
		{[]string{"run", "--stream", "a initialPosition=LATEST"}, 2, "", "--set streams="},
		{[]string{"run", "--region", "us-east-1", "--stream", "arn:aws:kinesis:eu-west-1:123456789012:stream/a"}, 2, "", "use --region eu-west-1"},
		{[]string{"run", "--set", "secret"}, 2, "", "--set takes KEY=VALUE"},
		{[]string{"run", "--worker-id", "auto"}, 2, "", "needs --state-dir"},
		{[]string{"run", "--state-dir", "x"}, 2, "", "--worker-id auto"},
		{[]string{"run", "--log", "no/such/folder"}, 1, "", "name another with --log"},
	} {
		cmd := sample(t, t.TempDir(), tc.args...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if got := cmd.ProcessState.ExitCode(); got != tc.status || !strings.Contains(stdout.String(), tc.stdout) ||
			!strings.Contains(stderr.String(), tc.stderr) || strings.Count(stderr.String(), "\n") > 1 {
			t.Errorf("%q: status %d, want %d\nstdout: %s\nwant %q\nstderr: %s\nwant %q", tc.args, got, tc.status, &stdout, tc.stdout, &stderr, tc.stderr)
		}
	}
}
