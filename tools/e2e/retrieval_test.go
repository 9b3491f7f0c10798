//go:build unix

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/fault"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal"
)

// inBothModes runs a test with GetRecords and with SubscribeToShard, each with its own
// Kinesis. It kills the daemons at the end; other tests cover stops. While KCL gives up
// many leases it may take some again, and then waits for them until its grace is over.
func inBothModes(t *testing.T, test func(*retrieval)) {
	for _, mode := range []string{"POLLING", "FANOUT"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			require(t)
			server := kinesislocal.StartTest(t, nil)
			a := newApplicationAt(t, server.URL(), 4, childProperties, stack.Setting{Name: "retrievalMode", Value: mode})
			test(&retrieval{a, mode, server, kinesis.NewFromConfig(server.AWSConfig())})
		})
	}
}

// retrieval is an application whose processors record what they get.
type retrieval struct {
	*application
	mode   string
	server *kinesislocal.Server
	client *kinesis.Client
}

// start starts a daemon whose processors record what they get. It is killed at the end of
// the test.
func (r *retrieval) start() *sample.Daemon {
	r.t.Helper()
	d := r.application.start(childEnv + "=note")
	r.t.Cleanup(func() {
		if java := d.JavaPID(); java > 0 { // 0 before it was started
			syscall.Kill(-java, syscall.SIGKILL)
		}
	})
	return d
}

// During a split, a merge and an update of the shard count, each parent ends once and each
// record is delivered.
func TestReshardUnderLoad(t *testing.T) {
	testenv.Nightly(t)
	t.Parallel()
	inBothModes(t, func(r *retrieval) {
		t := r.t
		d := r.start()
		put := r.startProducing(5000, 500)
		shard := func(number int) *string { return aws.String(fmt.Sprintf("shardId-%012d", number)) }
		reshards := []func() error{
			func() error { // 0 becomes 4 and 5
				_, err := r.client.SplitShard(t.Context(), &kinesis.SplitShardInput{StreamName: &r.name, ShardToSplit: shard(0), NewStartingHashKey: aws.String("40000000000000000000000000000000000000")})
				return err
			},
			func() error { // 4 and 5 become 6
				_, err := r.client.MergeShards(t.Context(), &kinesis.MergeShardsInput{StreamName: &r.name, ShardToMerge: shard(4), AdjacentShardToMerge: shard(5)})
				return err
			},
			func() error { // 6, 1, 2 and 3 become two each
				_, err := r.client.UpdateShardCount(t.Context(), &kinesis.UpdateShardCountInput{StreamName: &r.name, TargetShardCount: aws.Int32(8), ScalingType: types.ScalingTypeUniformScaling})
				return err
			},
		}
		for i, reshard := range reshards {
			r.await(d, fmt.Sprintf("record %d", 1000*(i+1)), func() bool { return r.noted() >= 1000*(i+1) })
			if err := reshard(); err != nil {
				t.Fatal(err)
			}
		}
		put()
		r.awaitAll(d)
		ended := r.closedShards()
		if len(ended) != 7 {
			t.Errorf("%v are closed, want 7", ended)
		}
		r.await(d, "the end of every closed shard", func() bool {
			return strings.Count(r.read("events.txt"), "shardEnded") >= len(ended)
		})
		events := r.read("events.txt")
		for _, id := range ended {
			if n := strings.Count(events, "shardEnded "+id); n != 1 {
				t.Errorf("%s ended %d times", id, n)
			}
		}
		if n := strings.Count(events, "shardEnded"); n != len(ended) {
			t.Errorf("%d shards ended, %d are closed:\n%s", n, len(ended), events)
		}
	})
}

// A second daemon gets its share of the shards. The first one's processors get leaseLost,
// and no record is lost.
func TestTwoDaemonsShareTheShards(t *testing.T) {
	testenv.Nightly(t)
	t.Parallel()
	inBothModes(t, func(r *retrieval) {
		first := r.start()
		r.produce(100)
		r.awaitAll(first)
		second := r.startWorker("worker-2")
		// KCL balances throughput; without any it moves no leases.
		for deadline := time.Now().Add(patience); !r.handedOver(); r.produce(100) {
			if time.Now().After(deadline) {
				r.t.Fatalf("no shard has changed hands after %v:\n%s", patience, r.read("events.txt"))
			}
		}
		r.produce(500)
		r.awaitAll(second)
	})
}

