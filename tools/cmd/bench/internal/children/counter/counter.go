// Package counter has the record processor that the benches measure. It counts records
// and bytes and checkpoints each batch.
package counter

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// Socket is an environment variable that names a Unix socket. If it is set, each batch
// that was checkpointed is reported there in a line: the number of records, and the
// times of the batch's arrival and of the checkpoint's end in nanoseconds since 1970.
const Socket = "BENCH_SOCKET"

// New returns the record processor.
func New() processor.RecordProcessor {
	records, bytes := 0, 0
	var reports net.Conn // nil without Socket
	return processor.Funcs{
		Initialize: func(context.Context, processor.InitializeInput) (err error) {
			if path := os.Getenv(Socket); path != "" {
				reports, err = net.Dial("unix", path)
			}
			return err
		},
		ProcessRecords: func(ctx context.Context, in processor.ProcessRecordsInput) error {
			arrival := time.Now()
			for _, r := range in.Records {
				records++
				bytes += len(r.Data)
			}
			err := in.Checkpointer.Checkpoint(ctx)
			if err == nil && reports != nil {
				_, err = fmt.Fprintf(reports, "%d %d %d\n", len(in.Records), arrival.UnixNano(), time.Now().UnixNano())
			}
			return err
		},
	}.Processor()
}
