package processortest_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/handle"
	"github.com/seed96110120/kinesis-client-go/processor/processortest"
	"github.com/seed96110120/kinesis-client-go/protocol"
)

// A test of a processor: it crashes after two records, and its successor continues
// after the checkpoint, to the end of the shard.
func Example() {
	TestConsumer := func(t testing.TB) {
		var seen []string
		store := func(ctx context.Context, r processor.Record) error {
			seen = append(seen, string(r.Data))
			return nil
		}
		var shard processortest.Shard
		shard.Put("sensor-17", "one", "two", "three")

		d := shard.Start(t, handle.Record(store, nil), nil)
		d.Do(shard.Initialize())
		d.Do(shard.Next(2))
		d.Close()

		d = shard.Start(t, handle.Record(store, nil), nil)
		d.Do(shard.Initialize())
		d.Do(shard.Next(2))
		d.Do(protocol.ShardEnded{})
		fmt.Println(seen, shard.Checkpoints())
	}
	TestConsumer(&fakeTB{})
	// Output: [one two three] [2/0 3/0 SHARD_END/0]
}

// A processor must repeat the conversation with a real daemon.
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
		err := processortest.Play(t, strings.NewReader(transcript), c, nil)
		fmt.Println(c.seen, err)
	}
	TestConversation(&fakeTB{})
	// Output: [one] <nil>
}

// A program that does this instead of calling Main records the conversation with a
// real daemon. Here two pipes lead to the daemon.
func ExampleNewRecorder() {
	stdin, toChild := io.Pipe()
	fromChild, stdout := io.Pipe()
	go func() {
		w, r := protocol.NewWriter(toChild), protocol.NewReader(fromChild, nil)
		for _, m := range []protocol.Message{protocol.Initialize{ShardID: "shardId-000000000000"}, protocol.LeaseLost{}} {
			w.Write(m)
			r.Read()
		}
		toChild.Close()
	}()
	r := processortest.NewRecorder(os.Stdout)
	if err := processor.Run(context.Background(), &consumer{}, r.Input(stdin), r.Output(stdout), nil); err != nil {
		fmt.Println(err)
	}
	// Output:
	// > {"action":"initialize","shardId":"shardId-000000000000","sequenceNumber":null,"subSequenceNumber":null}
	// < {"action":"status","responseFor":"initialize"}
	// > {"action":"leaseLost"}
	// < {"action":"status","responseFor":"leaseLost"}
}
