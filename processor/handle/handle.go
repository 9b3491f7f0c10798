package handle

import (
	"context"
	"fmt"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// Record returns a processor that calls h for each record. A nil opts means the
// defaults.
//
// The record is finished when h returns nil. An error or a panic is a failure of
// this record: it is tried again and, at one of the limits in opts, given to
// Options.DeadLetters.
//
// By default h gets the records in the shard's order, one at a time. With an
// Options.Concurrency of more than 1 it is called concurrently; the records of
// one partition key still arrive in order, one at a time.
//
// The context derives from [processor.Lease.Context]; [ShardID], [Stream] and
// [ID] read from it. It is cancelled when the lease is lost, at a timeout of
// opts, and near the end of Options.StopGrace. A record counts as finished even
// then if h returns nil.
//
// A handler may keep r, but that keeps the memory of r's whole batch, which
// Options.MaxInFlightBytes then no longer counts: see Clone of [processor.Record].
func Record(h func(ctx context.Context, r processor.Record) error, opts *Options) *Processor {
	return newProcessor(newSettings(h, nil, opts))
}

// Batch returns a processor that calls h for several records at a time, in the
// shard's order. A nil opts means the defaults. The slice is never empty and
// belongs to h.
//
// By default a call gets all waiting records of the shard, whatever their keys.
// With an Options.Concurrency of more than 1 it gets the waiting records of one
// partition key; a key has one call at a time. Options.BatchSize limits both.
//
// All records are finished when h returns nil. When h returns [Failures], the
// named records have failed and the others, perhaps all, are finished. After any
// other error, or a panic, the records are halved, and the first half is tried
// before the second, down to the record that fails alone; h then gets records
// again that it has already handled. The record that fails alone is treated like
// one of [Record].
func Batch(h func(ctx context.Context, records []processor.Record) error, opts *Options) *Processor {
	return newProcessor(newSettings(nil, h, opts))
}

// Processor is the [processor.RecordProcessor] that [Record] and [Batch] return,
// for [processor.Main], [processor.Run] and package worker. It serves one lease:
// make another for the next. Its methods, except Done, are for [processor.Run] to
// call.
type Processor struct {
	settings settings
	loop     *leaseLoop
	done     chan struct{}
}

var _ interface {
	processor.AsyncProcessor
	Observable
} = (*Processor)(nil)

func newProcessor(s settings) *Processor {
	return &Processor{settings: s, done: make(chan struct{})}
}

// Done returns a channel that is closed when the lease has ended and every
// handler has returned: nothing of this Processor runs after that. Do not start
// another processor for the shard before the channel is closed. It stays open if
// Initialize is never called. Done may be called from any goroutine.
func (p *Processor) Done() <-chan struct{} { return p.done }

// Observe adds an observer to Options.Observer. It must be called before
// Initialize, and not concurrently.
func (p *Processor) Observe(o Observer) {
	p.settings.Observer = p.settings.Observer.and(o)
}

// Initialize checks the options and starts the work. Its error lists all options
// that are wrong.
func (p *Processor) Initialize(_ context.Context, in processor.InitializeInput) error {
	if p.loop != nil {
		return fmt.Errorf("handle: this processor has already served %s: make a new one for each lease", p.loop.shard.Key)
	}
	if err := p.settings.validate(); err != nil {
		close(p.done)
		return err
	}
	shard := Shard{ShardID: in.Lease.ShardID(), Stream: in.Lease.Stream(), Key: in.Lease.Key()}
	p.loop = newLeaseLoop(p.settings, shard, in.Lease.Context(), in.Lease.Stopping(), in.Lease.Fail, p.done)
	go p.loop.run()
	return nil
}

// ProcessRecords returns when the batch is finished and a checkpoint that is due was
// made or, with Options.MaxInFlightRecords, when there is room for the next batch. A
// checkpoint that the lease table throttles is left to the next one.
func (p *Processor) ProcessRecords(_ context.Context, in processor.ProcessRecordsInput) error {
	return p.loop.do(action{kind: deliver, records: in.Records, lag: in.MillisBehindLatest, checkpointer: in.Checkpointer})
}

// ShutdownRequested stops the work and checkpoints, within Options.StopGrace.
func (p *Processor) ShutdownRequested(_ context.Context, in processor.ShutdownRequestedInput) error {
	return p.loop.do(action{kind: stop, checkpointer: in.Checkpointer})
}

// ShardEnded finishes all records, then checkpoints the end of the shard.
func (p *Processor) ShardEnded(_ context.Context, in processor.ShardEndedInput) error {
	return p.loop.do(action{kind: end, checkpointer: in.Checkpointer})
}

// LeaseLost waits until the handlers, whose context is cancelled, have returned,
// or for Options.StopGrace.
func (p *Processor) LeaseLost(context.Context, processor.LeaseLostInput) error {
	p.loop.waitEnd()
	return nil
}
