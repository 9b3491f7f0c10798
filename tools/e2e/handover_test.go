//go:build unix

package e2e

import (
	"strings"
	"testing"

	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// The leader assigns a lease to another worker before the lease's consumer has begun, here
// because the shard waits for its parent. KCL 3.1.3 ends such a consumer and keeps the
// lease, so that the shard is no longer read. The entry hands the lease over.
func TestHandOverBeforeTheConsumerBegins(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	a := newApplication(t, 2, stack.Setting{Name: "parentShardPollIntervalMillis", Value: "100"})
	table := &resourceTest{T: t, name: a.name, dynamoDB: a.dynamoDB()}
	parent, child := *shardID(0), *shardID(1)
	text := func(s string) ddb.AttributeValue { return &ddb.AttributeValueMemberS{Value: s} }
	set := func(key, set string, values map[string]ddb.AttributeValue) {
		t.Helper()
		if err := table.setLease(t.Context(), key, set, values); err != nil {
			t.Fatal(err)
		}
	}
	set(child, "SET parentShardId = :p", map[string]ddb.AttributeValue{":p": &ddb.AttributeValueMemberSS{Value: []string{parent}}})
	e := a.startEngine()
	logged := func(message string) bool {
		for line := range strings.Lines(e.read()) {
			if strings.Contains(line, message) && strings.Contains(line, child) {
				return true
			}
		}
		return false
	}
	e.await("the parent's processor", func() bool { return a.count("initialize") == 1 })
	e.await("the child's consumer", func() bool { return logged("Created new shardConsumer") })
	set(child, "SET leaseOwner = :o, checkpointOwner = :c REMOVE parentShardId", map[string]ddb.AttributeValue{":o": text("worker-2"), ":c": text("worker-1")})
	e.await("the end of the child's consumer", func() bool { return logged("Calling graceful shutdown") })
	set(parent, "SET checkpoint = :e", map[string]ddb.AttributeValue{":e": text("SHARD_END")})
	e.await("the hand-over", func() bool { return table.leaseTable(a.name)[child]["checkpointOwner"] == nil })
	// The other worker does not exist, so that the lease comes back.
	a.produce(100)
	e.awaitAll()
	e.stop()
}
