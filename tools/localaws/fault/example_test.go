package fault_test

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/fault"
)

// A rule as JSON, and what is invalid in another rule.
func Example() {
	slow := fault.Rule{Kind: fault.Latency, Operation: "GetRecords", Rate: 0.1, Latency: 200 * time.Millisecond}
	text, err := json.Marshal(slow)
	fmt.Println(string(text), err)
	fmt.Println(fault.Rule{Kind: fault.DropResponse, Rate: 2, After: -time.Second}.Validate())
	// Output:
	// {"kind":"latency","operation":"GetRecords","rate":0.1,"latency":"200ms"} <nil>
	// fault: Rule.Rate: 2 is not above 0 and at most 1
	// fault: Rule.After: -1s is negative
}
