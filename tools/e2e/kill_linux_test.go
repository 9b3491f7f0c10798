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

	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// The child is killed in mid-batch, its records written and not checkpointed,
// five times. They come again each time; nothing is there twice.
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

// guard stands between a daemon and DynamoDB. Once armed it holds the next
// checkpoint, during which the child waits, and refuses it when told.
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
	dynamoDB, err := url.Parse(local(t).DynamoDBURL())
	if err != nil {
		t.Fatal(err)
	}
	g := &guard{held: make(chan struct{}, 1), refuse: make(chan struct{})}
	proxy := httputil.NewSingleHostReverseProxy(dynamoDB)
	proxy.ErrorLog = log.New(io.Discard, "", 0) // of daemons that end in mid-request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the daemon has gone
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
