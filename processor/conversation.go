package processor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/protocol"
)

// conversation is the state of one conversation with the daemon. It belongs to one
// goroutine at a time, see runner, and its methods do not wait for anything but the
// writer.
type conversation struct {
	run    *runner
	reader *protocol.Reader // for the goroutine that has set reading
	writer *protocol.Writer
	log    *slog.Logger

	phase  phase
	action string // the action that is not answered, as the daemon calls it
	gone   bool   // the lease has gone: no more records, no more checkpoints

	working bool // a method has not returned
	long    bool // it has been at work for longer than watchAfter
	reading bool // a goroutine reads the next message

	held         protocol.Message // received, waits for its turn
	lease        *Lease           // nil before initialize
	checkpointer *Checkpointer
	delivered    Position // the last record given to p

	checkpoints checkpointQueue
	endMade     bool        // the end of the shard was checkpointed
	retry       *time.Timer // of the throttled checkpoint; nil before the first
	err         error       // why the phase is closed; nil for the end of the input between two actions
}

// proceed does all that can be done now: it sends what is due and takes the message that
// is held if it is its turn. When that is a method to be called, it returns the method.
func (c *conversation) proceed() (method func() error) {
	for c.phase != closed {
		err := c.send()
		if err == nil && !c.inTurn() {
			return nil
		}
		if err == nil {
			m := c.held
			c.held = nil
			method, err = c.receive(m)
		}
		if err != nil {
			c.close(err)
			return nil
		}
		if method != nil {
			c.working = true
			return method
		}
	}
	return nil
}

// wantsMessage reports whether the next message must be read now. While a method works
// that is so for the answer to a checkpoint, and once it works for long, to see the end
// of the input.
func (c *conversation) wantsMessage() bool {
	return !c.reading && c.held == nil && c.phase != closed && (!c.working || c.long || c.checkpoints.sent != nil)
}

// read takes what was read.
func (c *conversation) read(m protocol.Message, err error) {
	c.reading = false
	switch {
	case c.phase == closed:
	case err == io.EOF && !c.phase.inAction():
		c.close(nil)
	case err == io.EOF:
		c.close(fmt.Errorf("%s was not answered: %w", c.action, ErrDaemonGone))
	case err != nil:
		c.close(err)
	default:
		c.held = m
	}
}

// inTurn reports whether a message is held whose turn it is. A MultiLangDaemon never
// sends ahead; a transcript that is played does, and is to be served in order.
func (c *conversation) inTurn() bool {
	if c.held == nil {
		return false
	}
	if _, answer := c.held.(protocol.Checkpoint); answer && c.checkpoints.sent != nil {
		return true
	}
	return !c.phase.inAction()
}

// receive takes a message of the daemon whose turn it is.
func (c *conversation) receive(m protocol.Message) (method func() error, err error) {
	if answer, ok := m.(protocol.Checkpoint); ok {
		return nil, c.answered(answer)
	}
	next, err := c.phase.next(m)
	if err != nil {
		return nil, err
	}
	p := c.run.p
	switch c.phase, c.action = next, m.Action(); next {
	case initializing:
		m := m.(protocol.Initialize)
		if strings.ContainsFunc(m.ShardID, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return nil, errors.New("the daemon sent an invalid shard ID") // it would be in errors and logs
		}
		c.begin(m.ShardID)
		in := InitializeInput{Lease: c.lease, Position: m.Position}
		log := c.log
		method = func() error {
			err := p.Initialize(in.Lease.ctx, in)
			// Not before: Initialize may be what opens the log's file.
			if err == nil && c.run.child && m.Position.SequenceNumber == protocol.Latest {
				log.Warn("a shard without a checkpoint starts at the newest record: until its first checkpoint each start, also after a failure, " +
					"skips what has come before it; with initialPositionInStream = TRIM_HORIZON none does")
			}
			return err
		}
	case processing:
		m := m.(protocol.ProcessRecords)
		if c.gone {
			c.log.Warn("the lease was lost, but the daemon still sends records: not processed", "records", len(m.Records))
			return nil, nil // and answered
		}
		if n := len(m.Records); n > 0 {
			c.delivered = m.Records[n-1].Position()
		}
		in := ProcessRecordsInput{Lease: c.lease, Records: m.Records, MillisBehindLatest: m.MillisBehindLatest, Checkpointer: c.checkpointer}
		method = func() error { return p.ProcessRecords(in.Lease.ctx, in) }
	case stopping:
		if c.gone {
			return nil, nil // and answered
		}
		in := ShutdownRequestedInput{Lease: c.lease, Checkpointer: c.checkpointer}
		method = func() error { return p.ShutdownRequested(in.Lease.ctx, in) }
	case ending:
		if c.gone {
			// Records were answered for that nobody processed. KCL should not get
			// here; if it does, the end must not be checkpointed over them.
			return nil, fmt.Errorf("the daemon sent %s after the lease was lost: %w", c.action, ErrLeaseLost)
		}
		in := ShardEndedInput{Lease: c.lease, Checkpointer: c.checkpointer}
		method = func() error { return p.ShardEnded(in.Lease.ctx, in) }
	case lost:
		c.leaseGone(ErrLeaseLost)
		ctx, in := c.run.ctx, LeaseLostInput{Lease: c.lease}
		method = func() error { return p.LeaseLost(ctx, in) }
	}
	c.log.Debug("action", "action", c.action)
	return method, nil
}

