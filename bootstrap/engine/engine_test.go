package engine

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

const large = 14 << 20

// javas are the roles of the fake Java.
var javas = map[string]func(*fakeJava){
	// has one conversation, and stops.
	"converses": func(j *fakeJava) {
		j.ready()
		c := j.lease(7)
		fmt.Fprintln(c, "question")
		answer, _ := bufio.NewReader(c).ReadString('\n')
		c.Close()
		j.show(answer)
		j.show(j.socket)
		j.show(strings.Join(os.Args[1:], "\n"))
		j.stop(true, 0)
	},
	// writes a large message, takes commands meanwhile, and sends the message back
	// that it gets.
	"large": func(j *fakeJava) {
		j.ready()
		c := j.lease(1)
		go func() { c.Write(bytes.Repeat([]byte{'x'}, large)) }()
		j.show(j.command())
		sum := sha256.New()
		io.CopyN(sum, c, large)
		c.Close()
		j.show(fmt.Sprintf("%x", sum.Sum(nil)))
		j.stop(true, 0)
	},
	// sends all events.
	"tells": func(j *fakeJava) {
		j.initializing()
		for _, e := range allEvents {
			j.say(e.line)
		}
		j.say("nonsense")
		j.show("after nonsense")
		j.stop(true, 0)
	},
	// has two conversations, and shows the commands.
	"obeys": func(j *fakeJava) {
		j.ready()
		for _, id := range []int{1, 2} {
			c := j.lease(id)
			io.Copy(io.Discard, c) // until it is closed
			j.show(fmt.Sprint("closed ", id))
		}
		for {
			command := j.command()
			j.show(command)
			if strings.Contains(command, `"last"`) {
				j.stop(true, 0)
			}
		}
	},
	// lives for longer than Config.Silence, by the heartbeats that it gets; then it
	// has a conversation.
	"beats": func(j *fakeJava) {
		j.ready()
		for n := 1; j.commands.Scan() && j.commands.Text() == `{"command":"heartbeat"}`; n++ {
			j.say(`{"event":"heartbeat"}`)
			if n == beats+2 {
				j.lease(1).Close()
				j.show("enough")
			}
		}
		j.say(`{"event":"stopped","complete":true}`)
	},
	"silent": func(j *fakeJava) {
		j.ready()
		select {}
	},
	"does not connect": func(*fakeJava) { select {} },
	// lives but does not read.
	"deaf": func(j *fakeJava) {
		j.ready()
		for {
			j.say(`{"event":"heartbeat"}`)
			time.Sleep(time.Millisecond)
		}
	},
	// stops in several ways.
	"stops":             func(j *fakeJava) { j.ready(); j.stop(true, 0) },
	"stops in part":     func(j *fakeJava) { j.ready(); j.stop(false, 4) },
	"says it stopped":   func(j *fakeJava) { j.ready(); j.stop(true, 1) },
	"dies in the stop":  func(j *fakeJava) { j.ready(); j.command(); os.Exit(0) },
	"fails in the stop": func(j *fakeJava) { j.ready(); j.command(); j.say(failed); os.Exit(1) },
	"hangs": func(j *fakeJava) {
		j.ready()
		j.command()
		select {}
	},
	"initializes": func(j *fakeJava) {
		j.initializing()
		select {}
	},
	"has leases before it is ready": func(j *fakeJava) {
		j.initializing()
		j.say(`{"event":"leases","leaseKeys":["a"]}`)
		j.stop(true, 0)
	},
	// ends in several ways.
	"fails": func(j *fakeJava) { j.initializing(); j.say(failed); os.Exit(1) },
	"does not link": func(j *fakeJava) {
		j.connect()
		j.say(`{"event":"unlinked","member":"Scheduler.evict","kcl":"2.4.0"}`)
		os.Exit(1)
	},
	"complains": func(*fakeJava) {
		fmt.Fprintln(os.Stderr, "Picked up JAVA_TOOL_OPTIONS: -Dx=y\nWARNING: x\nUnrecognized VM option 'y'\nError: Could not create the Java Virtual Machine.")
		os.Exit(1)
	},
	"has no memory": func(j *fakeJava) {
		j.ready()
		j.show("ready")
		j.command()
		fmt.Println("something")
		fmt.Println("Terminating due to java.lang.OutOfMemoryError: Java heap space")
		os.Exit(3)
	},
	"was not told":      func(j *fakeJava) { j.ready(); os.Exit(5) },
	"loses its control": func(j *fakeJava) { j.ready(); j.control.Close(); select {} },
	"dies in a conversation": func(j *fakeJava) {
		j.ready()
		c := j.lease(1)
		c.Write(make([]byte, 1))
		j.show(j.command())
		os.Exit(5)
	},
	// shows where the token could be seen.
	"has a token": func(j *fakeJava) {
		j.ready()
		for _, text := range append(os.Args, os.Environ()...) {
			if strings.Contains(text, j.token) {
				panic("the token can be seen")
			}
		}
		refused := j.dial(fmt.Sprintf(`{"token":%q,"connection":%[1]q,%[1]q:%[1]q}`, j.token))
		io.Copy(io.Discard, refused)
		j.show(j.token)
		j.say(fmt.Sprintf(`{"event":%q}`, j.token))
		j.say(j.token)
		j.stop(false, 4)
	},
	"is tied": tie,
	hearsNothing: func(j *fakeJava) {
		signal.Ignore(syscall.SIGTERM)
		tie(j)
	},
}

