package e2e

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// The child is killed five times during a batch, when its records are written but not
// checkpointed. They are delivered again each time, but no record is written twice.
//
// Guarantee: A child that fails in any way is replaced alone, after it and all
// processes of its group have gone, and ever more slowly.
func TestKilledChildWritesOnce(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	const kills = 5
	table := guardCheckpoints(t)
	a := newApplication(t, 1, stack.Setting{Name: "dynamoDBEndpoint", Value: table.URL})
	d := a.start()
	for n := range kills {
		a.await(d, fmt.Sprintf("start %d", n+1), func() bool { return len(a.starts()) > n })
		table.armed.Store(true)
		a.produce(100)
		a.await(d, "a checkpoint", table.asked)
		for _, child := range childrenOf(t, d.PID()) { // of the one shard, and Java
			if child == d.JavaPID() {
				continue
			}
			if err := syscall.Kill(child, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
		table.refuse <- struct{}{}
	}
	a.produce(100)
	a.awaitRecords(d)
	a.stop(d)
	a.exactlyOnce()
	starts := a.starts()
	if len(starts) != kills+1 {
		t.Fatalf("%d starts, want %d", len(starts), kills+1)
	}
	for _, s := range starts[1:] {
		if s.atCheckpoint() {
			t.Errorf("the child before was not killed in mid-batch: %+v", s)
		}
	}
}

// A guard is a proxy between a daemon and DynamoDB. Once armed, it holds the next
// checkpoint, while the child waits, and refuses it on request.
type guard struct {
	URL    string
	armed  atomic.Bool
	held   chan struct{}
	refuse chan struct{}
}

// asked reports whether a checkpoint was held since the last call that
// returned true.
func (g *guard) asked() bool {
	select {
	case <-g.held:
		return true
	default:
		return false
	}
}

func guardCheckpoints(t *testing.T) *guard {
	t.Helper()
	dynamoDB, err := url.Parse(local(t).DynamoDBURL)
	if err != nil {
		t.Fatal(err)
	}
	g := &guard{held: make(chan struct{}, 1), refuse: make(chan struct{})}
	proxy := httputil.NewSingleHostReverseProxy(dynamoDB)
	proxy.ErrorLog = log.New(io.Discard, "", 0) // of daemons that end during a request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the daemon has ended
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		checkpoint := strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".UpdateItem") && bytes.Contains(body, []byte(`"checkpoint":`))
		if !checkpoint || !g.armed.CompareAndSwap(true, false) {
			proxy.ServeHTTP(w, r)
			return
		}
		g.held <- struct{}{}
		select {
		case <-g.refuse:
		case <-t.Context().Done():
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"refused by the test"}`)
	}))
	t.Cleanup(server.Close)
	g.URL = server.URL
	return g
}

// A service manager's SIGTERM to each process does not end Java or the children before
// their checkpoint.
//
// Guarantee: A stop lets each child end its conversation, whatever signals reach the
// terminal's process group.
func TestSIGTERMToEachProcess(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 2, childProperties)
	a.produce(20)
	d := a.start(childEnv + "=pollute")
	a.awaitNoted(d, 20)
	terminateAll(t, d)
	if status := a.awaitEnd(d); status != 0 {
		t.Errorf("status %d, want 0", status)
	}
	events := a.read("events.txt")
	for _, event := range []string{"initialize", "shutdownRequested", "leaseLost"} {
		if n := strings.Count(events, event); n != 2 {
			t.Errorf("%s %d times, want 2 (shards):\n%s", event, n, events)
		}
	}
}

// terminateAll sends SIGTERM to a command, to its Java and to its children.
func terminateAll(t *testing.T, d *sample.Daemon) {
	t.Helper()
	for _, pid := range append(childrenOf(t, d.PID()), d.PID()) {
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
}

// SIGTERM to each process, while a record waits an hour for its retry. What is finished
// before the record is checkpointed within the grace, and the daemon stops.
func TestSIGTERMWhileInRetry(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 1, childProperties)
	a.putLines(10, func(line int) string { return fmt.Sprint("line ", line) })
	d := a.start(childEnv + "=handle-retry")
	a.await(d, "a record waits for its retry", func() bool { return strings.Contains(a.read("events.txt"), "retry ") })
	signalled := time.Now()
	terminateAll(t, d)
	a.awaitEnd(d)
	var sequence, err string
	var at int64
	events := a.read("events.txt")
	last := events[max(0, strings.LastIndex(events, "checkpoint ")):]
	if _, scanErr := fmt.Sscanf(last, "checkpoint %s %d %s", &sequence, &at, &err); scanErr != nil {
		t.Fatalf("no checkpoint (%v):\n%s", scanErr, events)
	}
	took := time.Unix(0, at).Sub(signalled)
	if err != "<nil>" || sequence != a.sent[4].SequenceNumber {
		t.Errorf("checkpoint at %s (%s), want %s", sequence, err, a.sent[4].SequenceNumber)
	}
	if took > retryGrace {
		t.Errorf("checkpointed %v after the signal", took)
	}
	t.Logf("checkpointed %v after the signal", took)
	if got := a.checkpoints()[firstShard]; got != a.sent[4].SequenceNumber {
		t.Errorf("the lease's checkpoint is %s, want %s", got, a.sent[4].SequenceNumber)
	}
}
