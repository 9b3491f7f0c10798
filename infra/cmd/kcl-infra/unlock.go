package main

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"
)

const unlockHelp = `Usage: kcl-infra unlock [flags]

Releases what workers hold that are gone: the leader lock, without which nobody deals
out leases, and leases. It watches the lock and all leases for two minutes, or for the
lock's own lease duration if that is longer, and refuses as soon as a leader renews the
lock. Then it deletes the lock, and takes the owner off the leases of workers that
neither renewed a lease nor reported in that time. Workers that are at work keep theirs,
and look for the lock every 30 seconds.

A worker of KCL 2 does not report, and renews its leases every third of
failoverTimeMillis: stop it first if that is set above five minutes.

Flags:

Example:
  kcl-infra unlock --application orders --dry-run
`

func unlock(ctx context.Context, c *console, args []string) error {
	var t target
	flags := pflag.NewFlagSet("unlock", pflag.ContinueOnError)
	t.addFlags(flags)
	dryRun := flags.Bool("dry-run", false, "watch, show what would be released, and change nothing")
	yes := flags.BoolP("yes", "y", false, "do not ask")
	if err := t.parse(c, flags, args, unlockHelp); err != nil {
		return err
	}
	if !*dryRun && !*yes && !isTerminal(c.stdin) {
		return usagef("say --yes, there is no terminal to ask on")
	}
	app, err := open(ctx, c, &t)
	if err != nil {
		return err
	}
	held, err := app.PlanUnlock(ctx)
	if err != nil {
		return err
	}
	what := held.What()
	switch {
	case len(what) == 0:
		fmt.Fprintln(c.stdout, "nothing to release: no worker that is gone holds anything")
		return nil
	case *dryRun:
		for _, w := range what {
			c.tell("would release %s", w)
		}
		return nil
	case !*yes:
		if err := confirm(ctx, c, "To release, in "+app.DynamoDBName(), what, "Release", "nothing was released"); err != nil {
			return err
		}
	}
	return held.Do(ctx, func(what string) { c.tell("released %s", what) })
}
