package processortest_test

import (
	"testing"

	"github.com/seed96110120/kinesis-client-go/processor/processortest"
	"github.com/seed96110120/kinesis-client-go/protocol"
)

// A test of one's own processor: it crashes after its first batch, its
// successor reads on behind the checkpoint, to the end of the shard.
func Example() {
	test := func(t *testing.T) { // as in: func TestConsumer(t *testing.T)
		var shard processortest.Shard
		shard.Put("sensor-17", "one", "two", "three")

		d := shard.Start(t, &consumer{save: everything})
		d.Do(shard.Initialize())
		d.Do(shard.Next(2))
		d.Close()

		d = shard.Start(t, &consumer{save: everything})
		d.Do(shard.Initialize())
		d.Do(shard.Next(2))
		d.Do(protocol.ShardEnded{})
		if got := shard.Checkpoint().SequenceNumber; got != protocol.ShardEnd {
			t.Errorf("the last checkpoint is %s", got)
		}
	}
	_ = test
}
