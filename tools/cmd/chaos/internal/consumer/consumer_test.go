//go:build unix

package consumer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor/processortest"
	"github.com/seed96110120/kinesis-client-go/protocol"
	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/check"
	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/journal"
)

// Two hosts read a shard while all faults of a consumer are injected, and package check
// finds nothing in their files.
func TestConsumer(t *testing.T) {
	r := newRun(t)
	a, b := r.host("a"), r.host("b")
	r.put(10)

	// A consumer fails within a batch; the next one finds an incomplete line.
	d := r.start(a)
	d.Do(r.shard.Next(2))
	r.fault(a, Fail)
	if err := d.Begin(r.shard.Next(3)).Wait(); err == nil {
		t.Error("no error, want the injected failure")
	}
	d.Close()
	r.unfault(a, Fail)
	f, err := os.OpenFile(r.file(a), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"n":7,"key":`); err != nil {
		t.Fatal(err)
	}
	f.Close()

	// The consumer hangs for a while and then panics.
	d = r.start(a)
	r.fault(a, Hang)
	hangs := d.Begin(r.shard.Next(2))
	r.unfault(a, Hang)
	if err := hangs.Wait(); err != nil {
		t.Error(err)
	}
	r.fault(a, Panic)
	if err := d.Begin(r.shard.Next(2)).Wait(); err == nil {
		t.Error("no error, want the injected panic")
	}
	d.Close()

	// The table fails, and the consumer retries the checkpoint. Another host takes over
	// during a batch.
	d = r.start(a)
	r.shard.FailCheckpoint(1, "KinesisClientLibDependencyException")
	d.Do(r.shard.Next(2))
	r.fault(a, Hang)
	late := d.Begin(r.shard.Next(2))
	other := r.start(b)
	r.unfault(a, Hang)
	if err := late.Wait(); err != nil { // its checkpoint is refused
		t.Error(err)
	}
	d.Do(protocol.LeaseLost{})
	other.Do(r.shard.Next(100))
	other.Do(protocol.ShutdownRequested{})
	other.Do(protocol.ShardEnded{})
	r.snapshot(true)

	report, err := check.Read(os.DirFS(r.dir))
	if err != nil {
		t.Fatal(err)
	}
	found := report.Check()
	// The batch of two records that a finished late was also delivered to b.
	if found.Records != 10 || found.Written != 12 || !found.Good() {
		t.Errorf("%+v, want 10 records, 12 lines and no breach", found)
	}
	sessions, err := os.ReadFile(filepath.Join(a, "sessions.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for event, n := range map[string]int{check.Initialize: 3, check.Refused: 2, check.Lost: 1} {
		if got := strings.Count(string(sessions), `"event":"`+event+`"`); got != n {
			t.Errorf("%d times %s, want %d:\n%s", got, event, n, sessions)
		}
	}
}

// On a full disk the batch fails before its checkpoint.
func TestDiskFails(t *testing.T) {
	r := newRun(t)
	r.put(2)
	c := &consumer{dir: r.host("a")}
	d := r.shard.Start(t, c, nil)
	d.Do(r.shard.Initialize())
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	c.file.Close()
	c.file.File = full
	if err := d.Begin(r.shard.Next(2)).Wait(); err == nil {
		t.Error("no error on a full disk")
	}
	d.Close()
	if p := r.shard.Checkpoints(); len(p) > 0 {
		t.Errorf("checkpoints at %v, though no record is on disk", p)
	}
}

// run is a run with one shard, which processortest plays.
type run struct {
	t     *testing.T
	dir   string
	shard processortest.Shard
	n     int64
	log   *journal.Log
}

func newRun(t *testing.T) *run {
	r := &run{t: t, dir: t.TempDir()}
	var err error
	if r.log, err = journal.Open(filepath.Join(r.dir, "journal.jsonl")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.log.Close() })
	return r
}

func (r *run) host(name string) string {
	dir := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Join(dir, "faults"), 0o755); err != nil {
		r.t.Fatal(err)
	}
	return dir
}

func (r *run) file(host string) string {
	return filepath.Join(host, "data", r.shard.Initialize().ShardID+".jsonl")
}

func (r *run) put(n int) {
	shardID := r.shard.Initialize().ShardID
	for range n {
		r.n++
		number := string(rune('0'+r.n/10)) + string(rune('0'+r.n%10))
		if err := r.log.AppendSync(check.Put{N: r.n, Key: "k"}); err != nil {
			r.t.Fatal(err)
		}
		r.shard.Put("k", number+" ....")
		all := r.shard.Records()
		if err := r.log.AppendSync(check.Ack{N: r.n, Shard: shardID, Seq: all[len(all)-1].SequenceNumber, At: time.Now().UnixMilli()}); err != nil {
			r.t.Fatal(err)
		}
	}
}

// start starts a consumer, after a snapshot.
func (r *run) start(host string) *processortest.Daemon {
	r.snapshot(false)
	d := r.shard.Start(r.t, &consumer{dir: host}, nil)
	d.Do(r.shard.Initialize())
	return d
}

func (r *run) snapshot(rest bool) {
	p := r.shard.Checkpoint()
	at := check.Snapshot{At: time.Now().UnixMilli(), Rest: rest, Leases: []check.Lease{
		{Shard: r.shard.Initialize().ShardID, Checkpoint: p.SequenceNumber, Sub: p.SubSequenceNumber},
	}}
	var err error
	if at.Files, err = journal.Sizes(r.dir); err != nil {
		r.t.Fatal(err)
	}
	log, err := journal.Open(journal.Leases(r.dir))
	if err != nil {
		r.t.Fatal(err)
	}
	defer log.Close()
	if err := log.Append(at); err != nil {
		r.t.Fatal(err)
	}
}

func (r *run) fault(host, kind string) {
	if err := os.WriteFile(Fault(host, kind, r.shard.Initialize().ShardID), nil, 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r *run) unfault(host, kind string) {
	if err := os.Remove(Fault(host, kind, r.shard.Initialize().ShardID)); err != nil {
		r.t.Fatal(err)
	}
}
