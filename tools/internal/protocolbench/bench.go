// Package protocolbench measures how fast children of the MultiLangDaemon take
// its records: ours, and those that one would have otherwise. The daemon's side
// is that of package conformance.
package protocolbench

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/tools/internal/conformance"
	"github.com/seed96110120/kinesis-client-go/tools/internal/measure"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// Options say how thoroughly to measure.
type Options struct {
	// Rounds is how often each contender has its turn with each batch.
	Rounds int
	// Progress gets a line now and then.
	Progress io.Writer
}

// warmUps are rounds before those that count: the JVM compiles, the children's
// memory grows to what it needs.
const warmUps = 3

// setUp builds and installs all that is compared, in a folder that done removes.
func setUp(ctx context.Context, o Options) (b *bench, root string, done func(), err error) {
	root, err = workspace.Find(ctx, ".")
	if err != nil {
		return nil, "", nil, err
	}
	java, err := bootstrap.FindJava("")
	if err != nil {
		return nil, "", nil, err
	}
	dir, err := os.MkdirTemp("", "kcl-bench-")
	if err != nil {
		return nil, "", nil, err
	}
	fmt.Fprintln(o.Progress, "building ours, installing theirs")
	c, err := prepare(ctx, root, dir)
	if err != nil {
		os.RemoveAll(dir)
		return nil, "", nil, err
	}
	return &bench{Options: o, contenders: c, java: java, dir: dir}, root, func() { os.RemoveAll(dir) }, nil
}

// Run measures children of the daemon and reports.
func Run(ctx context.Context, o Options) (*measure.Report, error) {
	b, root, done, err := setUp(ctx, o)
	if err != nil {
		return nil, err
	}
	defer done()
	c := b.contenders
	javaVersion, err := output(ctx, root, b.java, "--version")
	if err != nil {
		return nil, err
	}
	quiet, stop, err := b.daemon(ctx, "WARN")
	if err != nil {
		return nil, err
	}
	defer stop()
	var results []*result
	for _, l := range loads {
		r, err := b.load(ctx, l, lanes(quiet, c.all))
		if err != nil {
			return nil, b.cause(ctx, err)
		}
		results = append(results, r)
	}
	chatty, stop, err := b.daemon(ctx, "INFO")
	if err != nil {
		return nil, err
	}
	defer stop()
	ours := c.all[1]
	var logs []*result
	for _, l := range []load{loads[5], loads[0], loads[1]} {
		r, err := b.load(ctx, l, []lane{{"WARN", ours, quiet}, {"INFO", ours, chatty}})
		if err != nil {
			return nil, b.cause(ctx, err)
		}
		logs = append(logs, r)
	}
	fmt.Fprintln(o.Progress, "start and idle memory")
	starts, err := b.starts(ctx)
	if err != nil {
		return nil, b.cause(ctx, err)
	}
	java1, _, _ := strings.Cut(javaVersion, "\n")
	return report(results, logs, starts, c, java1, o.Rounds), nil
}

type bench struct {
	Options
	*contenders
	java, dir string
	shards    int // started so far; each has its own name
}

// cause prefers the end of ctx to what comes of it.
func (b *bench) cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// daemon starts a JVM that ends when stop is called or ctx ends.
func (b *bench) daemon(ctx context.Context, level string) (d *conformance.Driver, stop func(), err error) {
	d, err = conformance.Start(ctx, conformance.Config{Java: b.java, Dir: b.dir, Environ: b.environ, LogLevel: level})
	if err != nil {
		return nil, nil, err
	}
	unwatch := context.AfterFunc(ctx, d.Close)
	return d, func() { unwatch(); d.Close() }, nil
}
