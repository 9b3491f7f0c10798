package handle

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/processortest"
)

var errBad = errors.New("bad record")

// seen collects the data of the records that a handler gets.
type seen struct {
	mu   sync.Mutex
	data []string
}

func (s *seen) add(r processor.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = append(s.data, string(r.Data))
}

func (s *seen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.data, " ")
}

// letters is a sink in memory. Its first calls of Put, as many as fail, fail.
type letters struct {
	mu   sync.Mutex
	got  []DeadLetter
	fail int
}

func (l *letters) Put(_ context.Context, d DeadLetter) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail > 0 {
		l.fail--
		return errors.New("disk full")
	}
	l.got = append(l.got, d)
	return nil
}

func (l *letters) data() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []string
	for _, d := range l.got {
		all = append(all, string(d.Data))
	}
	return strings.Join(all, " ")
}

// start starts p on the shard and initializes it.
func start(t testing.TB, s *processortest.Shard, p processor.RecordProcessor) *processortest.Daemon {
	t.Helper()
	d := s.Start(t, p, nil)
	d.Do(s.Initialize())
	return d
}

// fill puts n records of a number of keys; their data count them from 0.
func fill(s *processortest.Shard, n, keys int) {
	for i := range n {
		s.Put(fmt.Sprint("key", i%keys), fmt.Sprint(i))
	}
}

func want(t testing.TB, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

// sequences lists the sequence numbers of the checkpoints.
func sequences(s *processortest.Shard) string {
	var all []string
	for _, p := range s.Checkpoints() {
		all = append(all, p.SequenceNumber)
	}
	return strings.Join(all, " ")
}

// wait is a handler that takes d unless its context is cancelled.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// answered reports whether an action is answered when nothing can happen any more
// without the passing of time.
func answered(a *processortest.Action) bool {
	synctest.Wait()
	done := make(chan struct{})
	go func() { a.Wait(); close(done) }()
	synctest.Wait()
	select {
	case <-done:
		return true
	default:
		return false
	}
}
