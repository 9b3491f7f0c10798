//go:build unix

package e2e

import (
	"crypto/md5"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/seed96110120/kinesis-client-go/processor/worker"
	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/fault"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal"
)

// A processor that fails or panics starts again from its checkpoint, in the same Java,
// without affecting the others. No record is lost, and the others process none twice.
func TestWorkersProcessorFails(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	for _, mode := range []string{"POLLING", "FANOUT"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			a := newApplication(t, 4, stack.Setting{Name: "retrievalMode", Value: mode})
			w := a.startWorker("worker")
			for n, name := range []string{"fail", "panic"} {
				a.produce(200)
				w.awaitAll()
				a.write(name, "")
				a.produce(200)
				w.await("a failure", func() bool { return a.count("failed") == n+1 })
				failed := time.Now()
				w.await("its next processor", func() bool {
					_, after, _ := lastCut(a.read("events.txt"), "failed ")
					shard, events, _ := strings.Cut(after, "\n")
					return strings.Contains(events, "initialize "+shard)
				})
				a.inTime("the shard's next processor", time.Since(failed), 4*time.Second)
				w.awaitAll()
				// A subscription younger than 5 s cannot be replaced.
				a.inTime("the shard's records", time.Since(failed), 7*time.Second)
			}
			if n := a.count("shutdownRequested") + a.count("leaseLost"); n != 0 {
				t.Errorf("%d other processors were asked to stop:\n%s", n, a.read("events.txt"))
			}
			if n := len(w.javaPIDs()); n != 1 {
				t.Errorf("Java was started %d times", n)
			}
			if n := a.noted(); n != len(a.sent) {
				t.Errorf("%d records noted of %d: some came twice", n, len(a.sent))
			}
			if log := w.read(); strings.Contains(log, "Skipping over") {
				t.Error("the log has the records of a failed batch")
			}
			w.stop()
			a.ownedBy("worker", false)
		})
	}
}

// One of 16 shards always fails. The others are read as before, the lease is kept, and when
// the shard no longer fails its records are processed.
func TestPoisonedShard(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 16)
	port := freePort(t)
	w := a.startWorker("worker", workerHTTPEnv+"="+port, workerBatchesEnv+"=1")
	a.produce(500)
	w.awaitAll()
	well := time.Now()
	for range 20 {
		a.produce(200)
	}
	w.awaitAll()
	poisoned := time.Now()
	a.write("poison", firstShard)
	for a.count("failed") < 3 {
		a.produce(200)
	}
	w.await("the others' records", func() bool { return a.missingFrom(firstShard) == 0 })
	before, after := a.longestGap(well, poisoned), a.longestGap(poisoned, time.Now())
	t.Logf("the longest gap of the other shards: %v, and %v beside a poisoned one", before, after)
	if after > 2*before+slack {
		t.Errorf("the other shards had a gap of %v, without a poisoned one of %v", after, before)
	}
	w.await("the shard in the status", func() bool {
		for _, s := range statusOf(t, port).Shards {
			if s.ShardID == firstShard {
				return s.FailsRepeatedly && s.Left.IsZero()
			}
		}
		return false
	})
	if code, text := fetchFrom(t, port, "/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(text, firstShard) {
		t.Errorf("readyz: %d %s", code, text)
	}
	a.ownedBy("worker", true)
	if err := os.Remove(filepath.Join(a.dir, "poison")); err != nil {
		t.Fatal(err)
	}
	w.awaitAll()
	if n := a.noted(); n != len(a.sent) {
		t.Errorf("%d records noted of %d: some came twice", n, len(a.sent))
	}
	w.stop()
	a.ownedBy("worker", false)
}

// The last batch before a split or a merge fails. The end of the shard is not checkpointed
// and its children wait. When the batch no longer fails, no record is missing.
func TestLastBatchFails(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	for name, reshard := range map[string]func(a *application){
		"split": func(a *application) { a.split(0) },
		"merge": func(a *application) { a.merge(0, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApplication(t, 2)
			w := a.startWorker("worker")
			a.produce(100)
			w.awaitAll()
			a.write("poison", firstShard)
			a.produce(100)
			reshard(a)
			w.await("two failures", func() bool { return a.count("failed") >= 2 })
			if ended := strings.Count(a.read("events.txt"), "shardEnded "+firstShard); ended != 0 {
				t.Errorf("a processor that failed was told of the shard's end:\n%s", a.read("events.txt"))
			}
			a.produce(100) // to the children
			for _, child := range []int{2, 3} {
				if strings.Contains(a.read("events.txt"), "initialize "+*shardID(child)) && !(name == "merge" && child == 3) {
					t.Errorf("a child began before its parent had ended:\n%s", a.read("events.txt"))
				}
			}
			if err := os.Remove(filepath.Join(a.dir, "poison")); err != nil {
				t.Fatal(err)
			}
			w.awaitAll()
			w.await("the end of the parent", func() bool { return strings.Contains(a.read("events.txt"), "shardEnded "+firstShard) })
			if n := a.noted(); n != len(a.sent) {
				t.Errorf("%d records noted of %d: some came twice", n, len(a.sent))
			}
			w.stop()
			a.ownedBy("worker", false)
		})
	}
}

