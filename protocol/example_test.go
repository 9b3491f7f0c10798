package protocol_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/seed96110120/kinesis-client-go/protocol"
)

// A child that checkpoints each batch at its latest record.
func Example() {
	stdin := strings.NewReader(`{"action":"initialize","shardId":"shardId-000000000000","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}
{"action":"processRecords","records":[{"action":"record","data":"aGVsbG8=","partitionKey":"k","sequenceNumber":"7","subSequenceNumber":0,"approximateArrivalTimestamp":1700000000123}],"millisBehindLatest":0}
{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}
`)
	var stdout bytes.Buffer
	r, w := protocol.NewReader(stdin, nil), protocol.NewWriter(&stdout)
	for {
		m, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		switch m := m.(type) {
		case protocol.ProcessRecords:
			for _, record := range m.Records {
				fmt.Printf("%s at %v\n", record.Data, record.Position())
			}
			w.Write(protocol.Checkpoint{})
		case protocol.Checkpoint:
			w.Write(protocol.Status{ResponseFor: protocol.ActionProcessRecords})
		default:
			w.Write(protocol.Status{ResponseFor: m.Action()})
		}
	}
	fmt.Print(stdout.String())
	// Output:
	// hello at 7/0
	//
	// {"action":"status","responseFor":"initialize"}
	//
	// {"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}
	//
	// {"action":"status","responseFor":"processRecords"}
}

func ExamplePosition_Compare() {
	nine := protocol.Position{SequenceNumber: "9"}
	ten := protocol.Position{SequenceNumber: "10"}
	fmt.Println(nine.Compare(ten), ten.Compare(nine))
	// Output: -1 1
}
