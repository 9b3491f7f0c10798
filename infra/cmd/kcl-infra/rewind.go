package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
	"github.com/seed96110120/kinesis-client-go/infra/internal/resources"
	"github.com/seed96110120/kinesis-client-go/infra/internal/rewind"
)

const rewindHelp = `Usage: kcl-infra rewind --to TIME | TRIM_HORIZON | LATEST | SEQUENCE [flags]

Changes the leases so that the application reads records again: all records that arrived
at TIME or later, all that the stream still has, or all of one shard and its descendants
from a sequence number on. Records before are not read again. The records of each key are
read in their order, across splits and merges. Records that the application has not read
yet are not skipped, except with LATEST.

Name the stream that the application reads: rewind refuses leases whose records that
stream cannot have had. If the stream was deleted and created again, use TRIM_HORIZON.
With --shard that also drops the lease of a shard that the stream no longer has.

Stop all workers first: rewind refuses while the application runs, and waits up to 90
seconds to be sure. Before the first change it writes the leases to a backup file, with
which kcl-infra restore undoes the rewind. If rewind is interrupted, run it again.

TIME is a time such as 2026-11-29T00:00:00Z, or seconds since 1970. With --shard a number
of more than 13 digits is a SEQUENCE number. LATEST skips what arrives before the next start.

Flags:

Examples:
  kcl-infra rewind --to 2026-11-29T00:00:00Z --dry-run -p orders.properties
  kcl-infra rewind --to TRIM_HORIZON --application orders --stream-name orders
  kcl-infra rewind --to LATEST --shard shardId-000000000003 -p orders.properties
`

func rewindLeases(ctx context.Context, c *console, args []string) error {
	var t target
	flags := pflag.NewFlagSet("rewind", pflag.ContinueOnError)
	t.addFlags(flags)
	flags.Lookup("stream-name").DefValue = "[]" // in the help: it has no default here
	text := flags.String("to", "", "read again from here on: `TIME`, TRIM_HORIZON, LATEST or, with --shard, a sequence number")
	shard := flags.String("shard", "", "rewind only this `shard` and its descendants; with several streams, the key of its lease")
	dryRun := flags.Bool("dry-run", false, "show each lease before and after, and change nothing")
	backup := flags.String("backup", "", "write the leases to this `FILE`, which must not exist (default: kcl-infra-APPLICATION-TIME.jsonl in this folder)")
	yes := flags.BoolP("yes", "y", false, yesUsage)
	if err := t.parse(c, flags, args, rewindHelp); err != nil {
		return err
	}
	now := time.Now()
	to, err := parseTo(*text, *shard, now)
	if err != nil {
		return usagef("--to %w", err)
	}
	if !flags.Changed("stream-name") && (t.properties == nil || len(t.properties.Streams) == 0) {
		return usagef("which stream? name the one that the application reads, by --stream-name or --properties")
	}
	app, err := open(ctx, c, &t)
	if err != nil {
		return err
	}
	// Leases at AT_TIMESTAMP start at the time in the properties.
	for i := range app.Streams {
		if s := &app.Streams[i]; t.properties != nil && s.Position.Kind == "" {
			s.Position = t.properties.Position
		}
	}
	changes, err := app.PlanRewind(ctx, to)
	if err != nil {
		return err
	}
	if *dryRun {
		return printChanges(c.stdout, app, changes.All)
	}
	file := rewind.Backup{Application: t.application, To: *text, Time: now.UTC(), Changes: changes.All}
	if *backup == "" {
		*backup = fmt.Sprintf("kcl-infra-%s-%s.jsonl", t.application, file.Time.Format("20060102T150405.000Z"))
	}
	return applyChanges(ctx, c, app, changes, &applyOptions{Yes: *yes, Before: func() error {
		if err := file.Write(*backup); err != nil {
			return fmt.Errorf("%w: nothing was changed", err)
		}
		c.log.Infof("kcl-infra restore %s undoes this", *backup)
		return nil
	}})
}

// maxTimeDigits is how many digits seconds and, by mistake, milliseconds have at most.
// Sequence numbers have 56.
const maxTimeDigits = 13

