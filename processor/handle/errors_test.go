package handle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/processortest"
)

// What the error of a handler says about its records. Errors of this module
// without a failure in them are no failure, however they are wrapped. With
// another error beside them, nothing is known about any record.
//
// Guarantee: A Failures that names no record counts as success.
func TestFailuresName(t *testing.T) {
	other := errors.New("commit failed")
	var noCheckpoint *processor.CheckpointError
	var noPanic *processor.PanicError
	const (
		all  = "[01234567]"           // the first call's records are finished
		none = "[01234567 0123 4567]" // they are tried again
	)
	for _, test := range []struct {
		name string
		err  error
		want string // the calls, when only the first fails
	}{
		{"empty", Failures{}, all},
		{"nil", Failures(nil), all},
		{"nil errors", Failures{0: nil, 7: nil}, all},
		{"nil error out of range", Failures{8: nil}, all},
		{"an empty one in it", Failures{3: Failures{}}, all},
		{"wrapped", fmt.Errorf("store: %w", Failures{}), all},
		{"wrapped nil", fmt.Errorf("store: %w", Failures(nil)), all},
		{"wrapped twice", fmt.Errorf("a: %w", fmt.Errorf("b: %w", Failures{})), all},
		{"permanent", Permanent(Failures{}), all},
		{"joined", errors.Join(Failures{}, Failures(nil)), all},
		{"nil *CheckpointError", noCheckpoint, all},
		{"nil *PanicError", noPanic, all},

		{"one", Failures{3: errBad}, "[01234567 3]"},
		{"one, and nil errors", Failures{2: nil, 3: errBad, 9: nil}, "[01234567 3]"},
		{"one, joined with empty", errors.Join(Failures{}, Failures{3: errBad}), "[01234567 3]"},
		{"two, joined", errors.Join(Failures{3: errBad}, Failures{5: errBad}), "[01234567 35]"},
		{"two, by two %w", fmt.Errorf("%w, %w", Failures{3: errBad}, Failures{5: errBad}), "[01234567 35]"},

		{"other", other, none},
		{"other beside empty", errors.Join(Failures{}, other), none},
		{"empty beside other", errors.Join(other, Failures{}), none},
		{"other beside one", errors.Join(Failures{3: errBad}, other), none},
		{"other around one", fmt.Errorf("%w: %w", other, Failures{3: errBad}), none},
		{"other beside a nil *CheckpointError", errors.Join(noCheckpoint, other), none},
		{"out of range", Failures{8: errBad}, none},
		{"negative", Failures{-1: errBad, 2: errBad}, none},
		{"nothing joined", noErrors{}, none},
		{"a nil pointer of another type", (*pointerError)(nil), none},
		{"nil wrapped", fmt.Errorf("store: %w", error(nil)), none},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls, s := batches(t, func(_ []string, call int) error {
					if call == 1 {
						return test.err
					}
					return nil
				}, nil)
				want(t, "calls", calls, test.want)
				want(t, "checkpoints", sequences(s), "8")
			})
			synctest.Test(t, func(t *testing.T) { // every call fails
				var sink letters
				calls, s := batches(t, func([]string, int) error { return test.err }, &Options{BatchSize: 4, MaxAttempts: 2, DeadLetters: &sink})
				if test.want == all {
					want(t, "calls", calls, "[0123 4567]")
					want(t, "dead letters", sink.data(), "")
				} else if len(sink.got) == 0 {
					t.Error("no record is given up")
				}
				want(t, "checkpoints", sequences(s), "8")
			})
		})
	}
}

type noErrors struct{}

func (noErrors) Error() string   { return "no errors" }
func (noErrors) Unwrap() []error { return nil }

type pointerError struct{ err error }

func (e *pointerError) Error() string { return e.err.Error() }
func (e *pointerError) Unwrap() error { return e.err }