// A handler hangs for longer than the timeout. Its shard is not read and the others are.
// When it returns its checkpoint is refused, and the shard starts again from the previous
// one, with the same batch.
func TestHungHandler(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 4, stack.Setting{Name: "timeoutInSeconds", Value: "2"})
	port := freePort(t)
	w := a.startWorker("worker", workerHTTPEnv+"="+port, workerReturnEnv+"=3s")
	a.produce(200)
	w.awaitAll()
	a.write("hang", firstShard)
	for a.count("hangs") == 0 {
		a.produce(100)
	}
	a.produce(200)
	w.await("the others' records", func() bool { return a.missingFrom(firstShard) == 0 })
	w.await("the shard in the status", func() bool {
		for _, s := range statusOf(t, port).Shards {
			if s.ShardID == firstShard {
				return s.State == worker.ShardHung
			}
		}
		return false
	})
	if n := strings.Count(a.read("events.txt"), "initialize "+firstShard); n != 1 {
		t.Errorf("%d processors of the shard, want the one that hangs", n)
	}
	if err := os.Remove(filepath.Join(a.dir, "hang")); err != nil {
		t.Fatal(err)
	}
	w.await("the end of the handler", func() bool { return a.count("woke") == 1 })
	if strings.Contains(a.read("events.txt"), "woke "+firstShard+" <nil>") {
		t.Errorf("the late checkpoint was made:\n%s", a.read("events.txt"))
	}
	w.awaitAll()
	a.write("hang", firstShard)
	for a.count("hangs") == 1 {
		a.produce(100)
	}
	began := time.Now()
	w.signal()
	if took := time.Since(began); w.cmd.ProcessState.ExitCode() != 1 || took > 20*time.Second || !strings.Contains(w.read(), worker.ErrHung.Error()) {
		t.Errorf("a stop with a handler that hangs: status %d after %v", w.cmd.ProcessState.ExitCode(), took)
	}
	a.ownedBy("worker", false)
}

// A corrupt record in the format of the Kinesis Producer Library is delivered as it is,
// like the others. Amazon's daemon ends, with all its shards, or skips it.
func TestBrokenAggregatedRecord(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 1)
	w := a.startWorker("worker")
	a.produce(50)
	// The library's AggregatedRecord: one partition key, and a record that refers to the
	// sixth.
	message := []byte("\x0a\x01k\x1a\x07\x08\x05\x1a\x03abc")
	sum := md5.Sum(message)
	out, err := a.kinesis().PutRecord(t.Context(), &kinesis.PutRecordInput{
		StreamName: &a.name, PartitionKey: aws.String("k"), Data: slices.Concat([]byte("\xf3\x89\x9a\xc2"), message, sum[:]),
	})
	if err != nil {
		t.Fatal(err)
	}
	a.sent = append(a.sent, sample.Key{ShardID: *out.ShardId, SequenceNumber: *out.SequenceNumber})
	a.produce(50)
	w.awaitAll()
	if n := len(w.javaPIDs()); n != 1 || a.count("failed") != 0 {
		t.Errorf("Java was started %d times, %d processors failed", n, a.count("failed"))
	}
	w.stopInTime()
}

