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
	"github.com/seed96110120/kinesis-client-go/infra/internal/resources"
)

// maxShards is far above AWS's quotas, which AWS checks itself.
const maxShards = 100_000

// indexFlags returns where the flags belong in a command's help: before the examples.
func indexFlags(help string) int { return strings.Index(help, "\nExample") }

const createHelp = `Usage: kcl-infra create [flags]

Creates missing streams and tables of the application, in on-demand mode, and waits
until they are ready. Existing ones are not changed. A stream that is named by its ARN
must exist: it is never created.

LAYOUT is the set of tables, which depends on the version of KCL: kcl2 (the lease
table, without the index of KCL 3), kcl3 (three tables, KCL 3.0 to 3.4) or kcl3.5
(one table for everything).

With --seed-leases it also writes the first lease of every shard, as the first worker
would. That saves a minute at the first start of the application. It refuses if a lease
exists that a first start would not have created. If an application with several
streams reads some of them already, only the others get leases.

POSITION is where every stream starts: TRIM_HORIZON, LATEST or AT_TIMESTAMP, or
CONFIGURED, which means that each stream starts where the properties file says.

Flags:

Examples:
  kcl-infra create --application orders --stream-name orders --shards 4
  kcl-infra create --properties sample.properties --seed-leases CONFIGURED
`

// configured is the --seed-leases that starts each stream where the properties file says.
const configured = "CONFIGURED"

func create(ctx context.Context, c *console, args []string) error {
	var t target
	flags := pflag.NewFlagSet("create", pflag.ContinueOnError)
	t.addFlags(flags)
	shards := flags.Int("shards", resources.DefaultShards, "`number` of shards of a stream that is created")
	layoutName := flags.String("layout", "", "`LAYOUT` of the tables (default: the existing one, else "+kcl.DefaultLayout.String()+", which kcl-bootstrap's version of KCL uses)")
	seed := flags.String("seed-leases", "", "write first leases at `POSITION`")
	timestamp := flags.Int64("timestamp", 0, "`seconds` since 1970, for AT_TIMESTAMP (initialPositionInStreamExtended)")
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
		return usagef("--timestamp is for --seed-leases AT_TIMESTAMP only")
	}
	app, err := open(ctx, c, &t)
	if err != nil {
		return err
	}
	results, err := app.Create(ctx, &resources.CreateOptions{Shards: *shards, Layout: layout, SeedLeases: seeds})
	created := 0
	for _, r := range results {
		verb := "existed"
		if r.Created {
			verb = "made"
			created++
		}
		c.printLine("%-8s%s", verb, r.Resource)
	}
	if len(results) > 0 && created == 0 && err == nil {
		fmt.Fprintln(c.stdout, "nothing to do: everything existed")
	}
	return err
}

// setPositions sets where each stream starts. Either all start at one position, which must
// be that of the properties file if there is one, or each starts where the file says.
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
			return fmt.Errorf("%s, but the application starts at %s in %s: nothing was done", position, s.Position, t.propertiesFile)
		case s.Position != position:
			return fmt.Errorf("%s, but stream %s starts at %s in %s: nothing was done; %s uses the position of each stream", position, s, s.Position, t.propertiesFile, configured)
		}
		if err := s.Position.CheckTime(time.Now()); err != nil {
			return fmt.Errorf("%s: %w", s.Position.Kind, err)
		}
	}
	t.streams = streams
	return nil
}

const statusHelp = `Usage: kcl-infra status [flags]

Shows the streams, tables and workers, how many shards no worker reads, and checkpoints
that the stream cannot have, because it was deleted and created again. status changes
nothing. What does not exist is "missing". kcl-infra leases shows each shard.

It also shows the layout of the tables, which depends on the version of KCL, and how far
a migration from one layout to the next is.

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

Deletes the tables of the application and its fan-out consumers, and with --stream the
streams and all their records, and waits until they are gone. Checkpoints are lost. It
asks first. It refuses if a table is not KCL's, or if the application runs or ran within
the last minute. A stream that is named by its ARN is never deleted.

With --leases-of it deletes only the leases of a stream that an application with several
streams no longer reads. KCL keeps them, in case the stream is added again. It refuses
while a worker renews them.

Flags:

Examples:
  kcl-infra delete --application orders --stream-name orders
  kcl-infra delete --application orders --leases-of 123456789012:returns:1764460800
  kcl-infra delete --stream --yes     the sample's tables and stream, without asking
`

