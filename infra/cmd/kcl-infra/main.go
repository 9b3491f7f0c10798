package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/sirupsen/logrus"
	logrusslog "github.com/sirupsen/logrus/hooks/slog"
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
  create      create missing streams and tables
  status      show the streams, tables and workers, and what is wrong
  leases      show each shard: who reads it, how far, and what blocks it
  rewind      change the leases so that records are read again
  restore     undo a rewind
  unlock      release the leader lock and the leases of dead workers
  delete      delete the tables and fan-out consumers of the application
  iam-policy  print the smallest IAM policy that the application needs

kcl-infra COMMAND --help shows the flags of a command.

Example:
  kcl-infra create --application kclgosample --stream-name kclgosample --shards 2
` + exitStatus

const exitStatus = "\nExit status: 0 success; 1 something failed or was refused; 2 wrong usage.\n"

// console has the standard streams and the log.
type console struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	log            *logrus.Logger
}

// printLine prints a line of results, without characters that control a terminal.
func (c *console) printLine(format string, args ...any) {
	fmt.Fprintln(c.stdout, kcl.Printable(fmt.Sprintf(format, args...)))
}

// usageError is a wrong command line.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run runs the command, without signal handling, and returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	commands := map[string]func(context.Context, *console, []string) error{
		"create": create, "status": status, "leases": leases, "rewind": rewindLeases, "restore": restore, "unlock": unlock,
		"delete": deleteResources, "iam-policy": iamPolicy,
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
		err = errors.New("interrupted: run it again to continue; kcl-infra status shows what exists")
	}
	fmt.Fprintf(stderr, "kcl-infra %s: %s\n", args[0], kcl.Printable(err.Error()))
	return 1
}

// firstCallTimeout bounds the first call to each service. Tests set it.
var firstCallTimeout = 3 * time.Second

// open connects to the services and returns the application that the flags name.
func open(ctx context.Context, c *console, t *target) (*resources.App, error) {
	cfg, err := connect.LoadConfig(ctx, &connect.Options{Region: t.region})
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
		Application: t.application, Streams: t.streams, Logger: slog.New(logrusslog.NewHandler(c.log, nil)),
	}
	return app, app.CheckReachable(ctx, firstCallTimeout)
}
