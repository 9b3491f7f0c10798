package kcl

import (
	"testing"
	"time"
)

const payments = "arn:aws:kinesis:us-east-1:222222222222:stream/payments"

func TestIdentifier(t *testing.T) {
	made := time.Unix(1764460800, 999_000_000) // KCL's own epochs are whole seconds
	if got, err := Identifier(payments, made); got != "222222222222:payments:1764460800" || err != nil {
		t.Errorf("got %q, error %v, want 222222222222:payments:1764460800", got, err)
	}
	for _, arn := range []string{"payments", "", "arn:aws:kinesis:us-east-1:222222222222:stream/a/b"} {
		if got, err := Identifier(arn, made); err == nil {
			t.Errorf("%q: got %q, want an error", arn, got)
		}
	}
	if got, err := Identifier(payments, time.Time{}); err == nil {
		t.Errorf("without a creation time: got %q, want an error", got)
	}
}

func TestMatchesIdentifier(t *testing.T) {
	const id = "222222222222:payments:1764460800"
	for s, want := range map[string]bool{
		id: true, "payments": true, payments: true,
		"payment": false, "222222222222:payments": false, "": false, "222222222222": false,
		"arn:aws:kinesis:us-east-1:111111111111:stream/payments": false,
	} {
		if MatchesIdentifier(s, id) != want {
			t.Errorf("MatchesIdentifier(%q) is %v, want %v", s, !want, want)
		}
	}
	if MatchesIdentifier("payments", "") { // a lease of the only stream
		t.Error("a name matches the empty identifier")
	}
}
