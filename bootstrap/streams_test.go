package bootstrap

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	payments         = "arn:aws:kinesis:us-east-1:222222222222:stream/payments"
	paymentsConsumer = payments + "/consumer/app:1700000000"
)

// Guarantee: ParseStreams returns the streams that FormatStreams was given, or an error
// if one of them is invalid.
func TestParseStreams(t *testing.T) {
	at := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	orders := func(position string, at time.Time) []Stream {
		return []Stream{{Stream: "orders", InitialPosition: position, InitialTimestamp: at}}
	}
	for _, tt := range []struct {
		value string
		want  []Stream
		err   string // parts of it, parted by |
	}{
		{"orders", []Stream{{Stream: "orders"}}, ""},
		{" \t orders \n", []Stream{{Stream: "orders"}}, ""},
		{payments, []Stream{{Stream: payments}}, ""},
		{"arn:aws-cn:kinesis:cn-north-1:222222222222:stream/a.b_c-1", []Stream{{Stream: "arn:aws-cn:kinesis:cn-north-1:222222222222:stream/a.b_c-1"}}, ""},
		{"a,b ,\tc", []Stream{{Stream: "a"}, {Stream: "b"}, {Stream: "c"}}, ""},
		{"orders initialPosition=LATEST", orders("LATEST", time.Time{}), ""},
		{"orders\tinitialPosition=TRIM_HORIZON", orders("TRIM_HORIZON", time.Time{}), ""},
		{"orders initialPosition=2026-11-30T00:00:00Z", orders("AT_TIMESTAMP", at), ""},
		{"orders initialPosition=2026-11-30T02:00:00+02:00", orders("AT_TIMESTAMP", at), ""},
		{"orders initialPosition=1795996800", orders("AT_TIMESTAMP", at), ""},
		{
			"orders initialPosition=TRIM_HORIZON, " + payments + " consumerArn=" + paymentsConsumer + " initialPosition=2026-11-30T00:00:00Z",
			[]Stream{
				{Stream: "orders", InitialPosition: "TRIM_HORIZON"},
				{Stream: payments, InitialPosition: "AT_TIMESTAMP", InitialTimestamp: at, ConsumerARN: paymentsConsumer},
			},
			"",
		},
		{"payments consumerArn=" + paymentsConsumer, []Stream{{Stream: "payments", ConsumerARN: paymentsConsumer}}, ""},
		{
			strings.ReplaceAll(payments+" consumerArn="+paymentsConsumer, "payments", "consumer"),
			[]Stream{{Stream: strings.ReplaceAll(payments, "payments", "consumer"), ConsumerARN: strings.ReplaceAll(paymentsConsumer, "payments", "consumer")}},
			"",
		},
		// The entry finds out whether these are the same.
		{"payments, " + payments, []Stream{{Stream: "payments"}, {Stream: payments}}, ""},

		{"", nil, "names no stream"},
		{" \n", nil, "names no stream"},
		{",", nil, "stream 1 is empty|stream 2 is empty"},
		{"a,,b", nil, "stream 2 is empty"},
		{"a,", nil, "stream 2 is empty"},
		{"a, b, a", nil, "a is named twice"},
		{payments + "," + payments + " initialPosition=LATEST", nil, payments + " is named twice"},
		{"a/b", nil, `"a/b" cannot name a stream`},
		{strings.Repeat("a", 129), nil, "cannot name a stream"},
		{"or\u00a0ders", nil, "cannot name a stream"},
		{"initialPosition=LATEST", nil, `"initialPosition=LATEST" cannot name a stream`},
		{"arn:aws:kinesis:us-east-1:222:stream/a", nil, "is not the ARN of a stream"},
		{"arn:aws:s3:us-east-1:222222222222:stream/a", nil, "is not the ARN of a stream"},
		{"arn:other:kinesis:us-east-1:222222222222:stream/a", nil, "is not the ARN of a stream"},
		{paymentsConsumer, nil, "is not the ARN of a stream"},
		{"a b", nil, `a: "b" is not a setting; write key=value`},
		{"a initialPosition = LATEST", nil, "a: a setting has no spaces around its =; write key=value"},
		{"a initialPosition =LATEST, b consumerArn=\tx, c d", nil, `a: a setting has no spaces|b: a setting has no spaces|c: "d"`},
		{"a initialPosition= \n", nil, "a: initialPosition= is not LATEST"},
		{"a position=LATEST", nil, `a: unknown setting "position"`},
		{"a initialposition=LATEST", nil, `a: unknown setting "initialposition"`},
		{"a initialPosition=LATEST initialPosition=LATEST", nil, "a: initialPosition is set twice"},
		{"a initialPosition=", nil, "a: initialPosition= is not LATEST"},
		{"a initialPosition=latest", nil, "a: initialPosition=latest is not LATEST"},
		{"a initialPosition=AT_TIMESTAMP", nil, "is not LATEST"},
		{"a initialPosition=2026-11-30", nil, "is not LATEST"},
		{"a initialPosition=2026-11-30T00:00:00", nil, "is not LATEST"},
		{"a initialPosition=2026-11-30T00:00:00.5Z", nil, "is not LATEST"},
		{"a initialPosition=2026-11-31T00:00:00Z", nil, "is not LATEST"},
		{"a initialPosition=1969-12-31T23:59:59Z", nil, "is not LATEST"},
		{"a initialPosition=-1", nil, "is not LATEST"},
		{"a initialPosition=253402300800", nil, "is not LATEST"},
		{"a consumerArn=app", nil, "a: consumerArn=app is not the ARN of a consumer"},
		{"a consumerArn=" + paymentsConsumer, nil, "a: consumerArn=" + paymentsConsumer + " is of another stream"},
		{strings.ReplaceAll(payments, "2222", "3333") + " consumerArn=" + paymentsConsumer, nil, "is of another stream"},
		{strings.ReplaceAll(payments, "us-east-1", "us-east-2") + " consumerArn=" + paymentsConsumer, nil, "is of another stream"},
		{payments + "s consumerArn=" + paymentsConsumer, nil, "is of another stream"},
		{"a/b, c d, c initialPosition=x, ", nil, "a/b|c: \"d\"|c is named twice|initialPosition=x|stream 4 is empty"},
	} {
		got, err := ParseStreams(tt.value)
		if !reflect.DeepEqual(got, tt.want) || (err != nil) != (tt.err != "") {
			t.Errorf("%q: %v, %v, want %v", tt.value, got, err, tt.want)
			continue
		}
		if err == nil {
			if again, err := ParseStreams(FormatStreams(got)); err != nil || !reflect.DeepEqual(again, got) {
				t.Errorf("%q, formatted: %v, %v", tt.value, again, err)
			}
			continue
		}
		parts := strings.Split(tt.err, "|")
		errs, _ := err.(streamErrors)
		if !slices.EqualFunc(errs, parts, func(err error, part string) bool { return strings.Contains(err.Error(), part) }) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %q, want %q", tt.value, err, parts)
		}
	}
}

