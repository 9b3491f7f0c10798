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

// fakeKinesis takes the records that take lets it and numbers them.
type fakeKinesis struct {
	t     *testing.T
	take  func(call int, data string) bool
	err   error
	calls int
	taken []string
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
		if !k.take(k.calls, string(r.Data)) {
			out.Records = append(out.Records, types.PutRecordsResultEntry{
				ErrorCode: aws.String("ProvisionedThroughputExceededException"), ErrorMessage: aws.String("rate exceeded"),
			})
			continue
		}
		k.taken = append(k.taken, string(r.Data))
		out.Records = append(out.Records, types.PutRecordsResultEntry{
			ShardId: aws.String("shardId-0"), SequenceNumber: aws.String(strconv.Itoa(len(k.taken))),
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
		k := &fakeKinesis{t: t, take: func(call int, data string) bool {
			n, _ := strconv.Atoi(data)
			return n%3 < call // calls 1, 2, 3 take a third each
		}}
		p := NewPutter(k, "s")
		var retried []int
		p.Retried = func(n int, code string) { retried = append(retried, n) }
		began := time.Now()
		results, err := p.Put(t.Context(), batchOf(9))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(k.taken), "[0 3 6 1 4 7 2 5 8]"; got != want {
			t.Errorf("taken in the order %s, want %s", got, want)
		}
		if fmt.Sprint(retried) != "[6 3]" {
			t.Errorf("retried %v", retried)
		}
		for i, r := range results {
			if !r.Done() || r.PartitionKey != fmt.Sprint("k", i) || k.taken[atoi(r.SequenceNumber)-1] != fmt.Sprint(i) {
				t.Errorf("result %d is %+v", i, r)
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
		k := &fakeKinesis{t: t, take: func(_ int, data string) bool { return data == "1" }}
		began := time.Now()
		results, err := NewPutter(k, "s").Put(t.Context(), batchOf(3))
		var refused *RefusedError
		if !errors.As(err, &refused) || refused.Records != 2 || refused.Code != "ProvisionedThroughputExceededException" {
			t.Fatalf("error %v", err)
		}
		if results[0].Done() || !results[1].Done() || results[2].Done() {
			t.Errorf("results %+v", results)
		}
		if k.calls != 1+maxFutile {
			t.Errorf("%d calls", k.calls)
		}
		if waited := time.Since(began); waited < 10*time.Second || waited > time.Minute {
			t.Errorf("gave up after %v", waited)
		}
	})
}

// A hot shard takes a few records a call: as long as it goes on, so does Put.
func TestPutGoesOnWhileThereIsProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		call, left := 0, 0
		k := &fakeKinesis{t: t}
		k.take = func(c int, _ string) bool {
			if c != call {
				call, left = c, 1
			}
			left--
			return left >= 0
		}
		if _, err := NewPutter(k, "s").Put(t.Context(), batchOf(5*maxFutile)); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPutEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		k := &fakeKinesis{t: t, take: func(int, string) bool { cancel(); return false }}
		if _, err := NewPutter(k, "s").Put(ctx, batchOf(2)); !errors.Is(err, context.Canceled) || k.calls != 1 {
			t.Errorf("%v after %d calls", err, k.calls)
		}
	})
}

func TestPutPassesErrorsOn(t *testing.T) {
	want := &types.ResourceNotFoundException{}
	k := &fakeKinesis{t: t, err: want}
	if _, err := NewPutter(k, "s").Put(t.Context(), batchOf(2)); !errors.Is(err, want) {
		t.Errorf("error %v", err)
	}
}

// Whatever Kinesis refuses in whichever call: every record is taken exactly
// once, and batches do not overtake each other.
func TestPutProperty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(50) {
			random := rand.New(rand.NewPCG(seed, 1))
			k := &fakeKinesis{t: t, take: func(int, string) bool { return random.IntN(3) > 0 }}
			p := NewPutter(k, "s")
			for range 3 {
				before := len(k.taken)
				batch := batchOf(1 + random.IntN(20))
				if _, err := p.Put(t.Context(), batch); err != nil {
					t.Fatal(err)
				}
				seen := map[string]bool{}
				for _, data := range k.taken[before:] {
					seen[data] = true
				}
				if len(k.taken)-before != len(batch) || len(seen) != len(batch) {
					t.Fatalf("seed %d: %d records taken of %d", seed, len(k.taken)-before, len(batch))
				}
			}
		}
	})
}

// slice is a Source of given records.
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

func sizes(t *testing.T, b *Batches) (sizes []int, err error) {
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
				got, err := sizes(t, NewBatches(t.Context(), tt.source, tt.rate))
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
			b := NewBatches(t.Context(), &slice{records: batchOf(n), err: io.EOF}, perSecond)
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
		b := NewBatches(ctx, &slice{records: batchOf(10), err: io.EOF, every: time.Second}, 0)
		if _, err := b.Next(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
		if _, err := b.Next(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		time.Sleep(2 * time.Second) // the source's own, in the bubble's time
	}) // the bubble fails when the goroutine stays
}
