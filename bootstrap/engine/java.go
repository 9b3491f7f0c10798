package engine

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

const (
	beats    = 6 // heartbeats within Config.Silence
	maxEvent = 16 << 20
	// lateTime is how long to wait for a control connection that Java may have made
	// just before it ended.
	lateTime = time.Second
)

// statuses are the meanings of Java's exit statuses, for when Java gave no reason.
var statuses = map[int]string{
	2: "it lost its connection to this process",
	3: "it ran out of memory",
	5: "this process was silent, so it gave up its leases",
}

// A javaProcess is the state of a Java process in the goroutine of Run.
type javaProcess struct {
	*Engine
	output *javaOutput

	// Other goroutines send on these. over is closed when nothing is received any more.
	controls chan *conn
	events   chan Event // closed when the control connection has ended
	ended    chan error // has the error of bootstrap.Command.Run
	kill     chan struct{}
	over     chan struct{}

	queue *queue // for Config.Event

	// Only the goroutine of Run uses the fields below.
	control        *conn // nil before it is connected and after it has ended
	connected      bool
	silent         int  // beats since the last event
	working        bool // Java may have taken leases
	stopping       bool
	nothingToStop  bool   // the stop came before Java was working
	complete       bool   // Java said that the stop was complete
	killReason     string // empty if it was not killed
	killedByCaller bool   // by Config.Kill
	reason         string // that Java gave
	incompatible   error
}

func newJavaProcess(e *Engine) *javaProcess {
	return &javaProcess{
		Engine: e, output: &javaOutput{log: e.log},
		controls: make(chan *conn), events: make(chan Event), ended: make(chan error, 1),
		kill: make(chan struct{}), over: make(chan struct{}), queue: newQueue(),
	}
}

// serve serves one connection. Each call has its own goroutine.
func (j *javaProcess) serve(h hello, c *conn) {
	if h.Connection == "control" {
		j.log.Debug("Java has connected", "kcl", h.KCL, "java", h.Java)
		j.readEvents(c)
		return
	}
	lease := &Lease{
		ID: h.Lease, LeaseKey: h.LeaseKey, ShardID: h.ShardID, Stream: h.Stream, StreamARN: h.StreamARN,
		conn: c, commands: j.commands,
	}
	if j.config.Serve(lease) != nil {
		lease.Fail()
	}
}

