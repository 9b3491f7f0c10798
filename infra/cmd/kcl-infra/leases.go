package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/spf13/pflag"

	"github.com/seed96110120/kinesis-client-go/infra/internal/resources"
)

// watchInterval is the pause between two reads. By default KCL renews a lease every 3.3
// seconds.
const watchInterval = 5 * time.Second

const leasesHelp = `Usage: kcl-infra leases [flags]

Shows each shard with its lease, and changes nothing.

  REPORTED    when the owner last reported, by its clock (KCL 3, every 30 s)
  RENEWED     how long ago the owner renewed the lease: <5s is less than 5 seconds,
              >20s more than 20. A lease has a counter and no time, so this needs --watch
  LAG         how far the checkpoint is behind the newest record of the shard, in time
  ARRIVED     when the record at the checkpoint arrived; at TRIM_HORIZON the oldest one
  CHECKPOINT  sequence number, and sub-sequence number if it is not 0; TRIM_HORIZON,
              LATEST or AT_TIMESTAMP before the first checkpoint; SHARD_END
  PARENTS, CHILDREN  numbers of those shards that the stream still has
  NOTE        why no worker reads the shard now, and what is unusual about its checkpoint

- means none or unknown. For LAG and ARRIVED it reads one record of each shard. Kinesis
allows 5 reads per second and shard, for all POLLING consumers and this command together.
If a read is refused, LAG is -, and NOTE says why.

Flags:

Examples:
  kcl-infra leases --application orders --stream-name orders
  kcl-infra leases --application orders --stream-name orders --watch
`

func leases(ctx context.Context, c *console, args []string) error {
	var t target
	flags := pflag.NewFlagSet("leases", pflag.ContinueOnError)
	t.addFlags(flags)
	asJSON := flags.Bool("json", false, "print JSON; with --watch one object per line")
	watch := flags.BoolP("watch", "w", false, "repeat every 5 seconds until Ctrl-C; on a terminal, in place")
	if err := t.parse(c, flags, args, leasesHelp); err != nil {
		return err
	}
	app, err := open(ctx, c, &t)
	if err != nil {
		return err
	}
	w := app.WatchLeases()
	show := func(l *resources.Leases) error { return l.Print(c.stdout) }
	switch encoder := json.NewEncoder(c.stdout); {
	case *asJSON:
		if !*watch {
			encoder.SetIndent("", "  ")
		}
		show = func(l *resources.Leases) error { return encoder.Encode(l) }
	case *watch && isTerminal(c.stdout):
		show = func(l *resources.Leases) error { return printInPlace(c.stdout, l) }
	case *watch:
		show = func(l *resources.Leases) error { return printBlock(c.stdout, l) }
	}
	for {
		l, err := w.Read(ctx)
		if err == nil {
			err = show(l)
		}
		switch {
		case *watch && ctx.Err() != nil:
			return nil // Ctrl-C is how a watch ends
		case err != nil || !*watch:
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchInterval):
		}
	}
}

// printBlock prints the leases and an empty line.
func printBlock(w io.Writer, l *resources.Leases) error {
	if err := l.Print(w); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// printInPlace overwrites the terminal in one write, so that it does not flicker.
func printInPlace(w io.Writer, l *resources.Leases) error {
	const home, clearLine, clearBelow = "\x1b[H", "\x1b[K", "\x1b[J"
	var text bytes.Buffer
	if err := l.Print(&text); err != nil {
		return err
	}
	lines := bytes.ReplaceAll(text.Bytes(), []byte("\n"), []byte(clearLine+"\n"))
	_, err := w.Write(append(append([]byte(home), lines...), clearBelow...))
	return err
}
