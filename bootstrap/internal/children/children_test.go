package children

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
)

// A fakeHost is a host without processes, for a synctest bubble.
type fakeHost struct {
	*host
	stop    context.CancelFunc
	last    int64
	resumed chan string
}

func newFakeHost(t *testing.T) *fakeHost {
	ctx, cancel := context.WithCancel(t.Context())
	h := &fakeHost{host: newHost(ctx, Config{}, nil), stop: cancel, resumed: make(chan string, 9)}
	t.Cleanup(cancel)
	h.resume = func(key string) { h.resumed <- key }
	return h
}

// begin begins a session.
func (h *fakeHost) begin(key string) *session {
	h.last++
	s := newSession(h.host, &engine.Lease{ID: h.last, LeaseKey: key}, nil)
	h.host.begin(s)
	return s
}

// end ends a session, with or without a failure.
func (h *fakeHost) end(s *session, failure error) {
	close(s.ended)
	if failure == nil {
		h.forgetShard(s)
		return
	}
	s.failed = true
	go h.resumeLater(s, failure)
}

func (h *fakeHost) wantResumed(t *testing.T, after time.Duration, want ...string) {
	t.Helper()
	time.Sleep(after)
	synctest.Wait()
	var got []string
	for len(h.resumed) > 0 {
		got = append(got, <-h.resumed)
	}
	if !slices.Equal(got, want) {
		t.Errorf("resumed %q, want %q", got, want)
	}
}

var errFailed = errors.New("it has failed")

// A shard that fails again and again waits longer each time. The waits begin again
// after a session that ended as planned, and after the lease has gone.
//
// Guarantee: A child that fails in any way is replaced alone, after it and all
// processes of its group have gone, and ever more slowly.
func TestWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFakeHost(t)
		fail := func() { h.end(h.begin("key"), errFailed) }
		fail()
		h.wantResumed(t, 0, "key")
		fail()
		h.wantResumed(t, 400*time.Millisecond)
		h.wantResumed(t, 600*time.Millisecond, "key")
		fail()
		h.wantResumed(t, 900*time.Millisecond)
		h.wantResumed(t, 1100*time.Millisecond, "key")

		h.end(h.begin("key"), nil)
		fail()
		h.wantResumed(t, 0, "key")
		h.event(engine.Leases{LeaseKeys: []string{"other"}})
		fail()
		h.wantResumed(t, 0, "key")

		// A stop ends the wait.
		fail()
		synctest.Wait()
		h.stop()
		h.wantResumed(t, time.Hour)
		fail()
		h.wantResumed(t, time.Hour)
	})
}

// A session that KCL found broken is resumed after its child has ended, unless the
// child has failed, which resumes it anyway.
func TestBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFakeHost(t)
		h.event(engine.ConversationBroken{ID: 99, LeaseKey: "never begun"})
		h.wantResumed(t, 900*time.Millisecond)
		h.wantResumed(t, 100*time.Millisecond, "never begun")

		s := h.begin("key")
		h.event(engine.ConversationBroken{ID: 1, LeaseKey: "key"})
		h.wantResumed(t, time.Hour)
		h.end(s, nil)
		h.wantResumed(t, 0, "key")

		// The event comes after an end that looked planned.
		h.end(h.begin("key"), nil)
		h.event(engine.ConversationBroken{ID: 2, LeaseKey: "key"})
		h.wantResumed(t, time.Second, "key")

		h.end(h.begin("key"), errFailed)
		h.event(engine.ConversationBroken{ID: 3, LeaseKey: "key"})
		h.wantResumed(t, time.Minute, "key")

		// The shard has a newer conversation, but is resumed for the older one.
		first := h.begin("overtaken")
		h.begin("overtaken")
		h.end(first, errFailed)
		h.wantResumed(t, 0, "overtaken")
		h.event(engine.Leases{})
		if h.shards["overtaken"] == nil {
			t.Error("a shard with a session was forgotten")
		}
	})
}

