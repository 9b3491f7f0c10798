package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/sirupsen/logrus"
	logrusslog "github.com/sirupsen/logrus/hooks/slog"

	"github.com/seed96110120/kinesis-client-go/processor"
)

const usage = `consumer-sample writes the records of each shard to a file, one line of JSON each.

The MultiLangDaemon starts it, once for each shard: name it in a properties
file and run the daemon.

  executableName = consumer-sample --dir data
  $ kcl-bootstrap -e -p sample.properties

Flags (the daemon splits executableName at spaces: no spaces in values):
  --dir DIR    folder of the shard files, made when missing (default "data")
  --log FILE   log file, appended to (default "application.log")
  -h, --help   print this
`

func main() {
	flags := flag.NewFlagSet("consumer-sample", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	dir := flags.String("dir", "data", "")
	logFile := flags.String("log", "application.log", "")
	err := flags.Parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		fmt.Print(usage)
		return
	}
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("no argument is taken, there is %q", flags.Arg(0))
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "consumer-sample: %v; see consumer-sample --help\n", err)
		os.Exit(2)
	}

	log := logrus.New()
	log.SetFormatter(&logrus.TextFormatter{DisableColors: true, FullTimestamp: true})
	processor.Main(&consumer{dir: *dir, logFile: *logFile, log: log},
		processor.WithLogger(slog.New(logrusslog.NewHandler(log, nil))))
}
