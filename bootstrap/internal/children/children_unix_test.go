//go:build unix

package children

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
)

const (
	initialize = `{"action":"initialize","shardId":"shard"}`
	leaseLost  = `{"action":"leaseLost"}`
	shardEnded = `{"action":"shardEnded"}`
)

// The child receives what Java writes, and Java what the child answers. What else the
// child writes goes to standard error, and not to Java.
//
// Guarantee: Each child gets what Java writes, and Java gets the child's messages,
// byte for byte and of any length.
func TestConversation(t *testing.T) {
	t.Parallel()
	r := newRig(t, "shows", time.Minute)
	j := r.lease("key")
	j.asks(initialize, `{"action":"checkpoint","sequenceNumber":"1"}`)
	j.asks(`{"action":"checkpoint","sequenceNumber":"1"}`, status)
	j.asks(shardEnded, status)
	j.Close()
	if err := j.ended(); err != nil {
		t.Error(err)
	}
	got := r.stderr.String()
	for _, want := range []string{
		"KCL_STREAM_NAME orders\n", "KCL_LEASE_KEY key\n", "KCL_STREAM_ARN arn\n", "args [a]\n", "printed\n", "{\"action\":\"initialize\"}\r\n",
		"no line end", "end of input\n",
	} {
		if strings.Count(got, want) != 1 {
			t.Errorf("not once on standard error: %q", want)
		}
	}
	if n := strings.Count(got, "x"); n < 14<<20 {
		t.Errorf("%d bytes of 14 MiB of a line that is no message", n)
	}
	select {
	case <-j.failed:
		t.Error("it was failed")
	default:
	}
	if len(r.shards) != 0 {
		t.Errorf("left: %v", r.shards)
	}
}

// Large messages arrive whole.
//
// Guarantee: Each child gets what Java writes, and Java gets the child's messages,
// byte for byte and of any length.
func TestLargeMessage(t *testing.T) {
	t.Parallel()
	r := newRig(t, "answers", time.Minute)
	j := r.lease("key")
	for _, size := range []int{10, 4095, 4096, 4097, 14 << 20, 200_000, 10} {
		line := `{"action":"processRecords","x":"` + strings.Repeat("y", size) + `"}`
		j.asks(line, fmt.Sprintf(`{"action":"status","length":%d}`, len(line)+1))
	}
	j.asks(leaseLost, fmt.Sprintf(`{"action":"status","length":%d}`, len(leaseLost)+1))
	j.Close()
	if err := j.ended(); err != nil {
		t.Error(err)
	}
}

// Noise on standard error delays nothing.
//
// Guarantee: What else a child prints is shown and does no harm.
func TestNoise(t *testing.T) {
	t.Parallel()
	r := newRig(t, "is noisy", time.Minute)
	j := r.lease("key")
	j.asks(initialize, status)
	j.asks(leaseLost, status)
	j.Close()
	if err := j.ended(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(r.stderr.String(), "noise"); n != 200*2000 {
		t.Errorf("%d words of noise, want 400000", n)
	}
}

// However a child fails: Java hears of it first, none of the child's processes is left
// when the shard is resumed, and the error says how it failed.
//
// Guarantee: A child that fails in any way is replaced alone, after it and all
// processes of its group have gone, and ever more slowly.
func TestFailures(t *testing.T) {
	t.Parallel()
	for role, want := range map[string]string{
		"exits":             "it ended with exit status 3",
		"exits unread":      "it ended with exit status 4",
		"leaves":            "it ended with exit status 0",
		"is killed":         "it ended with signal: killed",
		"is silent":         "it has not answered within 1s (timeoutInSeconds)",
		"is late":           "it has not answered within 1s (timeoutInSeconds)",
		"closes its output": "it closed its standard output",
		"closes its input":  "it closed its standard input",
		"has a child":       "it ended with exit status 3",
		"has a lost child":  "it ended with exit status 3",
	} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			var timeout time.Duration
			if strings.Contains(want, "1s") {
				timeout = time.Second
			}
			r := newRig(t, role, timeout)
			j := r.lease("key")
			if role == "is late" {
				j.asks(initialize, status)
			}
			j.say(`{"action":"processRecords","x":"` + strings.Repeat("y", 1<<20) + `"}`)
			if err := j.ended(); err == nil || err.Error() != want {
				t.Errorf("error %v, want %q", err, want)
			}
			select {
			case <-j.failed:
			default:
				t.Error("Java was not told")
			}
			if key := <-r.resumed; key != "key" {
				t.Errorf("resumed %s, want key", key)
			}
			if !gone(r.stderr.number(t, "pid", 1)) {
				t.Error("the child is still there")
			}
			if strings.HasSuffix(role, "child") {
				pid := r.stderr.number(t, "grandchild", 1)
				if role == "has a lost child" {
					syscall.Kill(pid, syscall.SIGKILL)
				} else if !gone(pid) {
					t.Error("the grandchild is still there")
				}
			}
		})
	}
}

// A program that cannot be started is a failure like any other.
func TestNotStarted(t *testing.T) {
	t.Parallel()
	r := newRig(t, "answers", 0)
	r.config.Program = []string{"/nowhere/program"}
	const want = "it cannot be started: fork/exec /nowhere/program: no such file"
	if err := r.lease("key").ended(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
	<-r.resumed
}

// A conversation that ends for another reason than its child is not a failure. The
// child sees the end of its input.
func TestJavaEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t, "answers", 0)
	j := r.lease("key")
	j.say(initialize)
	pid := r.stderr.number(t, "pid", 1)
	j.Close()
	if err := j.ended(); err != nil || !gone(pid) || !strings.Contains(r.stderr.String(), "end of input") {
		t.Errorf("%v, %s", err, r.stderr)
	}
	if r.sessions[j.id].worked <= 0 {
		t.Error("it is not known how long it worked, for the next wait")
	}
}