// Why KCL cannot read a shard is shown until the cause has been removed.
func TestShardsProblem(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	both := []problem{
		{[]fault.Kind{fault.Throttle, fault.DropResponse}, "", ""},
		{[]fault.Kind{fault.Deny}, "AccessDeniedException", "allow kinesis:"},
		{[]fault.Kind{fault.DisableKey}, "KmsDisabledException", "enable the key"},
	}
	for mode, operation := range map[string]string{"POLLING": "GetRecords", "FANOUT": "SubscribeToShard"} {
		problems := both
		if mode == "POLLING" {
			problems = append(slices.Clone(both), problem{[]fault.Kind{fault.ExpireIterator}, "ExpiredIteratorException", "KCL gets a new iterator"})
		}
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			require(t)
			server := kinesislocal.StartTest(t, nil)
			a := newApplicationAt(t, server.URL(), 2, stack.Setting{Name: "retrievalMode", Value: mode})
			port := freePort(t)
			w := a.startWorker("worker", workerHTTPEnv+"="+port)
			a.produce(100)
			w.awaitAll()
			for _, p := range problems {
				shown := func(text, advice string) (n int) {
					for _, s := range statusOf(t, port).Shards {
						if s.Problem != nil && strings.Contains(s.Problem.Text, text) && strings.Contains(s.Problem.Advice, advice) && s.Problem.Advice != "" {
							n++
						}
					}
					return n
				}
				// A subscription would continue for 5 min.
				rules := []fault.Rule{{Kind: fault.DropResponse, Operation: "SubscribeToShard", Rate: 1, For: 3 * time.Second}}
				for _, kind := range p.faults {
					rules = append(rules, fault.Rule{Kind: kind, Operation: operation, Rate: 1})
				}
				if err := server.SetFaults(rules...); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				a.produce(20)
				w.await(fmt.Sprint("each shard's problem: ", p), func() bool { return shown(operation+": "+p.text, p.advice) == 2 })
				if took := time.Since(began); took > 30*time.Second {
					t.Errorf("the problem of %v was shown after %v", p, took)
				}
				if _, text := fetchFrom(t, port, "/readyz"); !strings.Contains(text, "cannot be read: "+operation) {
					t.Errorf("readyz: %s", text)
				}
				if err := server.SetFaults(); err != nil {
					t.Fatal(err)
				}
				w.await("no problem any more", func() bool { return shown("", "") == 0 })
			}
			a.produce(100)
			w.awaitAll()
			w.stop()
		})
	}
}

// The fan-out consumer is deleted: KCL takes that for the ends of all shards. It is shown,
// and the next worker registers the consumer and reads on.
//
// Guarantee: No processor is told of the end of a shard that is still open.
func TestConsumerDeleted(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 2, stack.Setting{Name: "retrievalMode", Value: "FANOUT"})
	port := freePort(t)
	w := a.startWorker("worker", workerHTTPEnv+"="+port)
	a.produce(100)
	w.awaitAll()
	client := a.kinesis()
	stream, err := client.DescribeStreamSummary(t.Context(), &kinesis.DescribeStreamSummaryInput{StreamName: &a.name})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.DeregisterStreamConsumer(t.Context(), &kinesis.DeregisterStreamConsumerInput{
		ConsumerName: &a.name, StreamARN: stream.StreamDescriptionSummary.StreamARN,
	}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for _, shard := range []string{firstShard, *shardID(1)} {
		w.await("the problem of "+shard, func() bool {
			for _, s := range statusOf(t, port).Shards {
				if s.ShardID == shard && s.Left.IsZero() && s.Problem != nil && strings.Contains(s.Problem.Advice, "list-stream-consumers") {
					return true
				}
			}
			return false
		})
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("shown after %v", took)
	}
	if a.count("shardEnded") > 0 {
		t.Errorf("told of an end that was none:\n%s", a.read("events.txt"))
	}
	a.produce(100)
	w.stop()
	w = a.startWorker("worker")
	w.awaitAll()
	w.stop()
}

// problem is a cause for which KCL cannot read, and the message.
type problem struct {
	faults       []fault.Kind
	text, advice string
}

// signal stops the worker, which may end with any status.
func (p *workerProcess) signal() {
	p.a.t.Helper()
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.a.t.Fatal("the worker still runs")
	}
}

// lastCut cuts a text around its last separator.
func lastCut(text, separator string) (before, after string, found bool) {
	i := strings.LastIndex(text, separator)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(separator):], true
}

// write writes a file of the application's folder.
func (a *application) write(name, text string) {
	a.t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o644); err != nil {
		a.t.Fatal(err)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func fetchFrom(t *testing.T, address, path string) (code int, text string) {
	t.Helper()
	resp, err := http.Get("http://" + address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func statusOf(t *testing.T, address string) (s worker.Status) {
	t.Helper()
	_, text := fetchFrom(t, address, "/status.json")
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// longestGap returns the longest time between two batches of a shard, without the first
// shard.
func (a *application) longestGap(from, to time.Time) (longest time.Duration) {
	a.t.Helper()
	last := make(map[string]int64)
	for line := range strings.Lines(a.read("batches.txt")) {
		var shard string
		var millis int64
		if _, err := fmt.Sscan(line, &shard, &millis); err != nil {
			continue // it is being written
		}
		if shard == firstShard || millis < from.UnixMilli() || millis > to.UnixMilli() {
			continue
		}
		if before, ok := last[shard]; ok {
			longest = max(longest, time.Duration(millis-before)*time.Millisecond)
		}
		last[shard] = millis
	}
	return longest
}
