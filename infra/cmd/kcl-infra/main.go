package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/sirupsen/logrus"
	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/infra/connect"
	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
	"github.com/seed96110120/kinesis-client-go/infra/internal/resources"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

const help = `Usage: kcl-infra COMMAND [flags]

Manages the AWS resources of an application of the Kinesis Client Library 2 or 3.

Commands:
  create      make the streams and the application's tables, where they are not there
  status      show the streams, the tables and the workers, and what is wrong
  leases      show each shard: who reads it, how far, and what blocks it
  rewind      set the leases so that records come again
  restore     put the leases back as they were before a rewind
  unlock      release the leader lock and the leases of workers that are gone
  delete      remove the application's tables and its fan-out consumers
  iam-policy  print the least IAM policy that the consumer runs with

kcl-infra COMMAND --help shows the flags of a command.

Example:
  kcl-infra create --application kclgosample --stream-name kclgosample --shards 2
`

// console is where the command talks.
type console struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	log            *logrus.Logger
}

// tell prints a line of results, whatever is in it.
func (c *console) tell(format string, args ...any) {
	fmt.Fprintln(c.stdout, kcl.Plain(fmt.Sprintf(format, args...)))
}

// usageError is a mistake on the command line.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run is the whole command but for the signals; it returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	commands := map[string]func(context.Context, *console, []string) error{
		"create": create, "status": status, "leases": leases, "rewind": rewindTo, "restore": restore, "unlock": unlock,
		"delete": remove, "iam-policy": iamPolicy,
	}
	if len(args) == 0 {
		fmt.Fprintln(stderr, "kcl-infra: which command? create, status, leases, rewind, restore, unlock, delete or iam-policy; see kcl-infra --help")
		return 2
	}
	if args[0] == "--help" || args[0] == "-h" || args[0] == "help" {
		fmt.Fprint(stdout, help)
		return 0
	}
	command, ok := commands[args[0]]
	if !ok {
		fmt.Fprintf(stderr, "kcl-infra: unknown command %q: create, status, leases, rewind, restore, unlock, delete or iam-policy; see kcl-infra --help\n", args[0])
		return 2
	}
	log := logrus.New()
	log.SetOutput(stderr)
	err := command(ctx, &console{stdin: stdin, stdout: stdout, stderr: stderr, log: log}, args[1:])
	var usage usageError
	switch {
	case err == nil, errors.Is(err, pflag.ErrHelp):
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "kcl-infra %s: %v; see kcl-infra %[1]s --help\n", args[0], err)
		return 2
	case ctx.Err() != nil:
		err = errors.New("interrupted: run it again to go on, kcl-infra status shows what is there")
	}
	fmt.Fprintf(stderr, "kcl-infra %s: %s\n", args[0], kcl.Plain(err.Error()))
	return 1
}

// firstAnswer is what each service has for its first answer; tests give it less.
var firstAnswer = 3 * time.Second

// open connects to the services and returns the application that the flags name.
func open(ctx context.Context, c *console, t *target) (*resources.App, error) {
	cfg, err := connect.Config(ctx, t.region)
	if err != nil {
		return nil, err
	}
	app := &resources.App{
		Kinesis: kinesis.NewFromConfig(cfg, func(o *kinesis.Options) {
			if t.kinesisEndpoint != "" {
				o.BaseEndpoint = &t.kinesisEndpoint
			}
		}),
		DynamoDB: dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) {
			if t.dynamoDBEndpoint != "" {
				o.BaseEndpoint = &t.dynamoDBEndpoint
			}
		}),
		Application: t.application, Streams: t.streams, Progress: func(format string, args ...any) { c.log.Info(kcl.Plain(fmt.Sprintf(format, args...))) },
	}
	return app, app.Reach(ctx, firstAnswer)
}