// A reader that pauses the output of the children and of this process keeps no child
// alive.
func TestPausedOutput(t *testing.T) {
	t.Parallel()
	for _, kill := range []bool{false, true} {
		t.Run(fmt.Sprint(kill), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "is noisy", 0)
			paused := &pausedWriter{text: r.stderr, blocked: make(chan struct{}), resumed: make(chan struct{})}
			t.Cleanup(func() { close(paused.resumed) })
			r.config.Stderr = paused
			r.log = slog.New(slog.NewTextHandler(paused, nil))
			j := r.lease("key")
			j.say(initialize)
			<-paused.blocked
			if kill {
				close(r.kill)
			} else {
				j.Close()
			}
			if err := j.ended(); err != nil || !gone(r.stderr.number(t, "pid", 1)) {
				t.Errorf("%v, or it is still there", err)
			}
		})
	}
}

// A pausedWriter blocks after one line.
type pausedWriter struct {
	*text
	first, second    sync.Once
	blocked, resumed chan struct{}
}

func (w *pausedWriter) Write(p []byte) (n int, err error) {
	w.first.Do(func() { n, err = w.text.Write(p) })
	if n == 0 {
		w.second.Do(func() { close(w.blocked) })
		<-w.resumed
	}
	return len(p), err
}

// A conversation whose end is not seen, because the child reads nothing, ends with
// Java, and when KCL finds it broken.
func TestFrozenChild(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*rig, int64){
		"Java has gone": func(r *rig, _ int64) { close(r.gone) },
		"broken": func(r *rig, id int64) {
			for range 2 {
				r.event(engine.ConversationBroken{ID: id, LeaseKey: "key"})
			}
		},
	} {
		r := newRig(t, "freezes", 0)
		j := r.lease("key")
		j.asks(initialize, status)
		j.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		if n, err := j.Write(make([]byte, 4<<20)); err == nil {
			t.Errorf("%s: it has read %d bytes", name, n)
		}
		j.Close()
		end(r, j.id)
		if err := j.ended(); err != nil || !gone(r.stderr.number(t, "pid", 1)) {
			t.Errorf("%s: %v, or it is still there", name, err)
		}
		r.stop()
	}
}

// A child that survives SIGKILL delays a stop, and the next start of Java, no longer
// than the wait for it. No other child begins with its shard.
func TestSurvivor(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*rig){
		"Java has gone": func(r *rig) { close(r.gone) },
		"stop":          func(r *rig) { r.stop() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "answers", 0)
			tried := make(chan struct{})
			tries := 0
			r.awaitKilled = func(c *child) bool {
				(*child).awaitKilled(c) // for the test to leave nothing
				if tries++; tries == 2 {
					close(tried)
					end(r)
				}
				return false
			}
			first := r.lease("key")
			first.say(initialize)
			r.stderr.number(t, "pid", 1)
			first.Close()
			second := r.lease("key")
			<-tried
			if err := first.ended(); err != nil || !r.hasSurvivors() {
				t.Errorf("%v, or a survivor was not seen", err)
			}
			if err := second.ended(); !errors.Is(err, bootstrap.ErrSurvivors) || strings.Count(r.stderr.String(), "pid ") != 1 {
				t.Errorf("there were two children of the shard: %v", err)
			}
		})
	}
}

// A child that does not exit at the end of its input is killed, as are all children
// when Kill is closed.
//
// Guarantee: A stop leaves no process of a child.
func TestDoesNotLeave(t *testing.T) {
	t.Parallel()
	for _, kill := range []bool{false, true} {
		r := newRig(t, "stays", 0)
		j := r.lease("key")
		j.asks(initialize, status)
		if kill {
			r.exitTime = time.Hour
			close(r.kill)
		} else {
			j.asks(leaseLost, status)
			j.Close()
		}
		if err := j.ended(); err != nil || !gone(r.stderr.number(t, "pid", 1)) {
			t.Errorf("%v, or it is still there", err)
		}
	}
}

// A shard has one child at a time, also when the lease is lost and taken again. Shards
// of the same ID in two streams do not affect each other.
//
// Guarantee: A shard has one child at a time.
func TestOneChildForAShard(t *testing.T) {
	t.Parallel()
	r := newRig(t, "stays", 0)
	r.exitTime = 500 * time.Millisecond
	first, other := r.lease("a:shard"), r.lease("b:shard")
	first.asks(initialize, status)
	other.asks(initialize, status)
	first.asks(leaseLost, status)
	first.Close()
	second := r.lease("a:shard")
	second.asks(initialize, status)
	select {
	case err := <-first.served:
		if err != nil {
			t.Error(err)
		}
	default:
		t.Error("there was a second child before the first had gone")
	}
	syscall.Kill(r.stderr.number(t, "pid", 3), syscall.SIGKILL)
	const want = "it ended with signal: killed"
	if err := second.ended(); err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
	if key := <-r.resumed; key != "a:shard" {
		t.Errorf("resumed %s, want a:shard", key)
	}
	other.asks(leaseLost, status)
	other.Close()
	if err := other.ended(); err != nil {
		t.Errorf("the other stream's: %v", err)
	}
}
