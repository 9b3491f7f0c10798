package handle_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/handle"
	"github.com/seed96110120/kinesis-client-go/processor/processortest"
	"github.com/seed96110120/kinesis-client-go/protocol"
)

// A whole consumer: main calls processor.Main(p).
func ExampleRecord() {
	p := handle.Record(func(ctx context.Context, r processor.Record) error {
		fmt.Printf("%s: %s\n", r.PartitionKey, r.Data)
		return nil
	}, nil)
	run(p)
	// Output:
	// a: one
	// b: two
	// a: three
}

// A handler of batches that names the records that failed.
func ExampleBatch() {
	attempt := 0
	p := handle.Batch(func(ctx context.Context, records []processor.Record) error {
		attempt++
		failed := handle.Failures{}
		for i, r := range records {
			if attempt == 1 && string(r.Data) == "two" {
				failed[i] = errors.New("busy")
			}
		}
		fmt.Printf("attempt %d: %d records, %d failed\n", attempt, len(records), len(failed))
		if len(failed) > 0 {
			return failed
		}
		return nil
	}, &handle.Options{MinBackoff: time.Millisecond, MaxBackoff: time.Second})
	run(p)
	// Output:
	// attempt 1: 3 records, 1 failed
	// attempt 2: 1 records, 0 failed
}

// Keys in parallel, each in order.
func ExampleOptions_concurrency() {
	p := handle.Record(func(ctx context.Context, r processor.Record) error {
		fmt.Printf("%s: %s\n", r.PartitionKey, r.Data)
		return nil
	}, &handle.Options{Concurrency: 16})
	run(p)
	// Unordered output:
	// b: two
	// a: one
	// a: three
}

// A record that cannot succeed goes to a file, and the shard continues.
func ExampleOptions_deadLetters() {
	dir, err := os.MkdirTemp("", "dead-letters-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	sink := handle.NewFiles(dir)
	defer sink.Close()
	p := handle.Record(func(ctx context.Context, r processor.Record) error {
		if string(r.Data) == "two" {
			return handle.Permanent(errors.New("no such sensor"))
		}
		fmt.Printf("%s: %s\n", r.PartitionKey, r.Data)
		return nil
	}, &handle.Options{DeadLetters: sink, MaxAttempts: 5, MaxRecordAge: 24 * time.Hour})
	run(p)
	letters, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	fmt.Println(len(letters), err)
	// Output:
	// a: one
	// a: three
	// 1 <nil>
}

// A handler that stores each record once, even if it arrives again: the ID is the
// key.
func ExampleID() {
	stored := map[string]string{} // a table with a unique key
	p := handle.Record(func(ctx context.Context, r processor.Record) error {
		stored[handle.ID(ctx, r)] = string(r.Data)
		return nil
	}, nil)
	run(p)
	fmt.Println(stored["shardId-000000000000/3/0"])
	// Output: three
}

// A handler that writes a file for each shard of one stream; for several streams see
// processor.LeaseFile.
func ExampleShardID() {
	p := handle.Record(func(ctx context.Context, r processor.Record) error {
		fmt.Printf("%s.txt: %s\n", handle.ShardID(ctx), r.Data)
		return nil
	}, nil)
	run(p)
	// Output:
	// shardId-000000000000.txt: one
	// shardId-000000000000.txt: two
	// shardId-000000000000.txt: three
}

// A test of a handler: it crashes after its first batch, and its successor continues
// after the checkpoint, to the end of the shard.
func Example_test() {
	test := func(t testing.TB) { // as in: func TestConsumer(t *testing.T)
		var shard processortest.Shard
		shard.Put("sensor-17", "one", "two", "three")
		var seen []string
		consumer := func() processor.RecordProcessor {
			return handle.Record(func(ctx context.Context, r processor.Record) error {
				seen = append(seen, string(r.Data))
				return nil
			}, nil)
		}

		d := shard.Start(t, consumer(), nil)
		d.Do(shard.Initialize())
		d.Do(shard.Next(2))
		d.Close()

		d = shard.Start(t, consumer(), nil)
		d.Do(shard.Initialize())
		d.Do(shard.Next(2))
		d.Do(protocol.ShardEnded{})
		fmt.Println(seen, shard.Checkpoints())
	}
	tb := &exampleTB{}
	test(tb)
	tb.end()
	// Output: [one two three] [2/0 3/0 SHARD_END/0]
}