// The limit applies while an answer is missing, and begins again with each line.
//
// Guarantee: A child that fails in any way is replaced alone, after it and all
// processes of its group have gone, and ever more slowly.
func TestTimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMessages(10 * time.Second)
		late := func(after time.Duration) bool {
			time.Sleep(after)
			synctest.Wait()
			select {
			case <-m.late:
				return true
			default:
				return false
			}
		}
		m.inspect([]byte(`{"action":"initialize"}` + "\n" + `{"half`))
		if late(time.Second) || m.unanswered != 2 {
			t.Errorf("late, or %d owed", m.unanswered)
		}
		m.copyToJava(&bytes.Buffer{}, &bytes.Buffer{}, strings.NewReader(status2+"\n"+status2))
		if late(time.Hour) || m.unanswered != 0 {
			t.Errorf("late though all is answered, or %d owed", m.unanswered)
		}
		m.inspect([]byte(`"}` + "\n" + `{"action":"x"}` + "\n"))
		late(9 * time.Second)
		m.copyToJava(&bytes.Buffer{}, &bytes.Buffer{}, strings.NewReader("print\n\n")) // no answer
		if !late(time.Second) {
			t.Error("not late")
		}
		m.inspect([]byte(`{"action":"x"}` + "\n"))
		m.stopTimer()
		if late(time.Hour) {
			t.Error("late after the end")
		}
		// The result of a checkpoint comes after the child's request, so it needs no answer.
		m = newMessages(time.Second)
		m.inspect([]byte("{}\n"))
		m.copyToJava(&bytes.Buffer{}, &bytes.Buffer{}, strings.NewReader(`{"action":"checkpoint"}`+"\n"+status2))
		m.inspect([]byte("{}\n"))
		if late(time.Hour) {
			t.Error("late though all is answered")
		}
	})
}

const status2 = `{"action":"status"}`

// The last message is recognized however it arrives.
func TestLastMessage(t *testing.T) {
	for text, want := range map[string]bool{
		`{"action":"leaseLost"}` + "\n":                   true,
		` {"x":1, "action" : "shardEnded"}` + "\r\n":      true,
		`{"action":"shardEnded"}`:                         false,
		`{"action":"shutdownRequested"}` + "\n":           false,
		`{"action":"leaseLost"}` + "\n" + `{"action":"x"`: true, // no answer to that yet
		`{"action":"processRecords","records":["` + strings.Repeat("x", 200) + "\n" + `{"action":"leaseLost"}` + "\n": true,
		`{"action":"leaseLost","x":"` + strings.Repeat("x", 200) + `"}` + "\n":                                        false,
	} {
		m := newMessages(0)
		for _, b := range []byte(text) {
			m.inspect([]byte{b})
		}
		if m.last != want {
			t.Errorf("%q: %t", text, m.last)
		}
		m = newMessages(0)
		m.inspect([]byte(text))
		if m.last != want {
			t.Errorf("%q at once: %t", text, m.last)
		}
	}
}

// The end of a line that is too long is not a message, whatever it looks like.
func TestToJavaOfALongLine(t *testing.T) {
	for _, end := range []string{status2, status2 + "\n", "\n" + status2 + "\n"} {
		var java, stray bytes.Buffer
		m := newMessages(0)
		text := strings.Repeat("x", 2*maxAnswer) + end
		m.copyToJava(&java, &stray, strings.NewReader(text))
		if message := end[0] == '\n'; message != (java.Len() > 0) || message != (m.unanswered < 0) {
			t.Errorf("%q: Java got %q", end, java.String())
		}
		if got := java.Len() + stray.Len(); got < len(text) || got > len(text)+1 {
			t.Errorf("%d bytes of %d", got, len(text))
		}
	}
}

// Java receives messages as they are, and nothing else.
//
// Guarantee: Each child gets what Java writes, and Java gets the child's messages,
// byte for byte and of any length.
func FuzzToJava(f *testing.F) {
	for _, text := range []string{status2, status2 + "\r\n", "x\n" + status2, `{"action":"checkpoint","a":"ü"}`, "\n\n", `{"action":"initialize"}` + "\n", `{"action":1}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var java, stray bytes.Buffer
		m := newMessages(0)
		m.copyToJava(&java, &stray, bytes.NewReader(text))
		var wantJava, wantStray []byte
		answers := 0
		for line := range bytes.Lines(text) {
			if line[len(line)-1] != '\n' {
				line = append(bytes.Clone(line), '\n')
			}
			switch action := actionOf(line); {
			case action == "status" || action == "checkpoint":
				answers++
				wantJava = append(wantJava, line...)
			case len(bytes.TrimSpace(line)) > 0:
				wantStray = append(wantStray, line...)
			}
		}
		if !bytes.Equal(java.Bytes(), wantJava) || !bytes.Equal(stray.Bytes(), wantStray) || m.unanswered != -answers {
			t.Errorf("%q: %q, %q", text, java.Bytes(), stray.Bytes())
		}
	})
}
