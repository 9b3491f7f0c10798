package fault_test

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/fault"
)

// A rule as it is sent to a running server, and one that makes no sense.
func Example() {
	slow := fault.Rule{Kind: fault.Latency, Operation: "GetRecords", Rate: 0.1, Latency: 200 * time.Millisecond}
	text, err := json.Marshal(slow)
	fmt.Println(string(text), err)
	fmt.Println(fault.Rule{Kind: fault.Drop, Rate: 2}.Check())
	// Output:
	// {"kind":"latency","operation":"GetRecords","rate":0.1,"latency":"200ms"} <nil>
	// fault: rate 2 of a rule of kind drop must be above 0 and at most 1
}
