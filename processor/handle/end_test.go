package handle

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/processortest"
	"github.com/seed96110120/kinesis-client-go/protocol"
)

// SIGTERM: whatever is in work or in retry, the watermark is checkpointed and
// the action answered within the grace, and nothing new is begun.
func TestStopNotice(t *testing.T) {
	const grace = 8 * time.Second
	for _, test := range []struct {
		name string
		work func(ctx context.Context) error // of the second record
		want time.Duration                   // to the answer
		mark string
	}{
		{"retry", func(context.Context) error { return errBad }, 0, "1"},
		{"finishes", func(context.Context) error { time.Sleep(14 * time.Second); return nil }, 4 * time.Second, "2"},
		{"fails", func(context.Context) error { time.Sleep(14 * time.Second); return errBad }, 4 * time.Second, "1"},
		{"heeds its context", func(ctx context.Context) error { return wait(ctx, time.Hour) }, 6 * time.Second, "1"},
		{"is done though cancelled", func(ctx context.Context) error { wait(ctx, time.Hour); return nil }, 6 * time.Second, "2"},
		{"does not heed it", func(context.Context) error { time.Sleep(time.Hour); return nil }, grace, "1"},
	} {
		for _, mode := range []struct {
			name    string
			options []Option
		}{{"strict", nil}, {"parallel", []Option{WithWorkers(3)}}, {"overlap", []Option{WithMaxInFlight(1000, 1<<20)}}} {
			t.Run(test.name+"/"+mode.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var s processortest.Shard
					fill(&s, 6, 1)
					var got seen
					opts := append(mode.options, WithStopGrace(grace), WithBackoff(time.Hour, time.Hour))
					p := Record(func(ctx context.Context, r processor.Record) error {
						got.add(r)
						if string(r.Data) == "1" {
							return test.work(ctx)
						}
						return nil
					}, opts...)
					d := start(t, &s, p)
					a := d.Begin(s.Next(4))
					time.Sleep(10 * time.Second)
					if mode.name != "overlap" && answered(a) {
						t.Fatal("answered too soon")
					}
					begin := time.Now()
					d.StopNotice()
					if mode.name == "overlap" {
						d.Do(protocol.ShutdownRequested{})
					} else if err := a.Wait(); err != nil {
						t.Fatal(err)
					}
					want(t, "answered after", time.Since(begin), test.want)
					want(t, "checkpoint", s.Checkpoint(), test.mark+"/0")
					before := got.String()
					d.Do(s.Next(2)) // the daemon has not noticed yet
					if mode.name != "overlap" {
						d.Do(protocol.ShutdownRequested{})
					}
					d.Do(protocol.LeaseLost{})
					want(t, "checkpoint", s.Checkpoint(), test.mark+"/0")
					want(t, "no new attempt", got.String(), before)
					<-p.Done()
				})
			})
		}
	}
}

// A stop that only the child was told of does not starve the shard for good.
func TestStopThatTheDaemonIgnores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		fill(&s, 3, 1)
		d := start(t, &s, Record(func(context.Context, processor.Record) error { return nil }))
		d.Do(s.Next(1))
		d.StopNotice()
		synctest.Wait()
		d.Do(s.Next(1))
		time.Sleep(stopPatience + time.Second)
		if err := d.Begin(s.Next(1)).Wait(); !errors.Is(err, ErrStopIgnored) {
			t.Errorf("got %v", err)
		}
		want(t, "checkpoints", sequences(&s), "1")
	})
}

// A hand-off while records are in work: shutdownRequested finishes them.
func TestShutdownRequestedInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		fill(&s, 4, 4)
		p := Record(func(ctx context.Context, r processor.Record) error { return wait(ctx, 2*time.Second) },
			WithWorkers(2), WithMaxInFlight(100, 1<<20))
		d := start(t, &s, p)
		d.Do(s.Next(4))
		synctest.Wait()
		begin := time.Now()
		d.Do(protocol.ShutdownRequested{})
		want(t, "answered after", time.Since(begin), 2*time.Second)
		want(t, "checkpoint", s.Checkpoint(), "2/0")
		d.Do(protocol.LeaseLost{})
		<-p.Done()
	})
}

func TestShardEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		fill(&s, 4, 4)
		begin := time.Now()
		d := start(t, &s, Record(func(_ context.Context, r processor.Record) error {
			if string(r.Data) == "3" && time.Since(begin) < time.Hour {
				return errBad
			}
			return nil
		}, WithWorkers(2), WithMaxInFlight(100, 1<<20)))
		d.Do(s.Next(4))
		a := d.Begin(protocol.ShardEnded{})
		time.Sleep(59 * time.Minute)
		if answered(a) {
			t.Fatal("the shard ended with a record unfinished")
		}
		if err := a.Wait(); err != nil {
			t.Fatal(err)
		}
		want(t, "checkpoint", s.Checkpoint().SequenceNumber, protocol.ShardEnd)
	})
}

// What cannot finish does not let the shard end, stop or not.
func TestShardEndWhileStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		fill(&s, 4, 4)
		p := Record(func(_ context.Context, r processor.Record) error {
			if string(r.Data) == "3" {
				return errBad
			}
			return nil
		}, WithMaxInFlight(100, 1<<20))
		d := start(t, &s, p)
		d.Do(s.Next(4))
		synctest.Wait()
		d.StopNotice()
		d.Do(protocol.ShardEnded{}) // answered, so that the daemon can stop
		want(t, "checkpoint", s.Checkpoint(), "3/0")
		<-p.Done()
	})
}

func TestShardEndNeedsItsCheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		p := Record(func(context.Context, processor.Record) error { return nil })
		d := s.Start(t, p, processor.WithCheckpointRetries(0))
		d.Do(s.Initialize())
		s.FailCheckpoint(1, "ThrottlingException")
		if err := d.Begin(protocol.ShardEnded{}).Wait(); !errors.Is(err, processor.ErrThrottled) {
			t.Errorf("got %v", err)
		}
	})
}

// A lost lease cancels the work; nothing is checkpointed after it.
func TestLeaseLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		fill(&s, 4, 1)
		var cause error
		var got seen
		var sink letters
		p := Record(func(ctx context.Context, r processor.Record) error {
			got.add(r)
			<-ctx.Done()
			cause = context.Cause(ctx)
			time.Sleep(time.Second)
			return cause
		}, WithMaxInFlight(100, 1<<20), WithAttempts(1), WithDeadLetter(&sink))
		d := start(t, &s, p)
		d.Do(s.Next(4))
		synctest.Wait()
		d.Do(protocol.LeaseLost{})
		select {
		case <-p.Done():
		default:
			t.Error("LeaseLost was answered before the handler had returned")
		}
		if !errors.Is(cause, processor.ErrLeaseLost) {
			t.Errorf("cancelled by %v", cause)
		}
		want(t, "records", got.String(), "0")
		want(t, "dead letters", sink.data(), "")
		want(t, "checkpoints", sequences(&s), "")
	})
}

// A handler that returns because the lease has ended has not failed, also when
// the owner hears of it before it hears of the end.
func TestLeaseLostIsNoFailure(t *testing.T) {
	for range 20 { // of what waits for the owner it takes one by chance
		synctest.Test(t, func(t *testing.T) {
			var s processortest.Shard
			fill(&s, 5, 5)
			var sink letters
			batches, release := 0, make(chan struct{})
			p := Record(func(ctx context.Context, r processor.Record) error { <-ctx.Done(); return ctx.Err() },
				WithWorkers(4), WithMaxInFlight(100, 1<<20), WithAttempts(1), WithDeadLetter(&sink),
				WithObserver(Observer{BatchReceived: func(BatchReceived) {
					if batches++; batches == 2 {
						<-release // keeps the owner busy
					}
				}}))
			d := start(t, &s, p)
			d.Do(s.Next(4))
			d.Begin(s.Next(1))
			synctest.Wait()
			d.Close()
			close(release)
			<-p.Done()
			want(t, "dead letters", sink.data(), "")
		})
	}
}

// The daemon is gone in the middle of a batch: the handlers are cancelled.
func TestDaemonGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		fill(&s, 4, 4)
		p := Record(func(ctx context.Context, r processor.Record) error { <-ctx.Done(); return ctx.Err() }, WithWorkers(3))
		d := start(t, &s, p)
		d.Begin(s.Next(4))
		synctest.Wait()
		if err := d.Close(); !errors.Is(err, processor.ErrDaemonGone) {
			t.Errorf("Run: %v", err)
		}
		<-p.Done()
	})
}

// A Processor serves one lease.
func TestOneLease(t *testing.T) {
	var s processortest.Shard
	p := Record(func(context.Context, processor.Record) error { return nil })
	d := start(t, &s, p)
	d.Close()
	<-p.Done()
	d = s.Start(t, p)
	if err := d.Begin(s.Initialize()).Wait(); err == nil || !strings.Contains(err.Error(), "make one for each lease") {
		t.Errorf("got %v", err)
	}
}