// parseTo parses --to and --shard.
func parseTo(text, shard string, now time.Time) (to resources.RewindTo, err error) {
	to.Shard = shard
	word := strings.ToUpper(text)
	digits := text != "" && strings.Trim(text, "0123456789") == ""
	switch {
	case text == "":
		return to, errors.New("is missing: give a time, TRIM_HORIZON, LATEST or a sequence number")
	case word == kcl.TrimHorizon || word == kcl.Latest:
		to.Word = word
	case digits && len(text) > maxTimeDigits && shard == "":
		return to, fmt.Errorf("%s is a sequence number: name its shard with --shard", text)
	case digits && len(text) > maxTimeDigits:
		to.Sequence = text
	case digits:
		seconds, _ := strconv.ParseInt(text, 10, 64)
		to.Time = time.Unix(seconds, 0)
	default:
		if to.Time, err = time.Parse(time.RFC3339, text); err != nil {
			return to, fmt.Errorf("%q is not a time such as %s, TRIM_HORIZON, LATEST or a sequence number", text, now.UTC().Truncate(24*time.Hour).Format(time.RFC3339))
		}
	}
	if err := (kcl.Position{Kind: kcl.AtTimestamp, Time: to.Time}).CheckTime(now); err != nil {
		return to, fmt.Errorf("%s: %w", text, err)
	}
	if !to.Time.IsZero() && to.Time.Unix() <= 0 {
		return to, fmt.Errorf("%s is before 1970", text)
	}
	return to, nil
}

// applyOptions are the optional settings of applyChanges.
type applyOptions struct {
	Yes    bool         // do not ask
	Before func() error // called before the first change
}

// applyChanges checks that the application does not run, asks, and makes the changes.
func applyChanges(ctx context.Context, c *console, app *resources.App, changes *resources.LeaseChanges, opts *applyOptions) error {
	if len(changes.All) == 0 {
		fmt.Fprintln(c.stdout, "nothing to do: no lease must change")
		return nil
	}
	if !opts.Yes && !isTerminal(c.stdin) {
		return usagef("would change %d leases, --dry-run shows them: use --yes, there is no terminal to ask on", len(changes.All))
	}
	if err := changes.CheckIdle(ctx); err != nil {
		return err
	}
	if !opts.Yes {
		var items []string
		for _, change := range changes.All {
			items = append(items, change.String())
		}
		err := confirm(ctx, c, "To change in "+describeTable(app), items, "Change", "nothing was changed")
		if err != nil {
			return err
		}
	}
	if opts.Before != nil {
		if err := opts.Before(); err != nil {
			return err
		}
	}
	return changes.Apply(ctx, func(change rewind.Change) { c.printLine("changed %s", change) })
}

// describeTable returns the table and the streams of the leases.
func describeTable(app *resources.App) string {
	text := fmt.Sprintf("table %s of %s", app.Application, app.DynamoDBName())
	for i, s := range app.Streams {
		text += []string{", of stream ", " and "}[min(i, 1)] + s.String()
	}
	return text
}

// printChanges prints each lease before and after.
func printChanges(w io.Writer, app *resources.App, changes []rewind.Change) error {
	if len(changes) > 0 {
		fmt.Fprintln(w, describeTable(app))
	} else {
		fmt.Fprintln(w, "nothing to do: no lease must change")
	}
	for _, change := range changes {
		if _, err := fmt.Fprintf(w, "lease %s\n  before  %s\n  after   %s\n", kcl.Printable(change.Key()), attributes(change.Before), attributes(change.After)); err != nil {
			return err
		}
	}
	return nil
}

func attributes(row kcl.Item) string {
	if row == nil {
		return "none"
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(row)) {
		value := kcl.Text(row, name)
		if set, ok := row[name].(*ddb.AttributeValueMemberSS); ok {
			value = strings.Join(set.Value, ",")
		}
		if name != kcl.LeaseKey {
			list = append(list, kcl.Printable(name+"="+value))
		}
	}
	return strings.Join(list, " ")
}
