package core

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRetentionSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(0)
		create(t, s, "s", 1)
		read := func() int {
			token := must[string](t)(s.ShardIterator("s", shardID(0), Position{Type: TrimHorizon}))
			return len(must[Batch](t)(s.GetRecords(token, "", 10)).Records)
		}
		if err := s.IncreaseRetention("s", 48); err != nil {
			t.Fatal(err)
		}
		put(t, s, "s", "k", "x")
		time.Sleep(47 * time.Hour)
		if n := read(); n != 1 {
			t.Errorf("%d records after 47 h of 48, want 1", n)
		}
		if err := s.DecreaseRetention("s", 24); err != nil {
			t.Fatal(err)
		}
		if n := read(); n != 0 {
			t.Errorf("%d records after 47 h of 24, want 0", n)
		}
		for _, c := range []struct {
			set     func(string, int) error
			hours   int
			message string
		}{
			{s.IncreaseRetention, 23, "too short"},
			{s.IncreaseRetention, 8761, "too long"},
			{s.DecreaseRetention, 23, "too short"},
			{s.DecreaseRetention, 25, "longer than existing"},
		} {
			err := c.set("s", c.hours)
			wantCode(t, err, InvalidArgument)
			if err != nil && !strings.Contains(err.Error(), c.message) {
				t.Errorf("%d hours: error %v, want %s", c.hours, err, c.message)
			}
		}
		if err := s.IncreaseRetention("s", 48); err != nil {
			t.Fatal(err)
		}
		if n := read(); n != 0 {
			t.Errorf("%d expired records are back, want 0", n)
		}
		wantCode(t, s.IncreaseRetention("s", 24), InvalidArgument)
	})
}

func TestChangesTakeAStreamThroughUpdating(t *testing.T) {
	changes := map[string]struct {
		change func(*Account) error
		done   func(Summary) bool
	}{
		"retention":   {func(s *Account) error { return s.IncreaseRetention("s", 100) }, func(d Summary) bool { return d.Retention == 100*time.Hour }},
		"mode":        {func(s *Account) error { return s.SetOnDemand("s", true) }, func(d Summary) bool { return d.OnDemand }},
		"record size": {func(s *Account) error { return s.SetMaxRecordBytes("s", 2<<20) }, func(d Summary) bool { return d.MaxRecordBytes == 2<<20 }},
		"encryption":  {func(s *Account) error { return s.SetEncryption("s", "alias/aws/kinesis") }, func(d Summary) bool { return d.KeyID == "alias/aws/kinesis" }},
	}
	for name, c := range changes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newService(time.Second)
				create(t, s, "s", 1)
				wantCode(t, c.change(s), ResourceInUse)
				time.Sleep(time.Second)
				if err := c.change(s); err != nil {
					t.Fatal(err)
				}
				if d := must[Summary](t)(s.Describe("s")); d.Status != Updating || c.done(d) {
					t.Errorf("at first %+v", d)
				}
				for _, other := range changes {
					wantCode(t, other.change(s), ResourceInUse)
				}
				put(t, s, "s", "k", "records go on")
				time.Sleep(time.Second)
				if d := must[Summary](t)(s.Describe("s")); d.Status != Active || !c.done(d) {
					t.Errorf("then %+v", d)
				}
			})
		})
	}
}

// Only an ACTIVE stream or consumer accepts a policy.
func TestPolicyNeedsAnActiveResource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(time.Second)
		create(t, s, "s", 1)
		wantCode(t, s.PutPolicy("s", "", ""), ResourceInUse)
		time.Sleep(time.Second)
		wantCode(t, s.PutPolicy("s", "", ""), InvalidArgument)
		arn := must[Consumer](t)(s.RegisterConsumer("s", "c", nil)).ARN
		wantCode(t, s.PutPolicy("s", arn, ""), ResourceInUse)
		time.Sleep(time.Second)
		wantCode(t, s.PutPolicy("s", arn, ""), InvalidArgument)
	})
}

func TestTags(t *testing.T) {
	s := newService(0)
	if err := s.CreateStream(NewStream{Name: "s", ShardCount: 1, Tags: map[string]string{"team": "blue"}}); err != nil {
		t.Fatal(err)
	}
	arn := must[Consumer](t)(s.RegisterConsumer("s", "c", map[string]string{"of": "consumer"})).ARN
	for _, consumer := range []string{"", arn} {
		if err := s.AddTags("s", consumer, map[string]string{"a": "1", "b": ""}); err != nil {
			t.Fatal(err)
		}
		if err := s.AddTags("s", consumer, map[string]string{"a": "2"}); err != nil {
			t.Fatal(err)
		}
		if err := s.RemoveTags("s", consumer, []string{"b", "not there"}); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"a": "2", "team": "blue"}
		if consumer != "" {
			want = map[string]string{"a": "2", "of": "consumer"}
		}
		if got := must[map[string]string](t)(s.Tags("s", consumer)); !maps.Equal(got, want) {
			t.Errorf("tags %v, want %v", got, want)
		}
		many := map[string]string{}
		for i := range maxTags - 1 {
			many[fmt.Sprint(i)] = ""
		}
		wantCode(t, s.AddTags("s", consumer, many), InvalidArgument)
		wantCode(t, s.AddTags("s", consumer, map[string]string{"a\x00": ""}), InvalidArgument)
		if got := must[map[string]string](t)(s.Tags("s", consumer)); !maps.Equal(got, want) {
			t.Errorf("after refused tags: %v, want %v", got, want)
		}
	}
	_, err := s.Tags("s", arn+"0")
	wantCode(t, err, ResourceNotFound)
	wantCode(t, s.CreateStream(NewStream{Name: "t", ShardCount: 1, Tags: map[string]string{"*": ""}}), InvalidArgument)
}
