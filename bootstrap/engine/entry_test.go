package engine

import (
	"bufio"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

// TestEntry runs the real Java with the real entry, without AWS. It connects, survives
// a SIGTERM that it alone gets, and ends within 2 s after its standard input.
func TestEntry(t *testing.T) {
	if os.Getenv("LONG_TESTS") == "" {
		t.Skip("a long test: set LONG_TESTS=1 to run it")
	}
	t.Parallel()
	java, err := bootstrap.FindJava("", MinJava)
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	fetched, err := bootstrap.Fetch(t.Context(), bootstrap.DaemonLock(), nil)
	if err != nil {
		t.Fatal(err)
	}
	properties := filepath.Join(t.TempDir(), "p.properties")
	if err := os.WriteFile(properties, []byte(`
streamName = s
applicationName = a
executableName = none
regionName = us-east-1
AwsCredentialsProvider = EnvironmentVariableCredentialsProvider
kinesisEndpoint = http://127.0.0.1:1
dynamoDBEndpoint = http://127.0.0.1:1
metricsLevel = NONE
`), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := listen(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	if err := os.WriteFile(l.path("entry.jar"), entryJar, 0o600); err != nil {
		t.Fatal(err)
	}
	stdin, ours, err := l.stdin()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	read, err := bootstrap.ReadProperties(properties)
	if err != nil {
		t.Fatal(err)
	}
	e := New(Config{
		Command: bootstrap.Command{Java: java, Jars: fetched.Files, Properties: read}, Silence: 3 * time.Second,
	})
	args, err := e.command(l).Args()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, os.Stderr, os.Stderr
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local")
	events := make(chan Event)
	l.start(func(_ hello, c *conn) {
		for lines := bufio.NewScanner(c.r); lines.Scan(); {
			if event, err := parseEvent(lines.Bytes()); err != nil {
				t.Error(err)
			} else if _, ok := event.(LogRecord); !ok {
				events <- event
			}
			c.Write([]byte(`{"command":"heartbeat"}` + "\n"))
		}
		close(events)
	})
	err = cmd.Start()
	stdin.Close()
	if err != nil {
		t.Fatal(err)
	}
	for event := range events {
		if event == Initializing {
			break
		}
	}
	if runtime.GOOS != "windows" { // which has no SIGTERM
		cmd.Process.Signal(syscall.SIGTERM)
	}
	for beat := 0; beat < 3; {
		switch event := (<-events).(type) {
		case heartbeat:
			beat++
		case nil:
			t.Fatal("it has ended, though nobody has told it to")
		default:
			t.Logf("%#v", event)
		}
	}
	ended := time.Now()
	ours.Close()
	for range events {
	}
	cmd.Wait()
	if took := time.Since(ended); took > 2*time.Second {
		t.Errorf("it ended %v after its standard input", took)
	}
	if got := cmd.ProcessState.ExitCode(); got != 2 {
		t.Errorf("it ended with status %d, want 2", got)
	}
}
