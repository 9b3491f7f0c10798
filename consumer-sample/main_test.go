package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed96110120/kinesis-client-go/protocol"
)

// The tests start this test binary again as the sample itself and play its
// daemon over pipes.
const childEnv = "CONSUMER_SAMPLE_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

const shard = "shardId-000000000000"

type child struct {
	t      *testing.T
	cmd    *exec.Cmd
	to     *protocol.Writer
	from   *protocol.Reader
	stdin  io.Closer
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

func start(t *testing.T, dir string, args ...string) *child {
	t.Helper()
	c := &child{t: t, cmd: sample(t, dir, args...), stderr: &bytes.Buffer{}}
	c.cmd.Stderr = c.stderr
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
	c.to, c.from, c.stdin = protocol.NewWriter(stdin), protocol.NewReader(stdout), stdin
	return c
}

func (c *child) send(m protocol.Message) {
	c.t.Helper()
	if err := c.to.Write(m); err != nil {
		c.t.Fatal(err)
	}
}

func (c *child) expect(want protocol.Message) {
	c.t.Helper()
	if got, err := c.from.Read(); err != nil || got != want {
		c.t.Fatalf("want %#v, got %#v, %v", want, got, err)
	}
}

func (c *child) do(m protocol.Message) {
	c.t.Helper()
	c.send(m)
	c.expect(protocol.Status{ResponseFor: m.Action()})
}

func (c *child) end(status int) {
	c.t.Helper()
	c.stdin.Close()
	c.cmd.Wait()
	if got := c.cmd.ProcessState.ExitCode(); got != status {
		c.t.Errorf("exit status %d, want %d; stderr: %s", got, status, c.stderr)
	}
}

var initialize = protocol.Initialize{ShardID: shard, Position: protocol.Position{SequenceNumber: protocol.TrimHorizon}}

func batch(sequenceNumbers ...int) (b protocol.ProcessRecords) {
	for _, n := range sequenceNumbers {
		b.Records = append(b.Records, protocol.Record{Data: fmt.Appendf(nil, "record %d", n), PartitionKey: "k", SequenceNumber: fmt.Sprint(n)})
	}
	return b
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

func TestLifeCycle(t *testing.T) {
	dir := t.TempDir()
	c := start(t, dir)
	c.do(initialize)
	c.do(protocol.ProcessRecords{})
	c.send(batch(1, 2))
	c.expect(protocol.Checkpoint{Position: at(2)})
	c.send(protocol.Checkpoint{Position: at(2)})
	c.expect(protocol.Status{ResponseFor: "processRecords"})
	c.send(protocol.ShutdownRequested{})
	c.expect(protocol.Checkpoint{Position: at(2)})
	c.send(protocol.Checkpoint{Position: at(2)})
	c.expect(protocol.Status{ResponseFor: "shutdownRequested"})
	c.do(protocol.LeaseLost{})
	c.end(0)
	if got := onDisk(t, filepath.Join(dir, "data")); strings.Join(got, ",") != "record 1,record 2" {
		t.Errorf("on disk: %q", got)
	}
	if c.stderr.Len() > 0 {
		t.Errorf("stderr: %s", c.stderr)
	}
	log, err := os.ReadFile(filepath.Join(dir, "application.log"))
	if err != nil || !bytes.Contains(log, []byte("leaseLost")) || bytes.Contains(log, []byte("record 1")) {
		t.Errorf("%v, application.log:\n%s", err, log)
	}
}

func TestShardEnd(t *testing.T) {
	c := start(t, t.TempDir())
	c.do(initialize)
	c.send(protocol.ShardEnded{})
	c.expect(protocol.Checkpoint{})
	c.send(protocol.Checkpoint{})
	c.expect(protocol.Status{ResponseFor: "shardEnded"})
	c.end(0)
}

// When the request to checkpoint arrives, the records are in the file.
func TestCheckpointFollowsDisk(t *testing.T) {
	dir := t.TempDir()
	c := start(t, dir, "--dir", "files", "--log", "log")
	c.do(initialize)
	for n := 1; n <= 50; n++ {
		c.send(batch(n))
		c.expect(protocol.Checkpoint{Position: at(n)})
		if got := onDisk(t, filepath.Join(dir, "files")); len(got) != n {
			t.Fatalf("%d records on disk at the checkpoint of %d", len(got), n)
		}
		c.send(protocol.Checkpoint{Position: at(n)})
		c.expect(protocol.Status{ResponseFor: "processRecords"})
	}
	c.end(0)
}

// Killed before its checkpoint, started again at the last one: nothing is lost.
func TestRestartAfterCrash(t *testing.T) {
	dir := t.TempDir()
	c := start(t, dir)
	c.do(initialize)
	c.send(batch(1))
	c.expect(protocol.Checkpoint{Position: at(1)})
	c.cmd.Process.Kill()
	c.cmd.Wait()

	c = start(t, dir)
	c.do(initialize)
	c.send(batch(1, 2))
	c.expect(protocol.Checkpoint{Position: at(2)})
	c.send(protocol.Checkpoint{Position: at(2)})
	c.expect(protocol.Status{ResponseFor: "processRecords"})
	c.do(protocol.LeaseLost{})
	c.end(0)
	if got := onDisk(t, filepath.Join(dir, "data")); strings.Join(got, ",") != "record 1,record 1,record 2" {
		t.Errorf("on disk: %q", got)
	}
}

func TestCheckpointTrouble(t *testing.T) {
	t.Run("the lease has gone", func(t *testing.T) {
		c := start(t, t.TempDir())
		c.do(initialize)
		c.send(batch(1))
		c.expect(protocol.Checkpoint{Position: at(1)})
		c.send(protocol.Checkpoint{Position: at(1), Error: "ShutdownException"})
		c.expect(protocol.Status{ResponseFor: "processRecords"})
		c.do(protocol.LeaseLost{})
		c.end(0)
	})
	t.Run("something else", func(t *testing.T) {
		c := start(t, t.TempDir())
		c.do(initialize)
		c.send(batch(1))
		c.expect(protocol.Checkpoint{Position: at(1)})
		c.send(protocol.Checkpoint{Position: at(1), Error: "InvalidStateException"})
		if _, err := c.from.Read(); err != io.EOF {
			t.Errorf("want the end of the output, got %v", err)
		}
		c.end(1)
		if !strings.Contains(c.stderr.String(), "InvalidStateException") {
			t.Errorf("stderr: %s", c.stderr)
		}
	})
}

func TestDiskTrouble(t *testing.T) {
	for want, args := range map[string][]string{
		"cannot make the folder": {"--dir", "file"},
		"name another with":      {"--log", "file/log"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		c := start(t, dir, args...)
		c.send(initialize)
		if _, err := c.from.Read(); err != io.EOF {
			t.Errorf("want the end of the output, got %v", err)
		}
		c.end(1)
		if got := c.stderr.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, want) {
			t.Errorf("%q: stderr: %s", args, got)
		}
	}
}

func TestCommandLine(t *testing.T) {
	for _, tc := range []struct {
		args           []string
		status         int
		stdout, stderr string
	}{
		{[]string{"--help"}, 0, "kcl-bootstrap -e -p sample.properties", ""},
		{[]string{"-h"}, 0, "--dir DIR", ""},
		{[]string{"--fly"}, 2, "", "see consumer-sample --help"},
		{[]string{"data"}, 2, "", `"data"`},
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
			t.Errorf("%q: status %d\nstdout: %s\nstderr: %s", tc.args, got, &stdout, &stderr)
		}
	}
}
