package worker_test

import (
	"github.com/seed96110120/kinesis-client-go/processor/worker"
	"github.com/seed96110120/kinesis-client-go/processor/worker/monitor"
)

// The tests of package worker cannot import a package that imports it.
func init() {
	worker.MonitorHandler, worker.MonitorRun = monitor.Handler, monitor.Run
}
