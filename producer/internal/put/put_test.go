package put

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/producer/internal/record"
)

// fakeKinesis accepts the records for which accept returns true, and numbers them.
type fakeKinesis struct {
	t        *testing.T
	accept   func(call int, data string) bool
	err      error
	calls    int
	accepted []string
}

func (k *fakeKinesis) PutRecords(ctx context.Context, in *kinesis.PutRecordsInput, _ ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error) {
	k.calls++
	if aws.ToString(in.StreamName) != "s" || len(in.Records) == 0 || len(in.Records) > MaxRecords {
		k.t.Errorf("call of %d records into stream %q", len(in.Records), aws.ToString(in.StreamName))
	}
	if k.err != nil {
		return nil, k.err
	}
	out := &kinesis.PutRecordsOutput{}
	for _, r := range in.Records {
		if !k.accept(k.calls, string(r.Data)) {
			out.Records = append(out.Records, types.PutRecordsResultEntry{
				ErrorCode: aws.String("ProvisionedThroughputExceededException"), ErrorMessage: aws.String("rate exceeded"),
			})
			continue
		}
		k.accepted = append(k.accepted, string(r.Data))
		out.Records = append(out.Records, types.PutRecordsResultEntry{
			ShardId: aws.String("shardId-0"), SequenceNumber: aws.String(strconv.Itoa(len(k.accepted))),
		})
	}
	return out, nil
}

func batchOf(n int) (batch []record.Record) {
	for i := range n {
		batch = append(batch, record.Record{PartitionKey: fmt.Sprint("k", i), Data: fmt.Append(nil, i)})
	}
	return batch
}

func TestPutRetriesOnlyWhatWasRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &fakeKinesis{t: t, accept: func(call int, data string) bool {
			n, _ := strconv.Atoi(data)
			return n%3 < call // calls 1, 2, 3 take a third each
		}}
		var retried []int
		p := NewPutter(k, "s", &PutterOptions{OnRetry: func(n int, code string) { retried = append(retried, n) }})
		began := time.Now()
		results, err := p.Put(t.Context(), batchOf(9))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(k.accepted), "[0 3 6 1 4 7 2 5 8]"; got != want {
			t.Errorf("accepted in the order %s, want %s", got, want)
		}
		if fmt.Sprint(retried) != "[6 3]" {
			t.Errorf("retried %v, want [6 3]", retried)
		}
		for i, r := range results {
			if !r.WasPut() || r.PartitionKey != fmt.Sprint("k", i) || k.accepted[atoi(r.SequenceNumber)-1] != fmt.Sprint(i) {
				t.Errorf("result %d is %+v, want record %[1]d", i, r)
			}
		}
		if time.Since(began) < minPause {
			t.Errorf("put again without a pause")
		}
	})
}

func atoi(s string) int { n, _ := strconv.Atoi(s); return n }

func TestPutGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &fakeKinesis{t: t, accept: func(_ int, data string) bool { return data == "1" }}
		began := time.Now()
		results, err := NewPutter(k, "s", nil).Put(t.Context(), batchOf(3))
		var refused *RefusedError
		if !errors.As(err, &refused) || refused.Records != 2 || refused.Code != "ProvisionedThroughputExceededException" {
			t.Fatalf("error %v, want 2 records refused for their throughput", err)
		}
		if results[0].WasPut() || !results[1].WasPut() || results[2].WasPut() {
			t.Errorf("results %+v, want only the second to be put", results)
		}
		if k.calls != 1+maxCallsWithoutProgress {
			t.Errorf("%d calls, want %d", k.calls, 1+maxCallsWithoutProgress)
		}
		if waited := time.Since(began); waited < 10*time.Second || waited > time.Minute {
			t.Errorf("gave up after %v, want 10 s to a minute", waited)
		}
	})
}

// A hot shard accepts a few records per call. Put goes on as long as there is progress.
func TestPutGoesOnWhileThereIsProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		call, left := 0, 0
		k := &fakeKinesis{t: t}
		k.accept = func(c int, _ string) bool {
			if c != call {
				call, left = c, 1
			}
			left--
			return left >= 0
		}
		if _, err := NewPutter(k, "s", nil).Put(t.Context(), batchOf(5*maxCallsWithoutProgress)); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPutEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		k := &fakeKinesis{t: t, accept: func(int, string) bool { cancel(); return false }}
		if _, err := NewPutter(k, "s", nil).Put(ctx, batchOf(2)); !errors.Is(err, context.Canceled) || k.calls != 1 {
			t.Errorf("error %v after %d calls, want %v after 1", err, k.calls, context.Canceled)
		}
	})
}

