package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/pflag"
)

const help = `Usage: consumer-sample run [flags]
       consumer-sample [--dir DIR] [--log FILE]

Writes the records of each shard to a file, one line of JSON per record.

With run, it is a program that you start. It runs Amazon's KCL and processes all
shards in this process; see consumer-sample run --help.

Without run, it is a record processor that kcl-bootstrap starts once for each
shard. Name it in a properties file:

  executableName = consumer-sample --dir data
  $ kcl-bootstrap --execute -p sample.properties

Flags (executableName is split at spaces: values must not contain spaces):
      --dir DIR   folder for the shard files, created if missing (default "data");
                  with several streams it has a folder for each stream
      --log FILE  log file, appended to (default "application.log")
  -h, --help      print this text

Exit status without run: 0 the daemon ended the conversation; 1 failed; 2 wrong
usage, or started by hand on a terminal.
`

// Exit statuses.
const (
	statusFailed = 1
	statusUsage  = 2
)

func main() {
	if args := os.Args[1:]; len(args) > 0 && args[0] == "run" {
		os.Exit(run(args[1:]))
	}
	var f fileFlags
	set := newFlagSet("consumer-sample")
	f.register(set)
	if status, ok := parse(set, help, os.Args[1:]); !ok {
		os.Exit(status)
	}
	runChild(f)
}

// fileFlags are the flags with and without run.
type fileFlags struct{ dir, log string }

func (f *fileFlags) register(set *pflag.FlagSet) {
	set.StringVar(&f.dir, "dir", "data", "")
	set.StringVar(&f.log, "log", "application.log", "")
}

func newFlagSet(name string) *pflag.FlagSet {
	set := pflag.NewFlagSet(name, pflag.ContinueOnError)
	set.SetOutput(io.Discard)
	return set
}

// parse parses the arguments. If they are wrong or ask for help, it prints the error
// or the help and returns the exit status and false.
func parse(set *pflag.FlagSet, help string, args []string) (status int, ok bool) {
	printHelp := set.BoolP("help", "h", false, "")
	err := set.Parse(args)
	switch {
	case err != nil:
	case *printHelp:
		if _, err := fmt.Print(help); err != nil {
			fmt.Fprintln(os.Stderr, "consumer-sample: cannot print the help:", err)
			return statusFailed, false
		}
		return 0, false
	case set.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", set.Arg(0))
	default:
		return 0, true
	}
	return printUsageError(set, err), false
}

func printUsageError(set *pflag.FlagSet, err error) (status int) {
	fmt.Fprintf(os.Stderr, "consumer-sample: %v; see %s --help\n", err, set.Name())
	return statusUsage
}