const hearsNothing = "hears nothing"

// tie makes a TCP connection to the test, which ends with this process.
func tie(j *fakeJava) {
	c, err := net.Dial("tcp", os.Getenv(tieEnv))
	if err != nil {
		panic(err)
	}
	j.ready()
	fmt.Fprintln(c, os.Getpid())
	select {}
}

const failed = `{"event":"failed","causes":[{"class":"Outer","message":"Inner"},{"class":"Inner"}]}`

// allEvents has lines and the events that they mean.
var allEvents = []struct {
	line string
	want Event
}{
	{`{"event":"state","state":"ready"}`, Ready},
	{`{"event":"leases","leaseKeys":["a","b"]}`, Leases{[]string{"a", "b"}}},
	{`{"event":"leases","leaseKeys":[]}`, Leases{[]string{}}},
	{`{"event":"task","leaseKey":"a","task":"INITIALIZE","ok":true}`, TaskOutcome{"a", "INITIALIZE", true}},
	{
		`{"event":"error","leaseKey":"a","operation":"GetRecords","causes":[{"class":"X","message":"m"}]}`,
		ShardError{"a", "GetRecords", []Cause{{"X", "m"}}},
	},
	{`{"event":"recovered","leaseKey":"a"}`, ShardRecovered{"a"}},
	{
		`{"event":"log","level":"WARN","logger":"l","message":"m","leaseKey":"a","causes":[{"class":"X","message":""}],"dropped":2}`,
		LogRecord{4, "l", "m", "a", []Cause{{"X", ""}}, 2},
	},
	{`{"event":"lost","lease":7,"leaseKey":"k","reason":"two\r\nlines"}`, ConversationBroken{7, "k", "two lines"}},
}

// TestConversation also shows that a conversation has both directions and ends with
// io.EOF, and what Java is started with.
//
// Guarantee: Run returns after Java and all calls of Serve have ended, and leaves no
// file.
func TestConversation(t *testing.T) {
	t.Parallel()
	r := newRig(t, "converses")
	r.config.Silence = 90 * time.Second
	r.config.LogLevel = -1
	r.config.Command.JavaOptions = []string{"-Xmx1g"}
	returns := make(chan struct{})
	answered, ended := make(chan struct{}), make(chan error, 1)
	r.config.Serve = func(l *Lease) error {
		if l.ID != 7 || l.LeaseKey != "key-7" || l.ShardID != "shard-7" || l.Stream != "orders" || l.StreamARN != "arn:orders" {
			t.Errorf("the lease is %+v", l)
		}
		in := bufio.NewReader(l)
		line, err := in.ReadString('\n')
		if err != nil || line != "question\n" {
			t.Errorf("%q, %v", line, err)
		}
		fmt.Fprintln(l, "answer")
		close(answered)
		_, err = in.ReadByte()
		ended <- err
		<-returns
		return nil
	}
	pids := make(chan int, 1)
	var known atomic.Bool
	r.config.Started = func(pid int) {
		<-answered // Java has reported its state by now
		pids <- pid
		known.Store(true)
	}
	r.config.Event = func(e Event) {
		if !known.Load() {
			t.Errorf("told of %v before Started has returned", e)
		}
		r.events <- e
	}
	r.start(t)
	if got := r.event(t); got != Initializing {
		t.Errorf("%v first", got)
	}
	if got := r.shown(t); got != "answer\n" {
		t.Errorf("the answer is %q", got)
	}
	socket := r.shown(t)
	dir := filepath.Dir(socket)
	sep := string(filepath.ListSeparator)
	args := strings.Split(r.shown(t), "\n")
	properties := r.properties
	want := []string{
		"-XX:+ExitOnOutOfMemoryError", "-Xmx1g",
		"-cp", filepath.Join(dir, "entry.jar") + sep + r.config.Command.Jars[0] + sep + filepath.Dir(properties),
		entryClass, socket, properties, "90000", "DEBUG",
	}
	if got := args[slices.Index(args, want[0]):]; !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if err := <-ended; err != io.EOF {
		t.Errorf("the conversation ended with %v", err)
	}
	if <-pids <= 0 {
		t.Error("no process ID")
	}
	r.stop()
	if got := r.shown(t); got != `{"command":"stop","graceMillis":60000}` {
		t.Errorf("asked to stop by %s", got)
	}
	if got, want := r.event(t), (Stopped{3, true, "one is left"}); got != want {
		t.Errorf("%#v, want %#v", got, want)
	}
	for { // until Java has ended, and nobody listens any more
		c, err := net.Dial("unix", socket)
		if err != nil {
			break
		}
		c.Close()
		select {
		case err := <-r.result:
			t.Fatalf("Run has not waited for what is served: %v", err)
		default:
		}
	}
	close(returns)
	if err := r.ended(t); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder: %v", err)
	}
}