func TestPutPassesErrorsOn(t *testing.T) {
	want := &types.ResourceNotFoundException{}
	k := &fakeKinesis{t: t, err: want}
	if _, err := NewPutter(k, "s", nil).Put(t.Context(), batchOf(2)); !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

// Whatever Kinesis refuses, it accepts every record exactly once, and batches do not
// overtake each other.
func TestPutProperty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(50) {
			random := rand.New(rand.NewPCG(seed, 1))
			k := &fakeKinesis{t: t, accept: func(int, string) bool { return random.IntN(3) > 0 }}
			p := NewPutter(k, "s", nil)
			for range 3 {
				before := len(k.accepted)
				batch := batchOf(1 + random.IntN(20))
				if _, err := p.Put(t.Context(), batch); err != nil {
					t.Fatal(err)
				}
				seen := map[string]bool{}
				for _, data := range k.accepted[before:] {
					seen[data] = true
				}
				if len(k.accepted)-before != len(batch) || len(seen) != len(batch) {
					t.Fatalf("seed %d: %d records accepted, want %d", seed, len(k.accepted)-before, len(batch))
				}
			}
		}
	})
}

// slice is a Source of the given records. Each takes some time.
type slice struct {
	records []record.Record
	err     error
	every   time.Duration
}

func (s *slice) Next() (record.Record, error) {
	time.Sleep(s.every)
	if len(s.records) == 0 {
		return record.Record{}, s.err
	}
	r := s.records[0]
	s.records = s.records[1:]
	return r, nil
}

func sizes(t *testing.T, b *Batcher) (sizes []int, err error) {
	t.Helper()
	defer b.Stop()
	for {
		batch, err := b.Next(t.Context())
		if err != nil {
			return sizes, err
		}
		sizes = append(sizes, len(batch))
	}
}

func TestBatches(t *testing.T) {
	big := func(n int) record.Record { return record.Record{PartitionKey: "k", Data: make([]byte, n-1)} }
	broken := errors.New("broken")
	tests := []struct {
		name    string
		source  *slice
		rate    float64
		want    string
		wantErr error
	}{
		{"nothing", &slice{err: io.EOF}, 0, "[]", io.EOF},
		{"by number", &slice{records: batchOf(1100), err: io.EOF}, 0, "[500 500 100]", io.EOF},
		{"by bytes", &slice{records: []record.Record{big(MaxBytes / 2), big(MaxBytes / 2), big(1), big(MaxBytes), big(MaxBytes)}, err: io.EOF}, 0, "[2 1 1 1]", io.EOF},
		{"what came before an error", &slice{records: batchOf(3), err: broken}, 0, "[3]", broken},
		{"a slow source is not waited for", &slice{records: batchOf(3), err: io.EOF, every: time.Second}, 0, "[1 1 1]", io.EOF},
		{"at a rate", &slice{records: batchOf(4), err: io.EOF}, 2, "[1 1 1 1]", io.EOF},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got, err := sizes(t, NewBatcher(t.Context(), tt.source, &BatcherOptions{RecordsPerSecond: tt.rate}))
				if fmt.Sprint(got) != tt.want || !errors.Is(err, tt.wantErr) {
					t.Errorf("batches of %v then %v, want %s then %v", got, err, tt.want, tt.wantErr)
				}
			})
		})
	}
}

func TestBatchesKeepTheRate(t *testing.T) {
	for _, perSecond := range []float64{0.5, 10, 1000, 20_000} {
		synctest.Test(t, func(t *testing.T) {
			n := int(4*perSecond) + 1
			began := time.Now()
			b := NewBatcher(t.Context(), &slice{records: batchOf(n), err: io.EOF}, &BatcherOptions{RecordsPerSecond: perSecond})
			defer b.Stop()
			for {
				if _, err := b.Next(t.Context()); err != nil {
					break
				}
				time.Sleep(20 * time.Millisecond) // the call
			}
			if got := float64(n-1) / time.Since(began).Seconds(); got > perSecond*1.05 || got < perSecond*0.9 {
				t.Errorf("%.1f records a second, want %v", got, perSecond)
			}
		})
	}
}

func TestBatchesStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		b := NewBatcher(ctx, &slice{records: batchOf(10), err: io.EOF, every: time.Second}, nil)
		if _, err := b.Next(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
		if _, err := b.Next(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want %v", err, context.Canceled)
		}
		time.Sleep(2 * time.Second) // until the source's Next returns
	}) // fails if the goroutine is still there
}
