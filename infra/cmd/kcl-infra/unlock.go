package main

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"
)

const unlockHelp = `Usage: kcl-infra unlock [flags]

Releases what dead workers hold: leases, and the leader lock, without which nobody
assigns leases. It watches the lock and all leases for two minutes, or for the lock's own
lease duration if that is longer, and refuses as soon as a leader renews the lock. Then it
deletes the lock, and frees the leases of each worker that neither renewed a lease nor
reported in that time. Running workers keep their leases, and try to take the lock
every 30 seconds. The streams do not matter.

A worker of KCL 2 does not report, and renews its leases every third of
failoverTimeMillis. If that property is more than 300000, stop the worker first.

Flags:

Example:
  kcl-infra unlock --application orders --dry-run
`

func unlock(ctx context.Context, c *console, args []string) error {
	var t target
	flags := pflag.NewFlagSet("unlock", pflag.ContinueOnError)
	t.addFlags(flags)
	dryRun := flags.Bool("dry-run", false, "watch, show what would be released, and change nothing")
	yes := flags.BoolP("yes", "y", false, yesUsage)
	if err := t.parse(c, flags, args, unlockHelp); err != nil {
		return err
	}
	if !*dryRun && !*yes && !isTerminal(c.stdin) {
		return usagef("use --yes, there is no terminal to ask on")
	}
	app, err := open(ctx, c, &t)
	if err != nil {
		return err
	}
	plan, err := app.PlanUnlock(ctx)
	if err != nil {
		return err
	}
	items := plan.Items()
	switch {
	case len(items) == 0:
		fmt.Fprintln(c.stdout, "nothing to release: no dead worker holds anything")
		return nil
	case *dryRun:
		for _, item := range items {
			c.printLine("would release %s", item)
		}
		return nil
	case !*yes:
		if err := confirm(ctx, c, "To release, in "+app.DynamoDBName(), items, "Release", "nothing was released"); err != nil {
			return err
		}
	}
	return plan.Apply(ctx, func(item string) { c.printLine("released %s", item) })
}