// What cannot be streams does not become others by being written.
//
// Guarantee: ParseStreams returns the streams that FormatStreams was given, or an error
// if one of them is invalid.
func TestFormatStreamsHidesNothing(t *testing.T) {
	at := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	for _, s := range []Stream{
		{},
		{Stream: "a,b"},
		{Stream: "a\tb"},
		{Stream: "a initialPosition=LATEST"},
		{Stream: "a", InitialPosition: "LATEST, b"},
		{Stream: "a", InitialPosition: "LATEST consumerArn=" + paymentsConsumer},
		{Stream: "a", InitialPosition: "AT_TIMESTAMP"},
		{Stream: "a", InitialPosition: "LATEST", InitialTimestamp: at},
		{Stream: "a", InitialTimestamp: at},
		{Stream: "a", InitialPosition: "AT_TIMESTAMP", InitialTimestamp: at.Add(time.Millisecond)},
		{Stream: "payments", ConsumerARN: paymentsConsumer + ",b"},
	} {
		if got, err := ParseStreams(FormatStreams([]Stream{s})); err == nil {
			t.Errorf("%+v became %+v", s, got)
		}
	}
}

// Guarantee: ParseStreams returns the streams that FormatStreams was given, or an error
// if one of them is invalid.
func FuzzParseStreams(f *testing.F) {
	f.Add("orders initialPosition=TRIM_HORIZON, " + payments + " initialPosition=2026-11-30T00:00:00Z consumerArn=" + paymentsConsumer)
	f.Add("a initialPosition=1, b\t,c")
	f.Fuzz(func(t *testing.T, value string) {
		streams, err := ParseStreams(value)
		if (err == nil) != (len(streams) > 0) {
			t.Fatalf("%v, %v", streams, err)
		}
		if err == nil {
			if again, err := ParseStreams(FormatStreams(streams)); err != nil || !reflect.DeepEqual(again, streams) {
				t.Errorf("%v became %v, %v", streams, again, err)
			}
		}
	})
}