// Guarantee: A conversation that is not read delays no event and no command.
func TestLargeMessage(t *testing.T) {
	t.Parallel()
	r := newRig(t, "large")
	read := make(chan struct{})
	r.config.Serve = func(l *Lease) error {
		first := make([]byte, 1)
		io.ReadFull(l, first)
		r.Resume("meanwhile")
		<-read
		message, err := io.ReadAll(io.LimitReader(l, large-1))
		if err != nil || len(message) != large-1 || bytes.Trim(message, "x") != nil {
			t.Errorf("%d bytes of the message are not its, %v", len(message), err)
		}
		if n, err := l.Write(append(first, message...)); n != large || err != nil {
			t.Errorf("wrote %d, %v", n, err)
		}
		_, err = io.Copy(io.Discard, l)
		return err
	}
	r.start(t)
	if got := r.shown(t); got != `{"command":"read","leaseKey":"meanwhile"}` {
		t.Errorf("%s", got)
	}
	close(read)
	if got, want := r.shown(t), fmt.Sprintf("%x", sha256.Sum256(bytes.Repeat([]byte{'x'}, large))); got != want {
		t.Errorf("Java got %s, want %s", got, want)
	}
	r.stop()
	if err := r.ended(t); err != nil {
		t.Error(err)
	}
}

// Guarantee: A call of Serve that does not read can learn from Engine.Done that Java
// has ended.
func TestDone(t *testing.T) {
	t.Parallel()
	r := newRig(t, "dies in a conversation")
	r.config.Serve = func(*Lease) error {
		select {
		case <-r.Done():
			t.Error("Java has ended too early")
		default:
		}
		r.Resume("a")
		<-r.Done()
		return nil
	}
	r.start(t)
	exited(t, r.ended(t), bootstrap.ExitError{Code: 5, Reason: statuses[5]})
}

// Lines that are not events are skipped.
//
// Guarantee: Events and commands keep their order.
func TestEvents(t *testing.T) {
	t.Parallel()
	r := newRig(t, "tells")
	r.start(t)
	if got := r.event(t); got != Initializing {
		t.Errorf("%v first", got)
	}
	for _, e := range allEvents {
		if got := r.event(t); !reflect.DeepEqual(got, e.want) {
			t.Errorf("%#v, want %#v", got, e.want)
		}
	}
	if got := r.shown(t); got != "after nonsense" {
		t.Errorf("%q", got)
	}
	r.stop()
	if err := r.ended(t); err != nil {
		t.Error(err)
	}
	if log := r.log.String(); !strings.Contains(log, "is not understood") || strings.Contains(log, "nonsense") {
		t.Errorf("the log is\n%s", log)
	}
}

