//go:build unix

// Package consumer has a record processor like a user's: it appends each record of a shard
// to a file, syncs the file, and only then checkpoints. Files in the folder faults make it
// fail.
package consumer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/check"
	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/journal"
)

// checkpointRetry is the wait after a checkpoint that DynamoDB has refused.
const checkpointRetry = 200 * time.Millisecond

// New returns a record processor. dir is the host's folder.
func New(dir string) processor.RecordProcessor { return &consumer{dir: dir} }

// Fault returns the name of a file. While the file exists, the consumer of the shard
// panics, hangs or fails before its next record. A panicking consumer removes it.
func Fault(dir, kind, shard string) string { return filepath.Join(dir, "faults", kind+"-"+shard) }

// The kinds of Fault.
const (
	Panic = "panic"
	Hang  = "hang"
	Fail  = "fail"
)

// A consumer is the processor of a shard. Its time from Initialize to its end is a session.
type consumer struct {
	dir, shard, session string
	batch               int
	last                processor.Position // the newest record that was delivered

	mu   sync.Mutex // guards file, which is also closed when the lease's context ends
	file *file
}

func (c *consumer) Initialize(ctx context.Context, in processor.InitializeInput) (err error) {
	c.shard = in.Lease.ShardID()
	c.session = fmt.Sprintf("%s-%d-%d", filepath.Base(c.dir), os.Getpid(), time.Now().UnixNano())
	if c.file, err = open(filepath.Join(c.dir, "data"), c.shard); err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { c.close() })
	return c.note(check.Event{Event: check.Initialize, Seq: in.Position.SequenceNumber, Sub: in.Position.SubSequenceNumber})
}

func (c *consumer) ProcessRecords(ctx context.Context, in processor.ProcessRecordsInput) error {
	if len(in.Records) == 0 {
		return nil
	}
	c.batch++
	c.last = in.Records[len(in.Records)-1].Position()
	lines := make([]check.Record, 0, len(in.Records))
	for _, r := range in.Records {
		if err := c.injectFault(ctx, &lines); err != nil {
			return err
		}
		number, _, _ := strings.Cut(string(r.Data), " ")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return fmt.Errorf("the record at %v does not begin with a number", r.Position())
		}
		lines = append(lines, check.Record{N: n, Key: r.PartitionKey, Seq: r.SequenceNumber, Sub: r.SubSequenceNumber, Session: c.session, Batch: c.batch})
	}
	if err := c.write(ctx, lines); err != nil {
		return err
	}
	return c.checkpoint(ctx, in.Checkpointer, c.last)
}

// injectFault fails as the files in the folder faults say, after it has written lines.
func (c *consumer) injectFault(ctx context.Context, lines *[]check.Record) error {
	exists := func(kind string) bool {
		_, err := os.Stat(Fault(c.dir, kind, c.shard))
		return err == nil
	}
	panics, hangs, fails := exists(Panic), exists(Hang), exists(Fail)
	if !panics && !hangs && !fails {
		return nil
	}
	if err := c.write(ctx, *lines); err != nil {
		return err
	}
	*lines = (*lines)[:0]
	for exists(Hang) {
		if !journal.Sleep(ctx, 20*time.Millisecond) { // another process removes the file
			return context.Cause(ctx)
		}
	}
	if panics && os.Remove(Fault(c.dir, Panic, c.shard)) == nil {
		panic("injected panic")
	}
	if fails {
		return errors.New("injected failure")
	}
	return nil
}

func (c *consumer) write(ctx context.Context, lines []check.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil {
		return context.Cause(ctx)
	}
	return c.file.append(lines)
}

// checkpoint checkpoints all delivered records. It retries while the table throttles or
// fails, until the lease is lost.
func (c *consumer) checkpoint(ctx context.Context, checkpointer *processor.Checkpointer, at processor.Position) error {
	for {
		asked := time.Now().UnixMilli()
		err := checkpointer.Checkpoint(ctx)
		e := check.Event{Event: check.Checkpoint, Seq: at.SequenceNumber, Sub: at.SubSequenceNumber, Asked: asked}
		if err != nil {
			e.Event, e.Error = check.Refused, err.Error()
		}
		if noted := c.note(e); noted != nil {
			return errors.Join(err, noted)
		}
		if !errors.Is(err, processor.ErrThrottled) && !errors.Is(err, processor.ErrDependency) {
			return err
		}
		if !journal.Sleep(ctx, checkpointRetry) {
			return context.Cause(ctx)
		}
	}
}

func (c *consumer) LeaseLost(context.Context, processor.LeaseLostInput) error {
	return errors.Join(c.note(check.Event{Event: check.Lost}), c.close())
}

func (c *consumer) ShardEnded(ctx context.Context, in processor.ShardEndedInput) error {
	if err := c.note(check.Event{Event: check.Ended}); err != nil {
		return err
	}
	if err := c.checkpoint(ctx, in.Checkpointer, processor.Position{SequenceNumber: check.ShardEnd}); err != nil {
		return err
	}
	return c.close()
}

func (c *consumer) ShutdownRequested(ctx context.Context, in processor.ShutdownRequestedInput) error {
	if err := c.note(check.Event{Event: check.Requested}); err != nil || c.batch == 0 {
		return err
	}
	return c.checkpoint(ctx, in.Checkpointer, c.last)
}

func (c *consumer) note(e check.Event) error {
	e.Session, e.Shard, e.At = c.session, c.shard, time.Now().UnixMilli()
	log, err := journal.Open(filepath.Join(c.dir, "sessions.jsonl"))
	if err != nil {
		return err
	}
	return errors.Join(log.Append(e), log.Close())
}

// close closes the file. It may be called again.
func (c *consumer) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil {
		return nil
	}
	err := c.file.Close()
	c.file = nil
	return err
}
