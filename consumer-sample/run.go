package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"strings"
	"sync"

	logrusslog "github.com/sirupsen/logrus/hooks/slog"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/worker"
	"github.com/seed96110120/kinesis-client-go/processor/worker/monitor"
)

// run is the subcommand: it processes all shards of this worker in this process.
func run(args []string) (status int) {
	var f runFlags
	set := newFlagSet("consumer-sample run")
	f.register(set)
	if status, ok := parse(set, runHelp, args); !ok {
		return status
	}
	if err := f.validate(set); err != nil {
		return printUsageError(set, err)
	}
	ctx, kill := catchSignals()
	if err := f.runWorker(ctx, kill); err != nil {
		for _, line := range errorLines(err) {
			printLine("%s", line)
		}
		return statusFailed
	}
	return 0
}

var errKilled = errors.New("ended at once, without waiting for checkpoints; records after the last ones will be delivered again")

// runWorker runs a worker until ctx ends, or until kill is closed. In the second case
// it returns at once, and Java ends when this process has ended.
func (f *runFlags) runWorker(ctx context.Context, kill <-chan struct{}) error {
	logFile, err := openLog(f.log)
	if err != nil {
		return err
	}
	defer logFile.Close()
	logger := newLogger()
	logger.SetOutput(logFile)

	c := f.config()
	c.Logger = slog.New(console{Handler: logrusslog.NewHandler(logger, nil)})
	c.Java.Fetch.Progress = downloadPrinter()
	var once sync.Once
	w := worker.New(c, func(worker.ShardInfo) (processor.RecordProcessor, error) {
		once.Do(func() { printLine("writing shard files to %s", f.dir) })
		return &consumer{dir: f.dir, log: logger}, nil
	})

	printLine("logging to %s", f.log)
	go printProgress(ctx, w.Status)
	quiet := context.AfterFunc(ctx, func() { printLine("stopping; another signal after a second ends it at once") })
	defer quiet()
	ended := make(chan error, 1)
	go func() { ended <- monitor.Run(ctx, w, f.http) }()
	select {
	case err = <-ended:
	case <-kill:
		err = errKilled
	}
	if err == nil {
		printLine("stopped, %d records written", recordsWritten.Load())
	}
	return err
}

// defaultProperties are the properties without --properties. With the worker's own
// defaults they are the same as sample.properties.
var defaultProperties = map[string]string{
	"streamName":              "kclgosample",
	"applicationName":         "kclgosample",
	"regionName":              "us-east-1",
	"initialPositionInStream": "TRIM_HORIZON",
	"retrievalMode":           "POLLING",
	"metricsLevel":            "SUMMARY",
}

// config returns the configuration of the worker.
func (f *runFlags) config() worker.Config {
	c := worker.Config{
		PropertiesFile: f.properties,
		Application:    f.application,
		Region:         f.region,
		Properties:     map[string]string{},
		Leases:         worker.LeaseOptions{StateDir: f.stateDir},
		Java:           worker.JavaOptions{Path: f.java, Fetch: bootstrap.FetchOptions{CacheDir: f.jarPath, Offline: f.offline}},
	}
	for _, stream := range f.streams {
		c.Streams = append(c.Streams, worker.Stream{Stream: stream})
		if in := regionOf(stream); in != "" && f.properties == "" && c.Region == "" {
			c.Region = in // instead of the default's
		}
	}
	if f.workerID != autoWorkerID {
		c.Leases.WorkerID = f.workerID
	}
	if f.properties == "" {
		maps.Copy(c.Properties, defaultProperties)
		if os.Getenv("AWS_ENDPOINT_URL_KINESIS") != "" {
			// A local Kinesis comes without CloudWatch. The worker then sends no metrics.
			delete(c.Properties, "metricsLevel")
		}
	}
	set := make(map[string]string)
	for _, s := range f.set {
		name, value, _ := strings.Cut(s, "=")
		set[strings.TrimSpace(name)] = strings.TrimLeft(value, " \t")
	}
	if set["streams"] != "" || set["streamArn"] != "" {
		delete(c.Properties, "streamName") // the default's
	}
	if set["regionName"] != "" {
		c.Region = f.region
	}
	maps.Copy(c.Properties, set)
	return c
}
