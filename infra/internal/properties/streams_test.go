package properties

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

const (
	payments = "arn:aws:kinesis:us-east-1:222222222222:stream/payments"
	reader   = payments + "/consumer/app:1764460800"
)

func TestParseStreams(t *testing.T) {
	at := func(seconds int64) kcl.Position {
		return kcl.Position{Kind: kcl.AtTimestamp, Time: time.Unix(seconds, 0)}
	}
	byARN := kcl.Stream{Name: "payments", ARN: payments}
	with := func(s kcl.Stream, at kcl.Position, consumer string) kcl.Stream {
		s.Position, s.ConsumerARN = at, consumer
		return s
	}
	orders := kcl.Stream{Name: "orders"}
	for _, tt := range []struct {
		in   string
		want []kcl.Stream
	}{
		{"orders", []kcl.Stream{orders}},
		{" orders\t,\n" + payments + "\f", []kcl.Stream{orders, byARN}},
		{"orders initialPosition=TRIM_HORIZON", []kcl.Stream{with(orders, kcl.Position{Kind: kcl.TrimHorizon}, "")}},
		{"orders initialPosition=LATEST", []kcl.Stream{with(orders, kcl.Position{Kind: kcl.Latest}, "")}},
		{"orders initialPosition=2026-11-30T00:00:00Z", []kcl.Stream{with(orders, at(1795996800), "")}},
		{"orders initialPosition=2026-11-30T01:00:00+01:00", []kcl.Stream{with(orders, at(1795996800), "")}},
		{"orders initialPosition=1764460800", []kcl.Stream{with(orders, at(1764460800), "")}},
		{payments + " consumerArn=" + reader + " initialPosition=LATEST", []kcl.Stream{with(byARN, kcl.Position{Kind: kcl.Latest}, reader)}},
		{"payments consumerArn=" + reader, []kcl.Stream{with(kcl.Stream{Name: "payments"}, kcl.Position{}, reader)}},
		{strings.ReplaceAll(payments+" consumerArn="+reader, "payments", "consumer"), []kcl.Stream{{
			Name: "consumer", ARN: strings.ReplaceAll(payments, "payments", "consumer"), ConsumerARN: strings.ReplaceAll(reader, "payments", "consumer"),
		}}},
		// The same or not: only AWS can tell.
		{"payments," + payments, []kcl.Stream{{Name: "payments"}, byARN}},
		{"arn:aws-us-gov:kinesis:us-gov-west-1:222222222222:stream/a", []kcl.Stream{{Name: "a", ARN: "arn:aws-us-gov:kinesis:us-gov-west-1:222222222222:stream/a"}}},
	} {
		if got, err := parseStreams(tt.in); err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: got %+v, error %v, want %+v", tt.in, got, err, tt.want)
		}
	}
	for in, want := range map[string]string{
		"":                        "no stream",
		" \t":                     "no stream",
		"orders,":                 "stream 2 of the list is empty",
		",orders":                 "stream 1 of the list is empty",
		"orders, ,returns":        "stream 2 of the list is empty",
		"or/ders":                 `"or/ders"`,
		strings.Repeat("x", 129):  "1 to 128",
		"orders,orders":           "stream orders is named twice",
		payments + "," + payments: "is named twice",
		"arn:aws:kinesis:us-east-1:22222222222:stream/payments": "not the ARN of a stream",
		"arn:aws:kinesis::222222222222:stream/payments":         "not the ARN of a stream",
		"arn:aws:sns:us-east-1:222222222222:stream/payments":    "not the ARN of a stream",
		reader:           "not the ARN of a stream",
		"orders returns": `"returns" is not a setting`,
		"orders initialPosition=LATEST initialPosition=LATEST": "initialPosition is set twice",
		"orders shards=2":                                                       `"shards"`,
		"orders InitialPosition=LATEST":                                         `"InitialPosition"`,
		"orders initialPosition=":                                               "initialPosition",
		"orders initialPosition=latest":                                         `"latest"`,
		"orders initialPosition=AT_TIMESTAMP":                                   `"AT_TIMESTAMP"`,
		"orders initialPosition=2026-11-30":                                     `"2026-11-30"`,
		"orders initialPosition=2026-11-30T00:00:00.5Z":                         "00.5Z",
		"orders initialPosition=2026-11-31T00:00:00Z":                           "2026-11-31",
		"orders initialPosition=-1":                                             `"-1"`,
		"orders initialPosition=99999999999999":                                 "99999999999999",
		"orders consumerArn=x":                                                  "not the ARN of a consumer",
		"orders consumerArn=" + payments:                                        "not the ARN of a consumer",
		"orders consumerArn=" + reader:                                          "of another stream",
		strings.ToUpper(payments) + " consumerArn=" + reader:                    "1 to 128",
		"or\u00a0ders":                                                          "1 to 128",
		"initialPosition=LATEST":                                                `"initialPosition=LATEST"`,
		"orders initialPosition=2026-11-30T00:00:00":                            "2026-11-30T00:00:00",
		"orders initialPosition=1969-12-31T23:59:59Z":                           "1969",
		"orders initialPosition=253402300800":                                   "253402300800",
		strings.ReplaceAll(payments, "2222", "3333") + " consumerArn=" + reader: "of another stream",
		strings.ReplaceAll(payments, "us-east-1", "us-east-2") + " consumerArn=" + reader: "of another stream",
		payments + "s consumerArn=" + reader:                                              "of another stream",
	} {
		if got, err := parseStreams(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %+v, error %v, want an error with %s", in, got, err, want)
		}
	}
	all := `stream name "a/b" is not valid: use 1 to 128 letters, digits, and _ . -, or an ARN; stream 2 of the list is empty; ` +
		`stream c: "d" is not a setting key=value (separate streams with commas); stream c: setting "e" is neither initialPosition nor consumerArn`
	if _, err := parseStreams("a/b,,c d e=f"); err == nil || err.Error() != all {
		t.Errorf("got error %v, want %s", err, all)
	}
}

// What is accepted are valid streams, each once. Formatted and parsed again they are the
// same.
func FuzzParseStreams(f *testing.F) {
	f.Add("orders initialPosition=TRIM_HORIZON, " + payments + " initialPosition=2026-11-30T00:00:00Z consumerArn=" + reader)
	f.Add("a initialPosition=0,b,,c")
	f.Fuzz(func(t *testing.T, value string) {
		streams, err := parseStreams(value)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line", err)
			}
			return
		}
		seen, again := map[string]bool{}, []string{}
		for _, s := range streams {
			named, err := kcl.ParseStream(s.String())
			if err != nil || named.Name != s.Name || named.ARN != s.ARN || seen[s.String()] {
				t.Errorf("got %+v, error %v, for %+v, want the same, and each once", named, err, s)
			}
			seen[s.String()] = true
			text := s.String()
			switch s.Position.Kind {
			case "":
			case kcl.AtTimestamp:
				text += fmt.Sprint(" initialPosition=", s.Position.Time.Unix())
			default:
				text += " initialPosition=" + s.Position.Kind
			}
			if s.ConsumerARN != "" {
				text += " consumerArn=" + s.ConsumerARN
			}
			again = append(again, text)
		}
		if second, err := parseStreams(strings.Join(again, ",")); err != nil || !reflect.DeepEqual(second, streams) {
			t.Errorf("%q: got %+v, error %v, the second time, want %+v", value, second, err, streams)
		}
	})
}
