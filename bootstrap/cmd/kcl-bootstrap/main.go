// Command kcl-bootstrap fetches Amazon's MultiLangDaemon, the Kinesis Client Library
// (KCL) for record processors in any language, and runs it:
//
//	kcl-bootstrap --properties sample.properties --execute
//
// The README of the module describes it.
//
// With --execute each shard has a child process.
//
// # Guarantees
//
//   - Each child gets what Java writes, and Java gets the child's messages, byte for byte
//     and of any length.
//   - What else a child prints is shown and does no harm.
//   - A child that fails in any way is replaced alone, after it and all processes of its
//     group have gone, and ever more slowly.
//   - A shard has one child at a time.
//   - A stop lets each child end its conversation, whatever signals reach the terminal's
//     process group.
//   - A stop leaves no process of a child.
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

// A command is kcl-bootstrap without its arguments.
type command struct {
	lock   *bootstrap.Lock
	java   *bootstrap.JavaLock
	kill   <-chan struct{} // closed at the second signal
	stdout io.Writer
	stderr *os.File
}

// The exit statuses of the command itself; with --execute also any of Java's.
const (
	statusOK     = 0
	statusFailed = 1
	statusUsage  = 2
)

// subcommands are all subcommands; each has its own file. Without one of them the flags are
// those of run.
var subcommands = map[string]func(c *command, ctx context.Context, args []string) int{
	"check":     (*command).check,
	"fetch":     (*command).fetch,
	"new":       (*command).new,
	"classpath": (*command).classpath,
	"version":   (*command).version,
}

// dispatch runs the command. ctx ends at the first signal.
func (c *command) dispatch(ctx context.Context, args []string) int {
	if len(args) > 0 {
		if sub, ok := subcommands[args[0]]; ok {
			return sub(c, ctx, args[1:])
		}
	}
	return c.run(ctx, args)
}

// parse parses the arguments of a command line with flags only. It returns false and the exit
// status if there is nothing more to do: help was asked for, or the usage is wrong.
func (c *command) parse(set *pflag.FlagSet, help string, args []string) (status int, ok bool) {
	if status, ok := c.parseFlags(set, help, args); !ok {
		return status, false
	}
	if set.NArg() > 0 {
		kind := "argument"
		if set.Name() == "kcl-bootstrap" && args[0] == set.Arg(0) {
			kind = "subcommand"
		}
		return c.usage(set, fmt.Errorf("unexpected %s %q", kind, set.Arg(0))), false
	}
	return statusOK, true
}

// parseFlags is parse for a command line with other arguments too.
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

// usage prints what is wrong with the arguments, and returns the exit status for that.
func (c *command) usage(set *pflag.FlagSet, err error) int {
	c.say("%v; try %s --help", err, set.Name())
	return statusUsage
}

// failed prints what went wrong, a line for each problem, and returns the exit status for
// that.
func (c *command) failed(err error) int {
	for _, line := range describe(err) {
		c.say("%s", line)
	}
	return statusFailed
}

// say prints one line to standard error, whatever it contains.
func (c *command) say(format string, args ...any) {
	fmt.Fprintf(c.stderr, "kcl-bootstrap: %s\n", oneLine(fmt.Sprintf(format, args...)))
}

// describe returns an error as lines for the user, none for nil.
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