// handedOver reports whether a processor of the first daemon has lost its shard and another
// one has begun with it.
func (r *retrieval) handedOver() bool {
	events := r.read("events.txt")
	_, after, lost := strings.Cut(events, "leaseLost ")
	shard, _, whole := strings.Cut(after, "\n")
	return lost && whole && strings.Count(events, "initialize "+shard+" ") > 1
}

// No record is lost, whatever Kinesis answers.
func TestFaultsLoseNothing(t *testing.T) {
	testenv.Nightly(t)
	t.Parallel()
	inBothModes(t, func(r *retrieval) {
		if err := r.server.SetFaults(
			fault.Rule{Kind: fault.InternalError, Rate: 0.05},
			fault.Rule{Kind: fault.Throttle, Rate: 0.05},
			fault.Rule{Kind: fault.PartialPut, Rate: 0.05},
			fault.Rule{Kind: fault.DropResponse, Rate: 0.03},
			fault.Rule{Kind: fault.ExpireIterator, Rate: 0.02},
		); err != nil {
			r.t.Fatal(err)
		}
		d := r.start()
		r.startProducing(5000, 500)()
		r.awaitAll(d)
		for _, f := range r.faults() {
			// A subscription has no iterator that could expire.
			if f.Hits == 0 && (f.Rule.Kind != fault.ExpireIterator || r.mode == "POLLING") {
				r.t.Errorf("no call met the fault %s", f.Rule.Kind)
			}
		}
	})
}

type hits struct {
	Rule fault.Rule
	Hits int
}

// faults returns the current rules and how often each has hit.
func (r *retrieval) faults() (list []hits) {
	r.t.Helper()
	resp, err := http.Get(r.server.URL() + "/faults")
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		r.t.Fatal(err)
	}
	if len(list) == 0 {
		r.t.Error("no faults are in force")
	}
	return list
}

// startProducing puts n records, rate per second, and returns a function that waits for the
// end.
func (r *retrieval) startProducing(n, rate int) (wait func()) {
	cmd := exec.Command(sample.Command(shared.bin, "producer"), "--stream", r.name, "--records", fmt.Sprint(n), "--rate", fmt.Sprint(rate))
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = r.dir, r.environ, &stdout, &stderr
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	waited := false
	wait = func() {
		r.t.Helper()
		waited = true
		if err := <-ended; err != nil {
			r.t.Fatalf("producer: %v: %s", err, &stderr)
		}
		receipts, err := sample.Receipts(&stdout)
		if err != nil || len(receipts) != n {
			r.t.Fatalf("%d receipts for %d records, error %v", len(receipts), n, err)
		}
		r.sent = append(r.sent, receipts...)
	}
	r.t.Cleanup(func() {
		if !waited {
			cmd.Process.Kill()
			<-ended
		}
	})
	return wait
}

// awaitAll waits until the processors have recorded each record.
func (r *retrieval) awaitAll(d *sample.Daemon) {
	r.t.Helper()
	r.await(d, fmt.Sprintf("each of %d records", len(r.sent)), func() bool {
		if r.noted() < len(r.sent) {
			return false
		}
		got := make(map[string]bool)
		for line := range strings.Lines(r.read("records.txt")) {
			got[strings.TrimSuffix(line, "\n")] = true
		}
		for _, key := range r.sent {
			if !got[key.ShardID+" "+key.SequenceNumber] {
				return false
			}
		}
		return true
	})
}

func (r *retrieval) closedShards() (ids []string) {
	r.t.Helper()
	out, err := r.client.ListShards(r.t.Context(), &kinesis.ListShardsInput{StreamName: &r.name})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, s := range out.Shards {
		if s.SequenceNumberRange.EndingSequenceNumber != nil {
			ids = append(ids, *s.ShardId)
		}
	}
	return ids
}

// startWorker starts another daemon with another worker ID.
func (r *retrieval) startWorker(id string) *sample.Daemon {
	r.t.Helper()
	properties, err := os.ReadFile(r.properties)
	if err != nil {
		r.t.Fatal(err)
	}
	named := *r.application
	named.properties = filepath.Join(r.dir, id+".properties")
	// Of two lines with the same name, Java uses the last one.
	if err := os.WriteFile(named.properties, append(properties, "workerId = "+id+"\n"...), 0o644); err != nil {
		r.t.Fatal(err)
	}
	other := *r
	other.application = &named
	return other.start()
}
