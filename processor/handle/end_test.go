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

// SIGTERM, with calls in progress and records in retry.
//
// Guarantee: After SIGTERM or shutdownRequested no attempt begins. Within
// Options.StopGrace the watermark is checkpointed and the daemon gets its
// answer.
func TestStopNotice(t *testing.T) {
	const grace = 8 * time.Second
	for _, test := range []struct {
		name string
		work func(ctx context.Context) error // for the second record
		want time.Duration                   // until the answer
		last string                          // checkpoint
	}{
		{"retry", func(context.Context) error { return errBad }, 0, "1"},
		{"finishes", func(context.Context) error { time.Sleep(14 * time.Second); return nil }, 4 * time.Second, "2"},
		{"fails", func(context.Context) error { time.Sleep(14 * time.Second); return errBad }, 4 * time.Second, "1"},
		{"returns when cancelled", func(ctx context.Context) error { return wait(ctx, time.Hour) }, 6 * time.Second, "1"},
		{"finishes although cancelled", func(ctx context.Context) error { wait(ctx, time.Hour); return nil }, 6 * time.Second, "2"},
		{"ignores its context", func(context.Context) error { time.Sleep(time.Hour); return nil }, grace, "1"},
	} {
		for _, mode := range []struct {
			name    string
			options Options
		}{{"strict", Options{}}, {"parallel", Options{Concurrency: 3}}, {"overlap", Options{MaxInFlightRecords: 1000, MaxInFlightBytes: 1 << 20}}} {
			t.Run(test.name+"/"+mode.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var s processortest.Shard
					fill(&s, 6, 1)
					var got seen
					opts := mode.options
					opts.StopGrace, opts.MinBackoff, opts.MaxBackoff = grace, time.Hour, time.Hour
					p := Record(func(ctx context.Context, r processor.Record) error {
						got.add(r)
						if string(r.Data) == "1" {
							return test.work(ctx)
						}
						return nil
					}, &opts)
					d := start(t, &s, p)
					a := d.Begin(s.Next(4))
					time.Sleep(10 * time.Second)
					if mode.name != "overlap" && answered(a) {
						t.Fatal("answered before the stop")
					}
					begin := time.Now()
					d.StopNotice()
					if mode.name == "overlap" {
						d.Do(protocol.ShutdownRequested{})
					} else if err := a.Wait(); err != nil {
						t.Fatalf("the batch: %v", err)
					}
					want(t, "answered after", time.Since(begin), test.want)
					want(t, "checkpoint", s.Checkpoint(), test.last+"/0")
					before := got.String()
					d.Do(s.Next(2)) // the daemon has not noticed yet
					if mode.name != "overlap" {
						d.Do(protocol.ShutdownRequested{})
					}
					d.Do(protocol.LeaseLost{})
					want(t, "checkpoint", s.Checkpoint(), test.last+"/0")
					want(t, "no new attempt", got.String(), before)
					<-p.Done()
				})
			})
		}
	}
}

// A process that alone got the notice of a stop does not starve its shard.
func TestStopThatTheDaemonIgnores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		fill(&s, 3, 1)
		d := start(t, &s, Record(func(context.Context, processor.Record) error { return nil }, nil))
		d.Do(s.Next(1))
		d.StopNotice()
		synctest.Wait()
		d.Do(s.Next(1))
		time.Sleep(stopPatience + time.Second)
		if err := d.Begin(s.Next(1)).Wait(); !errors.Is(err, ErrStopIgnored) {
			t.Errorf("error %v, want %v", err, ErrStopIgnored)
		}
		want(t, "checkpoints", sequences(&s), "1")
	})
}

// A hand-off, with records in flight.
//
// Guarantee: After SIGTERM or shutdownRequested no attempt begins. Within
// Options.StopGrace the watermark is checkpointed and the daemon gets its
// answer.
func TestShutdownRequestedInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		fill(&s, 4, 4)
		p := Record(func(ctx context.Context, r processor.Record) error { return wait(ctx, 2*time.Second) },
			&Options{Concurrency: 2, MaxInFlightRecords: 100, MaxInFlightBytes: 1 << 20})
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

