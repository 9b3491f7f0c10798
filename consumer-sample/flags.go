package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

const runHelp = `Usage: consumer-sample run [flags]

Reads one or more streams and writes the records of each shard to a file, one line
of JSON per record. One process handles all shards that KCL assigns to this worker.

The first start downloads Amazon's KCL, and Java if version 17 or later is not
installed. If Java ends by itself, it is started again. If a shard's file cannot be
written, only that shard is retried, from its last checkpoint.

  -p, --properties FILE   the application's properties file (default: the
                          settings of sample.properties, which reads the stream
                          kclgosample in us-east-1)
      --stream STREAM     the stream to read, by name, or by ARN if it belongs to
                          another account; repeat the flag for several streams
      --application NAME  the name of the application; workers with the same name
                          share the shards
      --region REGION     the region of the streams and tables (default: the
                          region in an ARN, else the properties' region)
      --set KEY=VALUE     any other property, as in a properties file; overrides
                          the file; may be repeated
      --dir DIR           folder for the shard files, created if missing (default
                          "data"); with several streams it has a folder for each
      --log FILE          log file, appended to (default "application.log")
      --http ADDR         serve a status page, /metrics, /healthz and /readyz at
                          HOST:PORT (default: off); without a host, at
                          127.0.0.1
      --worker-id ID      the worker's ID (default: the properties' workerId, else
                          a random one); auto: the same ID at each start, unique
                          on this host; needs --state-dir
      --state-dir DIR     a folder on a local disk with which auto claims an ID;
                          the same folder at each start
  -j, --java PATH         the java command, or a Java installation (default:
                          JAVA_HOME, else java on PATH, else a downloaded one)
  -c, --jar-path DIR      folder for downloads (default: kcl-bootstrap/maven in
                          the user's cache folder)
      --offline           download nothing; fail if a jar or Java is missing
  -h, --help              print this text

Examples:
  consumer-sample run --stream orders --application orders-to-disk --http :8080
  consumer-sample run -p sample.properties --set maxRecords=1000

Progress goes to standard error: what the worker does, and every five seconds how
many records were written. Ctrl-C, SIGTERM and SIGHUP stop gracefully, with a
checkpoint for each shard. Another signal, a second later or more, ends it at once.
Exit status: 0 stopped on request; 1 failed; 2 wrong usage.
`

// autoWorkerID is the --worker-id that claims an ID in --state-dir.
const autoWorkerID = "auto"

type runFlags struct {
	fileFlags
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
	f.fileFlags.register(set)
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

// validate returns what is wrong with the flags.
func (f *runFlags) validate(set *pflag.FlagSet) error {
	for _, s := range f.set {
		if name, _, ok := strings.Cut(s, "="); !ok || strings.TrimSpace(name) == "" {
			// The error must not quote s, which may be a secret.
			return errors.New("--set takes KEY=VALUE")
		}
	}
	for _, stream := range f.streams {
		if strings.Contains(stream, ",") {
			return fmt.Errorf("--stream %q is a list: repeat --stream for each stream", stream)
		}
		all, err := bootstrap.ParseStreams(stream)
		switch {
		case err != nil:
			return fmt.Errorf("--stream: %w", err)
		case all[0] != bootstrap.Stream{Stream: stream}:
			return fmt.Errorf("--stream %q has more than a name or an ARN: give its settings in --set streams=STREAMS", stream)
		case f.region != "" && regionOf(stream) != "" && regionOf(stream) != f.region:
			return fmt.Errorf("--region %s: %s is in %s, and all streams must be in one region; use --region %[3]s", f.region, stream, regionOf(stream))
		}
	}
	for _, name := range []string{"properties", "application", "region", "worker-id", "http"} {
		if set.Changed(name) && strings.TrimSpace(set.Lookup(name).Value.String()) == "" {
			return fmt.Errorf("--%s is empty", name)
		}
	}
	switch {
	case f.workerID == autoWorkerID && f.stateDir == "":
		return errors.New("--worker-id auto needs --state-dir, a folder on a local disk that survives a restart")
	case f.workerID != autoWorkerID && f.stateDir != "":
		return errors.New("--state-dir needs --worker-id auto")
	}
	return nil
}

// regionOf returns the region in a stream's ARN, and "" for a name.
func regionOf(stream string) string {
	if parts := strings.Split(stream, ":"); len(parts) > 3 {
		return parts[3]
	}
	return ""
}
