package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"

	"github.com/sirupsen/logrus"
	logrusslog "github.com/sirupsen/logrus/hooks/slog"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// child is the consumer in its own process, which the daemon starts for one shard.
type child struct {
	consumer
	logger  *logrus.Logger
	logFile string
}

// runChild processes the shard that the daemon assigns. It does not return.
func runChild(f fileFlags) {
	logger := newLogger()
	processor.MainWithOptions(&child{consumer: consumer{dir: f.dir, log: logger}, logger: logger, logFile: f.log},
		&processor.Options{Logger: slog.New(logrusslog.NewHandler(logger, nil))})
}

func (c *child) Initialize(ctx context.Context, in processor.InitializeInput) error {
	// Standard output belongs to the protocol, and the daemon logs standard error as
	// its own errors. So the log goes to a file, which all child processes append to.
	f, err := openLog(c.logFile)
	if err != nil {
		return err
	}
	c.logger.SetOutput(f)
	c.logger.AddHook(shardHook(shardFields(in.Lease))) // for what package processor logs
	return c.consumer.Initialize(ctx, in)
}

// shardHook adds the fields of the shard to every line of the log.
type shardHook logrus.Fields

func (shardHook) Levels() []logrus.Level { return logrus.AllLevels }

func (h shardHook) Fire(e *logrus.Entry) error {
	maps.Copy(e.Data, logrus.Fields(h))
	return nil
}

// newLogger returns a logger in the format of application.log. It writes to standard
// error until its output is set.
func newLogger() *logrus.Logger {
	logger := logrus.New()
	logger.SetFormatter(&logrus.TextFormatter{DisableColors: true, FullTimestamp: true})
	return logger
}

func openLog(name string) (io.WriteCloser, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("cannot open the log, name another with --log: %w", err)
	}
	return f, nil
}
