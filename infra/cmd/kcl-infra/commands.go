package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/infra/connect"
	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
	"github.com/seed96110120/kinesis-client-go/infra/internal/policy"
)

// maxShards is far over what AWS gives an account; its own answer says the rest.
const maxShards = 100_000

// indexFlags is where the flags go in a command's help: before its examples.
func indexFlags(help string) int { return strings.Index(help, "\nExample") }

const createHelp = `Usage: kcl-infra create [flags]

Makes the streams and the tables of the application, on demand, where they are not
there, and waits until they are ready. What is there is left as it is. A stream that
is named by its ARN is never made: it must be there.

LAYOUT is which tables KCL uses, by its version: kcl2 (the lease table, without the
index of KCL 3), kcl3 (three tables, KCL 3.0 to 3.4) or kcl3.5 (one table for all).

With --seed-leases it also writes the first lease of every shard, as the first
worker would: that cuts a minute from the application's first start. It refuses
to where leases are that a first start would not have made. An application of
several streams may have begun with some: the others get theirs.

POSITION is TRIM_HORIZON, LATEST or AT_TIMESTAMP, for every stream, or CONFIGURED:
each stream begins where the properties file says.

Flags:

Examples:
  kcl-infra create --application orders --stream-name orders --shards 4
  kcl-infra create --properties sample.properties --seed-leases CONFIGURED
`

// configured is the position that the properties file gives to each stream.
const configured = "CONFIGURED"

func create(ctx context.Context, c *console, args []string) error {
	var t target
	flags := pflag.NewFlagSet("create", pflag.ContinueOnError)
	t.addFlags(flags)
	shards := flags.Int("shards", 2, "`number` of shards of a stream that is made")
	layoutName := flags.String("layout", "", "`LAYOUT` of the tables (default: the one that is there, else "+kcl.DefaultLayout.String()+", as the daemon of kcl-bootstrap makes)")
	seed := flags.String("seed-leases", "", "write first leases at `POSITION`")
	timestamp := flags.Int64("timestamp", 0, "`seconds` since the epoch, with AT_TIMESTAMP (initialPositionInStreamExtended)")
	if err := t.parse(c, flags, args, createHelp); err != nil {
		return err
	}
	if *shards < 1 || *shards > maxShards {
		return usagef("--shards %d is not between 1 and %d", *shards, maxShards)
	}
	var layout kcl.Layout
	if flags.Changed("layout") {
		var err error
		if layout, err = kcl.ParseLayout(*layoutName); err != nil {
			return usagef("--layout: %w", err)
		}
	}
	seeds := flags.Changed("seed-leases")
	if seeds {
		if err := t.setPositions(*seed, *timestamp); err != nil {
			return usagef("--seed-leases %w", err)
		}
	} else if flags.Changed("timestamp") {
		return usagef("--timestamp goes with --seed-leases AT_TIMESTAMP only")
	}
	app, err := open(ctx, c, &t)
	if err != nil {
		return err
	}
	made, err := app.Create(ctx, *shards, layout, seeds)
	if len(made) > 0 {
		fresh := 0
		for _, m := range made {
			verb := "existed"
			if m.Made {
				verb = "made"
				fresh++
			}
			c.tell("%-8s%s", verb, m.What)
		}
		if fresh == 0 && err == nil {
			fmt.Fprintln(c.stdout, "nothing to do: all was there")
		}
	}
	return err
}

