package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/sirupsen/logrus"

	"github.com/seed96110120/kinesis-client-go/consumer-sample/internal/shardfile"
	"github.com/seed96110120/kinesis-client-go/processor"
)

// consumer appends the records of its shard to a file and checkpoints what is
// on disk, never before. After a crash the daemon delivers some of them again:
// the file itself says which, for it ends with the last record that was written.
type consumer struct {
	dir, logFile string
	log          *logrus.Logger
	file         *shardfile.File
	owed         bool // the last checkpoint was throttled
}

func (c *consumer) Initialize(_ context.Context, in processor.InitializeInput) (err error) {
	// Standard output is the protocol's, and the daemon reports standard error
	// as its own errors: the log goes to a file, which the processors of all
	// shards append to.
	f, err := os.OpenFile(c.logFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("cannot open the log, name another with --log: %w", err)
	}
	c.log.SetOutput(f)
	c.log.AddHook(shardField(in.Lease.ShardID()))
	c.log.WithField("position", in.Position).Info("initialize")
	if c.file, err = shardfile.Open(c.dir, in.Lease.ShardID()); err != nil {
		return err
	}
	c.log.WithFields(logrus.Fields{"position": in.Position, "last": c.file.Last()}).Info("shard file open")
	return nil
}

func (c *consumer) ProcessRecords(ctx context.Context, in processor.ProcessRecordsInput) error {
	if len(in.Records) == 0 && !c.owed {
		return nil
	}
	written, err := c.file.Append(in.Records)
	if err != nil {
		return err
	}
	c.log.WithFields(logrus.Fields{
		"records": len(in.Records), "written": written, "millisBehindLatest": in.MillisBehindLatest,
	}).Info("processRecords")
	return c.checkpoint(ctx, in.Checkpointer)
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
	return c.file.Close()
}

func (c *consumer) ShardEnded(ctx context.Context, in processor.ShardEndedInput) error {
	c.log.Info("shardEnded")
	// Not c.checkpoint: without this one the child shards would never start.
	if err := in.Checkpointer.Checkpoint(ctx); err != nil {
		return err
	}
	return c.file.Close()
}

func (c *consumer) ShutdownRequested(ctx context.Context, in processor.ShutdownRequestedInput) error {
	c.log.Info("shutdownRequested")
	return c.checkpoint(ctx, in.Checkpointer)
}

// shardField adds the shard to every line of the log.
type shardField string

func (shardField) Levels() []logrus.Level { return logrus.AllLevels }

func (s shardField) Fire(e *logrus.Entry) error {
	e.Data["shardId"] = string(s)
	return nil
}
