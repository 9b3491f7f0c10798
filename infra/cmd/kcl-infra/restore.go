package main

import (
	"context"

	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/infra/internal/resources"
	"github.com/seed96110120/kinesis-client-go/infra/internal/rewind"
)

const restoreHelp = `Usage: kcl-infra restore FILE [flags]

Restores the leases as they were before a rewind. FILE is the backup that the rewind
wrote, and names the application; the region is that of the rewind's flags. Leases that the rewind created are deleted. It refuses while the application
runs, and if a lease has changed since the rewind. With --force it restores those too,
and the application continues where it was before the rewind. If restore is interrupted,
run it again.

Flags:

Example:
  kcl-infra restore kcl-infra-orders-20261130T094312.123Z.jsonl
`

func restore(ctx context.Context, c *console, args []string) error {
	t := target{arguments: 1}
	flags := pflag.NewFlagSet("restore", pflag.ContinueOnError)
	t.addFlags(flags)
	force := flags.Bool("force", false, "also restore leases that have changed since the rewind")
	dryRun := flags.Bool("dry-run", false, "show each lease before and after, and change nothing")
	yes := flags.BoolP("yes", "y", false, yesUsage)
	if err := t.parse(c, flags, args, restoreHelp); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return usagef("which FILE? name the backup that kcl-infra rewind wrote")
	}
	backup, err := rewind.ReadBackup(flags.Arg(0))
	if err != nil {
		return err
	}
	named := flags.Changed("application") || t.properties != nil && t.properties.Application != ""
	if named && t.application != backup.Application {
		return usagef("%s is a backup of application %s, not of %s: nothing was changed", flags.Arg(0), backup.Application, t.application)
	}
	t.application, t.streams = backup.Application, nil // the backup has everything
	app, err := open(ctx, c, &t)
	if err != nil {
		return err
	}
	changes, err := app.PlanRestore(ctx, backup.Changes, &resources.RestoreOptions{Force: *force})
	if err != nil {
		return err
	}
	if *dryRun {
		return printChanges(c.stdout, app, changes.All)
	}
	return applyChanges(ctx, c, app, changes, &applyOptions{Yes: *yes})
}