// setPositions sets where each stream begins: all at one position, which must be
// what the properties file says of each, or each where the file says.
func (t *target) setPositions(seed string, timestamp int64) error {
	var position kcl.Position
	each := strings.EqualFold(seed, configured)
	switch {
	case each && t.properties == nil:
		return fmt.Errorf("%s needs --properties", configured)
	case each && timestamp != 0:
		return fmt.Errorf("%s takes no --timestamp", configured)
	case !each:
		var err error
		if position, err = kcl.ParsePosition(seed, timestamp); err != nil {
			return err
		}
	}
	streams := slices.Clone(t.streams)
	for i := range streams {
		s := &streams[i]
		if t.properties != nil && s.Position.Kind == "" {
			s.Position = t.properties.Position
		}
		switch {
		case each:
		case t.properties == nil:
			s.Position = position
		case s.Position != position && len(streams) == 1:
			return fmt.Errorf("%s, but the application starts at %s by %s: nothing was done", position, s.Position, t.propertiesFile)
		case s.Position != position:
			return fmt.Errorf("%s, but stream %s starts at %s by %s: nothing was done; %s seeds each where it starts", position, s, s.Position, t.propertiesFile, configured)
		}
		if err := s.Position.CheckTime(time.Now()); err != nil {
			return fmt.Errorf("%s: %w", s.Position.Kind, err)
		}
	}
	t.streams = streams
	return nil
}

const statusHelp = `Usage: kcl-infra status [flags]

Shows the streams, the tables, the workers, how many shards nobody reads, and the
checkpoints that the stream cannot have. kcl-infra leases shows each shard. It changes
nothing. What is not there is "missing".

It says in which layout the tables are, by the version of KCL that made them, and how
far an application is on its way from one to the next.

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

Removes the tables of the application and its fan-out consumers, and with
--stream the streams and all their records, and waits until they are gone. It asks
before, and refuses a table that is not KCL's and an application that runs or ran
within the last minute. Checkpoints are lost. A stream that is named by its ARN is
never removed.

With --leases-of it removes nothing but the leases of a stream that an application
of several does not read any more: KCL keeps them for the day that it does again.
It refuses while a worker renews them.

Flags:

Examples:
  kcl-infra delete --application orders --stream-name orders
  kcl-infra delete --application orders --leases-of 123456789012:returns:1764460800
  kcl-infra delete --stream --yes     the sample's tables and stream, without a question
`

func remove(ctx context.Context, c *console, args []string) error {
	var t target
	flags := pflag.NewFlagSet("delete", pflag.ContinueOnError)
	t.addFlags(flags)
	stream := flags.Bool("stream", false, "delete the streams too, with their records")
	leasesOf := flags.String("leases-of", "", "delete only the leases of this `stream`: its identifier as status shows it, its name or its ARN")
	yes := flags.BoolP("yes", "y", false, "do not ask")
	force := flags.Bool("force", false, "also when the application runs, a table is not KCL's, or, with --stream, other consumers are registered")
	if err := t.parse(c, flags, args, deleteHelp); err != nil {
		return err
	}
	switch {
	case flags.Changed("leases-of") && *stream:
		return usagef("--leases-of removes leases alone, not with --stream")
	case flags.Changed("leases-of") && *leasesOf == "":
		return usagef("--leases-of names no stream")
	}
	app, err := open(ctx, c, &t)
	if err != nil {
		return err
	}
	var d deletion
	if flags.Changed("leases-of") {
		reads := flags.Changed("stream-name") || t.properties != nil && t.properties.Streams != nil
		d, err = app.PlanLeaseDeletion(ctx, *leasesOf, reads, *force)
	} else {
		d, err = app.PlanDelete(ctx, *stream, *force)
	}
	if err != nil {
		return err
	}
	what := d.What()
	if len(what) == 0 {
		fmt.Fprintf(c.stdout, "nothing to delete for application %s\n", t.application)
		return nil
	}
	if !*yes && !isTerminal(c.stdin) {
		return usagef("would delete %s: say --yes, there is no terminal to ask on", kcl.Plain(strings.Join(what, ", ")))
	}
	if err := d.CheckIdle(ctx); err != nil {
		return err
	}
	if !*yes {
		from := fmt.Sprintf("To delete, from %s and %s", app.KinesisName(), app.DynamoDBName())
		if err := confirm(ctx, c, from, what, "Delete", "nothing was deleted"); err != nil {
			return err
		}
	}
	return d.Do(ctx, func(what string) { c.tell("deleted %s", what) })
}

