//go:build unix

package e2e

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
)

// KCL goes on where it was when Kinesis and DynamoDB have been stopped and
// started again with their folder, on other ports: its leases and checkpoints
// are good for the streams that are there. A shard that had ended stays so, what
// was checkpointed does not come again, and what was put before and after comes.
func TestConsumerGoesOnAfterARestartOfTheStack(t *testing.T) {
	for _, mode := range []string{"POLLING", "FANOUT"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			require(t)
			config := stack.Config{DataDir: t.TempDir()}
			start := func() *stack.Stack {
				t.Helper()
				l, err := stack.Start(t.Context(), config)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { l.Close() })
				return l
			}
			settings := []stack.Setting{childProperties, {Name: "retrievalMode", Value: mode}}

			before := start()
			r := &retrieval{
				application: newApplicationOn(t, before, before.KinesisURL(), 2, settings...),
				mode:        mode, client: kinesis.NewFromConfig(before.AWSConfig()),
			}
			d := r.application.start(noted)
			r.produce(300)
			r.awaitAll(d)
			if _, err := r.client.SplitShard(t.Context(), &kinesis.SplitShardInput{StreamName: &r.name, ShardToSplit: aws.String(firstShard), NewStartingHashKey: aws.String("40000000000000000000000000000000000000")}); err != nil {
				t.Fatal(err)
			}
			r.produce(200)
			r.awaitAll(d)
			r.await(d, "the end of the shard", func() bool { return strings.Contains(r.read("events.txt"), "shardEnded "+firstShard) })
			r.stop(d)
			r.produce(100) // nobody reads
			if err := before.Close(); err != nil {
				t.Fatal(err)
			}

			after := start()
			r.use(after, after.KinesisURL(), settings...)
			r.produce(100)
			d = r.application.start(noted)
			r.awaitAll(d)
			if n := r.noted(); n != len(r.sent) {
				t.Errorf("%d records came, %d were sent", n, len(r.sent))
			}
			if n := strings.Count(r.read("events.txt"), "initialize "+firstShard+" "); n != 1 {
				t.Errorf("the shard that had ended began %d times", n)
			}
		})
	}
}
