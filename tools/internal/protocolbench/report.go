package protocolbench

import (
	"fmt"

	"github.com/seed96110120/kinesis-client-go/tools/internal/measure"
)

func report(results, logs []*result, starts []*startResult, c *contenders, java string, rounds int) *measure.Report {
	r := &measure.Report{Title: "The daemon's classes driving one child a shard", Machine: measure.ThisMachine()}
	names := []string{"batch"}
	for _, c := range c.all {
		names = append(names, c.name)
	}
	table := func(title string, cell func(r *result, lane int) measure.Cell) {
		t := &measure.Table{Title: title, Header: names}
		for _, result := range results {
			row := []measure.Cell{measure.Text("%s", result.name)}
			for i := range result.lanes {
				row = append(row, cell(result, i))
			}
			t.Add(row...)
		}
		r.Tables = append(r.Tables, t)
	}
	table("Throughput related to the sink's in the same round: median (range)", func(r *result, i int) measure.Cell {
		if i == 0 {
			return measure.Text("1")
		}
		return measure.Range("%.2f", measure.Ratio(r.rate(i), r.rate(0)))
	})
	table("Records a second, in thousands", func(r *result, i int) measure.Cell {
		s := r.rate(i)
		for j := range s {
			s[j] /= 1000
		}
		return measure.Median("%.4g", s)
	})
	table("Data, MB a second", func(r *result, i int) measure.Cell { return measure.Median("%.4g", r.megabytes(i)) })
	table("One batch, ms: p50 / p99", func(r *result, i int) measure.Cell {
		s := r.lanes[i].batches
		return measure.Cell{Text: fmt.Sprintf("%.3g / %.3g", s.Percentile(50), s.Percentile(99)), Sample: s}
	})
	table("The child's CPU time for a batch, ms", func(r *result, i int) measure.Cell { return measure.Median("%.3g", r.lanes[i].cpu) })
	table("The child's peak memory, MB", func(r *result, i int) measure.Cell { return measure.Median("%.3g", r.lanes[i].peak) })

	start := &measure.Table{Title: "Start, without the daemon", Header: []string{""}}
	first := []measure.Cell{measure.Text("exec to first answer, ms")}
	idle := []measure.Cell{measure.Text("memory then, MB")}
	for _, s := range starts {
		start.Header = append(start.Header, s.name)
		first = append(first, measure.Range("%.3g", s.millis))
		idle = append(idle, measure.Median("%.3g", s.idle))
	}
	start.Add(first...)
	start.Add(idle...)

	info := &measure.Table{
		Title:  "What the daemon's INFO lines for each message cost: throughput of ours at INFO, related to that at WARN",
		Header: []string{"batch", "ratio"},
	}
	for _, l := range logs {
		info.Add(measure.Text("%s", l.name), measure.Range("%.2f", measure.Ratio(l.rate(1), l.rate(0))))
	}
	r.Tables = append(r.Tables, start, info)
	r.Notes = []string{
		fmt.Sprintf("MultiLangShardRecordProcessor of KCL 3.1.3 on %s, one warm JVM, its log at WARN. "+
			"%d rounds after %d to warm up, in which the contenders take turns. Random data; each batch is checkpointed, and each record's data decoded, but by the sink.",
			java, rounds, warmUps),
		"The sink finds the end of each line and answers, with a pipe of 1 MiB: the limit of what any child can do. " +
			fmt.Sprintf("Node is aws-kcl %s, Python amazon-kclpy %s, on %s; encoding/json is a loop in Go on that package.", nodeVersion, pythonVersion, c.versions),
		"A batch's time is that of the daemon's processRecords: it makes the JSON, writes it and waits for checkpoint and answer. " +
			"For 4 shards the time of all is taken, with the driver's own work between batches; the memory is that of one child. MB are 10^6 bytes, memory is resident.",
	}
	return r
}