// deletion is what can be deleted at once.
type deletion interface {
	What() []string
	CheckIdle(ctx context.Context) error
	Do(ctx context.Context, done func(what string)) error
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && (isatty.IsTerminal(f.Fd()) || isatty.IsCygwinTerminal(f.Fd()))
}

// confirm shows what would be done, asks on the terminal and returns an error unless the
// answer is yes. It does not wait for an answer after Ctrl-C.
func confirm(ctx context.Context, c *console, title string, what []string, do, refused string) error {
	fmt.Fprintf(c.stderr, "%s:\n", title)
	for _, w := range what {
		fmt.Fprintf(c.stderr, "  %s\n", kcl.Plain(w))
	}
	fmt.Fprintf(c.stderr, "%s these? [y/N] ", do)
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
			return errors.New(refused)
		}
		return nil
	}
}

const policyHelp = `Usage: kcl-infra iam-policy [flags]

Prints the least IAM policy that the application's workers run with, in POLLING
and in FANOUT. It needs no credentials and calls nothing.

--layout says which tables, as kcl-infra status does. An application on its way from
one layout to the next needs both: --layout kcl2,kcl3 or --layout kcl3,kcl3.5. To
kcl3.5 it is on its way until the two tables are deleted that status calls left.

A stream of another account, which is named by its ARN, is read only if its owner
allows it too. With --resource-policies it prints the policies that the owner puts on
the stream and on its fan-out consumer: a JSON object by the ARN of each. They admit
the account as a whole; name a role in their place if that is too much.

Flags:

Examples:
  kcl-infra iam-policy --account 123456789012 --region eu-west-1 --application orders --stream-name orders
  kcl-infra iam-policy --account 123456789012 -p orders.properties --resource-policies
`

var validAccount = regexp.MustCompile(`^[0-9]{12}$`)

func iamPolicy(ctx context.Context, c *console, args []string) error {
	var t target
	flags := pflag.NewFlagSet("iam-policy", pflag.ContinueOnError)
	t.addFlags(flags)
	account := flags.String("account", "", "`number` of the AWS account (default: any account)")
	layoutNames := flags.StringSlice("layout", []string{kcl.DefaultLayout.String()}, "`LAYOUT` of the tables: kcl2, kcl3 or kcl3.5")
	resourcePolicies := flags.Bool("resource-policies", false, "print what the owners of other accounts' streams put on them")
	if err := t.parse(c, flags, args, policyHelp); err != nil {
		return err
	}
	switch {
	case !flags.Changed("account") && *resourcePolicies:
		return usagef("--resource-policies needs --account, the account that reads the streams")
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
	consumer := policy.Consumer{Region: cfg.Region, Account: *account, Streams: t.streams, Application: t.application}
	for _, name := range *layoutNames {
		layout, err := kcl.ParseLayout(name)
		if err != nil {
			return usagef("--layout: %w", err)
		}
		consumer.Layouts = append(consumer.Layouts, layout)
	}
	foreign := slices.DeleteFunc(slices.Clone(t.streams), func(s kcl.Stream) bool { return !consumer.Foreign(s) })
	if *resourcePolicies && len(foreign) == 0 {
		return usagef("--resource-policies, but no stream is named by an ARN of another account than --account")
	}
	document := consumer.JSON
	if *resourcePolicies {
		document = consumer.ResourcePolicies
	}
	text, err := document()
	if err != nil {
		return err
	}
	for _, s := range foreign {
		switch {
		case !*resourcePolicies:
			c.log.Warnf("stream %s is of another account: its owner has to allow this too, see --resource-policies", s)
		case s.ConsumerARN == "":
			c.log.Infof("for FANOUT the owner registers a consumer: aws kinesis register-stream-consumer --stream-arn %s --consumer-name %s; "+
				"write its ARN as consumerArn behind the stream in the property streams, and run this again", s, t.application)
		}
	}
	if *resourcePolicies {
		c.log.Info("the owner puts each policy on its ARN: aws kinesis put-resource-policy --resource-arn ARN --policy POLICY; it takes the place of the one that is there")
	}
	_, err = c.stdout.Write(text)
	return err
}
