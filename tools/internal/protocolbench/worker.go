package protocolbench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/child"
	"github.com/seed96110120/kinesis-client-go/tools/internal/conformance"
	"github.com/seed96110120/kinesis-client-go/tools/internal/measure"
)

// idleShards are those whose memory is measured.
const idleShards = 16

// RunWorker compares a worker, one process for all shards, with children of the
// daemon's, one process for each.
func RunWorker(ctx context.Context, o Options) (*measure.Report, error) {
	b, root, done, err := setUp(ctx, o)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := buildWorker(ctx, root, b.dir); err != nil {
		return nil, err
	}
	r, err := b.worker(ctx, []contender{b.all[1], b.all[3]})
	return r, b.cause(ctx, err)
}

func buildWorker(ctx context.Context, root, dir string) error {
	_, err := output(ctx, root, "go", "build", "-o", dir+string(filepath.Separator),
		"./tools/internal/protocolbench/children/worker", "./processor/worker/cmd/kcl-shim")
	return err
}

// worker measures; the children are ours first, then others whose memory is to
// be shown beside it.
func (b *bench) worker(ctx context.Context, children []contender) (*measure.Report, error) {
	ways := []struct {
		name    string
		environ []string
	}{
		{"worker", nil},
		{"worker, kcl-shim", []string{"BENCH_SHIM=" + filepath.Join(b.dir, "kcl-shim")}},
		{"worker, relay", []string{"BENCH_RELAY=1"}},
	}
	r := &measure.Report{Title: "One process for all shards", Machine: measure.ThisMachine()}
	throughput := &measure.Table{
		Title:  "Throughput of 4 shards, to four children of the same processor in the same round: median (range)",
		Header: []string{"batch"},
	}
	memory := &measure.Table{
		Title:  fmt.Sprintf("Memory with %d idle shards, all processes but Java, PSS in MB: median (range)", idleShards),
		Header: []string{"", "processes", "all", "a shim"},
	}
	loads := []load{{"1000 x 100 B", 1000, 100, 4, 20}, {"1000 x 1 KiB", 1000, 1 << 10, 4, 5}, {"1 x 100 B", 1, 100, 4, 100}}
	rows := make([][]measure.Cell, len(loads))
	for i, l := range loads {
		rows[i] = []measure.Cell{measure.Text("%s", l.name)}
	}
	for i, way := range ways {
		host, err := b.startHost(ctx, way.name, way.environ)
		if err != nil {
			return nil, err
		}
		err = func() error {
			defer host.stop()
			// The shims find their worker by the environment of the JVM.
			d, err := conformance.Start(ctx, conformance.Config{Java: b.java, Dir: b.dir, Environ: append(host.environ, b.environ...)})
			if err != nil {
				return err
			}
			defer d.Close()
			defer context.AfterFunc(ctx, d.Close)()
			for j, l := range loads {
				l.name = way.name + ", " + l.name
				result, err := b.load(ctx, l, []lane{{"children", children[0], d}, {way.name, host.contender, d}})
				if err != nil {
					return err
				}
				rows[j] = append(rows[j], measure.Range("%.2f", measure.Ratio(result.rate(1), result.rate(0))))
			}
			throughput.Header = append(throughput.Header, way.name)
			measured := []contender{host.contender}
			if i == 0 {
				measured = append(measured, children...)
			}
			for k, c := range measured {
				own := 0
				if k == 0 {
					own = host.pid
				}
				all, one, err := b.idle(ctx, d, c, own)
				if err != nil {
					return err
				}
				name, processes, shim := fmt.Sprintf("%d children: %s", idleShards, c.name), idleShards, measure.Text("")
				if k == 0 {
					name, processes, shim = way.name, idleShards+1, measure.Range("%.2f", one)
				}
				memory.Add(measure.Text("%s", name), measure.Text("%d", processes), measure.Range("%.1f", all), shim)
			}
			return nil
		}()
		if err != nil {
			return nil, err
		}
	}
	for _, row := range rows {
		throughput.Add(row...)
	}
	r.Tables = []*measure.Table{throughput, memory}
	r.Notes = []string{
		fmt.Sprintf("%d rounds after %d to warm up, in which children and worker take turns under one warm JVM with the daemon's own classes; random data, each batch checkpointed.", b.Rounds, warmUps),
		"Memory is the sum of what each process takes with shared pages divided among those that share them (PSS), after one batch of 10 records a shard; the worker's own process is in it. " +
			"A shim is the worker's own program, started once more, or kcl-shim. Children of ours are plain Go programs; Node is aws-kcl " + nodeVersion + ".",
	}
	return r, nil
}

