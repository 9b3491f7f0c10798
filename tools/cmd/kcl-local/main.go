// Command kcl-local runs the AWS services that a KCL application needs, Kinesis
// and DynamoDB, on this machine and in memory, until Ctrl-C.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
)

const usage = `Usage: go run ./tools/cmd/kcl-local [flags]

Runs Kinesis and DynamoDB (tools/localaws) in memory until Ctrl-C, on 127.0.0.1,
which only this machine can reach. Standard output gets the lines that make AWS
clients use them; everything else goes to standard error. A client whose access key
is 12 digits belongs to the account with that ID.

Flags:
%s
Examples:
  go run ./tools/cmd/kcl-local                   # paste the unset and export lines into another terminal
  go run ./tools/cmd/kcl-local > local.env       # in another terminal: . ./local.env
  go run ./tools/cmd/kcl-local -p consumer-sample/sample.properties

Exit status: 0 stopped, 1 failed, 2 wrong usage.
`

// errUsage marks wrong usage: exit status 2.
var errUsage = errors.New("try --help")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// A second signal kills the program.
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "kcl-local:", err)
	if errors.Is(err, errUsage) {
		os.Exit(2)
	}
	os.Exit(1)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	var opts stack.Options
	flags := pflag.NewFlagSet("kcl-local", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.SortFlags = false
	flags.IntVar(&opts.KinesisPort, "kinesis-port", 0, "TCP `port` of Kinesis (default: a free port)")
	flags.IntVar(&opts.DynamoDBPort, "dynamodb-port", 0, "TCP `port` of DynamoDB (default: a free port)")
	properties := flags.StringP("properties", "p", "",
		"a consumer's properties `file`, FILE.properties; kcl-local writes FILE.local.properties, a copy in the same folder that uses the local services, replaces a file of that name, and removes it at the end")
	verbose := flags.BoolP("verbose", "v", false, "log each request")
	help := flags.BoolP("help", "h", false, "print this text")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("%w; %w", err, errUsage)
	}
	if *help {
		_, err := fmt.Fprintf(stdout, usage, flags.FlagUsages())
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; %w", flags.Arg(0), errUsage)
	}
	for name, port := range map[string]int{"kinesis-port": opts.KinesisPort, "dynamodb-port": opts.DynamoDBPort} {
		if port < 0 || port > 65535 {
			return fmt.Errorf("--%s %d is out of range, 0 to 65535; %w", name, port, errUsage)
		}
	}
	if *verbose {
		opts.Logger = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	var base []byte
	if *properties != "" {
		if base, err = os.ReadFile(*properties); err != nil {
			return fmt.Errorf("read properties file: %w", err)
		}
	}

	s, err := stack.Start(&opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()

	fmt.Fprintln(stderr, "kcl-local: ready; Ctrl-C stops it")
	fmt.Fprintf(stderr, "  Kinesis   %s\n  DynamoDB  %s\n\n", s.KinesisURL, s.DynamoDBURL)
	if *properties == "" {
		fmt.Fprintf(stderr, "Add these lines to the consumer's properties file (or use --properties):\n%s\n", stack.PropertiesText(s.Properties()))
	} else {
		name := localName(*properties)
		if err := os.WriteFile(name, []byte(stack.Override(string(base), s.Properties())), 0o666); err != nil {
			return fmt.Errorf("write local properties file: %w", err)
		}
		defer os.Remove(name)
		fmt.Fprintf(stderr, "A properties file that uses the local services, for kcl-bootstrap:\n  kcl-bootstrap -e -p %s\n\n", name)
	}
	fmt.Fprintln(stderr, "Paste these lines into a terminal to use the local services there:")
	if _, err := io.WriteString(stdout, exportLines(s, runtime.GOOS)); err != nil {
		return fmt.Errorf("write to standard output: %w", err)
	}

	<-ctx.Done()
	fmt.Fprintln(stderr, "kcl-local: stopping")
	return nil
}

// localName returns the name of the local copy of a properties file, such as
// sample.local.properties for sample.properties.
func localName(name string) string {
	ext := filepath.Ext(name)
	return strings.TrimSuffix(name, ext) + ".local" + ext
}

// exportLines returns the lines that set the environment in the system's usual
// shell. Names and values need no quoting.
func exportLines(s *stack.Stack, goos string) string {
	set, unset := "export %s=%s\n", "unset "+strings.Join(stack.Unset(), " ")+"\n"
	if goos == "windows" { // PowerShell
		set, unset = "$env:%s = \"%s\"\n", ""
		for _, name := range stack.Unset() {
			unset += "$env:" + name + " = $null\n"
		}
	}
	var b strings.Builder
	b.WriteString(unset)
	for _, v := range s.Env() {
		fmt.Fprintf(&b, set, v.Name, v.Value)
	}
	return b.String()
}