func (c *conversation) begin(shardID string) {
	host := c.run.Host
	key := cmp.Or(host.LeaseKey, shardID)
	if stream, _ := SplitLeaseKey(key); stream != "" {
		c.log = c.log.With("stream", stream)
	}
	c.log = c.log.With("shardId", shardID)
	c.lease = &Lease{shardID: shardID, stream: host.Stream, key: key, stopping: host.Stopping, run: c.run}
	c.lease.ctx, c.lease.cancel = context.WithCancelCause(c.run.ctx)
	c.checkpointer = &Checkpointer{shardID: shardID, run: c.run}
}

// returned takes what a method returned.
func (c *conversation) returned(err error) {
	c.working, c.long = false, false
	switch {
	case c.phase == closed:
		c.run.returned <- struct{}{}
	case errors.Is(err, ErrLeaseLost):
		c.log.Info("the lease was lost", "action", c.action)
		c.leaseGone(err)
	case err != nil:
		c.close(fmt.Errorf("%s failed: %w", c.action, err))
	}
}

// failed takes what Lease.Fail was called with.
func (c *conversation) failed(err error) {
	switch {
	case c.phase == closed:
	case c.gone:
		c.log.Warn("work failed after the lease was lost: ignored", "error", err)
	case errors.Is(err, ErrLeaseLost):
		c.log.Info("the lease was lost")
		c.leaseGone(err)
	default:
		c.close(fmt.Errorf("work that outlived its batch failed: %w", err))
	}
}

// leaseGone ends the lease: no more records, no more checkpoints. One that the
// daemon is at is left to its answer.
func (c *conversation) leaseGone(cause error) {
	c.gone = true
	c.lease.cancel(cause)
	for _, request := range c.checkpoints.drop() {
		c.reject(request)
	}
}

func (c *conversation) reject(request *checkpointRequest) {
	request.answer <- &CheckpointError{ShardID: c.lease.shardID, Position: request.position, Attempts: request.attempts, Err: ErrLeaseLost}
}

// request takes a checkpoint that somebody asks for.
func (c *conversation) request(request *checkpointRequest) {
	if c.gone || c.phase == closed {
		c.reject(request)
		return
	}
	// "Latest" is what was delivered when it was asked for. Were it left to the
	// daemon, a request that waits for the next action would take in records
	// that nobody has finished.
	if request.latest && c.phase != ending && c.phase != over {
		if c.delivered.IsZero() {
			request.answer <- nil
			return
		}
		request.latest, request.position = false, c.delivered
	}
	c.checkpoints.add(request, c.phase.inAction() && !c.working)
}

// send sends what can be sent: the next checkpoint, or the status.
func (c *conversation) send() error {
	if !c.phase.inAction() || c.checkpoints.underWay() {
		return nil
	}
	if request := c.checkpoints.send(); request != nil {
		return c.writer.Write(protocol.Checkpoint{Position: request.position})
	}
	if c.working {
		return nil
	}
	if c.phase == ending && !c.endMade && !c.gone {
		return fmt.Errorf("%s: %w", c.action, ErrNoEndCheckpoint)
	}
	status := protocol.Status{ResponseFor: c.action}
	next, err := c.phase.next(status)
	if err != nil {
		return err
	}
	c.phase = next
	c.checkpoints.actionAnswered()
	return c.writer.Write(status)
}

// answered takes the daemon's answer to a checkpoint.
func (c *conversation) answered(answer protocol.Checkpoint) error {
	if c.checkpoints.sent == nil {
		return errors.New("the daemon answered a checkpoint that was not asked for")
	}
	request, wait := c.checkpoints.answered(answer)
	if wait > 0 {
		c.log.Debug("checkpoint throttled", "position", request.position, "attempts", request.attempts)
		c.retry = time.AfterFunc(wait, c.run.retry)
		return nil
	}
	var err error // not a *CheckpointError: nil in it would be an error
	if answer.Error == "" {
		c.log.Debug("checkpoint", "position", request.position)
		c.endMade = c.endMade || request.latest
	} else {
		err = &CheckpointError{
			ShardID:   c.lease.shardID,
			Position:  request.position,
			Exception: answer.Error,
			Attempts:  request.attempts,
			Err:       sentinel(answer.Error),
		}
		c.log.Debug("checkpoint failed", "error", err)
	}
	if told := c.run.Host.Checkpointed; told != nil {
		told(request.position, err)
	}
	request.answer <- err
	return nil
}

// close ends the conversation, with what Run is to return.
func (c *conversation) close(err error) {
	if c.phase == closed {
		return
	}
	c.phase, c.err = closed, err
	c.reader, c.held = nil, nil // a Lease that is kept must not keep them
	if c.retry != nil {
		c.retry.Stop()
	}
	close(c.run.ended)
	c.run.cancel(cmp.Or(err, ErrDaemonGone)) // between two actions nothing else ends it well
}