// Commands from before the time that Java connected are sent too. A failed
// conversation is reported once, and closed.
//
// Guarantee: Events and commands keep their order.
func TestCommands(t *testing.T) {
	t.Parallel()
	r := newRig(t, "obeys")
	r.config.Serve = func(l *Lease) error {
		if l.ID == 2 {
			return errors.New("failed")
		}
		l.Fail()
		l.Fail()
		if _, err := l.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read of a failed conversation: %v", err)
		}
		return errors.New("failed")
	}
	r.start(t, func(e *Engine) {
		e.Resume("early")
		e.Evict("early")
	})
	for _, want := range []string{"closed 1", "closed 2"} {
		if got := r.shown(t); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	r.Evict("a")
	r.Resume("last")
	for _, want := range []string{
		`{"command":"read","leaseKey":"early"}`, `{"command":"evict","leaseKey":"early"}`,
		`{"command":"fail","lease":1}`, `{"command":"fail","lease":2}`,
		`{"command":"evict","leaseKey":"a"}`, `{"command":"read","leaseKey":"last"}`,
	} {
		if got := r.shown(t); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	r.stop()
	if err := r.ended(t); err != nil {
		t.Error(err)
	}
	r.Resume("late") // is dropped
	if got := r.commands.take(); len(got) != 0 {
		t.Errorf("%s is left", got)
	}
}

// Guarantee: A Java process that sends heartbeats is not killed, and receives
// heartbeats, even while Config.Event blocks.
func TestHeartbeats(t *testing.T) {
	t.Parallel()
	r := newRig(t, "beats")
	r.config.Silence = 2 * time.Second
	beaten := make(chan struct{})
	r.config.Serve = func(*Lease) error { close(beaten); return nil }
	r.config.Event = func(e Event) {
		<-beaten
		r.events <- e
	}
	r.start(t)
	if got := r.shown(t); got != "enough" {
		t.Errorf("%q", got)
	}
	r.stop()
	if err := r.ended(t); err != nil {
		t.Error(err)
	}
}

// Guarantee: A Java process that is silent, or does not read, is killed.
func TestSilentJava(t *testing.T) {
	t.Parallel()
	for java, reason := range map[string]string{
		"silent":            "it was killed because it was silent for 60ms",
		"loses its control": "it was killed because it was silent for 60ms",
		"does not connect":  "it was killed because it had not connected after 10ms",
	} {
		t.Run(java, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, java)
			r.config.Silence = 60 * time.Millisecond
			r.start(t, func(e *Engine) {
				if java == "does not connect" {
					e.startTime = 10 * time.Millisecond
				}
			})
			exited(t, r.ended(t), bootstrap.ExitError{Code: 137, Reason: reason})
		})
	}
}

// Guarantee: A Java process that is silent, or does not read, is killed.
func TestDeafJava(t *testing.T) {
	t.Parallel()
	r := newRig(t, "deaf")
	r.config.Silence = 3 * time.Second
	r.start(t, func(e *Engine) { e.Resume(strings.Repeat("x", 4<<20)) })
	exited(t, r.ended(t), bootstrap.ExitError{Code: 137, Reason: "it was killed because it read no command for 500ms"})
}

// Guarantee: Run returns nil if the stop was complete, or came before there was
// anything to stop.
func TestStop(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		java string
		at   Event
		want *bootstrap.ExitError // nil: nil
	}{
		{"stops", Ready, nil},
		{"has leases before it is ready", Leases{[]string{"a"}}, nil},
		{"initializes", Initializing, nil},
		{"stops in part", Ready, &bootstrap.ExitError{Code: 4, Stopping: true, Reason: "one is left"}},
		{"says it stopped", Ready, &bootstrap.ExitError{Code: 1, Stopping: true, Reason: "one is left"}},
		{"dies in the stop", Ready, &bootstrap.ExitError{Code: 0, Stopping: true}},
		{"fails in the stop", Ready, &bootstrap.ExitError{Code: 1, Stopping: true, Reason: "Inner"}},
		{"hangs", Ready, &bootstrap.ExitError{Code: 137, Stopping: true, Reason: "it was killed after 30ms"}},
	} {
		t.Run(tt.java, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, tt.java)
			if tt.java == "hangs" {
				r.config.StopGrace = 10 * time.Millisecond
			}
			r.start(t, func(e *Engine) { e.stopMargin = 20 * time.Millisecond })
			for !reflect.DeepEqual(r.event(t), tt.at) {
			}
			r.stop()
			err := r.ended(t)
			if tt.want != nil {
				exited(t, err, *tt.want)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// A stop before Java runs starts nothing, or ends Java at once.
//
// Guarantee: Run returns nil if the stop was complete, or came before there was
// anything to stop.
func TestStopBeforeTheStart(t *testing.T) {
	t.Parallel()
	r := newRig(t, "does not connect")
	why := errors.New("why")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if err := New(r.config).Run(ctx); err != why {
		t.Errorf("%v, want the cause", err)
	}
	started := make(chan int, 1)
	r.config.Started = func(pid int) { started <- pid }
	r.start(t)
	<-started
	r.stop()
	if err := r.ended(t); err != nil {
		t.Error(err)
	}
}

// Guarantee: After any other end the error of Run says why Java has ended.
func TestEnds(t *testing.T) {
	t.Parallel()
	for java, want := range map[string]bootstrap.ExitError{
		"fails":        {Code: 1, Reason: "Inner"},
		"complains":    {Code: 1, Reason: "Unrecognized VM option 'y'"},
		"was not told": {Code: 5, Reason: "this process was silent, so it gave up its leases"},
	} {
		t.Run(java, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, java)
			r.start(t)
			exited(t, r.ended(t), want)
		})
	}
	t.Run("does not link", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, "does not link")
		r.start(t)
		var unlinked *IncompatibleError
		if err := r.ended(t); !errors.As(err, &unlinked) || unlinked.KCL != "2.4.0" || !strings.Contains(err.Error(), "KCL 2.4.0 has no Scheduler.evict") {
			t.Errorf("%v, want what KCL lacks", err)
		}
	})
	t.Run("is killed", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, "does not connect")
		kill := make(chan struct{})
		r.config.Kill = kill
		r.start(t)
		close(kill)
		exited(t, r.ended(t), bootstrap.ExitError{Code: 137, Killed: true, Reason: "it was killed before it had stopped"})
	})
	t.Run("has no memory", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, "has no memory")
		r.start(t)
		r.shown(t)
		r.Resume("a")
		exited(t, r.ended(t), bootstrap.ExitError{Code: 3, Reason: "Terminating due to java.lang.OutOfMemoryError: Java heap space"})
		if !strings.Contains(r.log.String(), "something") {
			t.Errorf("not in the log: %s", r.log)
		}
	})
}