// The same holds after earlier failures of the same records, and the
// checkpoints continue.
//
// Guarantee: A Failures that names no record counts as success.
func TestNoFailureNamedAfterAFailure(t *testing.T) {
	for _, test := range []struct {
		first error
		want  string
	}{
		{errBad, "[0123 01 23 4567]"},
		{Failures{1: errBad, 2: errBad}, "[0123 12 4567]"},
		{Failures{1: errBad}, "[0123 1 4567]"},
	} {
		for name, none := range map[string]error{"empty": Failures{}, "nil": Failures(nil), "nil error": Failures{0: nil}} {
			t.Run(fmt.Sprint(test.first, " then ", name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var s processortest.Shard
					fill(&s, 8, 1)
					var sink letters
					var calls []string
					d := start(t, &s, Batch(func(_ context.Context, records []processor.Record) error {
						var data string
						for _, r := range records {
							data += string(r.Data)
						}
						if calls = append(calls, data); len(calls) == 1 {
							return test.first
						}
						return none
					}, &Options{MaxAttempts: 2, DeadLetters: &sink}))
					d.Do(s.Next(4))
					d.Do(s.Next(4))
					want(t, "calls", calls, test.want)
					want(t, "dead letters", sink.data(), "")
					want(t, "checkpoints", sequences(&s), "4 8")
				})
			})
		}
	}
}

// The same rule holds for the handler of one record and for a sink.
func TestNoFailureOfARecordAndOfASink(t *testing.T) {
	var noCheckpoint *processor.CheckpointError
	for _, none := range []error{Failures{}, Failures(nil), Failures{0: nil}, noCheckpoint} {
		synctest.Test(t, func(t *testing.T) {
			var s processortest.Shard
			s.Put("a", "good", "bad", "fine")
			var got, dead seen
			sink := sinkFunc(func(d DeadLetter) error {
				dead.add(processor.Record{Data: d.Data})
				return none
			})
			d := start(t, &s, Record(func(_ context.Context, r processor.Record) error {
				got.add(r)
				if string(r.Data) == "bad" {
					return Failures{0: errBad} // there is no batch: an error like any other
				}
				return none
			}, &Options{MaxAttempts: 1, DeadLetters: sink}))
			d.Do(s.Next(3))
			want(t, "handled", got.String(), "good bad fine")
			want(t, "dead letters", dead.String(), "bad")
			want(t, "checkpoints", sequences(&s), "3")
		})
	}
}

type sinkFunc func(DeadLetter) error

func (f sinkFunc) Put(_ context.Context, d DeadLetter) error { return f(d) }

// An error whose methods panic, such as a nil pointer, fails its record and
// nothing else.
func TestErrorThatPanics(t *testing.T) {
	for _, err := range []error{(*pointerError)(nil), (*textError)(nil), &textError{}} {
		synctest.Test(t, func(t *testing.T) {
			var s processortest.Shard
			s.Put("a", "bad", "good")
			var sink letters
			d := start(t, &s, Record(func(_ context.Context, r processor.Record) error {
				if string(r.Data) == "bad" {
					return err
				}
				return nil
			}, &Options{MaxAttempts: 2, DeadLetters: &sink, Logger: slog.New(slog.NewJSONHandler(io.Discard, nil))}))
			d.Do(s.Next(2))
			want(t, "dead letters", sink.data(), "bad")
			want(t, "checkpoints", sequences(&s), "2")
		})
	}
}

type textError struct{ text *string }

func (e *textError) Error() string { return *e.text }

// Success is nil itself, not a nil pointer or an empty error.
func TestSuccessIsNil(t *testing.T) {
	files := NewFiles(t.TempDir())
	settings := newSettings(func(context.Context, processor.Record) error { return nil }, nil, nil)
	for name, err := range map[string]error{
		"Permanent(nil)": Permanent(nil),
		"Files.Put":      files.Put(t.Context(), letter("shardId-000000000000", "")),
		"validate":       settings.validate(),
	} {
		if err != nil {
			t.Errorf("%s returns %T %v, want nil", name, err, err)
		}
	}
}

// The text and the errors of Failures omit nil errors.
func TestFailuresText(t *testing.T) {
	for _, test := range []struct {
		f    Failures
		want string
	}{
		{Failures{4: errBad, 2: nil, 3: errBad}, "2 records failed, the first at index 3: bad record"},
		{Failures{2: nil}, "no record is named as failed"},
		{nil, "no record is named as failed"},
	} {
		want(t, "error", test.f, test.want)
		if named := len(test.f.Unwrap()) > 0; errors.Is(test.f, errBad) != named {
			t.Errorf("%v unwraps to %v; is errBad: %t, want %t", test.f, test.f.Unwrap(), !named, named)
		}
	}
}