func deleteResources(ctx context.Context, c *console, args []string) error {
	var t target
	flags := pflag.NewFlagSet("delete", pflag.ContinueOnError)
	t.addFlags(flags)
	stream := flags.Bool("stream", false, "delete the streams too, with their records")
	leasesOf := flags.String("leases-of", "", "delete only the leases of this `stream`, given by its identifier (see status), name or ARN")
	yes := flags.BoolP("yes", "y", false, yesUsage)
	force := flags.Bool("force", false, "delete even if the application runs, a table is not KCL's, or, with --stream, the stream has other consumers, which are removed")
	if err := t.parse(c, flags, args, deleteHelp); err != nil {
		return err
	}
	switch {
	case flags.Changed("leases-of") && *stream:
		return usagef("--leases-of deletes leases only and excludes --stream")
	case flags.Changed("leases-of") && *leasesOf == "":
		return usagef("--leases-of names no stream")
	}
	app, err := open(ctx, c, &t)
	if err != nil {
		return err
	}
	var d deletion
	if flags.Changed("leases-of") {
		named := flags.Changed("stream-name") || t.properties != nil && t.properties.Streams != nil
		d, err = app.PlanLeaseDeletion(ctx, *leasesOf, &resources.LeaseDeletionOptions{RefuseAppStreams: named, Force: *force})
	} else {
		d, err = app.PlanDelete(ctx, &resources.DeleteOptions{Streams: *stream, Force: *force})
	}
	if err != nil {
		return err
	}
	items := d.Items()
	if len(items) == 0 {
		fmt.Fprintf(c.stdout, "nothing to delete for application %s\n", t.application)
		return nil
	}
	if !*yes && !isTerminal(c.stdin) {
		return usagef("would delete %s: use --yes, there is no terminal to ask on", kcl.Printable(strings.Join(items, ", ")))
	}
	if err := d.CheckIdle(ctx); err != nil {
		return err
	}
	if !*yes {
		title := fmt.Sprintf("To delete, from %s and %s", app.KinesisName(), app.DynamoDBName())
		if err := confirm(ctx, c, title, items, "Delete", "nothing was deleted"); err != nil {
			return err
		}
	}
	return d.Apply(ctx, func(item string) { c.printLine("deleted %s", item) })
}

// deletion is a *resources.Deletion or *resources.LeaseDeletion.
type deletion interface {
	Items() []string
	CheckIdle(ctx context.Context) error
	Apply(ctx context.Context, done func(item string)) error
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && (isatty.IsTerminal(f.Fd()) || isatty.IsCygwinTerminal(f.Fd()))
}

// confirm prints items, asks on the terminal whether to go on, and returns the error
// refused unless the answer is yes. It does not wait for an answer after Ctrl-C.
func confirm(ctx context.Context, c *console, title string, items []string, verb, refused string) error {
	fmt.Fprintf(c.stderr, "%s:\n", title)
	for _, item := range items {
		fmt.Fprintf(c.stderr, "  %s\n", kcl.Printable(item))
	}
	fmt.Fprintf(c.stderr, "%s these? [y/N] ", verb)
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

Prints the smallest IAM policy that the workers of the application need, for POLLING
and FANOUT. It needs no credentials and calls no service, so endpoints have no effect.

--layout is the layout of the tables, which kcl-infra status shows. During a migration
from one layout to another both are needed: --layout kcl2,kcl3, --layout kcl3,kcl3.5 or
--layout kcl2,kcl3.5. A migration to kcl3.5 ends when the two tables are deleted that
status calls left over.

A stream of another account is named by its ARN, and can be read only if its owner
allows it too. --resource-policies prints the policies that the owner attaches to the
stream and to its fan-out consumer, as a JSON object with the ARN of each as the key.
They allow access to the whole account; to restrict it, name a role instead.

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
	layoutNames := flags.StringSlice("layout", []string{kcl.DefaultLayout.String()}, "`LAYOUT` of the tables, one or more of kcl2, kcl3 and kcl3.5, separated by commas")
	flags.Lookup("layout").DefValue = kcl.DefaultLayout.String() // in the help, without brackets
	resourcePolicies := flags.Bool("resource-policies", false, "print the policies that owners of other accounts' streams must attach")
	if err := t.parse(c, flags, args, policyHelp); err != nil {
		return err
	}
	switch {
	case !flags.Changed("account") && *resourcePolicies:
		return usagef("--resource-policies needs --account, the account that reads the streams")
	case !flags.Changed("account"):
		*account = "*"
		c.log.Warn("no --account: the policy covers resources of any account")
	case !validAccount.MatchString(*account):
		return usagef("--account %q is not a number of 12 digits", *account)
	}
	cfg, err := connect.LoadConfig(ctx, &connect.Options{Region: t.region, NoCredentials: true})
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
	others := slices.DeleteFunc(slices.Clone(t.streams), func(s kcl.Stream) bool { return !consumer.OfAnotherAccount(s) })
	if *resourcePolicies && len(others) == 0 {
		return usagef("--resource-policies, but no stream is named by an ARN of another account")
	}
	document := consumer.JSON
	if *resourcePolicies {
		document = consumer.ResourcePolicies
	}
	text, err := document()
	if err != nil {
		return err
	}
	for _, s := range others {
		switch {
		case !*resourcePolicies:
			c.log.Warnf("stream %s belongs to another account: its owner must allow this too, see --resource-policies", s)
		case s.ConsumerARN == "":
			c.log.Infof("for FANOUT the owner registers a consumer: aws kinesis register-stream-consumer --stream-arn %s --consumer-name %s; "+
				"write its ARN as consumerArn after the stream in the property streams, and run this again", s, t.application)
		}
	}
	if *resourcePolicies {
		c.log.Info("the owner attaches each policy to its ARN: aws kinesis put-resource-policy --resource-arn ARN --policy POLICY; this replaces an existing policy")
	}
	_, err = c.stdout.Write(text)
	return err
}