// What Java wrote before it was ready is not the reason for a later end.
func TestJavaOutput(t *testing.T) {
	j := newJavaProcess(New(Config{}))
	io.WriteString(j.output, "Error: A JNI error has occurred, please check your installation and try again\n")
	io.WriteString(j.output, "first\n")
	io.WriteString(j.output, "second\n")
	if got := j.output.lastReason(); got != "first" {
		t.Errorf("%q", got)
	}
	j.handle(Ready)
	if got := j.output.lastReason(); got != "" {
		t.Errorf("%q", got)
	}
}

// Guarantee: The token is in no argument, environment variable, log or error.
func TestTokenIsSecret(t *testing.T) {
	t.Parallel()
	r := newRig(t, "has a token")
	r.start(t)
	token := r.shown(t)
	if len(token) != 64 {
		t.Fatalf("the token is %q", token)
	}
	r.stop()
	err := r.ended(t)
	log := r.log.String()
	if err == nil || strings.Contains(err.Error(), token) || strings.Contains(log, token) {
		t.Errorf("the token, or no error: %v\n%s", err, log)
	}
	if strings.Count(log, "rejected a connection") != 1 || strings.Count(log, "is not understood") != 3 {
		t.Errorf("the log is\n%s", log)
	}
}

// tieEnv has the address that a process connects to, so that the test notices its end.
const tieEnv = "TEST_ENGINE_TIE"

// playHost runs an engine until it is killed. Its argument is the role of its Java.
func playHost() {
	err := New(Config{
		Command: bootstrap.Command{Java: os.Args[0], Jars: []string{"/kcl.jar"}, Properties: &bootstrap.Properties{}},
		Env:     append(os.Environ(), roleEnv+"="+os.Args[1]),
		Serve:   func(*Lease) error { return nil },
	}).Run(context.Background())
	panic(err)
}

// Guarantee: Java ends when this process ends, even by SIGKILL. On Linux this is true even
// of a Java process that hangs.
func TestDeath(t *testing.T) {
	t.Parallel()
	javas := []string{"is tied"}
	if runtime.GOOS == "linux" { // which kills it
		javas = append(javas, hearsNothing)
	}
	for _, java := range javas {
		t.Run(java, func(t *testing.T) {
			t.Parallel()
			socket, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer socket.Close()
			r := newRig(t, "host")
			host := exec.Command(r.config.Command.Java, java)
			host.Env = append(r.config.Env, tieEnv+"="+socket.Addr().String(), "TMPDIR="+t.TempDir())
			host.Stderr = os.Stderr
			if err := host.Start(); err != nil {
				t.Fatal(err)
			}
			defer host.Wait()
			defer host.Process.Kill()
			socket.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute))
			tied, err := socket.Accept()
			if err != nil {
				t.Fatal(err)
			}
			var pid int
			if _, err := fmt.Fscanln(tied, &pid); err != nil {
				t.Fatal(err)
			}
			host.Process.Kill()
			tied.SetReadDeadline(time.Now().Add(2 * time.Second))
			if _, err := tied.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Java is still there after 2 s: %v", err)
				if p, err := os.FindProcess(pid); err == nil {
					p.Kill()
				}
			}
		})
	}
}
