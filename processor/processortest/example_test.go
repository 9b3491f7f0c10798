package processortest_test

import (
	"fmt"
	"testing"

	"github.com/seed96110120/kinesis-client-go/processor/processortest"
	"github.com/seed96110120/kinesis-client-go/protocol"
)

// A test of one's own processor: it crashes after two records, its successor
// goes on behind the checkpoint, to the end of the shard.
func Example() {
	TestConsumer := func(t testing.TB) {
		var shard processortest.Shard
		shard.Put("sensor-17", "one", "two", "three")

		d := shard.Start(t, &consumer{save: everything})
		d.Do(shard.Initialize())
		d.Do(shard.Next(2))
		d.Close()

		c := &consumer{save: everything}
		d = shard.Start(t, c)
		d.Do(shard.Initialize())
		d.Do(shard.Next(2))
		d.Do(protocol.ShardEnded{})
		fmt.Println(c.seen, shard.Checkpoints())
	}
	TestConsumer(&outcome{})
	// Output: [three] [2/0 3/0 SHARD_END/0]
}
