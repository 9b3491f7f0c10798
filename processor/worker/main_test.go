package worker

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/protocol"
)

// The test binary is also Java with KCL, for what the real one cannot be made to do at a
// given moment. The tests with the real one are in tools/e2e.
const (
	javaEnv      = "TEST_JAVA" // a key of javas
	javaStateEnv = "TEST_JAVA_STATE"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(javaEnv); name != "" {
		if len(os.Args) == 2 && os.Args[1] == "-version" {
			fmt.Fprintln(os.Stderr, `openjdk version "17.0.15" 2025-04-15`)
			os.Exit(0)
		}
		javas[name](newFakeJava())
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A fakeJava plays Java with KCL to the worker.
type fakeJava struct {
	socket, token string
	silence       time.Duration
	run           int           // its number in this test, from 1
	stop          chan struct{} // closed when it is asked to

	mu            sync.Mutex
	log           *os.File // what rig.told reads
	control       net.Conn
	conversations map[string]*conversation
	begun         int                      // number of conversations
	read          map[string]chan struct{} // by lease key: a value when the shard is to be read again
}

func newFakeJava() *fakeJava {
	j := &fakeJava{stop: make(chan struct{}), conversations: map[string]*conversation{}, read: map[string]chan struct{}{}}
	args := os.Args[len(os.Args)-4:] // SOCKET PROPERTIES SILENCE_MILLIS LEVEL
	j.socket = args[0]
	millis, err := strconv.Atoi(args[2])
	must(err)
	j.silence = time.Duration(millis) * time.Millisecond
	j.token, err = bufio.NewReader(os.Stdin).ReadString('\n')
	must(err)
	j.token = strings.TrimSuffix(j.token, "\n")
	// One file for each run, in the test's folder.
	for j.run = 1; ; j.run++ {
		j.log, err = os.OpenFile(filepath.Join(os.Getenv(javaStateEnv), fmt.Sprint(j.run)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			break
		}
	}
	j.tells("level " + args[3])
	return j
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// tells writes what the test checks.
func (j *fakeJava) tells(what string) { fmt.Fprintln(j.log, what) }

func (j *fakeJava) dial(hello map[string]any) net.Conn {
	conn, err := net.Dial("unix", j.socket)
	must(err)
	hello["token"] = j.token
	must(json.NewEncoder(conn).Encode(hello))
	return conn
}

// send sends an event, a JSON object.
func (j *fakeJava) send(event string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	fmt.Fprintln(j.control, event)
}

// begin starts successfully.
func (j *fakeJava) begin() {
	j.control = j.dial(map[string]any{"connection": "control", "kcl": "3.1.3", "java": "17.0.15"})
	go j.obey()
	go func() {
		for range time.Tick(j.silence / 6) {
			j.send(`{"event":"heartbeat"}`)
		}
	}()
	j.send(`{"event":"state","state":"initializing"}`)
	j.send(`{"event":"state","state":"ready"}`)
}

// obey executes the commands of the worker.
func (j *fakeJava) obey() {
	decoder := json.NewDecoder(j.control)
	for {
		var c struct {
			Command, LeaseKey string
			Lease             int
		}
		if decoder.Decode(&c) != nil {
			os.Exit(2) // the worker has gone
		}
		switch c.Command {
		case "fail":
			j.tells(fmt.Sprint("fail ", c.Lease))
		case "read", "evict":
			j.tells(c.Command + " " + c.LeaseKey)
			j.again(c.LeaseKey) <- struct{}{}
		case "stop":
			j.tells("stop")
			close(j.stop)
		}
	}
}

func (j *fakeJava) again(key string) chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.read[key] == nil {
		j.read[key] = make(chan struct{}, 10)
	}
	return j.read[key]
}

// end exits after a stop.
func (j *fakeJava) end() {
	j.send(`{"event":"stopped","released":2,"complete":true}`)
	os.Exit(0)
}

// A conversation is a conversation about a shard.
type conversation struct {
	java  *fakeJava
	key   string
	shard string
	conn  net.Conn
	in    *bufio.Reader
	out   *protocol.Writer
}

// converse begins a conversation about a lease. In an application of several streams the
// key contains the stream.
func (j *fakeJava) converse(key string) *conversation {
	j.mu.Lock()
	j.begun++
	number := j.begun
	j.mu.Unlock()
	j.tells(fmt.Sprint("conversation ", number, " ", key))
	hello := map[string]any{"connection": "lease", "lease": number, "leaseKey": key, "shardId": key, "stream": "stream"}
	if parts := strings.Split(key, ":"); len(parts) == 4 {
		hello["shardId"], hello["stream"] = parts[3], parts[1]
		hello["streamArn"] = "arn:aws:kinesis:us-east-1:" + parts[0] + ":stream/" + parts[1]
	}
	c := &conversation{java: j, key: key, shard: hello["shardId"].(string)}
	c.conn = j.dial(hello)
	c.in, c.out = bufio.NewReader(c.conn), protocol.NewWriter(c.conn)
	return c
}

// do sends an action and waits for its status. All checkpoints succeed. It returns false
// if the conversation has ended.
func (c *conversation) do(m protocol.Message) bool {
	if c.out.Write(m) != nil {
		return false
	}
	for {
		line, err := c.in.ReadString('\n')
		switch {
		case err != nil:
			return false
		case strings.Contains(line, `"checkpoint"`):
			c.java.tells("checkpoint " + c.key)
			c.out.Write(protocol.Checkpoint{Position: processor.Position{SequenceNumber: "1"}})
		case strings.Contains(line, `"status"`):
			return true
		}
	}
}

func (c *conversation) initialize() bool {
	return c.do(protocol.Initialize{ShardID: c.shard, Position: processor.Position{SequenceNumber: protocol.TrimHorizon}})
}

// batch returns a batch whose record has the lease key as data.
func (c *conversation) batch() protocol.ProcessRecords {
	return protocol.ProcessRecords{Records: []processor.Record{{Data: []byte(c.key), SequenceNumber: "1"}}}
}

var batch = protocol.ProcessRecords{Records: []processor.Record{{Data: []byte("secret"), SequenceNumber: "1"}}, MillisBehindLatest: 7}

// lose ends a lease as KCL does.
func (c *conversation) lose() {
	c.java.tells("lose " + c.key)
	if c.do(protocol.ShutdownRequested{}) {
		c.do(protocol.LeaseLost{})
	}
	c.conn.Close()
}

// serve serves a shard until the stop. After a failure it begins again when the shard is
// to be read.
func (j *fakeJava) serve(key string) {
	for {
		c := j.converse(key)
		for ok := c.initialize(); ok; ok = c.do(c.batch()) {
			select {
			case <-j.stop:
				c.lose()
				return
			case <-time.After(time.Millisecond): // the real one's pace is slower
			}
		}
		c.conn.Close()
		select {
		case <-j.stop:
			return
		case <-j.again(key):
		}
	}
}

// serveAll serves shards until the stop, and exits.
func (j *fakeJava) serveAll(keys ...string) {
	var all sync.WaitGroup
	for _, key := range keys {
		all.Go(func() { j.serve(key) })
	}
	<-j.stop
	all.Wait()
	j.end()
}

// await waits for a file that a processor of the test creates.
func await(name string) { awaitFile(filepath.Join(os.Getenv(javaStateEnv), name)) }

func awaitFile(name string) {
	for {
		if _, err := os.Stat(name); err == nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// keysOfStreams are lease keys of four streams, whose shards have the same IDs. Three of
// the streams have the same name.
var keysOfStreams = func() (keys []string) {
	for _, stream := range []string{"111122223333:orders:1700", "111122223333:orders:1800", "444455556666:orders:1700", "111122223333:bills:1700"} {
		keys = append(keys, stream+":shard-0", stream+":shard-1")
	}
	return keys
}()

// javas are the Java processes that tests use.
var javas = map[string]func(*fakeJava){
	// dies before it is ready.
	"dies at once": func(*fakeJava) {
		fmt.Fprintln(os.Stderr, "Error: no memory")
		os.Exit(1)
	},
	// serves two shards until it is asked to stop.
	"serves": func(j *fakeJava) {
		j.begin()
		j.send(`{"event":"leases","leaseKeys":["shard-0","shard-1"]}`)
		j.serveAll("shard-0", "shard-1")
	},
	// serves several streams until it is asked to stop.
	"serves streams": func(j *fakeJava) {
		j.begin()
		keys, err := json.Marshal(keysOfStreams)
		must(err)
		j.send(`{"event":"leases","leaseKeys":` + string(keys) + `}`)
		j.serveAll(keysOfStreams...)
	},
	// stops, but not completely.
	"stops badly": func(j *fakeJava) {
		j.begin()
		<-j.stop
		j.send(`{"event":"stopped","released":0,"complete":false,"reason":"a lease could not be given up"}`)
		os.Exit(4)
	},
	// dies during a batch of the first run, and serves afterwards.
	"dies in a batch": func(j *fakeJava) {
		j.begin()
		if j.run == 1 {
			c := j.converse("shard-0")
			c.initialize()
			c.out.Write(batch)
			await("at work")
			os.Exit(9)
		}
		j.serveAll("shard-0")
	},
	// falls silent during a batch of the first run, and serves afterwards.
	"falls silent": func(j *fakeJava) {
		j.begin()
		if j.run == 1 {
			c := j.converse("shard-0")
			c.initialize()
			c.out.Write(batch)
			await("at work")
			j.mu.Lock() // no heartbeat any more
			select {}
		}
		j.serveAll("shard-0")
	},
	// loses a lease during a batch, and takes it again.
	"loses the lease": func(j *fakeJava) {
		j.begin()
		c := j.converse("shard-0")
		c.initialize()
		c.out.Write(batch)
		await("at work")
		c.conn.Close()
		j.serveAll("shard-0")
	},
	// begins two shards at LATEST, and serves.
	"starts at LATEST": func(j *fakeJava) {
		j.begin()
		for _, shard := range []string{"shard-0", "shard-1"} {
			c := j.converse(shard)
			c.do(protocol.Initialize{ShardID: shard, Position: processor.Position{SequenceNumber: protocol.Latest}})
			c.lose()
		}
		j.serveAll("shard-2")
	},
	// breaks off a conversation between two actions.
	"breaks off": func(j *fakeJava) {
		j.begin()
		c := j.converse("shard-0")
		c.initialize()
		j.send(`{"event":"lost","lease":1,"leaseKey":"shard-0","reason":"not understood"}`)
		c.conn.Close()
		<-j.again("shard-0")
		j.serveAll("shard-0")
	},
	// cannot make the connection of a conversation.
	"cannot connect": func(j *fakeJava) {
		j.begin()
		j.send(`{"event":"lost","lease":1,"leaseKey":"shard-0","reason":"not understood"}`)
		<-j.again("shard-0")
		j.serveAll("shard-0")
	},
	// loses a lease during a batch, and takes it again before the batch fails.
	"retakes the lease": func(j *fakeJava) {
		j.begin()
		c := j.converse("shard-0")
		c.initialize()
		c.out.Write(batch)
		await("at work")
		d := j.converse("shard-0")
		ended := make(chan struct{})
		go func() {
			d.initialize() // when the processor of c has returned
			d.do(protocol.LeaseLost{})
			d.conn.Close()
			close(ended)
		}()
		must(os.WriteFile(filepath.Join(os.Getenv(javaStateEnv), "waits"), nil, 0o600))
		io.Copy(io.Discard, c.in)
		<-ended
		<-j.again("shard-0")
		j.serveAll("shard-0")
	},
	// keeps sending although a batch has not been answered.
	"sends on": func(j *fakeJava) {
		j.begin()
		c := j.converse("shard-0")
		c.initialize()
		for range 3 {
			c.out.Write(batch)
		}
		c.out.Write(protocol.ShardEnded{})
		for {
			line, err := c.in.ReadString('\n')
			if err != nil {
				break
			}
			j.tells("answer " + strings.TrimSpace(line))
		}
		<-j.again("shard-0")
		j.serveAll("shard-0")
	},
	// reports a shard that is blocked, and one that cannot be read, step by step as the
	// test asks.
	"has problems": func(j *fakeJava) {
		j.begin()
		for i, event := range []string{
			`{"event":"leases","leaseKeys":["shard-0","shard-1"]}`,
			`{"event":"task","leaseKey":"shard-1","task":"BLOCK_ON_PARENT_SHARDS","ok":false}`,
			`{"event":"error","leaseKey":"shard-0","operation":"GetRecords","causes":[` +
				`{"class":"java.util.concurrent.ExecutionException","message":"software.amazon.awssdk.services.kinesis.model.AccessDeniedException"},` +
				`{"class":"software.amazon.awssdk.services.kinesis.model.AccessDeniedException","message":"User x is not authorized to perform: kinesis:GetRecords on resource y"}]}`,
			`{"event":"recovered","leaseKey":"shard-0"}`,
			`{"event":"leases","leaseKeys":["shard-0"]}`,
		} {
			await(fmt.Sprint("step ", i))
			j.send(event)
		}
		<-j.stop
		j.end()
	},
	// logs at each level.
	"logs": func(j *fakeJava) {
		j.begin()
		for _, level := range []string{"DEBUG", "INFO", "WARN", "ERROR"} {
			j.send(`{"event":"log","level":"` + level + `","logger":"a.Logger","message":"told at ` + level + `"}`)
		}
		j.send(`{"event":"log","level":"WARN","logger":"b.Logger","message":"last","leaseKey":"shard-0","dropped":3,` +
			`"causes":[{"class":"a.Outer","message":"it failed"},{"class":"a.Inner","message":""}]}`)
		<-j.stop
		j.end()
	},
}

// A rig makes a worker with one of javas.
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
	t.Setenv("GORACE", "atexit_sleep_ms=0") // or else a race-enabled Java ends a second late
	// The user who runs the tests may have set them.
	for _, name := range []string{"AWS_ENDPOINT_URL_KINESIS", "AWS_ENDPOINT_URL_DYNAMODB"} {
		t.Setenv(name, "")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &rig{lock: lock, state: dir, config: Config{
		Stream: "stream", Application: "application", Region: "us-east-1", InitialPosition: TrimHorizon,
		Retrieval: RetrievalOptions{Mode: Polling},
		Java: JavaOptions{
			Path: exe, Fetch: bootstrap.FetchOptions{Repository: server.URL, CacheDir: filepath.Join(dir, "cache")},
			Restart: bootstrap.RestartPolicy{Limit: 3, MinDelay: time.Millisecond, MaxDelay: time.Millisecond},
		},
		AWS: AWSOptions{MetricsLevel: MetricsNone},
	}}
}

// worker makes a worker whose function for processors does not fail.
func (r *rig) worker(newProcessor func(shard string) processor.RecordProcessor) *Worker {
	return r.workerOf(func(shard ShardInfo) (processor.RecordProcessor, error) { return newProcessor(shard.ShardID), nil })
}

func (r *rig) workerOf(newProcessor func(ShardInfo) (processor.RecordProcessor, error)) *Worker {
	w := New(r.config, newProcessor)
	w.jarLock = r.lock
	return w
}

// told returns the lines that Java has written in a run.
func (r *rig) told(t *testing.T, run int) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.state, fmt.Sprint(run)))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// touch creates a file for which Java waits.
func (r *rig) touch(name string) { must(os.WriteFile(filepath.Join(r.state, name), nil, 0o600)) }

// A logTap lets a test wait for lines of a log.
type logTap struct {
	slog.Handler
	lines chan string
}

// logTo makes the worker log to a logTap.
func (r *rig) logTo(level slog.Level) *logTap {
	t := &logTap{lines: make(chan string, 10_000)}
	t.Handler = slog.NewTextHandler(t, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	r.config.Logger = slog.New(t.Handler)
	return t
}

func (t *logTap) Write(p []byte) (int, error) {
	t.lines <- strings.TrimSpace(string(p))
	return len(p), nil
}

// await returns the next line that contains part.
func (t *logTap) await(part string) string {
	for line := range t.lines {
		if strings.Contains(line, part) {
			return line
		}
	}
	return ""
}

// runs returns how often Java was started.
func (r *rig) runs() int {
	n := 0
	for {
		if _, err := os.Stat(filepath.Join(r.state, fmt.Sprint(n+1))); err != nil {
			return n
		}
		n++
	}
}