// A host is a worker that waits for shims.
type host struct {
	contender
	environ []string
	pid     int
	process *child.Process
}

func (h *host) stop() { h.process.Stop(10 * time.Second) }

func (b *bench) startHost(ctx context.Context, name string, environ []string) (*host, error) {
	file := filepath.Join(b.dir, strings.NewReplacer(" ", "", ",", "-").Replace(name)+".json")
	cmd := exec.Command(filepath.Join(b.dir, "worker"))
	cmd.Env = append(append(os.Environ(), "BENCH_HANDOVER="+file), environ...)
	cmd.Stderr = os.Stderr
	process, err := child.Start(cmd)
	if err != nil {
		return nil, err
	}
	h := &host{contender: contender{name: name}, process: process}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		text, err := os.ReadFile(file)
		if err == nil {
			var told struct {
				Executable string
				Environ    []string
			}
			if err := json.Unmarshal(text, &told); err != nil {
				h.stop()
				return nil, err
			}
			h.command, h.environ = strings.Fields(told.Executable), told.Environ
			h.pid, err = hostPID(process.PID())
			if err != nil {
				h.stop()
			}
			return h, err
		}
		select {
		case <-tick.C:
		case <-process.Done():
			return nil, errors.New("the worker has ended before it was there")
		case <-ctx.Done():
			h.stop()
			return nil, context.Cause(ctx)
		}
	}
}

// hostPID returns the process of a worker: package child starts it behind a
// shell.
func hostPID(pid int) (int, error) {
	for range 3 {
		if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil && filepath.Base(exe) == "worker" {
			return pid, nil
		}
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		if err != nil {
			return 0, err
		}
		if _, err := fmt.Sscan(string(text), &pid); err != nil {
			break
		}
	}
	return 0, errors.New("the worker's process is not found")
}

// idle starts a child for each of idleShards shards and returns the memory of
// all, own included, and that of one child, round by round.
func (b *bench) idle(ctx context.Context, d *conformance.Driver, c contender, own int) (all, one measure.Sample, err error) {
	fmt.Fprintf(b.Progress, "%s, %d idle shards\n", c.name, idleShards)
	executable, err := c.executable()
	if err != nil {
		return nil, nil, err
	}
	batch := conformance.Batch{Records: load{records: 10, size: 100}.batch()}
	for range min(3, b.Rounds) {
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
		var shards []*conformance.Shard
		var pids []int
		for range idleShards {
			b.shards++
			s := d.Shard(fmt.Sprintf("shardId-%012d", b.shards))
			a, err := s.Initialize(executable, "TRIM_HORIZON")
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", c.name, err)
			}
			if _, err := s.ProcessRecords(batch); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", c.name, err)
			}
			shards, pids = append(shards, s), append(pids, a.PID)
		}
		children := 0.0
		for _, pid := range pids {
			children += measure.PSS(pid)
		}
		one = append(one, children/idleShards)
		if own != 0 {
			children += measure.PSS(own)
		}
		all = append(all, children)
		for _, s := range shards {
			if _, err := s.LeaseLost(); err != nil {
				return nil, nil, err
			}
		}
	}
	return all, one, nil
}