func TestStreams(t *testing.T) {
	for _, tt := range []struct {
		lines string
		set   map[string]string
		want  []Stream
		fails bool
	}{
		{"", nil, nil, false},
		{"streamName = orders", nil, []Stream{{Stream: "orders"}}, false},
		{"streamArn = " + payments, nil, []Stream{{Stream: payments}}, false},
		{"streamName = x\nstreamArn = " + payments, nil, []Stream{{Stream: payments}}, false},
		{"streams = orders, payments", nil, []Stream{{Stream: "orders"}, {Stream: "payments"}}, false},
		{"streams = orders, \\\n  payments", nil, []Stream{{Stream: "orders"}, {Stream: "payments"}}, false},
		{"streams = ", nil, nil, true},
		{"streams = ,", nil, nil, true},
		{"streams = orders\nstreamName = orders", nil, nil, true},
		{"streams = orders\nstreamArn = " + payments, nil, nil, true},
		// streamName is one name, streamArn one ARN, as the daemon has them.
		{"streamName = a, b", nil, nil, true},
		{"streamName = a initialPosition=LATEST", nil, nil, true},
		{"streamName = " + payments, nil, nil, true},
		{"streamArn = " + payments + ", a", nil, nil, true},
		{"streamArn = " + payments + " consumerArn=" + paymentsConsumer, nil, nil, true},
		{"streamArn = orders", nil, nil, true},
		{"streams = orders", map[string]string{"streams": "", "streamName": "a"}, []Stream{{Stream: "a"}}, false},
		{"streamArn = " + payments, map[string]string{"streams": "a, b", "streamArn": ""}, []Stream{{Stream: "a"}, {Stream: "b"}}, false},
	} {
		p := readProperties(t, tt.lines)
		for name, value := range tt.set {
			p.Set(name, value)
		}
		if got, err := p.Streams(); !reflect.DeepEqual(got, tt.want) || (err != nil) != tt.fails {
			t.Errorf("%q %q: %v, %v", tt.lines, tt.set, got, err)
		}
	}
}

func TestCheckStreams(t *testing.T) {
	base := withChange(minimal(t), "-streamName")
	others := strings.ReplaceAll(payments, "2222", "3333") // another account's of that name
	for _, tt := range []struct {
		lines string // from line 8 on
		want  []string
	}{
		{"streams = orders", nil},
		{"streams = orders, " + payments + " initialPosition=1700000000", nil},
		{"-initialPositionInStream\nstreams = a initialPosition=LATEST, b initialPosition=TRIM_HORIZON", nil},
		{
			"-initialPositionInStream\nstreams = a initialPosition=LATEST, b",
			[]string{"warning: initialPositionInStream: it is not set: a new application starts at LATEST and skips what is in the stream; TRIM_HORIZON reads all"},
		},
		{"stream = a\nstreams = a", []string{"8: error: stream: the daemon knows no such property; did you mean streamName or streams?"}},
		{"streams = a\nstreamName = a", []string{"8: error: streams: streamName is set too; remove one"}},
		{"streams = a\nstreamArn = " + payments, []string{"8: error: streams: streamArn is set too; remove one"}},
		{"streams =", []string{"8: error: streams: it names no stream"}},
		{
			"streams = a b, c/d",
			[]string{
				`8: error: streams: "c/d" cannot name a stream; use 1 to 128 of a-z A-Z 0-9 _ . -, or an ARN`,
				`8: error: streams: a: "b" is not a setting; write key=value, or a comma before the next stream`,
			},
		},
		{"streams = a initialPosition=4102444800", []string{"8: error: streams: a: initialPosition: 4102444800 is in the future: AWS refuses that, and the daemon reads nothing"}},
		{
			"streams = a, " + strings.Replace(payments, "us-east-1", "eu-west-1", 1),
			[]string{"8: error: streams: arn:aws:kinesis:eu-west-1:222222222222:stream/payments is in eu-west-1, but the region is us-east-1, where AWS finds no such stream; set regionName to eu-west-1"},
		},
		{
			"streams = payments consumerArn=" + strings.Replace(paymentsConsumer, "us-east-1", "eu-west-1", 1),
			[]string{"8: error: streams: payments: consumerArn is in eu-west-1, but the region is us-east-1, where AWS finds no such stream; set regionName to eu-west-1"},
		},
		{"streams = payments\nretrievalMode = FANOUT\nfanoutConfig.consumerArn = " + paymentsConsumer, nil},
		{"streams = " + payments + "\nfanoutConfig.consumerArn = " + paymentsConsumer, nil},
		{
			"streams = " + others + "\nfanoutConfig.consumerArn = " + paymentsConsumer,
			[]string{"9: error: fanoutConfig.consumerArn: it is a consumer of stream " + payments + ", not of " + others + "; name a consumer of the stream that is read"},
		},
		{
			"streamArn = " + others + "\nfanoutConfig.consumerArn = " + paymentsConsumer,
			[]string{"9: error: fanoutConfig.consumerArn: it is a consumer of stream " + payments + ", not of " + others + "; name a consumer of the stream that is read"},
		},
		{
			"streams = orders\nfanoutConfig.consumerArn = " + paymentsConsumer,
			[]string{"9: error: fanoutConfig.consumerArn: it is a consumer of stream payments, not of orders; name a consumer of the stream that is read"},
		},
		{
			"streams = orders, payments\nfanoutConfig.consumerArn = " + paymentsConsumer,
			[]string{"9: error: fanoutConfig.consumerArn: it is a consumer of one stream, and there are several; set consumerArn for each stream in streams"},
		},
		{
			"streams = payments consumerArn=" + paymentsConsumer + "\nfanoutConfig.consumerArn = " + paymentsConsumer,
			[]string{"9: error: fanoutConfig.consumerArn: streams has a consumerArn too; remove one"},
		},
		{
			"streams = payments consumerArn=" + paymentsConsumer + "\nretrievalMode = POLLING",
			[]string{"8: warning: streams: payments: consumerArn is ignored in retrieval mode POLLING; remove it, or set retrievalMode to FANOUT"},
		},
	} {
		if got := findings(readProperties(t, withChange(base, tt.lines)), daemonKeys()); !slices.Equal(got, tt.want) {
			t.Errorf("%s\ngot  %q\nwant %q", tt.lines, got, tt.want)
		}
	}
	if got := findings(readProperties(t, base+"streams = a, b\n"), nil); got != nil {
		t.Errorf("without the daemon's keys: %q", got)
	}
}

