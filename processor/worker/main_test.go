package worker

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/protocol"
)

// The test binary is Java too, for what the real one cannot be made to do at a
// given moment. End to end with the real daemon: tools/e2e.
const (
	javaEnv      = "TEST_JAVA" // which of javas it is
	javaStateEnv = "TEST_JAVA_STATE"
)

func TestMain(m *testing.M) {
	Shim()
	if name := os.Getenv(javaEnv); name != "" {
		javas[name](newFakeDaemon())
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A fakeDaemon plays the daemon to its children.
type fakeDaemon struct {
	executable string // executableName
	run        int    // how many have been started in this test, from 1
	stop       chan os.Signal
}

func newFakeDaemon() *fakeDaemon {
	d := &fakeDaemon{stop: make(chan os.Signal, 1)}
	signal.Notify(d.stop, syscall.SIGTERM)
	for i, arg := range os.Args {
		if arg == "--properties-file" {
			p, err := bootstrap.ReadProperties(os.Args[i+1])
			if err != nil {
				panic(err)
			}
			d.executable, _ = p.Get("executableName")
		}
	}
	// One file for each run, in the test's folder.
	for d.run = 1; ; d.run++ {
		name := filepath.Join(os.Getenv(javaStateEnv), fmt.Sprint(d.run))
		if f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err == nil {
			f.Close()
			return d
		}
	}
}

func logged(logger, message string) {
	fmt.Printf("2026-01-01T00:00:00.000Z INFO  %s - %s\n", logger, message)
}

func (d *fakeDaemon) initialised() {
	logged("Scheduler", "Initialization complete. Starting worker loop.")
}

func (d *fakeDaemon) stopped() {
	logged("MultiLangDaemon", "Process terminated, will initiate shutdown.")
	logged("MultiLangDaemon", "Process shutdown is complete.")
	os.Exit(143)
}

// A fakeChild is a shard's child.
type fakeChild struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	to  *protocol.Writer
}

func (d *fakeDaemon) start(shard string) *fakeChild {
	words := strings.Split(d.executable, " ")
	c := &fakeChild{Cmd: exec.Command(words[0], words[1:]...)}
	c.Stderr = os.Stderr
	var err error
	if c.in, err = c.StdinPipe(); err != nil {
		panic(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		panic(err)
	}
	c.out, c.to = bufio.NewReader(out), protocol.NewWriter(c.in)
	if err := c.Start(); err != nil {
		panic(err)
	}
	logged("Scheduler", "Created new shardConsumer for "+shard)
	return c
}

// do sends an action and waits for its status; it makes no checkpoint fail.
func (c *fakeChild) do(m protocol.Message) bool {
	if c.to.Write(m) != nil {
		return false
	}
	for {
		line, err := c.out.ReadString('\n')
		switch {
		case err != nil:
			return false
		case strings.Contains(line, `"checkpoint"`):
			c.to.Write(protocol.Checkpoint{Position: processor.Position{SequenceNumber: "1"}})
		case strings.Contains(line, `"status"`):
			return true
		}
	}
}

func initialize(shard string) protocol.Message {
	return protocol.Initialize{ShardID: shard, Position: processor.Position{SequenceNumber: protocol.TrimHorizon}}
}

var batch = protocol.ProcessRecords{Records: []processor.Record{{Data: []byte("data"), SequenceNumber: "1"}}, MillisBehindLatest: 7}

// lose ends a lease as the daemon does.
func (c *fakeChild) lose() {
	c.do(protocol.ShutdownRequested{})
	c.do(protocol.LeaseLost{})
	c.in.Close()
	io.Copy(io.Discard, c.out)
	c.Wait()
}

// javas are the daemons of the tests.
var javas = map[string]func(*fakeDaemon){
	// dies before it is ready.
	"dies at once": func(*fakeDaemon) {
		fmt.Fprintln(os.Stderr, "Error: no memory")
		os.Exit(1)
	},
	// serves two shards until it is asked to stop.
	"serves": func(d *fakeDaemon) {
		d.initialised()
		var all sync.WaitGroup
		stop := make(chan struct{})
		for _, shard := range []string{"shard-0", "shard-1"} {
			all.Go(func() {
				c := d.start(shard)
				if !c.do(initialize(shard)) {
					os.Exit(1)
				}
				for {
					if !c.do(batch) {
						os.Exit(1)
					}
					select {
					case <-stop:
						c.lose()
						return
					case <-time.After(time.Millisecond): // the real one's pace is slower
					}
				}
			})
		}
		<-d.stop
		close(stop)
		all.Wait()
		d.stopped()
	},
	// dies in the first run in the middle of a batch, and serves afterwards.
	"dies in a batch": func(d *fakeDaemon) {
		d.initialised()
		c := d.start("shard-0")
		if !c.do(initialize("shard-0")) {
			os.Exit(1)
		}
		if d.run == 1 {
			c.to.Write(batch)
			// The processor tells that it is at work.
			for {
				if _, err := os.Stat(filepath.Join(os.Getenv(javaStateEnv), "at work")); err == nil {
					os.Exit(9)
				}
				time.Sleep(time.Millisecond)
			}
		}
		c.do(batch)
		<-d.stop
		c.lose()
		d.stopped()
	},
}

// A rig is a worker with one of these javas.
type rig struct {
	config Config
	lock   *bootstrap.Lock
	state  string
}

func newRig(t *testing.T, java string) *rig {
	t.Helper()
	dir := t.TempDir()
	jar := []byte("a jar")
	sum := sha256.Sum256(jar)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(jar) }))
	t.Cleanup(server.Close)
	lock, err := bootstrap.ParseLock("a test's", fmt.Appendf(nil, "example:jar:1.0 %s %d\n", hex.EncodeToString(sum[:]), len(jar)))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(javaEnv, java)
	t.Setenv(javaStateEnv, dir)
	// Of the user's that runs the tests.
	for _, name := range []string{"AWS_ENDPOINT_URL_KINESIS", "AWS_ENDPOINT_URL_DYNAMODB"} {
		t.Setenv(name, "")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &rig{lock: lock, state: dir, config: Config{
		Stream: "stream", Application: "application", Region: "us-east-1", MetricsLevel: MetricsNone, InitialPosition: TrimHorizon,
		RetrievalMode: Polling,
		Java:          exe, Fetch: bootstrap.FetchOptions{Repository: server.URL, CacheDir: filepath.Join(dir, "cache")},
		Restart: bootstrap.RestartPolicy{Limit: 3, MinDelay: time.Millisecond, MaxDelay: time.Millisecond},
	}}
}

func (r *rig) worker(newProcessor func(string) processor.RecordProcessor) *Worker {
	w := New(r.config, newProcessor)
	w.lock = r.lock
	return w
}

// runs counts how often Java was started.
func (r *rig) runs() int {
	n := 0
	for {
		if _, err := os.Stat(filepath.Join(r.state, fmt.Sprint(n+1))); err != nil {
			return n
		}
		n++
	}
}
