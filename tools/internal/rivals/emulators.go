package rivals

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/child"
)

// The emulators that kinesislocal is compared with, at these versions.
const (
	// KinesisLocalVersion is of npm's kinesis-local, in Scala.js.
	KinesisLocalVersion = "0.6.2"
	// FerrokinesisVersion is of the crate ferrokinesis, in Rust.
	FerrokinesisVersion = "0.7.0"
)

// An Emulator is a running Kinesis of somebody else's.
type Emulator struct {
	// URL is its endpoint.
	URL string
	// Ready is how long it took from its start until it listened.
	Ready time.Duration

	process *child.Process
}

// PID returns its process ID.
func (e *Emulator) PID() int { return e.process.PID() }

// Close ends it at once: kinesis-local ignores SIGTERM while clients are
// connected.
func (e *Emulator) Close() { e.process.Stop(0) }

// StartKinesisLocal installs kinesis-local unless it is there, starts it on a
// free port and returns when it listens. Streams change their state at once. It
// needs npm and node on PATH.
func StartKinesisLocal(ctx context.Context) (*Emulator, error) {
	dir, err := NPM(ctx, "kinesis-local", KinesisLocalVersion)
	if err != nil {
		return nil, err
	}
	return Start(ctx, "kinesis-local", func(port, other int) *exec.Cmd {
		cmd := exec.Command("node", "main.js")
		cmd.Dir = filepath.Join(dir, "node_modules", "kinesis-local") // it looks there for its certificate
		cmd.Env = append(os.Environ(), "KINESIS_MOCK_PLAIN_PORT="+strconv.Itoa(port), "KINESIS_MOCK_TLS_PORT="+strconv.Itoa(other),
			"LOG_LEVEL=ERROR", "SHARD_LIMIT=500", "SHOULD_PERSIST_DATA=false", "LOAD_DATA_IF_EXISTS=false")
		for _, change := range []string{
			"CREATE_STREAM", "DELETE_STREAM", "REGISTER_STREAM_CONSUMER", "DEREGISTER_STREAM_CONSUMER",
			"START_STREAM_ENCRYPTION", "STOP_STREAM_ENCRYPTION", "MERGE_SHARDS", "SPLIT_SHARD", "UPDATE_SHARD_COUNT", "UPDATE_STREAM_MODE",
		} {
			cmd.Env = append(cmd.Env, change+"_DURATION=1ms")
		}
		return cmd
	})
}

// StartFerrokinesis builds ferrokinesis unless it is there, starts it on a free
// port and returns when it listens. Streams change their state at once. It
// needs cargo on PATH; building takes minutes.
func StartFerrokinesis(ctx context.Context) (*Emulator, error) {
	command, err := Crate(ctx, "ferrokinesis", FerrokinesisVersion)
	if err != nil {
		return nil, err
	}
	return Start(ctx, "ferrokinesis", func(port, _ int) *exec.Cmd {
		return exec.Command(command, "--port", strconv.Itoa(port), "--create-stream-ms", "0", "--delete-stream-ms", "0",
			"--update-stream-ms", "0", "--shard-limit", "500")
	})
}

// Start starts an emulator that command makes for two ports nobody listens on,
// the first for its endpoint, and waits until it listens.
func Start(ctx context.Context, name string, command func(port, other int) *exec.Cmd) (*Emulator, error) {
	// None takes port 0 and says which it got. Another program can be faster
	// with a port that was free: then the emulator ends, and the next may do.
	var err error
	for range 5 {
		var e *Emulator
		if e, err = startOnce(ctx, command); err == nil {
			return e, nil
		}
		if !errors.Is(err, errEnded) {
			break
		}
	}
	return nil, fmt.Errorf("cannot start %s: %w", name, err)
}

var errEnded = errors.New("it ended before it was ready")

func startOnce(ctx context.Context, command func(port, other int) *exec.Cmd) (*Emulator, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", ports[0])
	begin := time.Now()
	process, err := child.Start(command(ports[0], ports[1]))
	if err != nil {
		return nil, err
	}
	e := &Emulator{URL: "http://" + addr, process: process}
	for {
		select {
		case <-ctx.Done():
			e.Close()
			return nil, context.Cause(ctx)
		case <-process.Done():
			return nil, fmt.Errorf("%w (%v)", errEnded, process.Err())
		case <-time.After(time.Millisecond):
		}
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			e.Ready = time.Since(begin)
			return e, nil
		}
	}
}

// freePorts returns ports that nobody listens on at the moment.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
