package kinesislocal_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/tools/kinesislocal"
)

// What a consumer and a producer had before, they have after: on another port.
func TestDataDirOutlastsAServer(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s := start(t, kinesislocal.Config{DataDir: dir})
	client := newClient(s)
	createStream(t, client, "s", 1)
	for i := range 3 {
		if err := putRecord(ctx, client, "s", "k", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	consumer := registerConsumer(t, client, "s", "c")
	if _, err := client.SplitShard(ctx, &kinesis.SplitShardInput{StreamName: aws.String("s"), ShardToSplit: aws.String("shardId-000000000000"), NewStartingHashKey: aws.String("4")}); err != nil {
		t.Fatal(err)
	}
	if err := putRecord(ctx, client, "s", "k", "3"); err != nil {
		t.Fatal(err)
	}
	it, err := client.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{StreamName: aws.String("s"), ShardId: aws.String("shardId-000000000000"), ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
	if err != nil {
		t.Fatal(err)
	}
	first, err := client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: it.ShardIterator, Limit: aws.Int32(2)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = start(t, kinesislocal.Config{DataDir: dir})
	client = newClient(s)
	rest, err := client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: first.NextShardIterator})
	if err != nil || len(rest.Records) != 1 || string(rest.Records[0].Data) != "2" || len(rest.ChildShards) != 2 {
		t.Fatalf("the closed shard: %+v, error %v", rest, err)
	}
	if err := putRecord(ctx, client, "s", "k", "4"); err != nil {
		t.Fatal(err)
	}
	records := readShard(t, client, "s", "shardId-000000000002")
	if len(records) != 2 || string(records[0].Data) != "3" || string(records[1].Data) != "4" {
		t.Errorf("the open shard: %d records", len(records))
	}
	if n := *records[1].SequenceNumber; n <= *records[0].SequenceNumber || *records[0].SequenceNumber <= *rest.Records[0].SequenceNumber {
		t.Errorf("sequence number %s does not rise", n)
	}
	sub, err := subscribe(ctx, client, consumer, "shardId-000000000002", types.StartingPosition{Type: types.ShardIteratorTypeTrimHorizon})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if e, ok := nextEvent(t, sub); !ok || len(e.Records) != 2 {
		t.Errorf("the subscription brings %d records", len(e.Records))
	}
}

func TestDataDirThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	s := start(t, kinesislocal.Config{DataDir: dir})
	_, err := kinesislocal.Start(kinesislocal.Config{DataDir: dir})
	if !errors.Is(err, kinesislocal.ErrDataDirInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("a folder in use: %v", err)
	}
	createStream(t, newClient(s), "s", 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "00000001.log")
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	content[40]++
	if err := os.WriteFile(name, content, 0o666); err != nil {
		t.Fatal(err)
	}
	_, err = kinesislocal.Start(kinesislocal.Config{DataDir: dir})
	if !errors.Is(err, kinesislocal.ErrDataDirDamaged) || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "\n") {
		t.Errorf("a damaged file: %v", err)
	}
	_, err = kinesislocal.Start(kinesislocal.Config{DataDir: name})
	if err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("a file for a folder: %v", err)
	}
}

// serveEnv makes the test binary a server that keeps its data in the folder.
const serveEnv = "KINESISLOCAL_TEST_SERVE"

func serve(dir string) int {
	s, err := kinesislocal.Start(kinesislocal.Config{DataDir: dir})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(s.URL())
	select {}
}

// TestDataDirOutlastsKills kills the process while four clients put as fast as
// they can. Each record that was acknowledged is there afterwards, with its
// sequence number, in the order of its client.
func TestDataDirOutlastsKills(t *testing.T) {
	dir := t.TempDir()
	type ack struct{ data, sequence string }
	var (
		mu    sync.Mutex
		acked []ack
	)
	for life := range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), serveEnv+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		url, err := bufio.NewReader(out).ReadString('\n')
		if err != nil || !strings.HasPrefix(url, "http://") {
			cmd.Process.Kill()
			t.Fatalf("%q, error %v", url, err)
		}
		client := kinesis.NewFromConfig(aws.Config{
			HTTPClient: transport(t, true), Region: "us-east-1", BaseEndpoint: aws.String(strings.TrimSpace(url)),
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "x", SecretAccessKey: "x"}, nil
			}),
			Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		})
		if life == 0 {
			createStream(t, client, "s", 1)
		}
		var wg sync.WaitGroup
		enough := make(chan struct{})
		var once sync.Once
		for w := range 4 {
			wg.Go(func() {
				for i := 0; ; i++ {
					data := fmt.Sprint(life, w, i)
					out, err := client.PutRecord(context.Background(), &kinesis.PutRecordInput{StreamName: aws.String("s"), PartitionKey: aws.String("k"), Data: []byte(data)})
					if err != nil {
						return // killed
					}
					mu.Lock()
					acked = append(acked, ack{data, *out.SequenceNumber})
					if len(acked) >= 500*(life+1) {
						once.Do(func() { close(enough) })
					}
					mu.Unlock()
				}
			})
		}
		<-enough
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait()
		wg.Wait()
	}

	client := newClient(start(t, kinesislocal.Config{DataDir: dir}))
	there := map[string]string{}
	for _, r := range readShard(t, client, "s", "shardId-000000000000") {
		there[string(r.Data)] = *r.SequenceNumber
	}
	for _, a := range acked {
		if there[a.data] != a.sequence {
			t.Errorf("record %s was acknowledged as %s, and is there as %q", a.data, a.sequence, there[a.data])
		}
	}
	// What each client had under way may be there or not.
	if extra := len(there) - len(acked); extra < 0 || extra > 3*4 {
		t.Errorf("%d records are there, %d were acknowledged", len(there), len(acked))
	}
}