// readEvents passes the control connection, and then its events, to the goroutine of
// Run.
func (j *javaProcess) readEvents(c *conn) {
	select {
	case j.controls <- c:
	case <-j.over:
		return
	}
	defer close(j.events)
	lines := bufio.NewScanner(c.r)
	lines.Buffer(nil, maxEvent)
	for lines.Scan() {
		event, err := parseEvent(lines.Bytes())
		if err != nil {
			j.log.Warn("skipped a line of Java's control connection that is not understood", "error", err)
			continue
		}
		select {
		case j.events <- event:
		case <-j.over:
			return
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		j.log.Warn("a line of Java's control connection is too long", "limit", maxEvent)
	}
}

// run returns when Java has ended and all its events were handled.
func (j *javaProcess) run(ctx context.Context, l *listener) error {
	beat := time.NewTicker(max(time.Millisecond, j.config.Silence/beats))
	defer beat.Stop()
	var (
		stop    = ctx.Done()
		kill    = j.config.Kill
		events  = j.events
		start   = time.After(j.startTime)
		timeout <-chan time.Time // of the stop
		late    <-chan time.Time // after it, no control connection is expected
		exited  bool
		exit    error
	)
	for {
		if exited && events == nil {
			return j.result(exit)
		}
		select {
		case <-stop:
			stop = nil
			j.stop()
			timeout = time.After(j.config.StopGrace + j.stopMargin)
		case <-start:
			if !j.connected && !exited {
				j.killJava(fmt.Sprintf("it was killed because it had not connected after %v", j.startTime))
			}
		case <-kill:
			kill, j.killedByCaller = nil, true
			j.killJava("it was killed before it had stopped")
		case <-timeout:
			j.killJava(fmt.Sprintf("it was killed after %v", j.config.StopGrace+j.stopMargin))
		case c := <-j.controls:
			late = nil
			j.control, j.connected, j.silent = c, true, 0
			j.send()
		case event, ok := <-events:
			if !ok {
				events, j.control = nil, nil
				continue
			}
			j.silent = 0
			j.handle(event)
		case <-j.commands.added:
			j.send()
		case <-beat.C:
			if !exited {
				j.beat()
			}
		case exit = <-j.ended:
			exited, stop, timeout = true, nil, nil
			if errors.Is(exit, bootstrap.ErrSurvivors) {
				l.hangUp()
			}
			switch {
			case j.connected:
			case j.killReason != "":
				events = nil // its last events do not matter
			default:
				late = time.After(lateTime)
			}
		case <-late:
			events = nil
		}
	}
}

// stop asks Java to stop, or kills it if it has nothing to stop yet.
func (j *javaProcess) stop() {
	j.stopping = true
	switch {
	case !j.working:
		j.nothingToStop = true
		j.killJava("it was asked to stop before it was ready")
	case j.control == nil:
		j.killJava("it was killed because its control connection had ended")
	default:
		j.commands.add(map[string]any{"command": "stop", "graceMillis": j.config.StopGrace.Milliseconds()})
		j.send()
	}
}

// killJava kills Java. It keeps the first reason.
func (j *javaProcess) killJava(reason string) {
	if j.killReason != "" {
		return
	}
	j.killReason = reason
	close(j.kill)
	j.log.Debug("killed Java", "reason", reason)
}

// handle handles an event.
func (j *javaProcess) handle(event Event) {
	switch event := event.(type) {
	case heartbeat:
		return
	case incompatible:
		j.incompatible = event.err
		return
	case State:
		if event == Ready {
			j.working = true
			j.output.forget()
			j.goodOnce.Do(func() { close(j.good) })
		}
	case Leases:
		j.working = j.working || len(event.LeaseKeys) > 0
	case gaveUp:
		j.reason = reasonOf(event.causes)
		return
	case Stopped:
		j.complete = event.Complete
		j.reason = cmp.Or(j.reason, event.Reason)
	}
	if j.config.Event != nil {
		j.queue.add(event)
	}
}

// deliver calls Config.Event for each event. It has its own goroutine.
func (j *javaProcess) deliver() {
	for event, ok := j.queue.next(); ok; event, ok = j.queue.next() {
		j.config.Event(event)
	}
}

// beat is called six times within Config.Silence, and only once after this process
// was suspended for a while: Java is not taken for silent because of that.
func (j *javaProcess) beat() {
	if !j.connected {
		return
	}
	if j.silent++; j.silent > beats {
		j.killJava(fmt.Sprintf("it was killed because it was silent for %v", j.config.Silence))
	}
	if j.control != nil {
		j.commands.add(map[string]any{"command": "heartbeat"})
		j.send()
	}
}

// send sends the commands that wait. The socket has room for hundreds. If a write
// does not return within a beat, Java does not read, and is taken for silent.
func (j *javaProcess) send() {
	if j.control == nil {
		return // the commands wait
	}
	lines := j.commands.take()
	if len(lines) == 0 {
		return
	}
	j.control.SetWriteDeadline(time.Now().Add(j.config.Silence / beats))
	if _, err := j.control.Write(lines); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			j.killJava(fmt.Sprintf("it was killed because it read no command for %v", j.config.Silence/beats))
		}
		j.control = nil // its events are still read
	}
}

// result returns the result of Run, after bootstrap returned err.
func (j *javaProcess) result(err error) error {
	var exit *bootstrap.ExitError
	switch {
	case !errors.As(err, &exit):
		return err
	case j.incompatible != nil:
		return j.incompatible
	case j.nothingToStop, j.stopping && j.complete && exit.Code == 0:
		return nil
	}
	return &bootstrap.ExitError{
		Code: exit.Code, Killed: j.killedByCaller, Stopping: j.stopping, Proxy: exit.Proxy,
		Reason: cmp.Or(j.killReason, j.reason, j.output.lastReason(), statuses[exit.Code]),
	}
}
