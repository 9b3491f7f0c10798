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

Sets the leases so that the application reads again: all records that arrived at
TIME or later, all that the stream still has, or all of one shard and its descendants
from the record with a sequence number on. What is before does not come again, and the
records of each key come in their order, over splits and merges too. What the
application has not read yet comes as it would have; LATEST alone skips it.

Name the stream that the application reads: it refuses leases whose records that stream
cannot have had. A stream that was made anew is read from TRIM_HORIZON on; with --shard
that also gives up the lease of a shard that the stream does not have any more.

It refuses while the application runs: stop all workers first, it waits up to 90
seconds until that is sure. Before the first change it writes the leases into a backup
file, which kcl-infra restore puts back. A run that was interrupted can be repeated.

TIME is like 2026-11-29T00:00:00Z, or in seconds since the epoch.

Flags:

Examples:
  kcl-infra rewind --to 2026-11-29T00:00:00Z --dry-run -p orders.properties
  kcl-infra rewind --to TRIM_HORIZON --application orders --stream-name orders
  kcl-infra rewind --to LATEST --shard shardId-000000000003 -p orders.properties
`

func rewindTo(ctx context.Context, c *console, args []string) error {
	var t target
	flags := pflag.NewFlagSet("rewind", pflag.ContinueOnError)
	t.addFlags(flags)
	text := flags.String("to", "", "where records begin to come again: `TIME`, TRIM_HORIZON, LATEST or, with --shard, a sequence number")
	shard := flags.String("shard", "", "rewind this `shard` alone, and its descendants; of several streams, the key of its lease")
	dryRun := flags.Bool("dry-run", false, "show each lease before and after, and change nothing")
	backup := flags.String("backup", "", "write the leases into this `FILE`, which must not exist (default: kcl-infra-APPLICATION-TIME.jsonl in this folder)")
	yes := flags.BoolP("yes", "y", false, "do not ask")
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
	// Where leases at AT_TIMESTAMP begin.
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
		return show(c.stdout, app, changes.All)
	}
	file := rewind.Backup{Application: t.application, To: *text, Time: now.UTC(), Changes: changes.All}
	if *backup == "" {
		*backup = fmt.Sprintf("kcl-infra-%s-%s.jsonl", t.application, file.Time.Format("20060102T150405.000Z"))
	}
	return change(ctx, c, app, changes, *yes, func() error {
		if err := file.Write(*backup); err != nil {
			return fmt.Errorf("%w: nothing was changed", err)
		}
		c.log.Infof("kcl-infra restore %s takes this back", *backup)
		return nil
	})
}

// maxSeconds is how many digits seconds and, by mistake, milliseconds have at most;
// sequence numbers have 56.
const maxSeconds = 13

// parseTo reads where to rewind to.
func parseTo(text, shard string, now time.Time) (to resources.RewindTo, err error) {
	to.Shard = shard
	word := strings.ToUpper(text)
	digits := text != "" && strings.Trim(text, "0123456789") == ""
	switch {
	case text == "":
		return to, errors.New("is missing: a time, TRIM_HORIZON, LATEST or a sequence number")
	case word == kcl.TrimHorizon || word == kcl.Latest:
		to.Word = word
	case digits && len(text) > maxSeconds && shard == "":
		return to, fmt.Errorf("%s is a sequence number: say of which --shard", text)
	case digits && len(text) > maxSeconds:
		to.Sequence = text
	case digits:
		seconds, _ := strconv.ParseInt(text, 10, 64)
		to.Time = time.Unix(seconds, 0)
	default:
		if to.Time, err = time.Parse(time.RFC3339, text); err != nil {
			return to, fmt.Errorf("%q is no time like %s, no TRIM_HORIZON, no LATEST and no sequence number", text, now.UTC().Truncate(24*time.Hour).Format(time.RFC3339))
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

// change asks, checks that the application does not run and makes the changes.
// before is called before the first.
func change(ctx context.Context, c *console, app *resources.App, changes *resources.LeaseChanges, yes bool, before func() error) error {
	if len(changes.All) == 0 {
		fmt.Fprintln(c.stdout, "nothing to do: each lease is there already")
		return nil
	}
	if !yes && !isTerminal(c.stdin) {
		return usagef("would change %d leases, --dry-run shows them: say --yes, there is no terminal to ask on", len(changes.All))
	}
	if err := changes.CheckIdle(ctx); err != nil {
		return err
	}
	if !yes {
		var what []string
		for _, change := range changes.All {
			what = append(what, change.String())
		}
		err := confirm(ctx, c, "To change in "+where(app), what, "Change", "nothing was changed")
		if err != nil {
			return err
		}
	}
	if err := before(); err != nil {
		return err
	}
	return changes.Do(ctx, func(change rewind.Change) { c.tell("changed %s", change) })
}

// where says of which table the leases are, and of which streams.
func where(app *resources.App) string {
	text := fmt.Sprintf("table %s of %s", app.Application, app.DynamoDBName())
	for i, s := range app.Streams {
		text += []string{", of stream ", " and "}[min(i, 1)] + s.String()
	}
	return text
}

// show prints each row before and after.
func show(w io.Writer, app *resources.App, changes []rewind.Change) error {
	if len(changes) > 0 {
		fmt.Fprintln(w, where(app))
	} else {
		fmt.Fprintln(w, "nothing to do: each lease is there already")
	}
	for _, change := range changes {
		if _, err := fmt.Fprintf(w, "lease %s\n  before  %s\n  after   %s\n", kcl.Plain(change.Key()), attributes(change.Before), attributes(change.After)); err != nil {
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
			list = append(list, kcl.Plain(name+"="+value))
		}
	}
	return strings.Join(list, " ")
}
