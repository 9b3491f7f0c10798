package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/sirupsen/logrus"

	"github.com/seed96110120/kinesis-client-go/consumer-sample/internal/shardfile"
	"github.com/seed96110120/kinesis-client-go/processor"
)

// written counts the records that this process has written, of all shards.
var written atomic.Int64

// consumer appends the records of its shard to a file and checkpoints what is
// on disk, never before. After a crash the daemon delivers some of them again:
// the file itself says which, for it ends with the last record that was written.
type consumer struct {
	dir  string
	log  logrus.FieldLogger
	owed bool // the last checkpoint was throttled

	mu   sync.Mutex // of the file, which release closes
	file *shardfile.File
}

func (c *consumer) Initialize(ctx context.Context, in processor.InitializeInput) (err error) {
	c.log = c.log.WithFields(shardFields(in.Lease))
	c.log.WithField("position", in.Position).Info("initialize")
	if c.file, err = shardfile.Open(c.dir, in.Lease.Key()); err != nil {
		return err
	}
	c.log.WithFields(logrus.Fields{"position": in.Position, "last": c.file.Last()}).Info("shard file open")
	// A lease can end without a word, as when the daemon dies. A process of its
	// own would end then too; in one for all shards the file stays open, and
	// locked, until this closes it.
	context.AfterFunc(ctx, c.release)
	return nil
}

// shardFields names the shard in the log, and where there are several streams its own.
func shardFields(lease *processor.Lease) logrus.Fields {
	stream, shardID := processor.SplitLeaseKey(lease.Key())
	if stream == "" {
		return logrus.Fields{"shardId": shardID}
	}
	return logrus.Fields{"stream": stream, "shardId": shardID}
}

func (c *consumer) ProcessRecords(ctx context.Context, in processor.ProcessRecordsInput) error {
	if len(in.Records) == 0 && !c.owed {
		return nil
	}
	n, err := c.append(ctx, in.Records)
	if err != nil {
		return err
	}
	written.Add(int64(n))
	c.log.WithFields(logrus.Fields{
		"records": len(in.Records), "written": n, "millisBehindLatest": in.MillisBehindLatest,
	}).Info("processRecords")
	return c.checkpoint(ctx, in.Checkpointer)
}

func (c *consumer) append(ctx context.Context, records []processor.Record) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() != nil {
		return 0, context.Cause(ctx) // the file may be closed
	}
	return c.file.Append(records)
}

// checkpoint lets a throttled one pass: the next batch's covers it, be it an
// empty one.
func (c *consumer) checkpoint(ctx context.Context, checkpointer *processor.Checkpointer) error {
	err := checkpointer.Checkpoint(ctx)
	c.owed = errors.Is(err, processor.ErrThrottled)
	if c.owed {
		c.log.WithError(err).Warn("going on without this checkpoint")
		return nil
	}
	return err
}

func (c *consumer) LeaseLost(context.Context, processor.LeaseLostInput) error {
	c.log.Info("leaseLost")
	return c.close()
}

func (c *consumer) ShardEnded(ctx context.Context, in processor.ShardEndedInput) error {
	c.log.Info("shardEnded")
	// Not c.checkpoint: without this one the child shards would never start.
	if err := in.Checkpointer.Checkpoint(ctx); err != nil {
		return err
	}
	return c.close()
}

func (c *consumer) ShutdownRequested(ctx context.Context, in processor.ShutdownRequestedInput) error {
	c.log.Info("shutdownRequested")
	return c.checkpoint(ctx, in.Checkpointer)
}

// close closes the file, once.
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

func (c *consumer) release() {
	if err := c.close(); err != nil {
		c.log.WithError(err).Error("cannot close the shard file")
	}
}
