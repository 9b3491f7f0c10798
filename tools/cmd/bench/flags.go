package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/tools/internal/measure"
)

// A flagSet has the flags that every bench has: how many rounds, and where the
// figures go besides. Each bench adds its own.
type flagSet struct {
	*pflag.FlagSet
	help       string // with %s for the flags
	rounds     int
	mostRounds int
	json       string
}

func newFlags(name, help string, rounds, mostRounds int) *flagSet {
	f := &flagSet{FlagSet: pflag.NewFlagSet(name, pflag.ContinueOnError), help: help, mostRounds: mostRounds}
	f.SetOutput(io.Discard)
	f.SortFlags = false
	f.IntVarP(&f.rounds, "rounds", "n", rounds, fmt.Sprintf("`number` of rounds, 1 to %d", mostRounds))
	f.StringVar(&f.json, "json", "", "write the figures of every round to `FILE` too")
	return f
}

// parse reads the arguments. It returns true when help was asked for, and
// written.
func (f *flagSet) parse(args []string, stdout io.Writer) (helped bool, err error) {
	switch err := f.Parse(args); {
	case errors.Is(err, pflag.ErrHelp):
		_, err := fmt.Fprintf(stdout, f.help, f.FlagUsages())
		return true, err
	case err != nil:
		return false, usageError{err}
	case f.NArg() > 0:
		return false, usageError{fmt.Errorf("unexpected argument %q", f.Arg(0))}
	}
	return false, within("rounds", f.rounds, 1, f.mostRounds)
}

// within returns a usageError for a number that is not in its range.
func within(name string, n, least, most int) error {
	if n < least || n > most {
		return usageError{fmt.Errorf("--%s %d is not between %d and %d", name, n, least, most)}
	}
	return nil
}

// write writes the report: Markdown to stdout, and JSON to the file that was
// asked for.
func (f *flagSet) write(r *measure.Report, stdout io.Writer) error {
	if f.json != "" {
		file, err := os.Create(f.json)
		if err != nil {
			return err
		}
		if err := errors.Join(r.WriteJSON(file), file.Close()); err != nil {
			return err
		}
	}
	return r.WriteMarkdown(stdout)
}
