//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/seed96110120/kinesis-client-go/tools/internal/conformance"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// Both benches, with small loads and one round that counts; and what they compare
// does the same.
func TestBenches(t *testing.T) {
	testenv.Long(t)
	testenv.JDK(t)
	testenv.Workspace(t)
	testenv.Command(t, "node", "npm")
	var progress strings.Builder
	b, done, err := setUp(t.Context(), 1, &progress)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	t.Run("contenders do the same", func(t *testing.T) { contendersDoTheSame(t, b) })
	for _, c := range []struct {
		name    string
		measure func(context.Context, []load) (*report, error)
		// header is of the first table, cells of its row "two shards".
		header, cells string
		memory        []string // rows of the last table
	}{
		{
			"protocol", b.protocol, "| batch | sink | ours | encoding/json | Node |", `(\| [0-9.]+ \([0-9.]+ to [0-9.]+\) ){4}\|`,
			[]string{"one shard", "two shards"},
		},
		{
			"worker", b.worker, "| batch | worker | worker, kcl-shim | worker, relay |", `(\| [0-9.]+ \([0-9.]+ to [0-9.]+\) ){3}\|`,
			[]string{"16 children: ours", "16 children: Node", "worker", "worker, kcl-shim", "worker, relay"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := c.measure(t.Context(), []load{{"one shard", 10, 10, 1, 2}, {"two shards", 10, 10, 2, 2}})
			if err != nil {
				t.Fatal(err)
			}
			var text strings.Builder
			if err := r.write(&text); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(text.String(), c.header) || !regexp.MustCompile(`\| two shards `+c.cells).MatchString(text.String()) {
				t.Errorf("the report lacks %s, or figures below it:\n%s", c.header, &text)
			}
			for _, name := range c.memory {
				if !regexp.MustCompile(`(?m)^\| ` + name + ` \| [0-9.]+ `).MatchString(text.String()) {
					t.Errorf("the report lacks a figure of %q:\n%s", name, &text)
				}
			}
		})
	}
	if !strings.Contains(progress.String(), "\ntwo shards\n") || !strings.Contains(progress.String(), "\nNode, 16 idle shards\n") {
		t.Errorf("progress:\n%s", &progress)
	}
}

// What is compared must take each action, checkpoint each batch and the end of
// the shard, and end with its input.
func contendersDoTheSame(t *testing.T, b *bench) {
	w, err := b.startWorker(t.Context(), "worker", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.process.Stop(0)
	// Its memory is measured.
	if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", w.process.PID())); err != nil || filepath.Base(exe) != "worker" {
		t.Errorf("the worker's process is %s, %v", exe, err)
	}
	d, stop, err := b.daemon(t.Context(), w.environ...)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for i, c := range []contender{b.sink, b.ours, b.encodingJSON, b.node, w.contender} {
		s := d.Shard("shardId-" + strings.Repeat("0", i+1))
		executable, err := c.executable()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Initialize(executable, "TRIM_HORIZON"); err != nil {
			t.Fatal(c.name, err)
		}
		var a conformance.Answer
		for _, batch := range []conformance.Batch{
			load{records: 1, size: 5}.batch(),
			load{records: 7, size: 300_000}.batch(),
			{Again: true, Repeat: 2},
		} {
			if a, err = s.ProcessRecords(batch); err != nil {
				t.Fatal(c.name, err)
			}
			if n := max(batch.Repeat, 1); len(a.Checkpoints) != n || len(a.Nanos) != n {
				t.Errorf("%s: %d checkpoints and %d times for %d batches", c.name, len(a.Checkpoints), len(a.Nanos), n)
			}
		}
		// The last of the third delivery of 7 records.
		if want := "49590338271490256608559692538361571095921575989136000020"; a.Checkpoint.SequenceNumber != want {
			t.Errorf("%s: checkpoint %s, want %s", c.name, a.Checkpoint.SequenceNumber, want)
		}
		if _, err := s.ShutdownRequested(conformance.Batch{}); err != nil {
			t.Fatal(c.name, err)
		}
		a, err = s.ShardEnded(conformance.Batch{})
		if err != nil {
			t.Fatal(c.name, err)
		}
		if a.Checkpoint.SequenceNumber != "SHARD_END" || a.ChildStatus == nil || *a.ChildStatus != 0 {
			t.Errorf("%s: at the end of the shard: %+v", c.name, a)
		}
	}
}

func TestExecutableWithASpace(t *testing.T) {
	_, err := contender{"ours", []string{"/a folder/ours"}}.executable()
	if err == nil || !strings.Contains(err.Error(), "TMPDIR") {
		t.Error(err)
	}
}
