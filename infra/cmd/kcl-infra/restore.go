package main

import (
	"context"

	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/infra/internal/rewind"
)

const restoreHelp = `Usage: kcl-infra restore FILE [flags]

Puts the leases back as they were before a rewind: FILE is the backup that it wrote.
Leases that the rewind made are deleted. It refuses while the application runs, and
when a lease has changed since the rewind; with --force it puts that back too, and
then the application goes on where it was before the rewind. A run that was
interrupted can be repeated.

Flags:

Example:
  kcl-infra restore kcl-infra-orders-20261130T094312.123Z.jsonl
`

func restore(ctx context.Context, c *console, args []string) error {
	t := target{arguments: 1}
	flags := pflag.NewFlagSet("restore", pflag.ContinueOnError)
	t.addFlags(flags)
	force := flags.Bool("force", false, "also put back leases that have changed since the rewind")
	dryRun := flags.Bool("dry-run", false, "show each lease before and after, and change nothing")
	yes := flags.BoolP("yes", "y", false, "do not ask")
	if err := t.parse(c, flags, args, restoreHelp); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return usagef("which FILE? the one that kcl-infra rewind wrote")
	}
	backup, err := rewind.ReadBackup(flags.Arg(0))
	if err != nil {
		return err
	}
	named := flags.Changed("application") || t.properties != nil && t.properties.Application != ""
	if named && t.application != backup.Application {
		return usagef("%s is of application %s, not of %s: nothing was changed", flags.Arg(0), backup.Application, t.application)
	}
	t.application, t.streams = backup.Application, nil // the rows say all
	app, err := open(ctx, c, &t)
	if err != nil {
		return err
	}
	changes, err := app.PlanRestore(ctx, backup.Changes, *force)
	if err != nil {
		return err
	}
	if *dryRun {
		return show(c.stdout, app, changes.All)
	}
	return change(ctx, c, app, changes, *yes, func() error { return nil })
}
