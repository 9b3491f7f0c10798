package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"strings"
	"sync"

	logrusslog "github.com/sirupsen/logrus/hooks/slog"
	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/worker"
	"github.com/seed96110120/kinesis-client-go/processor/worker/monitor"
)

const runHelp = `Usage: consumer-sample run [flags]

Reads streams and writes the records of each shard to a file, one line of JSON
each. All shards that this worker takes are served in this process. It fetches
Amazon's KCL and the jars it needs once, checks the configuration and runs it in
Java, 17 or later, which is fetched where there is none, and started again when it
ends by itself. A shard that cannot be written is tried again alone, from its last
checkpoint.

  -p, --properties FILE   the application's properties file (default: the
                          sample's own, stream kclgosample in us-east-1)
      --stream STREAM     the stream to read: its name, or its ARN for one of
                          another account; may be repeated, for several
      --application NAME  the application, whose workers share the streams
      --region REGION     the region of the streams and of the tables (default:
                          that of an ARN, else the properties')
      --set KEY=VALUE     any other property in the place of the file's; may be
                          repeated
      --dir DIR           folder of the shard files, made when missing (default
                          "data"); with several streams each has a folder in it
      --log FILE          log file, appended to (default "application.log")
      --http ADDR         serve a status page, /metrics, /healthz and /readyz at
                          HOST:PORT; without a host, at 127.0.0.1
      --worker-id ID      the worker's ID; auto: one that is this host's, needs
                          --state-dir
      --state-dir DIR     a folder on a local disk for the locks of auto
  -j, --java PATH         the java command, or a Java installation (default: that
                          of JAVA_HOME, else java in PATH, else a fetched one)
  -c, --jar-path DIR      where the jars are kept (default: the folder
                          kcl-bootstrap/maven in the user's cache folder)
      --offline           fail where a jar, or Java, is missing; fetch nothing
  -h, --help              print this text

Examples:
  consumer-sample run --stream orders --application orders-to-disk --http :8080
  consumer-sample run -p sample.properties --set maxRecords=1000

Standard error tells what it does, and every five seconds how many records were
written. Ctrl-C, SIGTERM and SIGHUP stop gracefully: every shard makes its
checkpoint; another one, a second later or more, ends it at once. Exit status: 0
stopped as asked; 1 failed; 2 wrong usage.
`

// sampleProperties is what holds without --properties.
//
//go:embed sample.properties
var sampleProperties string

// auto is the --worker-id that is claimed in --state-dir.
const auto = "auto"

type runFlags struct {
	files
	properties          string
	streams             []string // names or ARNs
	application, region string
	set                 []string // KEY=VALUE
	http                string
	workerID, stateDir  string
	java, jarPath       string
	offline             bool
}

func (f *runFlags) register(set *pflag.FlagSet) {
	f.files.register(set)
	set.StringVarP(&f.properties, "properties", "p", "", "")
	set.StringArrayVar(&f.streams, "stream", nil, "")
	set.StringVar(&f.application, "application", "", "")
	set.StringVar(&f.region, "region", "", "")
	set.StringArrayVar(&f.set, "set", nil, "")
	set.StringVar(&f.http, "http", "", "")
	set.StringVar(&f.workerID, "worker-id", "", "")
	set.StringVar(&f.stateDir, "state-dir", "", "")
	set.StringVarP(&f.java, "java", "j", "", "")
	set.StringVarP(&f.jarPath, "jar-path", "c", "", "")
	set.BoolVar(&f.offline, "offline", false, "")
}

