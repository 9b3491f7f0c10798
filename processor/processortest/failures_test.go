package processortest_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/processortest"
	"github.com/seed96110120/kinesis-client-go/protocol"
)

// fakeTB is a testing.TB that keeps the output of a test.
type fakeTB struct {
	testing.TB
	text     strings.Builder
	cleanups []func()
}

func (f *fakeTB) Helper()                           {}
func (f *fakeTB) Failed() bool                      { return f.text.Len() > 0 }
func (f *fakeTB) Cleanup(g func())                  { f.cleanups = append(f.cleanups, g) }
func (f *fakeTB) Errorf(format string, args ...any) { fmt.Fprintf(&f.text, format+"\n", args...) }
func (f *fakeTB) Fatalf(format string, args ...any) { f.Errorf(format, args...); runtime.Goexit() }
func (f *fakeTB) Fatal(args ...any)                 { f.Fatalf("%s", fmt.Sprint(args...)) }

// outputOf runs a test and returns its output.
func outputOf(test func(testing.TB)) string {
	f := &fakeTB{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for i := len(f.cleanups) - 1; i >= 0; i-- {
				f.cleanups[i]()
			}
		}()
		test(f)
	}()
	<-done
	return f.text.String()
}

// Guarantee: When a method of Daemon ends the test, the failure shows the last
// messages that were exchanged.
func TestFailures(t *testing.T) {
	boom := errors.New("boom")
	failing := func(context.Context, processor.ProcessRecordsInput) error { return boom }
	var lease *processor.Lease
	for _, tc := range []struct {
		name string
		test func(t testing.TB, s *processortest.Shard)
		want []string
	}{
		{"an action that is not answered", func(t testing.TB, s *processortest.Shard) {
			d := s.Start(t, &consumer{save: failing}, nil)
			d.Do(s.Initialize())
			d.Do(s.Next(2))
		}, []string{
			"processRecords was not answered: processor: shardId-000000000000: processRecords failed: boom",
			"> initialize shardId-000000000000 at TRIM_HORIZON/0\n< status initialize\n> processRecords 2, 1/0 to 2/0\n",
		}},
		{"another message than the one expected", func(t testing.TB, s *processortest.Shard) {
			d := s.Start(t, &consumer{save: everything}, nil)
			d.Do(s.Initialize())
			d.Send(s.Next(2))
			d.Expect(protocol.Checkpoint{Position: at("1", 0)})
		}, []string{"want < checkpoint 1/0\ngot  < checkpoint 2/0\n"}},
		{"no message where one was expected", func(t testing.TB, s *processortest.Shard) {
			d := s.Start(t, &consumer{save: failing}, nil)
			d.Send(s.Initialize())
			d.Expect(protocol.Status{ResponseFor: "initialize"})
			d.Send(s.Next(1))
			d.Expect(protocol.Status{ResponseFor: "processRecords"})
		}, []string{"sent nothing more: processor: shardId-000000000000: processRecords failed: boom", "want < status processRecords\n"}},
		{"a message after the end", func(t testing.TB, s *processortest.Shard) {
			d := s.Start(t, &consumer{}, nil)
			d.Close()
			d.Send(s.Initialize())
		}, []string{"initialize was not answered"}},
		{"two actions at a time", func(t testing.TB, s *processortest.Shard) {
			d := s.Start(t, &consumer{save: func(ctx context.Context, _ processor.ProcessRecordsInput) error { <-ctx.Done(); return nil }}, nil)
			d.Do(s.Initialize())
			d.Begin(s.Next(1))
			d.Begin(protocol.LeaseLost{})
		}, []string{"leaseLost sent while processRecords is in progress"}},
		{"a start after the end of the shard", func(t testing.TB, s *processortest.Shard) {
			d := s.Start(t, &consumer{}, nil)
			d.Do(s.Initialize())
			d.Do(protocol.ShardEnded{})
			d.Close()
			s.Start(t, &consumer{}, nil)
		}, []string{"the shard has ended"}},
		{"an error that the test has not seen", func(t testing.TB, s *processortest.Shard) {
			c := &consumer{save: func(_ context.Context, in processor.ProcessRecordsInput) error { lease = in.Lease; return nil }}
			d := s.Start(t, c, nil)
			d.Do(s.Initialize())
			d.Do(s.Next(1))
			lease.Fail(boom)
			<-lease.Context().Done()
		}, []string{"boom"}},
		{"a transcript that says something else", func(t testing.TB, s *processortest.Shard) {
			processortest.Play(t, strings.NewReader("> {\"action\":\"initialize\",\"shardId\":\"s\"}\n# and then\n< {\"action\":\"status\",\"responseFor\":\"leaseLost\"}\n"), &consumer{}, nil)
		}, []string{"line 3 of the transcript: the processor sent something else\nwant < status leaseLost\ngot  < status initialize\n"}},
		{"no transcript", func(t testing.TB, s *processortest.Shard) {
			processortest.Play(t, strings.NewReader("{\"action\":\"initialize\"}\n"), &consumer{}, nil)
		}, []string{"line 1 of the transcript: it begins with '{', want >, < or #"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := outputOf(func(t testing.TB) {
				var shard processortest.Shard
				shard.Put("k", "1", "2")
				tc.test(t, &shard)
			})
			for _, want := range tc.want {
				if !strings.Contains(got, want) {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
			}
		})
	}
}

func TestPutRecordsOutOfOrder(t *testing.T) {
	for want, records := range map[string][]processor.Record{
		"LATEST/0 is not the position of a record":       {{SequenceNumber: protocol.Latest}},
		"the record at 10/0 comes after the one at 10/0": {{SequenceNumber: "9"}, {SequenceNumber: "10"}, {SequenceNumber: "10"}},
		"the record at 9/0 comes after the one at 10/0":  {{SequenceNumber: "10"}, {SequenceNumber: "9"}},
	} {
		got := func() (got any) {
			defer func() { got = recover() }()
			new(processortest.Shard).PutRecords(records...)
			return nil
		}()
		if got == nil || !strings.Contains(fmt.Sprint(got), want) {
			t.Errorf("%v: panic %v, want %s", records, got, want)
		}
	}
}
