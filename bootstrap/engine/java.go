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
	beats    = 6 // within Config.Silence
	maxEvent = 16 << 20
	// lateTime is how long a control connection that Java made before it ended may
	// take to be seen.
	lateTime = time.Second
)

// statuses are what Java's exit status says where Java has said nothing else.
var statuses = map[int]string{
	2: "it lost its connection to this process",
	3: "it had no memory left",
	5: "this process was silent, so it gave its leases up",
}

// A java is a Java process, as it is seen by the goroutine of Run.
type java struct {
	*Engine
	complaints *complaints

	// Others send to these; over is closed when nobody receives any more.
	controls chan *conn
	events   chan Event // closed when the control connection has ended
	ended    chan error // of bootstrap
	kill     chan struct{}
	over     chan struct{}

	queue *queue // for Config.Event

	// All below belongs to the goroutine of Run.
	control   *conn // nil: not yet, or not any more
	connected bool
	quiet     int  // beats since it was last heard of
	working   bool // it may have taken leases
	asked     bool // to stop
	needless  bool // there was nothing to stop
	complete  bool // it said so
	killed    string
	unasked   bool // it was Config.Kill that killed it
	reason    string
	unlinked  error // what KCL lacks
}

func newJava(e *Engine) *java {
	return &java{
		Engine: e, complaints: &complaints{log: e.log},
		controls: make(chan *conn), events: make(chan Event), ended: make(chan error, 1),
		kill: make(chan struct{}), over: make(chan struct{}), queue: newQueue(),
	}
}

// serve serves a connection, in a goroutine of its own.
func (j *java) serve(h hello, c *conn) {
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

// readEvents hands the control connection to the goroutine of Run, and then its
// events.
func (j *java) readEvents(c *conn) {
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
			j.log.Warn("a line of Java's control connection is not understood", "error", err)
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

// run follows Java until it has ended and all that it said is known.
func (j *java) run(ctx context.Context, l *listener) error {
	beat := time.NewTicker(max(time.Millisecond, j.config.Silence/beats))
	defer beat.Stop()
	var (
		stop    = ctx.Done()
		kill    = j.config.Kill
		events  = j.events
		start   = time.After(j.startTime)
		timeout <-chan time.Time // of the stop
		late    <-chan time.Time // when no control connection will come
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
				j.end(fmt.Sprintf("it was killed, as it had not connected after %v", j.startTime))
			}
		case <-kill:
			kill, j.unasked = nil, true
			j.end("it was killed before it had stopped")
		case <-timeout:
			j.end(fmt.Sprintf("it was killed after %v", j.config.StopGrace+j.stopMargin))
		case c := <-j.controls:
			late = nil
			j.control, j.connected, j.quiet = c, true, 0
			j.send()
		case event, ok := <-events:
			if !ok {
				events, j.control = nil, nil
				continue
			}
			j.quiet = 0
			j.handle(event)
		case <-j.commands.news:
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
			case j.killed != "":
				events = nil // what it may still have said does not count
			default:
				late = time.After(lateTime)
			}
		case <-late:
			events = nil
		}
	}
}

// stop asks Java to stop, or ends it when it has nothing to stop yet.
func (j *java) stop() {
	j.asked = true
	switch {
	case !j.working:
		j.needless = true
		j.end("it was asked to stop before it was ready")
	case j.control == nil:
		j.end("it was killed, as its control connection had ended")
	default:
		j.commands.add(map[string]any{"command": "stop", "graceMillis": j.config.StopGrace.Milliseconds()})
		j.send()
	}
}

// end kills Java. The first reason counts.
func (j *java) end(why string) {
	if j.killed != "" {
		return
	}
	j.killed = why
	close(j.kill)
	j.log.Debug("killed Java", "reason", why)
}

// handle takes an event.
func (j *java) handle(event Event) {
	switch event := event.(type) {
	case heartbeat:
		return
	case unlinked:
		j.unlinked = event.err
		return
	case State:
		if event == Ready {
			j.working = true
			j.complaints.forget()
			j.goodOnce.Do(func() { close(j.good) })
		}
	case Leases:
		j.working = j.working || len(event.LeaseKeys) > 0
	case Failed:
		j.reason = reasonOf(event.Causes)
	case Stopped:
		j.complete = event.Complete
		j.reason = cmp.Or(j.reason, event.Reason)
	}
	if j.config.Event != nil {
		j.queue.add(event)
	}
}

// tell calls Config.Event, in a goroutine of its own.
func (j *java) tell() {
	for event, ok := j.queue.next(); ok; event, ok = j.queue.next() {
		j.config.Event(event)
	}
}

// beat is a sixth of Config.Silence. When this process was stopped for a while,
// it is only one: Java is not taken for silent because of that.
func (j *java) beat() {
	if !j.connected {
		return
	}
	if j.quiet++; j.quiet > beats {
		j.end(fmt.Sprintf("it was killed, as it was silent for %v", j.config.Silence))
	}
	if j.control != nil {
		j.commands.add(map[string]any{"command": "heartbeat"})
		j.send()
	}
}

// send sends the commands that there are. What Java does not read within a beat
// does not fit into the socket, which has place for hundreds: it is taken for
// silent.
func (j *java) send() {
	if j.control == nil {
		return // they wait for it
	}
	lines := j.commands.take()
	if len(lines) == 0 {
		return
	}
	j.control.SetWriteDeadline(time.Now().Add(j.config.Silence / beats))
	if _, err := j.control.Write(lines); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			j.end(fmt.Sprintf("it was killed, as it read no command for %v", j.config.Silence/beats))
		}
		j.control = nil // what it still says is read
	}
}

// result returns what Run returns, when Java has ended with this error.
func (j *java) result(err error) error {
	var exit *bootstrap.ExitError
	switch {
	case !errors.As(err, &exit):
		return err
	case j.unlinked != nil:
		return j.unlinked
	case j.needless, j.asked && j.complete && exit.Code == 0:
		return nil
	}
	return &bootstrap.ExitError{
		Code: exit.Code, Killed: j.unasked, Stopping: j.asked, Proxy: exit.Proxy,
		Reason: cmp.Or(j.killed, j.reason, j.complaints.last(), statuses[exit.Code]),
	}
}
