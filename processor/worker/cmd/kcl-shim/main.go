// Command kcl-shim is what the MultiLangDaemon of a worker starts for each shard
// in the place of the worker's own program, where that is large: see Config.Shim
// of package processor/worker. It must be of the worker's version.
package main

import (
	"os"

	"github.com/seed96110120/kinesis-client-go/processor/worker/internal/handover"
)

func main() { os.Exit(handover.Main()) }
