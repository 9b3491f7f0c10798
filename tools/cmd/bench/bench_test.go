//go:build linux

package main

import (
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/seed96110120/kinesis-client-go/tools/internal/conformance"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// TestProtocol uses small loads and one round that counts.
func TestProtocol(t *testing.T) {
	testenv.Long(t)
	testenv.JDK(t)
	testenv.Workspace(t)
	testenv.Command(t, "node", "npm")
	var progress strings.Builder
	b, done, err := newProtocolBench(t.Context(), 1, &progress)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	t.Run("contenders do the same", func(t *testing.T) { contendersDoTheSame(t, b) })
	r, err := b.compare(t.Context(), []load{{"one shard", 10, 10, 1, 2}, {"two shards", 10, 10, 2, 2}})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := r.write(&text); err != nil {
		t.Fatal(err)
	}
	const header = "| batch | sink | ours | encoding/json | Node |"
	if !strings.Contains(text.String(), header) || !regexp.MustCompile(`\| two shards (\| [0-9.]+ ){4}\|`).MatchString(text.String()) {
		t.Errorf("the report lacks %s, or figures below it:\n%s", header, &text)
	}
	for _, name := range []string{"one shard", "two shards"} { // of the last table, memory
		if !regexp.MustCompile(`(?m)^\| ` + name + ` \| [0-9.]+ `).MatchString(text.String()) {
			t.Errorf("the report lacks a figure of %q:\n%s", name, &text)
		}
	}
	if !strings.Contains(progress.String(), "\ntwo shards\n") {
		t.Errorf("progress:\n%s", &progress)
	}
}

// TestWorker uses small jobs and one round.
func TestWorker(t *testing.T) {
	testenv.Nightly(t)
	testenv.Java(t)
	testenv.Workspace(t)
	b := &programBench{dir: t.TempDir(), rounds: 1, progress: io.Discard}
	if err := b.build(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := b.compare(t.Context(),
		[]job{{"two shards", 2, 20_000, 100, 0, "FANOUT"}, {"in turns", 2, 1, 100, 4, "FANOUT"}},
		[2]job{{"1 idle", 1, 10, 100, 0, "FANOUT"}, {"3 idle", 3, 10, 100, 0, "FANOUT"}})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := r.write(&text); err != nil {
		t.Fatal(err)
	}
	const figure, more = `\| -?[0-9.]+`, `, -?[0-9.]+ to -?[0-9.]+`
	for _, want := range []string{
		`\| batch \| worker \| children \|`,
		`\| two shards (` + figure + ` ){2}\|`,
		`\| in turns (` + figure + ` ){2}\|`,
		`\| two shards ` + figure + more + ` \|`,
		`\| children ` + figure + ` ` + figure + more + ` \|`, // start
		`\| children (` + figure + ` ){3}\|`,                  // memory
	} {
		if !regexp.MustCompile(`(?m)^` + want + `$`).MatchString(text.String()) {
			t.Errorf("no line is like %s:\n%s", want, &text)
		}
	}
}

func TestJava(t *testing.T) {
	testenv.Nightly(t)
	testenv.Java(t)
	testenv.Workspace(t)
	var stdout strings.Builder
	if status := run(t.Context(), []string{"java", "-n", "1", "--only", "^FANOUT, idle, 1$", "--with", "A=b -Xmx200m"}, &stdout, t.Output()); status != 0 {
		t.Fatalf("status %d, want 0", status)
	}
	if want := `(?m)^\| FANOUT, idle, 1 \| A=b -Xmx200m \|  \|  \|  (\| [0-9.]+ ){5}\|$`; !regexp.MustCompile(want).MatchString(stdout.String()) {
		t.Errorf("no line matches %s:\n%s", want, &stdout)
	}
}

func TestRate(t *testing.T) {
	// The first quarter does not count.
	if got := rate([]batch{{10, 0, 1e9}, {60, 2e9, 6e9}, {30, 1e9, 2e9}}); got != 15 {
		t.Errorf("%v records a second, want 15", got)
	}
}

// Each contender answers each action, checkpoints each batch and the end of the shard,
// and ends with its input.
func contendersDoTheSame(t *testing.T, b *protocolBench) {
	d, stop, err := b.daemon(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for i, c := range []contender{b.sink, b.ours, b.encodingJSON, b.node} {
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
	_, err := contender{name: "ours", command: []string{"/a folder/ours"}}.executable()
	if err == nil || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("error %v, want one that names TMPDIR", err)
	}
}
