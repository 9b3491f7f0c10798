package engine

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

// The test binary also plays Java, and a process that runs an engine: roleEnv selects
// the role.
const roleEnv = "TEST_ENGINE_ROLE"

func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "-version") {
		fmt.Println(`test version "17.0.1"`)
		return
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0") // else each Java takes a second to end
	role := os.Getenv(roleEnv)
	if play, ok := javas[role]; ok {
		play(newFakeJava())
		return
	}
	if role == "host" {
		playHost()
		return
	}
	os.Exit(m.Run())
}

// A fakeJava plays the entry.
type fakeJava struct {
	socket, properties, silence, level, token string

	control  net.Conn
	commands *bufio.Scanner
}

// newFakeJava returns a fakeJava that is not connected yet. The process ends when its
// standard input does.
func newFakeJava() *fakeJava {
	args := os.Args[slices.Index(os.Args, entryClass)+1:]
	in := bufio.NewReader(os.Stdin)
	token, err := in.ReadString('\n')
	if err != nil {
		panic(err)
	}
	go func() {
		io.Copy(io.Discard, in)
		if os.Getenv(roleEnv) != hearsNothing {
			os.Exit(2)
		}
	}()
	return &fakeJava{socket: args[0], properties: args[1], silence: args[2], level: args[3], token: strings.TrimSpace(token)}
}

// dial makes a connection with this hello.
func (j *fakeJava) dial(hello string) net.Conn {
	c, err := net.Dial("unix", j.socket)
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(c, "%s\n", hello)
	return c
}

func controlHello(token string) string {
	return fmt.Sprintf(`{"token":%q,"connection":"control","kcl":"3.1.3","java":"17.0.1"}`, token)
}

func leaseHello(token string, id int) string {
	return fmt.Sprintf(`{"token":%q,"connection":"lease","lease":%d,"leaseKey":"key-%[2]d","shardId":"shard-%[2]d","stream":"orders","streamArn":"arn:orders"}`, token, id)
}

func (j *fakeJava) connect() {
	j.control = j.dial(controlHello(j.token))
	j.commands = bufio.NewScanner(j.control)
}

func (j *fakeJava) lease(id int) net.Conn { return j.dial(leaseHello(j.token, id)) }

// say sends an event.
func (j *fakeJava) say(event string) {
	if _, err := fmt.Fprintln(j.control, event); err != nil {
		os.Exit(2)
	}
}

// show sends a text to the test, as a record of the log.
func (j *fakeJava) show(text string) {
	line, _ := json.Marshal(map[string]any{"event": "log", "level": "INFO", "message": text})
	j.say(string(line))
}

// command waits for the next command that is not a heartbeat.
func (j *fakeJava) command() string {
	for j.commands.Scan() {
		if text := j.commands.Text(); text != `{"command":"heartbeat"}` {
			return text
		}
	}
	os.Exit(2)
	return ""
}

func (j *fakeJava) initializing() {
	j.connect()
	j.say(`{"event":"state","state":"initializing"}`)
}

func (j *fakeJava) ready() {
	j.initializing()
	j.say(`{"event":"state","state":"ready"}`)
}

// stop waits for the command, and stops.
func (j *fakeJava) stop(complete bool, status int) {
	command := j.command()
	for !strings.Contains(command, `"stop"`) {
		command = j.command()
	}
	j.show(command)
	j.say(fmt.Sprintf(`{"event":"stopped","released":3,"complete":%t,"reason":"one is\nleft"}`, complete))
	os.Exit(status)
}

// A rig is an engine with a fake Java.
type rig struct {
	*Engine
	config     Config
	properties string // the path of their file
	events     chan Event
	log        *syncBuffer
	stop       context.CancelFunc
	result     chan error
}

func newRig(t *testing.T, java string) *rig {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "p.properties")
	if err := os.WriteFile(file, []byte("streamName = orders\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	properties, err := bootstrap.ReadProperties(file)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{properties: file, events: make(chan Event, 100), log: &syncBuffer{}, result: make(chan error, 1)}
	r.config = Config{
		Command:   bootstrap.Command{Java: exe, Jars: []string{filepath.Join(t.TempDir(), "kcl.jar")}, Properties: properties},
		Env:       append(os.Environ(), roleEnv+"="+java),
		StopGrace: time.Minute,
		Logger:    slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Serve:     func(l *Lease) error { _, err := io.Copy(io.Discard, l); return err },
		Event:     func(e Event) { r.events <- e },
	}
	return r
}

// start creates the engine with r.config, passes it to prepare, and runs it.
func (r *rig) start(t *testing.T, prepare ...func(*Engine)) {
	r.Engine = New(r.config)
	for _, p := range prepare {
		p(r.Engine)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r.stop = cancel
	ended := make(chan struct{})
	go func() { r.result <- r.Run(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
}

// event returns the next event.
func (r *rig) event(t *testing.T) Event {
	t.Helper()
	select {
	case e := <-r.events:
		return e
	case err := <-r.result:
		t.Fatalf("Run has returned %v\n%s", err, r.log)
	case <-time.After(time.Minute):
		t.Fatalf("no event within a minute\n%s", r.log)
	}
	return nil
}

// shown returns the next text that Java shows, and drops the events before it.
func (r *rig) shown(t *testing.T) string {
	t.Helper()
	for {
		if record, ok := r.event(t).(LogRecord); ok {
			return record.Message
		}
	}
}

// ended returns the result of Run.
func (r *rig) ended(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.result:
		return err
	case <-time.After(time.Minute):
		t.Fatalf("Run has not returned within a minute\n%s", r.log)
	}
	return nil
}

// exited checks an *bootstrap.ExitError.
func exited(t *testing.T, err error, want bootstrap.ExitError) {
	t.Helper()
	var exit *bootstrap.ExitError
	if !errors.As(err, &exit) || *exit != want {
		t.Errorf("got  %#v\nwant %#v", err, &want)
	}
}

type syncBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
