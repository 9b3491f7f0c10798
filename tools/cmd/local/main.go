// Command local runs what a KCL application needs of AWS on this machine -
// Kinesis and DynamoDB, in memory or in a folder - until Ctrl-C.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/dustin/go-humanize"
	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/kinesislocal"
)

const usage = `usage: local [flags]

Runs Kinesis (kinesislocal) and DynamoDB (Amazon's DynamoDB Local, fetched once,
needs Java 17) on this machine until Ctrl-C; in memory, or with --data in a folder
that the next run goes on with. The lines that lead AWS clients to them go to
standard output, all else to standard error.

flags:
%s
examples:
  go run ./tools/cmd/local                       # paste its export lines into another terminal
  go run ./tools/cmd/local > local.env           # there: . ./local.env
  go run ./tools/cmd/local --data local-data --seed orders=4 --seed clicks=2
  go run ./tools/cmd/local -p consumer-sample/sample.properties
`

// errUsage marks what is the caller's mistake: exit status 2.
var errUsage = errors.New("try --help")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// A second signal ends the program at once; DynamoDB Local goes with it.
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil:
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "local:", err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "local:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	var config stack.Config
	flags := pflag.NewFlagSet("local", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.SortFlags = false
	flags.IntVar(&config.KinesisPort, "kinesis-port", 0, "TCP `port` of Kinesis; 0 takes a free one")
	flags.IntVar(&config.DynamoDBPort, "dynamodb-port", 0, "TCP `port` of DynamoDB; 0 takes a free one")
	flags.StringVar(&config.DataDir, "data", "", "`folder` to keep streams, records and tables in from run to run; it is made if need be (default: in memory)")
	var sown seeds
	flags.Var(&sown, "seed", "a stream to be there from the start; repeat it for more. One that is there already stays as it is")
	maxBytes := flags.String("max-bytes", "", "`size` of the records in memory, as 512MiB or 1GB: beyond it the oldest are trimmed (default: no bound)")
	properties := flags.StringP("properties", "p", "",
		"a consumer's properties `file`: a copy that uses the local services is written beside it, and removed at the end")
	flags.StringVarP(&config.Java, "java", "j", "", "java command or `folder` of a Java installation (default: JAVA_HOME, then PATH)")
	flags.StringVarP(&config.CacheDir, "jar-path", "c", "", "`folder` for the jars (default: kcl-bootstrap's)")
	flags.StringVar(&config.Repository, "repo", "", "`URL` of the Maven repository (default: kcl-bootstrap's)")
	verbose := flags.BoolP("verbose", "v", false, "log each request to Kinesis")
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
	for name, port := range map[string]int{"kinesis-port": config.KinesisPort, "dynamodb-port": config.DynamoDBPort} {
		if port < 0 || port > 65535 {
			return fmt.Errorf("--%s %d is not a port, 0 to 65535; %w", name, port, errUsage)
		}
	}
	if flags.Changed("data") && config.DataDir == "" {
		return fmt.Errorf("--data is empty: it must name a folder; %w", errUsage)
	}
	if flags.Changed("max-bytes") {
		if config.MaxBytes, err = parseSize(*maxBytes); err != nil {
			return fmt.Errorf("--max-bytes: %w; %w", err, errUsage)
		}
	}
	level := slog.LevelWarn // what is trimmed
	if *verbose {
		level = slog.LevelDebug
	}
	config.Log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	var base []byte
	if *properties != "" {
		if base, err = os.ReadFile(*properties); err != nil {
			return fmt.Errorf("properties file: %w", err)
		}
	}

	began := time.Now()
	config.Progress = showProgress(stderr)
	s, err := stack.Start(ctx, config)
	if err != nil {
		if ctx.Err() != nil {
			return errors.New("stopped before it was ready")
		}
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	client := kinesis.NewFromConfig(s.AWSConfig())
	made, err := sown.sow(ctx, client)
	if err != nil {
		return err
	}

	fmt.Fprintf(stderr, "local: ready in %.1f s; Ctrl-C stops it\n", time.Since(began).Seconds())
	fmt.Fprintf(stderr, "  Kinesis   %s\n  DynamoDB  %s (reachable from other machines too, it cannot be told not to be)\n", s.KinesisURL(), s.DynamoDBURL())
	if config.DataDir != "" {
		fmt.Fprintf(stderr, "  %-8s  %s\n", "Data", config.DataDir)
	}
	if err := showStreams(ctx, stderr, client, sown, made); err != nil {
		return err
	}
	fmt.Fprintln(stderr)
	if *properties == "" {
		fmt.Fprintf(stderr, "The consumer's properties file needs these lines (or use --properties):\n%s\n", indent(stack.PropertiesText(s.Properties())))
	} else {
		name := localName(*properties)
		if err := os.WriteFile(name, []byte(stack.Override(string(base), s.Properties())), 0o666); err != nil {
			return fmt.Errorf("local properties: %w", err)
		}
		defer os.Remove(name)
		fmt.Fprintf(stderr, "The properties file for the local services, ready for kcl-bootstrap:\n  kcl-bootstrap -e -p %s\n\n", name)
	}
	fmt.Fprintln(stderr, "Paste these lines into the terminal that is to use the local services:")
	if _, err := io.WriteString(stdout, exportLines(s, runtime.GOOS)); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}

	select {
	case <-ctx.Done():
		fmt.Fprintln(stderr, "local: stopping")
	case <-s.Done(): // Close says why
	}
	return nil
}

// parseSize reads a number of bytes, as 512MiB or 1GB.
func parseSize(text string) (int64, error) {
	n, err := humanize.ParseBytes(text)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is not a size, as 512MiB or 1GB", text)
	case n < kinesislocal.MinMaxBytes || n > math.MaxInt64:
		return 0, fmt.Errorf("%s is not %s or more", text, humanize.IBytes(kinesislocal.MinMaxBytes))
	}
	return int64(n), nil
}

// localName returns the name of the local copy of a properties file:
// sample.properties becomes sample.local.properties.
func localName(name string) string {
	ext := filepath.Ext(name)
	return strings.TrimSuffix(name, ext) + ".local" + ext
}

func indent(lines string) string {
	return "  " + strings.ReplaceAll(strings.TrimSuffix(lines, "\n"), "\n", "\n  ") + "\n"
}

// exportLines returns the lines for the system's usual shell. Neither names
// nor values have anything in them that a shell would take apart.
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

// showProgress returns a function that shows how far the download is: on a
// terminal in one line that changes, else in one line at the start.
func showProgress(w io.Writer) func(bootstrap.Progress) {
	terminal := false
	if f, ok := w.(*os.File); ok {
		info, err := f.Stat()
		terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	var (
		begun bool
		last  time.Time
	)
	return func(p bootstrap.Progress) { // by one goroutine at a time
		end := p.Bytes == p.TotalBytes
		if begun && (!terminal || !end && time.Since(last) < 100*time.Millisecond) {
			return
		}
		begun, last = true, time.Now()
		if !terminal {
			fmt.Fprintf(w, "local: fetching DynamoDB Local: %d files, %.1f MB\n", p.TotalFiles, float64(p.TotalBytes)/1e6)
			return
		}
		fmt.Fprintf(w, "\rlocal: fetching DynamoDB Local: %d of %d files, %.1f of %.1f MB", p.Files, p.TotalFiles, float64(p.Bytes)/1e6, float64(p.TotalBytes)/1e6)
		if end {
			fmt.Fprintln(w)
		}
	}
}
