package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/infra/connect"
	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
	"github.com/seed96110120/kinesis-client-go/infra/internal/policy"
	"github.com/seed96110120/kinesis-client-go/infra/internal/resources"
)

// maxShards is far over what AWS gives an account; its own answer says the rest.
const maxShards = 100_000

// indexFlags is where the flags go in a command's help: before its examples.
func indexFlags(help string) int { return strings.Index(help, "\nExample") }

const createHelp = `Usage: kcl-infra create [flags]

Makes the stream and the three tables of the application, on demand, where they
are not there, and waits until they are ready. What is there is left as it is.

With --seed-leases it also writes the first lease of every shard, as the first
worker would: that cuts a minute from the application's first start. It refuses
to where leases are that a first start would not have made.

Flags:

Examples:
  kcl-infra create --application orders --stream-name orders --shards 4
  kcl-infra create --properties sample.properties --seed-leases TRIM_HORIZON
`

func create(ctx context.Context, c *console, args []string) error {
	var t target
	flags := pflag.NewFlagSet("create", pflag.ContinueOnError)
	t.addFlags(flags)
	shards := flags.Int("shards", 2, "`number` of shards of a stream that is made")
	seed := flags.String("seed-leases", "", "write first leases at `POSITION`: TRIM_HORIZON, LATEST or AT_TIMESTAMP")
	timestamp := flags.Int64("timestamp", 0, "`seconds` since the epoch, with AT_TIMESTAMP (initialPositionInStreamExtended)")
	if err := t.parse(c, flags, args, createHelp); err != nil {
		return err
	}
	if *shards < 1 || *shards > maxShards {
		return usagef("--shards %d is not between 1 and %d", *shards, maxShards)
	}
	var position *kcl.Position
	if flags.Changed("seed-leases") {
		p, err := kcl.ParsePosition(*seed, *timestamp)
		if err == nil {
			err = p.CheckTime(time.Now())
		}
		if err != nil {
			return usagef("--seed-leases: %w", err)
		}
		if t.properties != nil && t.properties.Position != p {
			return usagef("--seed-leases %s, but the application starts at %s by %s: nothing was done", p, t.properties.Position, t.propertiesFile)
		}
		position = &p
	} else if flags.Changed("timestamp") {
		return usagef("--timestamp goes with --seed-leases AT_TIMESTAMP only")
	}
	app, err := open(ctx, c, &t)
	if err != nil {
		return err
	}
	made, err := app.Create(ctx, *shards, position)
	if len(made) > 0 {
		fresh := 0
		for _, m := range made {
			verb := "existed"
			if m.Made {
				verb = "made"
				fresh++
			}
			fmt.Fprintf(c.stdout, "%-8s%s\n", verb, m.What)
		}
		if fresh == 0 && err == nil {
			fmt.Fprintln(c.stdout, "nothing to do: all was there")
		}
	}
	return err
}

const statusHelp = `Usage: kcl-infra status [flags]

Shows the stream, the tables, the workers, and the lease and checkpoint of each
shard. It changes nothing. What is not there is "missing".

Flags:

Example:
  kcl-infra status --application orders --stream-name orders --json
`

func status(ctx context.Context, c *console, args []string) error {
	var t target
	flags := pflag.NewFlagSet("status", pflag.ContinueOnError)
	t.addFlags(flags)
	asJSON := flags.Bool("json", false, "print JSON")
	if err := t.parse(c, flags, args, statusHelp); err != nil {
		return err
	}
	app, err := open(ctx, c, &t)
	if err != nil {
		return err
	}
	s, err := app.Status(ctx)
	if err != nil {
		return err
	}
	if !*asJSON {
		return s.Print(c.stdout, time.Now())
	}
	encoder := json.NewEncoder(c.stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(s)
}

const deleteHelp = `Usage: kcl-infra delete [flags]

Removes the three tables of the application and its fan-out consumer, and with
--stream the stream and all its records, and waits until they are gone. It asks
before, and refuses a table that is not KCL's and an application that runs or ran
within the last minute. Checkpoints are lost.

Flags:

Examples:
  kcl-infra delete --application orders --stream-name orders
  kcl-infra delete --stream --yes     the sample's tables and stream, without a question
`

func remove(ctx context.Context, c *console, args []string) error {
	var t target
	flags := pflag.NewFlagSet("delete", pflag.ContinueOnError)
	t.addFlags(flags)
	stream := flags.Bool("stream", false, "delete the stream too, with its records")
	yes := flags.BoolP("yes", "y", false, "do not ask")
	force := flags.Bool("force", false, "also when the application runs, a table is not KCL's, or, with --stream, other consumers are registered")
	if err := t.parse(c, flags, args, deleteHelp); err != nil {
		return err
	}
	app, err := open(ctx, c, &t)
	if err != nil {
		return err
	}
	d, err := app.PlanDelete(ctx, *stream, *force)
	if err != nil {
		return err
	}
	what := d.What()
	if len(what) == 0 {
		fmt.Fprintf(c.stdout, "nothing to delete for application %s\n", t.application)
		return nil
	}
	if !*yes && !isTerminal(c.stdin) {
		return usagef("would delete %s: say --yes, there is no terminal to ask on", strings.Join(what, ", "))
	}
	if err := d.CheckIdle(ctx); err != nil {
		return err
	}
	if !*yes {
		if err := confirm(ctx, c, app, what); err != nil {
			return err
		}
	}
	if err := d.Do(ctx); err != nil {
		return err
	}
	for _, w := range what {
		fmt.Fprintf(c.stdout, "deleted %s\n", w)
	}
	return nil
}

func isTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && (isatty.IsTerminal(f.Fd()) || isatty.IsCygwinTerminal(f.Fd()))
}

// confirm asks on the terminal. It does not wait for an answer after Ctrl-C.
func confirm(ctx context.Context, c *console, app *resources.App, what []string) error {
	fmt.Fprintf(c.stderr, "To delete, from %s and %s:\n", app.KinesisName(), app.DynamoDBName())
	for _, w := range what {
		fmt.Fprintf(c.stderr, "  %s\n", w)
	}
	fmt.Fprint(c.stderr, "Delete these? [y/N] ")
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(c.stdin).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case a := <-answer:
		if a != "y" && a != "yes" {
			return errors.New("nothing was deleted")
		}
		return nil
	}
}

const policyHelp = `Usage: kcl-infra iam-policy [flags]

Prints the least IAM policy that the application's workers run with, in POLLING
and in FANOUT. It needs no credentials and calls nothing.

Flags:

Example:
  kcl-infra iam-policy --account 123456789012 --region eu-west-1 --application orders --stream-name orders
`

var validAccount = regexp.MustCompile(`^[0-9]{12}$`)

func iamPolicy(ctx context.Context, c *console, args []string) error {
	var t target
	flags := pflag.NewFlagSet("iam-policy", pflag.ContinueOnError)
	t.addFlags(flags)
	account := flags.String("account", "", "`number` of the AWS account (default: any account)")
	if err := t.parse(c, flags, args, policyHelp); err != nil {
		return err
	}
	switch {
	case !flags.Changed("account"):
		*account = "*"
		c.log.Warn("no --account: the policy names the resources of any account")
	case !validAccount.MatchString(*account):
		return usagef("--account %q is no number of 12 digits", *account)
	}
	cfg, err := connect.ConfigWithoutCredentials(ctx, t.region)
	if err != nil {
		return err
	}
	text, err := policy.Consumer{
		Region: cfg.Region, Account: *account, StreamName: t.streamName, Application: t.application,
	}.JSON()
	if err != nil {
		return err
	}
	_, err = c.stdout.Write(text)
	return err
}
