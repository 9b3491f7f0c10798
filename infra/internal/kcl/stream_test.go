package kcl

import (
	"testing"
	"time"
)

const payments = "arn:aws:kinesis:us-east-1:222222222222:stream/payments"

func TestIdentifier(t *testing.T) {
	made := time.Unix(1764460800, 999_000_000) // KCL's own epochs are whole seconds
	if got, err := Identifier(payments, made); got != "222222222222:payments:1764460800" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for _, arn := range []string{"payments", "", "arn:aws:kinesis:us-east-1:222222222222:stream/a/b"} {
		if got, err := Identifier(arn, made); err == nil {
			t.Errorf("%q is %q", arn, got)
		}
	}
	if got, err := Identifier(payments, time.Time{}); err == nil {
		t.Errorf("made at no time: %q", got)
	}
}

func TestNames(t *testing.T) {
	const id = "222222222222:payments:1764460800"
	for s, want := range map[string]bool{
		id: true, "payments": true, payments: true,
		"payment": false, "222222222222:payments": false, "": false, "222222222222": false,
		"arn:aws:kinesis:us-east-1:111111111111:stream/payments": false,
	} {
		if Names(s, id) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
	if Names("payments", "") { // a lease of the only stream
		t.Error("a name names no stream")
	}
}
