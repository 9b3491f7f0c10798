package policy

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestJSON(t *testing.T) {
	got, err := Consumer{Region: "eu-west-1", Account: "123456789012", StreamName: "orders", Application: "billing"}.JSON()
	if err != nil {
		t.Fatal(err)
	}
	const path = "testdata/billing.json"
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != strings.ReplaceAll(string(want), "\r\n", "\n") {
		t.Errorf("policy:\n%s", got)
	}
}

func TestPartition(t *testing.T) {
	for region, want := range map[string]string{"us-east-1": "arn:aws:", "cn-north-1": "arn:aws-cn:", "us-gov-west-1": "arn:aws-us-gov:"} {
		text, err := Consumer{Region: region, Account: "*", StreamName: "s", Application: "app"}.JSON()
		if err != nil || !strings.Contains(string(text), `"`+want+"kinesis:"+region+`:*:stream/s"`) {
			t.Errorf("%s: %v\n%s", region, err, text)
		}
	}
}
