//go:build unix

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// A stream is deleted and created again while there are leases: one at the end of a shard
// that is open now, one at a sequence number that its shard cannot have, and two of
// shards that the stream does not have. After the advice that is shown has been followed,
// all of the new stream is read.
//
// Guarantee: If a stream was deleted and created again, the shards that cannot be read
// are shown.
func TestStreamMadeAnew(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	for mode, operation := range map[string]string{"POLLING": "Initialize", "FANOUT": "SubscribeToShard"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			a := newApplication(t, 2, stack.Setting{Name: "retrievalMode", Value: mode})
			w := a.startWorker("worker")
			a.produce(100)
			w.awaitAll()
			a.split(0)
			a.produce(100)
			w.awaitAll()
			w.await("the end of the parent", func() bool { return a.count("shardEnded") == 1 })
			w.stop()
			a.makeStreamAnew(2)
			a.sent = nil
			a.produce(100)
			for _, want := range []string{
				"delete --application " + a.name,
				firstShard + ": it was read to its end, but is open",
				*shardID(1) + ": its checkpoint is before its first sequence number",
				*shardID(2) + ": the stream does not have this shard",
			} {
				if status := a.run("kcl-infra", "status", "--application", a.name, "--stream-name", a.name); !strings.Contains(status, want) {
					t.Errorf("the status has no %q:\n%s", want, status)
				}
			}
			port := freePort(t)
			w = a.startWorker("worker", workerHTTPEnv+"="+port)
			w.await("the daemon", func() bool { return strings.Count(w.read(), "daemon ready") == 2 })
			ready := time.Now()
			shown := func(shard, text string) bool {
				for _, s := range statusOf(t, port).Shards {
					if s.ShardID == shard && s.Problem != nil && strings.Contains(s.Problem.Text, text) {
						return strings.Contains(s.Problem.Advice, "kcl-infra delete --application "+a.name)
					}
				}
				return false
			}
			w.await("the open shard that has ended", func() bool { return shown(firstShard, "OpenShardException") })
			w.await("its lease, which has a lag", func() bool {
				for _, s := range statusOf(t, port).Shards {
					if s.ShardID == firstShard {
						return s.LeasesTaken == 1
					}
				}
				return false
			})
			w.await("the checkpoint of another", func() bool { return shown(*shardID(1), operation+": InvalidArgumentException") })
			if took := time.Since(ready); took > 30*time.Second {
				t.Errorf("shown after %v", took)
			}
			if _, text := fetchFrom(t, port, "/readyz"); !strings.Contains(text, firstShard+" cannot be read") || !strings.Contains(text, *shardID(1)+" cannot be read") {
				t.Errorf("readyz: %s", text)
			}
			w.stop()
			a.run("kcl-infra", "delete", "--yes", "--application", a.name, "--stream-name", a.name)
			a.run("kcl-infra", "create", "--application", a.name, "--stream-name", a.name, "--seed-leases", "TRIM_HORIZON")
			w = a.startWorker("worker")
			w.awaitAll()
			w.stop()
		})
	}
}

// makeStreamAnew deletes the stream and creates another one of the same name.
func (a *application) makeStreamAnew(shards int32) {
	a.t.Helper()
	client, ctx := a.kinesis(), a.t.Context()
	if _, err := client.DeleteStream(ctx, &kinesis.DeleteStreamInput{StreamName: &a.name, EnforceConsumerDeletion: aws.Bool(true)}); err != nil {
		a.t.Fatal(err)
	}
	short := func(o *kinesis.StreamNotExistsWaiterOptions) { o.MinDelay, o.MaxDelay = time.Second/10, time.Second/10 }
	if err := kinesis.NewStreamNotExistsWaiter(client).Wait(ctx, &kinesis.DescribeStreamInput{StreamName: &a.name}, patience, short); err != nil {
		a.t.Fatal(err)
	}
	if _, err := client.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: &a.name, ShardCount: &shards}); err != nil {
		a.t.Fatal(err)
	}
	soon := func(o *kinesis.StreamExistsWaiterOptions) { o.MinDelay, o.MaxDelay = time.Second/10, time.Second/10 }
	if err := kinesis.NewStreamExistsWaiter(client).Wait(ctx, &kinesis.DescribeStreamInput{StreamName: &a.name}, patience, soon); err != nil {
		a.t.Fatal(err)
	}
}
