package processortest_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/seed96110120/kinesis-client-go/processor"
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

// A processor is held to a conversation that a real daemon had.
func ExamplePlay() {
	const transcript = `
> {"action":"initialize","shardId":"shardId-000000000000","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}
< {"action":"status","responseFor":"initialize"}
> {"action":"processRecords","records":[{"action":"record","data":"b25l","partitionKey":"k","sequenceNumber":"1","subSequenceNumber":0}],"millisBehindLatest":0}
< {"action":"checkpoint","sequenceNumber":"1","subSequenceNumber":0}
> {"action":"checkpoint","sequenceNumber":"1","subSequenceNumber":0,"error":null}
< {"action":"status","responseFor":"processRecords"}
`
	TestConversation := func(t testing.TB) {
		c := &consumer{save: everything}
		err := processortest.Play(t, strings.NewReader(transcript), c)
		fmt.Println(c.seen, err)
	}
	TestConversation(&outcome{})
	// Output: [one] <nil>
}

// A program that does this in Main's place writes a real daemon's conversation
// down; here the daemon is two pipes away.
func ExampleNewRecorder() {
	stdin, toChild := io.Pipe()
	fromChild, stdout := io.Pipe()
	go func() {
		w, r := protocol.NewWriter(toChild), protocol.NewReader(fromChild)
		for _, m := range []protocol.Message{protocol.Initialize{ShardID: "shardId-000000000000"}, protocol.LeaseLost{}} {
			w.Write(m)
			r.Read()
		}
		toChild.Close()
	}()
	r := processortest.NewRecorder(os.Stdout)
	if err := processor.Run(context.Background(), &consumer{}, r.Input(stdin), r.Output(stdout)); err != nil {
		fmt.Println(err)
	}
	// Output:
	// > {"action":"initialize","shardId":"shardId-000000000000","sequenceNumber":null,"subSequenceNumber":null}
	// < {"action":"status","responseFor":"initialize"}
	// > {"action":"leaseLost"}
	// < {"action":"status","responseFor":"leaseLost"}
}
