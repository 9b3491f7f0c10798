package engine

import (
	"cmp"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestParseEvent(t *testing.T) {
	for _, e := range allEvents {
		if got, err := parseEvent([]byte(e.line)); err != nil || !reflect.DeepEqual(got, e.want) {
			t.Errorf("%s: %#v, %v", e.line, got, err)
		}
	}
	for line, want := range map[string]Event{
		`{"event":"heartbeat"}`: heartbeat{},
		`{"event":"stopped","released":3,"complete":true,"unknown":{}}`:       Stopped{3, true, ""},
		`{"event":"leases","leaseKeys":["a","b\nc","\u001b[2J","","d"]}`:      Leases{[]string{"a", "d"}},
		`{"event":"log","level":"WARN","leaseKey":"\u001b[2J","message":"m"}`: LogRecord{Level: 4, Message: "m"},
		failed: gaveUp{[]Cause{{"Outer", "Inner"}, {"Inner", ""}}},
		`{"event":"unlinked","member":"m","kcl":"2.4.0"}`: incompatible{&IncompatibleError{KCL: "2.4.0", Member: "m"}},
	} {
		if got, err := parseEvent([]byte(line)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v, %v", line, got, err)
		}
	}
	for _, line := range []string{
		``, `[]`, `{}`, `null`, `{"event":"secret"}`, `{"event":"state","state":"secret"}`, `{"event":"task","task":"secret"}`,
		`{"event":"error","operation":"secret"}`, `{"event":"recovered"}`, `{"event":"log","level":"secret"}`,
		`{"event":"lost","reason":"secret"}`, `{"event":"lost","lease":"secret"}`, `{"event":"lost","lease":1,"reason":"secret"}`, `{"event":"lost","lease":1.5}`,
		`{"event":"recovered","leaseKey":"secret\n"}`, `{"event":"lost","lease":1,"leaseKey":"ä secret"}`,
		`{"event":"heartbeat"} secret`, `secret`,
	} {
		got, err := parseEvent([]byte(line))
		if err == nil {
			t.Errorf("%s: %#v, want an error", line, got)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v repeats it", line, err)
		}
	}
}

// Guarantee: The names of leases, shards and streams that Java sends are printable
// ASCII without spaces, or are rejected.
func FuzzParseEvent(f *testing.F) {
	for _, e := range allEvents {
		f.Add([]byte(e.line))
	}
	f.Add([]byte(failed))
	f.Fuzz(func(t *testing.T, line []byte) {
		event, err := parseEvent(line)
		if (event == nil) == (err == nil) {
			t.Fatalf("%#v, %v", event, err)
		}
		reason := ""
		var keys []string
		switch e := event.(type) {
		case gaveUp:
			reason = reasonOf(e.causes)
		case ConversationBroken:
			reason, keys = e.Reason, []string{e.LeaseKey}
		case Leases:
			keys = e.LeaseKeys
		case TaskOutcome:
			keys = []string{e.LeaseKey}
		case ShardError:
			keys = []string{e.LeaseKey}
		case ShardRecovered:
			keys = []string{e.LeaseKey}
		case LogRecord:
			keys = []string{cmp.Or(e.LeaseKey, "none")}
		case Stopped:
			reason = e.Reason
		}
		for _, key := range keys {
			if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
				t.Errorf("lease key %q", key)
			}
		}
		if strings.ContainsFunc(reason, func(r rune) bool { return !unicode.IsPrint(r) }) || utf8.RuneCountInString(reason) > 300 {
			t.Errorf("reason %q", reason)
		}
	})
}

func TestReason(t *testing.T) {
	const sdk = "software.amazon.awssdk.core.exception.SdkClientException"
	long := strings.Repeat("é", 400)
	for _, tt := range []struct {
		causes []Cause
		want   string
	}{
		{nil, ""},
		{[]Cause{{"X", ""}}, "X"},
		{[]Cause{{"X", "why"}}, "X: why"},
		{[]Cause{{"Outer", sdk + ": Unable to load"}, {sdk, "Unable to\n load"}}, sdk + ": Unable to load"},
		{[]Cause{{"Outer", "while it\tstarted"}, {"Middle", "Inner"}, {"Inner", ""}}, "Outer: while it started"},
		{[]Cause{{"Outer", "Inner"}, {"Inner", ""}}, "Inner"},
		{[]Cause{{"java.lang.IllegalStateException", "two forms"}}, "two forms"},
		{[]Cause{{"Outer", "x"}, {"java.lang.IllegalArgumentException", "no\nsuch"}}, "no such"},
		{[]Cause{{"java.lang.RuntimeException", "while it started"}, {"X", ""}}, "while it started"},
		{[]Cause{{"java.lang.RuntimeException", sdk + ": Unable"}, {sdk, "Unable"}}, sdk + ": Unable"},
		{[]Cause{{"java.lang.RuntimeException", ""}}, "java.lang.RuntimeException"},
		{[]Cause{{"java.lang.IllegalMonitorStateException", "why"}}, "java.lang.IllegalMonitorStateException: why"},
		{[]Cause{{"X", long}}, "X: " + long[:2*294] + "..."},
	} {
		if got := reasonOf(tt.causes); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.causes, got, tt.want)
		}
	}
}