// Amazon's own main class is not started with what it would do otherwise.
//
// Guarantee: Amazon's own main class, which knows one stream by its name, is not
// started with the property streams.
func TestStock(t *testing.T) {
	for _, tt := range []struct{ lines, fault, warning string }{
		{"streamName = a", "", ""},
		{"streams = a", "streams: Amazon's MultiLangDaemon does not have it", ""},
		{"streamArn = " + payments, "", "streamArn: Amazon's MultiLangDaemon uses only the name in it"},
	} {
		p := readProperties(t, tt.lines)
		warnings, err := p.CheckStock()
		if (err != nil) != (tt.fault != "") || err != nil && !strings.Contains(err.Error(), tt.fault) {
			t.Errorf("%s: %v", tt.lines, err)
		}
		if (len(warnings) > 0) != (tt.warning != "") || len(warnings) > 0 && !strings.Contains(warnings[0].String(), tt.warning) {
			t.Errorf("%s: %v", tt.lines, warnings)
		}
		c := Command{Java: "/java", Jars: []string{"/a.jar"}, Properties: p}
		if _, err := c.Args(); (err != nil) != (tt.fault != "") {
			t.Errorf("%s: the command: %v", tt.lines, err)
		}
	}
}

// An entry gets the streams in one form, and the daemon's classes a name.
func TestEntryStreams(t *testing.T) {
	for lines, want := range map[string]string{
		"streams = " + payments + "\tinitialPosition=1700000000": "payments|" + payments + " initialPosition=2023-11-14T22:13:20Z",
		"streams = a,b":    "a|a, b",
		"streams = a, a":   "|a, a", // it says itself what is wrong
		"streamName = one": "one|",
	} {
		dir := t.TempDir()
		properties := filepath.Join(dir, "none")
		c := Command{
			Java: "/java", Jars: []string{"/a.jar"}, Properties: readProperties(t, lines),
			Entry: &Entry{Class: "example.Main", Jar: "/z.jar", Args: func(file string) []string { properties = file; return nil }},
		}
		if _, err := c.write(c.daemonProperties(), dir, 0, nil); err != nil {
			t.Fatal(err)
		}
		p, err := ReadProperties(properties)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.value("streamName") + "|" + p.value("streams"); got != want {
			t.Errorf("%s: %q, want %q", lines, got, want)
		}
	}
}
