package handle_test

import (
	"fmt"
	"testing"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/processortest"
	"github.com/seed96110120/kinesis-client-go/protocol"
)

// run plays the daemon of p: it delivers three records with the keys a, b and a,
// and ends the shard. A program calls processor.Main(p) instead.
func run(p processor.RecordProcessor) {
	tb := &exampleTB{}
	defer tb.end()
	var shard processortest.Shard
	shard.Put("a", "one")
	shard.Put("b", "two")
	shard.Put("a", "three")
	d := shard.Start(tb, p, nil)
	d.Do(shard.Initialize())
	d.Do(shard.Next(3))
	d.Do(protocol.ShardEnded{})
}

// exampleTB has the methods that processortest needs of a test.
type exampleTB struct {
	testing.TB
	cleanups []func()
}

func (*exampleTB) Helper()                           {}
func (*exampleTB) Failed() bool                      { return false }
func (*exampleTB) Fatal(args ...any)                 { panic(fmt.Sprint(args...)) }
func (*exampleTB) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (*exampleTB) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (tb *exampleTB) Cleanup(f func())               { tb.cleanups = append(tb.cleanups, f) }
func (tb *exampleTB) end() {
	for i := len(tb.cleanups) - 1; i >= 0; i-- {
		tb.cleanups[i]()
	}
}
