// Command ours is the record processor of the benches as a child of the daemon.
package main

import (
	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/tools/cmd/bench/internal/children/counter"
)

func main() { processor.Main(counter.New()) }
