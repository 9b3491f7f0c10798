package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/tools/internal/npm"
)

var protocolLoads = []load{
	{"1000 x 100 B", 1000, 100, 1, 40},
	{"1000 x 1 KiB", 1000, 1 << 10, 1, 12},
	{"100 x 10 KiB", 100, 10 << 10, 1, 15},
	{"10 x 1 MiB", 10, 1 << 20, 1, 2},
	{"1 x 10 MiB", 1, 10 << 20, 1, 2},
	{"1 x 100 B", 1, 100, 1, 200},
	{"4 shards, 1000 x 1 KiB", 1000, 1 << 10, 4, 5},
}

// measureProtocol compares children of the daemon.
func measureProtocol(ctx context.Context, o options, progress io.Writer) (*report, error) {
	b, done, err := newProtocolBench(ctx, o.rounds, progress)
	if err != nil {
		return nil, err
	}
	defer done()
	return b.compare(ctx, protocolLoads)
}

// compare measures the loads and makes the report.
func (b *protocolBench) compare(ctx context.Context, loads []load) (*report, error) {
	javaVersion, err := output(ctx, b.dir, nil, b.java, "--version")
	if err != nil {
		return nil, err
	}
	javaVersion, _, _ = strings.Cut(javaVersion, "\n")
	nodeVersion, err := output(ctx, b.dir, nil, b.node.command[0], "--version")
	if err != nil {
		return nil, err
	}
	d, stop, err := b.daemon(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	header := []string{"batch", b.sink.name, b.ours.name, b.encodingJSON.name, b.node.name}
	related := &table{title: "Throughput relative to the sink's in the same round: median (range)", header: header}
	rates := &table{title: "Records per second, in thousands", header: header}
	cpu := &table{title: "The child's CPU time per batch, ms", header: header}
	memory := &table{title: "The child's peak memory, MB", header: header}
	for _, l := range loads {
		var trials []*trial
		for _, c := range []contender{b.sink, b.ours, b.encodingJSON, b.node} {
			trials = append(trials, &trial{contender: c, daemon: d})
		}
		if err := b.measure(ctx, l, trials...); err != nil {
			return nil, err
		}
		row := func(to *table, cell func(*trial) string) {
			cells := []string{l.name}
			for _, t := range trials {
				cells = append(cells, cell(t))
			}
			to.rows = append(to.rows, cells)
		}
		limit := trials[0].rate(l.records)
		row(related, func(t *trial) string { return ratio(t.rate(l.records), limit).withRange("%.2f") })
		row(rates, func(t *trial) string { return fmt.Sprintf("%.4g", t.rate(l.records).median()/1000) })
		row(cpu, func(t *trial) string { return t.cpu.text("%.3g") })
		row(memory, func(t *trial) string { return fmt.Sprintf("%.3g", t.peak) })
	}
	return &report{
		title:  "The daemon's classes drove one child per shard",
		tables: []*table{related, rates, cpu, memory},
		notes: []string{
			fmt.Sprintf("MultiLangShardRecordProcessor of KCL %s on %s, one warm JVM, its log at WARN. %d rounds after %d for warming up; in each round the contenders take turns. "+
				"The data is random. All contenders checkpoint each batch, and all except the sink decode the data of each record.", bootstrap.DaemonVersion, javaVersion, b.rounds, warmUps),
			fmt.Sprintf("The sink only finds the end of each line and answers, with a pipe of 1 MiB: no child can be faster. "+
				"Node is aws-kcl %s on Node.js %s; encoding/json is a loop in Go that uses that package.", npm.KCLVersion, strings.TrimPrefix(nodeVersion, "v")),
			"The time of a batch is that of the daemon's processRecords, which makes the JSON, writes it, and waits for the checkpoint and the answer. " +
				"For 4 shards it is the time of all, including the driver's own work between batches; the memory is that of one child. 1 MB is 10^6 bytes. Memory is resident memory.",
		},
	}, nil
}
