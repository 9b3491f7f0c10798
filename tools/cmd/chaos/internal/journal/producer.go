package journal

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/check"
)

const (
	// parts is the number of equal parts of the hash keys. Each has a partition key, so
	// that each shard of at least that size has one.
	parts = 32
	pause = 150 * time.Millisecond // the mean time between two records of a key

	putTimeout = 3 * time.Second
	putAgain   = 100 * time.Millisecond
	mostPadded = 200 // bytes
)

// A Producer puts records of many partition keys, one record of a key at a time. It
// repeats each record until Kinesis acknowledges it.
type Producer struct {
	client *kinesis.Client
	stream string
	log    *Log
	seed   uint64
	n      atomic.Int64
	acked  atomic.Int64 // the number of acknowledged records
}

// NewProducer returns a producer for a stream of a local Kinesis. It writes
// DIR/journal.jsonl.
func NewProducer(dir, kinesisURL, region, stream string, seed uint64) (*Producer, error) {
	log, err := Open(filepath.Join(dir, "journal.jsonl"))
	if err != nil {
		return nil, err
	}
	// HTTP/2, because smithy-go 1.28.8 sometimes truncates answers over HTTP/1.1.
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	client := kinesis.New(kinesis.Options{
		HTTPClient:   &http.Client{Transport: &http.Transport{Protocols: &protocols}},
		BaseEndpoint: &kinesisURL, Region: region, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
	})
	return &Producer{client: client, stream: stream, log: log, seed: seed}, nil
}

// Run puts records until ctx ends, and closes the journal. It returns an error if the
// journal cannot be written, but not if Kinesis fails.
func (p *Producer) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for part := range parts {
		all.Go(func() {
			if err := p.produce(ctx, key(part), rand.New(rand.NewPCG(p.seed, uint64(part)))); err != nil {
				cancel(err)
			}
		})
	}
	<-ctx.Done()
	all.Wait()
	err := p.log.Close()
	if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
		err = errors.Join(cause, err)
	}
	return err
}

// key returns a partition key whose hash is in a part.
func key(part int) string {
	for i := 0; ; i++ {
		k := fmt.Sprintf("k%02d-%d", part, i)
		if int(md5.Sum([]byte(k))[0])*parts/256 == part {
			return k
		}
	}
}

// produce puts the records of one key.
func (p *Producer) produce(ctx context.Context, key string, random *rand.Rand) error {
	for Sleep(ctx, pause/2+time.Duration(random.Int64N(int64(pause)))) {
		n := p.n.Add(1)
		if err := p.log.AppendSync(check.Put{N: n, Key: key}); err != nil {
			return err
		}
		data := fmt.Appendf(nil, "%d %s", n, strings.Repeat(".", random.IntN(mostPadded)))
		for {
			shard, seq, err := p.put(ctx, key, data)
			if err == nil {
				if err := p.log.AppendSync(check.Ack{N: n, Shard: shard, Seq: seq, At: time.Now().UnixMilli()}); err != nil {
					return err
				}
				p.acked.Add(1)
				break
			}
			if !Sleep(ctx, putAgain) {
				return nil
			}
		}
	}
	return nil
}

func (p *Producer) put(ctx context.Context, key string, data []byte) (shard, seq string, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), putTimeout)
	defer cancel()
	out, err := p.client.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: &p.stream, PartitionKey: &key, Data: data})
	if err != nil {
		return "", "", err
	}
	return *out.ShardId, *out.SequenceNumber, nil
}