// check returns what is wrong with the flags together.
func (f *runFlags) check(set *pflag.FlagSet) error {
	for _, s := range f.set {
		if name, _, ok := strings.Cut(s, "="); !ok || strings.TrimSpace(name) == "" {
			// What stands there may be a secret.
			return errors.New("--set takes KEY=VALUE")
		}
	}
	for _, stream := range f.streams {
		if strings.Contains(stream, ",") {
			return fmt.Errorf("--stream %q is a list: repeat --stream for each of several", stream)
		}
		all, err := bootstrap.ParseStreams(stream)
		switch {
		case err != nil:
			return fmt.Errorf("--stream: %w", err)
		case all[0] != bootstrap.Stream{Stream: stream}:
			return fmt.Errorf("--stream %q is more than a name or an ARN: settings go behind it in --set streams=STREAMS", stream)
		case f.region != "" && region(stream) != "" && region(stream) != f.region:
			return fmt.Errorf("--region %s: %s is in %s, and so must all streams be; use --region %[3]s", f.region, stream, region(stream))
		}
	}
	for _, name := range []string{"properties", "application", "region", "worker-id", "http"} {
		if set.Changed(name) && strings.TrimSpace(set.Lookup(name).Value.String()) == "" {
			return fmt.Errorf("--%s is empty", name)
		}
	}
	switch {
	case f.workerID == auto && f.stateDir == "":
		return errors.New("--worker-id auto needs --state-dir, a folder on a local disk that is there after a restart")
	case f.workerID != auto && f.stateDir != "":
		return errors.New("--state-dir is for --worker-id auto")
	}
	return nil
}

// region returns that of a stream's ARN, "" for a name.
func region(stream string) string {
	if parts := strings.Split(stream, ":"); len(parts) > 3 {
		return parts[3]
	}
	return ""
}

// config is the worker's configuration.
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
		if in := region(stream); in != "" && f.properties == "" && c.Region == "" {
			c.Region = in // not the sample's own
		}
	}
	if f.workerID != auto {
		c.Leases.WorkerID = f.workerID
	}
	if f.properties == "" {
		maps.Copy(c.Properties, sampleSettings())
		if os.Getenv("AWS_ENDPOINT_URL_KINESIS") != "" {
			// A local stack has no CloudWatch: the worker's default fits there.
			delete(c.Properties, "metricsLevel")
		}
	}
	set := make(map[string]string)
	for _, s := range f.set {
		name, value, _ := strings.Cut(s, "=")
		set[strings.TrimSpace(name)] = strings.TrimLeft(value, " \t")
	}
	if set["streams"] != "" || set["streamArn"] != "" {
		delete(c.Properties, "streamName") // the sample's own
	}
	if set["regionName"] != "" {
		c.Region = f.region
	}
	maps.Copy(c.Properties, set)
	return c
}

// sampleSettings reads the sample's own properties, which use little of what
// the format has. The command in them is not used here.
func sampleSettings() map[string]string {
	all := make(map[string]string)
	for line := range strings.Lines(sampleProperties) {
		if name, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			all[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	delete(all, "executableName")
	return all
}

// run is the subcommand: a worker for all shards.
func run(args []string) (status int) {
	var f runFlags
	set := newFlagSet("consumer-sample run")
	f.register(set)
	if status, ok := parse(set, runHelp, args); !ok {
		return status
	}
	if err := f.check(set); err != nil {
		return usage(set, err)
	}
	ctx, kill := catchSignals()
	if err := f.run(ctx, kill); err != nil {
		for _, line := range describe(err) {
			say("%s", line)
		}
		return statusFailed
	}
	return 0
}

var errKilled = errors.New("ended at once, before every shard had its checkpoint; records behind the last ones come again")

// run works until ctx ends, or at once until kill is closed: Java then ends by
// itself when this process has ended.
func (f *runFlags) run(ctx context.Context, kill <-chan struct{}) error {
	logFile, err := openLog(f.log)
	if err != nil {
		return err
	}
	defer logFile.Close()
	logger := newLogger()
	logger.SetOutput(logFile)

	c := f.config()
	c.Logger = slog.New(console{Handler: logrusslog.NewHandler(logger, nil)})
	c.Java.Fetch.Progress = tellDownload()
	var first sync.Once // until a shard comes nothing is made
	w := worker.New(c, func(worker.ShardInfo) (processor.RecordProcessor, error) {
		first.Do(func() { say("the shard files are in %s", f.dir) })
		return &consumer{dir: f.dir, log: logger}, nil
	})

	say("the log is %s", f.log)
	go tellRecords(ctx, w.Status)
	quiet := context.AfterFunc(ctx, func() { say("asked to stop; another signal after a second ends it at once") })
	defer quiet()
	ended := make(chan error, 1)
	go func() { ended <- monitor.Run(ctx, w, f.http) }()
	select {
	case err = <-ended:
	case <-kill:
		err = errKilled
	}
	if err == nil {
		say("stopped as asked, %d records written", written.Load())
	}
	return err
}
