package policy

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const foreign = "arn:aws:kinesis:eu-west-1:222222222222:stream/payments"

// several is an application of three streams, two of them of another account.
func several(t *testing.T) Consumer {
	shared := kcl.Stream{Name: "payments", ARN: foreign}
	if err := shared.SetConsumer(foreign + "/consumer/billing:1764460800"); err != nil {
		t.Fatal(err)
	}
	return Consumer{Region: "eu-west-1", Account: "123456789012", Application: "billing", Layouts: []kcl.Layout{kcl.KCL3}, Streams: []kcl.Stream{
		{Name: "orders"},
		{Name: "returns", ARN: "arn:aws:kinesis:eu-west-1:123456789012:stream/returns"},
		shared,
		{Name: "refunds", ARN: "arn:aws:kinesis:eu-west-1:222222222222:stream/refunds"},
	}}
}

func TestPolicies(t *testing.T) {
	in := func(layouts ...kcl.Layout) Consumer {
		return Consumer{Region: "eu-west-1", Account: "123456789012", Streams: []kcl.Stream{{Name: "orders"}}, Application: "billing", Layouts: layouts}
	}
	one := in(kcl.KCL3)
	alone := one
	alone.Streams = []kcl.Stream{{Name: "payments", ARN: foreign}}
	for name, of := range map[string]func() ([]byte, error){
		"billing.json":            one.JSON,
		"billing-kcl2.json":       in(kcl.KCL2).JSON,
		"billing-kcl3.5.json":     in(kcl.KCL35).JSON,
		"billing-on-the-way.json": in(kcl.KCL3, kcl.KCL35).JSON,
		"billing-several.json":    several(t).JSON,
		"billing-foreign.json":    alone.JSON,
		"billing-resources.json":  several(t).ResourcePolicies,
	} {
		got, err := of()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name)
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
			t.Errorf("%s: got\n%swant\n%s", name, got, want)
		}
	}
}

func TestPartition(t *testing.T) {
	for region, want := range map[string]string{"us-east-1": "arn:aws:", "cn-north-1": "arn:aws-cn:", "us-gov-west-1": "arn:aws-us-gov:"} {
		text, err := Consumer{Region: region, Account: "*", Streams: []kcl.Stream{{Name: "s"}}, Application: "app"}.JSON()
		if err != nil || !strings.Contains(string(text), `"`+want+"kinesis:"+region+`:*:stream/s"`) {
			t.Errorf("%s: error %v, want ARNs with %s in\n%s", region, err, want, text)
		}
	}
}
