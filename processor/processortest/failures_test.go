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

// outcome is a testing.TB that keeps what a test has to say.
type outcome struct {
	testing.TB
	text     strings.Builder
	cleanups []func()
}

func (o *outcome) Helper()                      {}
func (o *outcome) Failed() bool                 { return o.text.Len() > 0 }
func (o *outcome) Cleanup(f func())             { o.cleanups = append(o.cleanups, f) }
func (o *outcome) Errorf(f string, args ...any) { fmt.Fprintf(&o.text, f+"\n", args...) }
func (o *outcome) Fatalf(f string, args ...any) { o.Errorf(f, args...); runtime.Goexit() }
func (o *outcome) Fatal(args ...any)            { o.Fatalf("%s", fmt.Sprint(args...)) }

// outcomeOf runs a test and returns what it said.
func outcomeOf(test func(testing.TB)) string {
	o := &outcome{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for i := len(o.cleanups) - 1; i >= 0; i-- {
				o.cleanups[i]()
			}
		}()
		test(o)
	}()
	<-done
	return o.text.String()
}

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
			d := s.Start(t, &consumer{save: failing})
			d.Do(s.Initialize())
			d.Do(s.Next(2))
		}, []string{
			"processRecords was not answered: processor: shardId-000000000000: processRecords failed: boom",
			"> initialize shardId-000000000000 at TRIM_HORIZON/0\n< status initialize\n> processRecords 2, 1/0 to 2/0\n",
		}},
		{"another message than the one expected", func(t testing.TB, s *processortest.Shard) {
			d := s.Start(t, &consumer{save: everything})
			d.Do(s.Initialize())
			d.Send(s.Next(2))
			d.Expect(protocol.Checkpoint{Position: at("1", 0)})
		}, []string{"want < checkpoint 1/0\ngot  < checkpoint 2/0\n"}},
		{"no message where one was expected", func(t testing.TB, s *processortest.Shard) {
			d := s.Start(t, &consumer{save: failing})
			d.Send(s.Initialize())
			d.Expect(protocol.Status{ResponseFor: "initialize"})
			d.Send(s.Next(1))
			d.Expect(protocol.Status{ResponseFor: "processRecords"})
		}, []string{"said no more: processor: shardId-000000000000: processRecords failed: boom", "want < status processRecords\n"}},
		{"a message after the end", func(t testing.TB, s *processortest.Shard) {
			d := s.Start(t, &consumer{})
			d.Close()
			d.Send(s.Initialize())
		}, []string{"initialize was not answered"}},
		{"two actions at a time", func(t testing.TB, s *processortest.Shard) {
			d := s.Start(t, &consumer{save: func(ctx context.Context, _ processor.ProcessRecordsInput) error { <-ctx.Done(); return nil }})
			d.Do(s.Initialize())
			d.Begin(s.Next(1))
			d.Begin(protocol.LeaseLost{})
		}, []string{"leaseLost begun while processRecords is in work"}},
		{"a start after the end of the shard", func(t testing.TB, s *processortest.Shard) {
			d := s.Start(t, &consumer{})
			d.Do(s.Initialize())
			d.Do(protocol.ShardEnded{})
			d.Close()
			s.Start(t, &consumer{})
		}, []string{"the shard has ended"}},
		{"an error that nobody looked at", func(t testing.TB, s *processortest.Shard) {
			c := &consumer{save: func(_ context.Context, in processor.ProcessRecordsInput) error { lease = in.Lease; return nil }}
			d := s.Start(t, c)
			d.Do(s.Initialize())
			d.Do(s.Next(1))
			lease.Fail(boom)
			<-lease.Context().Done()
		}, []string{"boom"}},
		{"a transcript that says something else", func(t testing.TB, s *processortest.Shard) {
			processortest.Play(t, strings.NewReader("> {\"action\":\"initialize\",\"shardId\":\"s\"}\n# and then\n< {\"action\":\"status\",\"responseFor\":\"leaseLost\"}\n"), &consumer{})
		}, []string{"line 3 of the transcript: the processor said something else\nwant < status leaseLost\ngot  < status initialize\n"}},
		{"a transcript that is none", func(t testing.TB, s *processortest.Shard) {
			processortest.Play(t, strings.NewReader("{\"action\":\"initialize\"}\n"), &consumer{})
		}, []string{"line 1 of the transcript: it begins with '{', want >, < or #"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := outcomeOf(func(t testing.TB) {
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
		"LATEST/0 is no record's position":               {{SequenceNumber: protocol.Latest}},
		"the record at 10/0 comes after the one at 10/0": {{SequenceNumber: "9"}, {SequenceNumber: "10"}, {SequenceNumber: "10"}},
		"the record at 9/0 comes after the one at 10/0":  {{SequenceNumber: "10"}, {SequenceNumber: "9"}},
	} {
		got := func() (got any) {
			defer func() { got = recover() }()
			new(processortest.Shard).PutRecords(records...)
			return nil
		}()
		if got == nil || !strings.Contains(fmt.Sprint(got), want) {
			t.Errorf("%v: got %v, want %s", records, got, want)
		}
	}
}
