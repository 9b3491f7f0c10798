//go:build unix

package protocolbench

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed96110120/kinesis-client-go/tools/internal/conformance"
	"github.com/seed96110120/kinesis-client-go/tools/internal/measure"
	"github.com/seed96110120/kinesis-client-go/tools/internal/needs"
)

// goContenders builds those that need nothing but this tree.
func goContenders(t *testing.T) []contender {
	t.Helper()
	dir := t.TempDir()
	if err := buildChildren(t.Context(), needs.Workspace(t), dir); err != nil {
		t.Fatal(err)
	}
	var all []contender
	for _, name := range []string{"sink", "ours", "encodingjson"} {
		all = append(all, contender{name, []string{filepath.Join(dir, name)}})
	}
	return all
}

// What is compared must do the same: take each action, checkpoint each batch
// and the end of the shard, and end with its input.
func TestContendersDoTheSame(t *testing.T) {
	d, err := conformance.Start(t.Context(), conformance.Config{Java: needs.JDK(t), Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for _, c := range goContenders(t) {
		t.Run(c.name, func(t *testing.T) {
			s := d.Shard("shardId-" + c.name)
			executable, err := c.executable()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Initialize(executable, "TRIM_HORIZON"); err != nil {
				t.Fatal(err)
			}
			var a conformance.Answer
			for _, b := range []conformance.Batch{
				{Records: load{records: 1, size: 5}.batch()},
				{Records: load{records: 7, size: 300_000}.batch()},
				{Again: true, Repeat: 2},
			} {
				if a, err = s.ProcessRecords(b); err != nil {
					t.Fatal(err)
				}
				if n := max(b.Repeat, 1); len(a.Checkpoints) != n || len(a.Nanos) != n {
					t.Errorf("%d checkpoints and %d times for %d batches", len(a.Checkpoints), len(a.Nanos), n)
				}
			}
			// The last of the third delivery of 7 records.
			if want := "49590338271490256608559692538361571095921575989136000020"; a.Checkpoint.SequenceNumber != want {
				t.Errorf("checkpoint %s, want %s", a.Checkpoint.SequenceNumber, want)
			}
			if _, err := s.ShutdownRequested(conformance.Batch{}); err != nil {
				t.Fatal(err)
			}
			a, err = s.ShardEnded(conformance.Batch{})
			if err != nil {
				t.Fatal(err)
			}
			if a.Checkpoint.SequenceNumber != "SHARD_END" || a.ChildStatus == nil || *a.ChildStatus != 0 {
				t.Errorf("at the end of the shard: %+v", a)
			}
		})
	}
}

// The whole of the bench but the rivals, which come from registries.
func TestLoadsAndStarts(t *testing.T) {
	var progress strings.Builder
	b := &bench{
		Options:    Options{Rounds: 1, Progress: &progress},
		contenders: &contenders{all: goContenders(t)},
		java:       needs.JDK(t), dir: t.TempDir(),
	}
	d, stop, err := b.daemon(t.Context(), "WARN")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	var results []*result
	for _, l := range []load{{"small", 10, 10, 1, 2}, {"shards", 10, 10, 2, 2}} {
		r, err := b.load(t.Context(), l, lanes(d, b.all))
		if err != nil {
			t.Fatal(err)
		}
		for _, lane := range r.lanes {
			if len(lane.seconds) != 1 || lane.seconds[0] <= 0 || len(lane.batches) != 2*l.shards || len(lane.cpu) != 1 || len(lane.peak) != 1 {
				t.Errorf("%s: %+v", lane.name, lane)
			}
		}
		results = append(results, r)
	}
	starts, err := b.starts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range starts {
		if len(s.millis) != 1 || s.millis[0] <= 0 || len(s.idle) != 1 {
			t.Errorf("%+v", s)
		}
	}
	var text strings.Builder
	if err := report(results, nil, starts, b.contenders, "a JVM", 1).WriteMarkdown(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| batch | sink | ours | encodingjson |", "| small | 1 | ", "| shards |", "exec to first answer"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, &text)
		}
	}
	if want := "small\nshards\n"; progress.String() != want {
		t.Errorf("progress %q, want %q", &progress, want)
	}
}

func TestExecutableWithASpace(t *testing.T) {
	_, err := contender{"ours", []string{"/a folder/ours"}}.executable()
	if err == nil || !strings.Contains(err.Error(), "TMPDIR") {
		t.Error(err)
	}
}

func TestRates(t *testing.T) {
	r := &result{load{records: 1000, size: 2000}, []*laneResult{{seconds: measure.Sample{0.5, 2}}}}
	if got, want := fmt.Sprint(r.rate(0), r.megabytes(0)), "[2000 500] [4 1]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
