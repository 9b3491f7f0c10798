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

// recordsWritten counts the records that this process has written, of all shards.
var recordsWritten atomic.Int64

// consumer is the record processor of one shard. It appends records to the shard's
// file and checkpoints them once they are on disk. After a crash the daemon delivers
// some records again. They are skipped, because the file ends with the last record
// that was written.
type consumer struct {
	dir string
	log logrus.FieldLogger

	checkpointDue bool // the last checkpoint was throttled

	mu   sync.Mutex // guards file, which the end of the lease closes
	file *shardfile.File
}

func (c *consumer) Initialize(ctx context.Context, in processor.InitializeInput) (err error) {
	c.log = c.log.WithFields(shardFields(in.Lease))
	c.log.WithField("position", in.Position).Info("initialize")
	if c.file, err = shardfile.Open(c.dir, in.Lease.Key()); err != nil {
		return err
	}
	c.log.WithFields(logrus.Fields{"position": in.Position, "last": c.file.Last()}).Info("shard file open")
	// When the daemon dies, no method is called any more. A process for one shard
	// exits then. A process for all shards goes on and must close the file, which is
	// locked while it is open.
	context.AfterFunc(ctx, func() {
		if err := c.closeFile(); err != nil {
			c.log.WithError(err).Error("cannot close the shard file")
		}
	})
	return nil
}

// shardFields returns the fields that name the shard in the log, and the stream if
// there are several.
func shardFields(lease *processor.Lease) logrus.Fields {
	stream, shardID := processor.SplitLeaseKey(lease.Key())
	if stream == "" {
		return logrus.Fields{"shardId": shardID}
	}
	return logrus.Fields{"stream": stream, "shardId": shardID}
}

func (c *consumer) ProcessRecords(ctx context.Context, in processor.ProcessRecordsInput) error {
	if len(in.Records) == 0 && !c.checkpointDue {
		return nil
	}
	n, err := c.append(ctx, in.Records)
	if err != nil {
		return err
	}
	recordsWritten.Add(int64(n))
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

// checkpoint does not fail when the checkpoint is throttled: the checkpoint of the
// next batch, which may be empty, covers this one.
func (c *consumer) checkpoint(ctx context.Context, checkpointer *processor.Checkpointer) error {
	err := checkpointer.Checkpoint(ctx)
	c.checkpointDue = errors.Is(err, processor.ErrThrottled)
	if c.checkpointDue {
		c.log.WithError(err).Warn("checkpoint throttled: the next batch checkpoints")
		return nil
	}
	return err
}

func (c *consumer) LeaseLost(context.Context, processor.LeaseLostInput) error {
	c.log.Info("leaseLost")
	return c.closeFile()
}

func (c *consumer) ShardEnded(ctx context.Context, in processor.ShardEndedInput) error {
	c.log.Info("shardEnded")
	// This checkpoint must not be skipped: without it KCL never starts the child shards.
	if err := in.Checkpointer.Checkpoint(ctx); err != nil {
		return err
	}
	return c.closeFile()
}

func (c *consumer) ShutdownRequested(ctx context.Context, in processor.ShutdownRequestedInput) error {
	c.log.Info("shutdownRequested")
	return c.checkpoint(ctx, in.Checkpointer)
}

// closeFile closes the file if it is open.
func (c *consumer) closeFile() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil {
		return nil
	}
	err := c.file.Close()
	c.file = nil
	return err
}