// Guarantee: A shard does not end before all its records are finished.
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
		}, &Options{Concurrency: 2, MaxInFlightRecords: 100, MaxInFlightBytes: 1 << 20}))
		d.Do(s.Next(4))
		a := d.Begin(protocol.ShardEnded{})
		time.Sleep(59 * time.Minute)
		if answered(a) {
			t.Fatal("the shard ended with an unfinished record")
		}
		if err := a.Wait(); err != nil {
			t.Fatalf("the end of the shard: %v", err)
		}
		want(t, "checkpoint", s.Checkpoint().SequenceNumber, protocol.ShardEnd)
	})
}

// A stop that prevents records from being finished prevents the end, too.
//
// Guarantee: A shard does not end before all its records are finished.
func TestShardEndWhileStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		fill(&s, 4, 4)
		p := Record(func(_ context.Context, r processor.Record) error {
			if string(r.Data) == "3" {
				return errBad
			}
			return nil
		}, &Options{MaxInFlightRecords: 100, MaxInFlightBytes: 1 << 20})
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
		p := Record(func(context.Context, processor.Record) error { return nil }, nil)
		d := s.Start(t, p, &processor.Options{CheckpointRetries: -1})
		d.Do(s.Initialize())
		s.FailCheckpoint(1, "ThrottlingException")
		if err := d.Begin(protocol.ShardEnded{}).Wait(); !errors.Is(err, processor.ErrThrottled) {
			t.Errorf("error %v, want %v", err, processor.ErrThrottled)
		}
	})
}

// Guarantee: When the lease is lost, the handlers' contexts are cancelled, no
// checkpoint is made, and no record counts as failed.
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
		}, &Options{MaxInFlightRecords: 100, MaxInFlightBytes: 1 << 20, MaxAttempts: 1, DeadLetters: &sink})
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
			t.Errorf("cancelled by %v, want %v", cause, processor.ErrLeaseLost)
		}
		want(t, "records", got.String(), "0")
		want(t, "dead letters", sink.data(), "")
		want(t, "checkpoints", sequences(&s), "")
	})
}

// The loop may receive the handler's return before the end of the lease.
//
// Guarantee: When the lease is lost, the handlers' contexts are cancelled, no
// checkpoint is made, and no record counts as failed.
func TestLeaseLostIsNoFailure(t *testing.T) {
	for range 20 { // of two channels that are ready the loop takes one at random
		synctest.Test(t, func(t *testing.T) {
			var s processortest.Shard
			fill(&s, 5, 5)
			var sink letters
			batches, release := 0, make(chan struct{})
			p := Record(func(ctx context.Context, r processor.Record) error { <-ctx.Done(); return ctx.Err() },
				&Options{Concurrency: 4, MaxInFlightRecords: 100, MaxInFlightBytes: 1 << 20, MaxAttempts: 1, DeadLetters: &sink, Observer: Observer{BatchReceived: func(BatchReceived) {
					if batches++; batches == 2 {
						<-release // keeps the loop busy
					}
				}}})
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

// The daemon ends during a batch: the handlers' context is cancelled.
func TestDaemonGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s processortest.Shard
		fill(&s, 4, 4)
		p := Record(func(ctx context.Context, r processor.Record) error { <-ctx.Done(); return ctx.Err() }, &Options{Concurrency: 3})
		d := start(t, &s, p)
		d.Begin(s.Next(4))
		synctest.Wait()
		if err := d.Close(); !errors.Is(err, processor.ErrDaemonGone) {
			t.Errorf("Run: error %v, want %v", err, processor.ErrDaemonGone)
		}
		<-p.Done()
	})
}

// A Processor serves one lease.
func TestOneLease(t *testing.T) {
	var s processortest.Shard
	p := Record(func(context.Context, processor.Record) error { return nil }, nil)
	d := start(t, &s, p)
	d.Close()
	<-p.Done()
	d = s.Start(t, p, nil)
	if err := d.Begin(s.Initialize()).Wait(); err == nil || !strings.Contains(err.Error(), "make a new one for each lease") {
		t.Errorf("error %v, want one that says to make a new one for each lease", err)
	}
}
