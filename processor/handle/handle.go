package handle

import (
	"context"
	"fmt"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// Record makes a processor that calls h for each record. The record is
// finished when h returns nil; an error or a panic is a failure of this record,
// which is tried again (see [WithBackoff]) and, at the limits that are set,
// given to the dead-letter sink.
//
// With one worker, the default, h is called in the shard's order, one record at
// a time. With [WithWorkers] it is called concurrently, one record of a
// partition key at a time and in order.
//
// The context is the lease's ([processor.Lease.Context]) with what the options
// add; [ShardID], [Stream] and [ID] read from it. It is cancelled when the lease is lost
// and at the end of [WithStopGrace]; what h returns after that counts only when
// it is nil.
//
// A handler may keep r, and with it the memory of r's batch, which
// [WithMaxInFlight] no longer counts then: see the Clone of [processor.Record].
func Record(h func(ctx context.Context, r processor.Record) error, opts ...Option) *Processor {
	return newProcessor(newSettings(h, nil, opts))
}

// Batch makes a processor that calls h for several records at a time, in the
// shard's order. The slice is h's own, and never empty.
//
// With one worker, the default, a batch is what waits of the shard, whatever
// its keys; with more it is what waits of one partition key, one such batch of
// a key at a time. [WithBatchSize] limits it.
//
// All records are finished when h returns nil. Where it returns [Failures]
// those named have failed, and the others, perhaps all, are finished. After any
// other error, or a panic, the batch is halved, and the first half is tried before
// the second, down to the record that fails alone: records that h had dealt with
// come again, out of a failed batch. That record is then as one of [Record].
func Batch(h func(ctx context.Context, records []processor.Record) error, opts ...Option) *Processor {
	return newProcessor(newSettings(nil, h, opts))
}

// Processor is the [processor.RecordProcessor] that [Record] and [Batch] make,
// for [processor.Main] or [processor.Run]. It serves one lease: make another
// for the next. Its methods but Done are Run's to call.
type Processor struct {
	settings settings
	owner    *owner
	done     chan struct{}
}

var _ processor.RecordProcessor = (*Processor)(nil)

func newProcessor(s settings) *Processor {
	return &Processor{settings: s, done: make(chan struct{})}
}

// Done returns a channel that is closed when the lease has ended and every
// handler has returned: from then on nothing of this Processor runs. It is for
// hosts of several leases, which must not start a shard's next processor before
// this. It stays open when Initialize is never called. It may be called from any
// goroutine.
func (p *Processor) Done() <-chan struct{} { return p.done }

// Observe has o told what happens, beside the observer of [WithObserver]: for
// hosts, which are handed a processor that is made. It must be called before
// Initialize, and not by two goroutines at once.
func (p *Processor) Observe(o Observer) {
	p.settings.observer = p.settings.observer.and(o)
}

// Initialize checks the options; its error lists all that is wrong with them.
func (p *Processor) Initialize(_ context.Context, in processor.InitializeInput) error {
	if p.owner != nil {
		return fmt.Errorf("handle: this processor has served %s: make one for each lease", p.owner.shard.Key)
	}
	if err := p.settings.validate(); err != nil {
		close(p.done)
		return err
	}
	shard := Shard{ShardID: in.Lease.ShardID(), Stream: in.Lease.Stream(), Key: in.Lease.Key()}
	p.owner = newOwner(p.settings, shard, in.Lease.Context(), in.Lease.Stopping(), in.Lease.Fail, p.done)
	go p.owner.loop()
	return nil
}

// ProcessRecords returns when the batch is finished and checkpointed, or, with
// [WithMaxInFlight], when there is room for the next.
func (p *Processor) ProcessRecords(_ context.Context, in processor.ProcessRecordsInput) error {
	return p.owner.ask(action{kind: deliver, records: in.Records, lag: in.MillisBehindLatest, checkpointer: in.Checkpointer})
}

// ShutdownRequested stops the work and checkpoints, within [WithStopGrace].
func (p *Processor) ShutdownRequested(_ context.Context, in processor.ShutdownRequestedInput) error {
	return p.owner.ask(action{kind: stop, checkpointer: in.Checkpointer})
}

// ShardEnded finishes everything, then checkpoints the end.
func (p *Processor) ShardEnded(_ context.Context, in processor.ShardEndedInput) error {
	return p.owner.ask(action{kind: end, checkpointer: in.Checkpointer})
}

// LeaseLost waits, [WithStopGrace] at most, until the handlers have returned;
// their context has been cancelled.
func (p *Processor) LeaseLost(context.Context, processor.LeaseLostInput) error {
	p.owner.awaitEnd()
	return nil
}
