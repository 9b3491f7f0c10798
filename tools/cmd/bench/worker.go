package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/conformance"
	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
)

// idleShards are those whose memory is measured.
const idleShards = 16

var workerLoads = []load{
	{"1000 x 100 B", 1000, 100, 4, 20},
	{"1000 x 1 KiB", 1000, 1 << 10, 4, 5},
	{"1 x 100 B", 1, 100, 4, 100},
}

// worker compares a worker, one process for all shards, with children of the
// daemon's, one process for each.
func (b *bench) worker(ctx context.Context, loads []load) (*report, error) {
	throughput := &table{
		title:  "Throughput of 4 shards, to four children of the same processor in the same round: median (range)",
		header: []string{"batch"},
	}
	memory := &table{
		title:  fmt.Sprintf("Memory with %d idle shards, all processes but Java, PSS in MB: median (range)", idleShards),
		header: []string{"", "all", "a child or shim"},
	}
	for _, l := range loads {
		throughput.rows = append(throughput.rows, []string{l.name})
	}
	measure := func(name string, environ ...string) error {
		w, err := b.startWorker(ctx, name, environ)
		if err != nil {
			return err
		}
		defer w.process.Stop(10 * time.Second)
		// The shims find their worker by the environment of the JVM.
		d, stop, err := b.daemon(ctx, w.environ...)
		if err != nil {
			return err
		}
		defer stop()
		throughput.header = append(throughput.header, name)
		for i, l := range loads {
			l.name = name + ", " + l.name
			children, worker := &lane{contender: b.ours, daemon: d}, &lane{contender: w.contender, daemon: d}
			if err := b.deliver(ctx, l, children, worker); err != nil {
				return err
			}
			related := ratio(worker.rate(l.records), children.rate(l.records))
			throughput.rows[i] = append(throughput.rows[i], related.span("%.2f"))
		}
		idle := func(name string, c contender, own ...int) error {
			all, one, err := b.idle(ctx, d, c, own...)
			if err == nil {
				memory.rows = append(memory.rows, []string{name, all.span("%.1f"), one.span("%.2f")})
			}
			return err
		}
		if len(memory.rows) == 0 { // once, with the first worker's JVM
			for _, c := range []contender{b.ours, b.node} {
				if err := idle(fmt.Sprintf("%d children: %s", idleShards, c.name), c); err != nil {
					return err
				}
			}
		}
		return idle(name, w.contender, w.process.PID())
	}
	if err := measure("worker"); err != nil {
		return nil, err
	}
	if err := measure("worker, kcl-shim", "BENCH_SHIM="+filepath.Join(b.dir, "kcl-shim")); err != nil {
		return nil, err
	}
	if err := measure("worker, relay", "BENCH_RELAY=1"); err != nil {
		return nil, err
	}
	return &report{
		title:  "One process for all shards",
		tables: []*table{throughput, memory},
		notes: []string{
			fmt.Sprintf("%d rounds after %d to warm up, in which children and worker take turns under one warm JVM with the daemon's own classes; random data, each batch checkpointed.", b.rounds, warmUps),
			"Memory is the sum of what each process takes with shared pages divided among those that share them (PSS), after one batch of 10 records a shard; the worker's own process is in it. " +
				"A shim is the worker's own program, started once more, or kcl-shim. Children of ours are plain Go programs; Node is aws-kcl " + awsKCLVersion + ".",
		},
	}, nil
}

// A workerProcess is a worker that waits for shims: those are the contender.
type workerProcess struct {
	contender
	environ []string
	process *subprocess.Process
}

// startWorker starts a worker and returns when it has said how to start a shim.
func (b *bench) startWorker(ctx context.Context, name string, environ []string) (w *workerProcess, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(b.dir, "worker"))
	cmd.Env = append(append(os.Environ(), "BENCH_ADDR="+l.Addr().String()), environ...)
	cmd.Stderr = os.Stderr
	process, err := subprocess.Start(cmd)
	if err != nil {
		l.Close()
		return nil, err
	}
	go func() { // so that nobody waits for a worker that has ended
		select {
		case <-process.Done():
		case <-ctx.Done():
			process.Stop(0)
		}
		l.Close()
	}()
	var told struct {
		Executable string
		Environ    []string
	}
	conn, err := l.Accept()
	if err == nil {
		err = json.NewDecoder(conn).Decode(&told)
		conn.Close()
	}
	if err != nil {
		process.Stop(0)
		return nil, fmt.Errorf("%s: no word of how to start a shim: %w", name, err)
	}
	return &workerProcess{contender{name, strings.Fields(told.Executable)}, told.Environ, process}, nil
}

// idle starts a child for each of idleShards shards and returns the memory of
// all, that of the processes own included, and that of one child, round by
// round.
func (b *bench) idle(ctx context.Context, d *conformance.Driver, c contender, own ...int) (all, one sample, err error) {
	fmt.Fprintf(b.progress, "%s, %d idle shards\n", c.name, idleShards)
	for range min(3, b.rounds) {
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		l := &lane{contender: c, daemon: d}
		if err := b.open(l, idleShards, load{records: 10, size: 100}.batch()); err != nil {
			return nil, nil, err
		}
		memory := 0.0
		for _, pid := range l.pids {
			memory += pss(pid)
		}
		one = append(one, memory/idleShards)
		for _, pid := range own {
			memory += pss(pid)
		}
		all = append(all, memory)
		if err := l.close(); err != nil {
			return nil, nil, err
		}
	}
	return all, one, nil
}
