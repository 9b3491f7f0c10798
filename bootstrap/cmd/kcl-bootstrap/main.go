// Command kcl-bootstrap fetches Amazon's MultiLangDaemon, the Kinesis Client
// Library for processors in any language, and runs it. See the module's README.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

const daemon = "MultiLangDaemon " + bootstrap.DaemonVersion

func main() { os.Exit(realMain(bootstrap.DaemonLock(), bootstrap.DefaultJavaLock())) }

func realMain(lock *bootstrap.Lock, java *bootstrap.JavaLock) int {
	ctx, kill := catchSignals(context.Background())
	c := command{lock: lock, java: java, kill: kill, stdout: os.Stdout, stderr: os.Stderr}
	return c.dispatch(ctx, os.Args[1:])
}

// A command is what kcl-bootstrap is, apart from its arguments.
type command struct {
	lock   *bootstrap.Lock
	java   *bootstrap.JavaLock
	kill   <-chan struct{} // closed at the second signal
	stdout io.Writer
	stderr *os.File
}

// The exit statuses of the command itself; with --execute it may be any that
// Java ends with.
const (
	statusOK     = 0
	statusFailed = 1
	statusUsage  = 2
)

// subcommands are what is not an option of running the daemon; each has a file
// of its own. Without one of these words the flags are those of run.
var subcommands = map[string]func(c *command, ctx context.Context, args []string) int{
	"check":     (*command).check,
	"fetch":     (*command).fetch,
	"new":       (*command).new,
	"classpath": (*command).classpath,
	"version":   (*command).version,
}

// dispatch is the whole command. ctx ends at the first signal.
func (c *command) dispatch(ctx context.Context, args []string) int {
	if len(args) > 0 {
		if sub, ok := subcommands[args[0]]; ok {
			return sub(c, ctx, args[1:])
		}
	}
	return c.run(ctx, args)
}

// parse reads the arguments of a command line that has flags only, and whose
// help is given. It returns false, with the exit status, when that was all: help
// was asked for, or the usage is wrong.
func (c *command) parse(set *pflag.FlagSet, help string, args []string) (status int, ok bool) {
	if status, ok := c.parseFlags(set, help, args); !ok {
		return status, false
	}
	if set.NArg() > 0 {
		return c.usage(set, fmt.Errorf("unexpected argument %q", set.Arg(0))), false
	}
	return statusOK, true
}

// parseFlags is parse for a command line that may have other arguments.
func (c *command) parseFlags(set *pflag.FlagSet, help string, args []string) (status int, ok bool) {
	set.SetOutput(io.Discard)
	set.SortFlags = false
	wanted := set.BoolP("help", "h", false, "print this text")
	switch err := set.Parse(args); {
	case err != nil:
		return c.usage(set, err), false
	case *wanted:
		if _, err := io.WriteString(c.stdout, help); err != nil {
			return c.failed(err), false
		}
		return statusOK, false
	}
	return statusOK, true
}

// usage says what is wrong with the arguments, and returns the status for it.
func (c *command) usage(set *pflag.FlagSet, err error) int {
	c.say("%v; try %s --help", err, set.Name())
	return statusUsage
}

// failed says what went wrong, a line for each problem, and returns the status
// for it.
func (c *command) failed(err error) int {
	for _, line := range describe(err) {
		c.say("%s", line)
	}
	return statusFailed
}

// say prints a line for people, whatever is in it.
func (c *command) say(format string, args ...any) {
	fmt.Fprintf(c.stderr, "kcl-bootstrap: %s\n", oneLine(fmt.Sprintf(format, args...)))
}

// describe returns an error as lines for the user; none for nil.
func describe(err error) []string {
	var config *bootstrap.ConfigError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errStopped):
		return []string{"stopped before the daemon was started"}
	case errors.As(err, &config):
		lines := make([]string, len(config.Findings))
		for i, finding := range config.Findings {
			lines[i] = finding.String()
		}
		return lines
	default:
		return []string{err.Error()}
	}
}
