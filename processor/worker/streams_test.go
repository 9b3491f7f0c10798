package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/handle"
)

const foreignARN = "arn:aws:kinesis:us-east-1:444455556666:stream/orders"

var severalStreams = []Stream{{Stream: "orders"}, {Stream: foreignARN}, {Stream: "bills"}}

// Streams with the same name are kept apart, too, whichever shards fail or have bad
// records: sessions, backoff, status, metrics, log, files and dead letters.
//
// Guarantee: Shards of several streams that have the same ID are kept apart, also in
// logs, metrics and status.
func TestStreamsDoNotMix(t *testing.T) {
	for range 3 {
		seed := rand.Uint64()
		random := rand.New(rand.NewPCG(seed, 0))
		fails, bad := map[string]int{}, map[string]bool{}
		for _, key := range keysOfStreams {
			fails[key], bad[key] = random.IntN(2), random.IntN(2) == 1
		}
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { testStreamsDoNotMix(t, fails, bad) })
	}
}

func testStreamsDoNotMix(t *testing.T, fails map[string]int, bad map[string]bool) {
	r := newRig(t, "serves streams")
	r.config.Stream, r.config.Streams = "", severalStreams
	var log bytes.Buffer
	r.config.Logger = slog.New(slog.NewTextHandler(&log, nil))
	files := handle.NewFiles(filepath.Join(r.state, "dead"))
	defer files.Close()
	var mu sync.Mutex
	made, handled := map[string]int{}, map[string]int{}
	served := make(chan struct{}, len(keysOfStreams))
	w := r.workerOf(func(shard ShardInfo) (processor.RecordProcessor, error) {
		stream, id := processor.SplitLeaseKey(shard.LeaseKey)
		account, name, _ := strings.Cut(stream, ":")
		if id != shard.ShardID || !strings.HasPrefix(name, shard.Stream+":") || shard.StreamARN != "arn:aws:kinesis:us-east-1:"+account+":stream/"+shard.Stream {
			t.Errorf("the parts of %+v do not agree", shard)
		}
		mu.Lock()
		defer mu.Unlock()
		made[shard.LeaseKey]++
		if made[shard.LeaseKey] <= fails[shard.LeaseKey] {
			return nil, errPlanted
		}
		return handle.Record(func(ctx context.Context, record processor.Record) error {
			mu.Lock()
			defer mu.Unlock()
			if string(record.Data) != shard.LeaseKey || handle.ID(ctx, record) != shard.LeaseKey+"/1/0" || handle.Stream(ctx) != shard.Stream {
				t.Errorf("the processor of %s has %q of %s", shard.LeaseKey, record.Data, handle.ID(ctx, record))
			}
			if handled[shard.LeaseKey]++; handled[shard.LeaseKey] == 2 { // the first was checkpointed
				served <- struct{}{}
			}
			if bad[shard.LeaseKey] {
				return handle.Permanent(errPlanted)
			}
			return nil
		}, &handle.Options{MaxAttempts: 1, DeadLetters: files}), nil
	})
	stop := start(t, w)
	for range keysOfStreams {
		<-served
	}
	w.mu.Lock()
	check(t, "sessions", slices.Sorted(maps.Keys(w.shards)), slices.Sorted(slices.Values(keysOfStreams)))
	for key, s := range w.shards {
		check(t, "a backoff of "+key, s.backoff != engine.Backoff{}, fails[key] > 0)
	}
	w.mu.Unlock()
	check(t, "series", len(series(w, "kcl_shard_batch_duration_seconds_count")), len(keysOfStreams))
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	check(t, "processors", len(made), len(keysOfStreams))
	told := r.told(t, 1)
	status := w.Status()
	check(t, "streams", status.Streams, "[orders "+foreignARN+" bills]")
	check(t, "shards", len(status.Shards), len(keysOfStreams))
	for _, shard := range status.Shards {
		key := shard.Stream + ":" + shard.ShardID
		check(t, "leases taken of "+key, shard.LeasesTaken, 1)
		check(t, "processors of "+key, made[key], fails[key]+1)
		check(t, "failures of "+key, words(shard.Failures, w.recorder.failureCount(key)), words(fails[key], fails[key]))
		// What came when the stop was announced was not handled, or is no dead letter.
		if n := int64(handled[key]); shard.Records < n || bad[key] && shard.DeadLetters < n-1 || !bad[key] && shard.DeadLetters > 0 {
			t.Errorf("%s has %d records, %d were handled, %d are dead letters", key, shard.Records, n, shard.DeadLetters)
		}
		check(t, "times that Java was told to read "+key, count(told, "read "+key), fails[key])
		name := fmt.Sprintf("msg=\"a processor has failed\" stream=%s shardId=%s failures=1 ", shard.Stream, shard.ShardID)
		check(t, "times that the log has "+name, strings.Count(log.String(), name), fails[key])
		var letters []string
		text, err := os.ReadFile(filepath.Join(r.state, "dead", strings.ReplaceAll(shard.Stream, ":", "_"), shard.ShardID+".jsonl"))
		if err != nil && bad[key] {
			t.Error(err)
		}
		for line := range bytes.Lines(text) {
			var letter handle.DeadLetter
			if err := json.Unmarshal(line, &letter); err != nil {
				t.Fatal(err)
			}
			if string(letter.Data) != key || letter.ID != key+"/1/0" || letter.ShardID != shard.ShardID || !strings.Contains(shard.Stream, ":"+letter.Stream+":") {
				t.Errorf("the file of %s has %+v", key, letter)
			}
			letters = append(letters, letter.ID)
		}
		check(t, "letters in the file of "+key, len(letters), shard.DeadLetters)
	}
	for _, e := range status.Errors {
		if key := e.Stream + ":" + e.ShardID; fails[key] == 0 && !bad[key] {
			t.Errorf("an error of %s: %s", key, e.Text)
		}
	}
}

// What is recorded of a shard names its stream, even before KCL has told more than the
// lease key.
func TestRecorderOfSeveralStreams(t *testing.T) {
	rec, _ := testRecorder()
	shards := func() string {
		var listed []string
		for _, s := range rec.snapshot().Shards {
			listed = append(listed, s.Stream+" "+s.ShardID)
		}
		return strings.Join(listed, ", ")
	}
	rec.setLeases([]string{foreignKey + ":shard-0", ordersKey + ":shard-0", ordersKey + ":shard-1", foreignKey + ":shard-1"})
	check(t, "shards", shards(), ordersKey+" shard-0, "+ordersKey+" shard-1, "+foreignKey+" shard-0, "+foreignKey+" shard-1")
	rec, c := testRecorder()
	recordStreams(rec, c)
	check(t, "shards of which one has left", shards(), ordersKey+" shard-0, "+foreignKey+" shard-0, "+foreignKey+" shard-1, "+ordersKey+" shard-1")
	check(t, "series", series(&Worker{recorder: rec}, "kcl_shard_leases_taken_total"),
		"[shard-0 "+ordersKey+" shard-0 "+foreignKey+" shard-1 "+ordersKey+" shard-1 "+foreignKey+"]")
	check(t, "worker", series(&Worker{recorder: rec}, "kcl_worker_info"), "[app us-east-1 orders,"+foreignARN+" worker-1]")

	for configured, want := range map[string]string{"orders": "orders", foreignARN: "orders"} {
		rec, _ := testRecorder()
		rec.setIdentity("app", []string{configured}, "us-east-1", "worker-1")
		rec.setLeases([]string{"shard-0"})
		s := rec.snapshot()
		check(t, "of one stream", words(s.Streams, one(t, rec).Stream, series(&Worker{recorder: rec}, "kcl_shard_records_total")),
			words([]string{configured}, want, "[shard-0 "+want+"]"))
	}
}

// If one of several streams was created again, the leases of the others stay.
func TestExplainStreamMadeAnew(t *testing.T) {
	const key = "111122223333:orders:1700:shard-0"
	for _, c := range []struct {
		streams   []string
		key, want string
	}{
		{[]string{"orders", "bills"}, key, "remove the old leases with: kcl-infra delete --application app --leases-of 111122223333:orders:1700"},
		{[]string{"orders"}, "shard-0", "remove the old leases with: kcl-infra delete --application app"},
	} {
		rec, _ := testRecorder()
		rec.setIdentity("app", c.streams, "us-east-1", "worker-1")
		for operation, class := range map[string]string{"Initialize": "OpenShardException", "GetRecords": "InvalidArgumentException"} {
			advice := rec.addProblem(c.key, operation, []engine.Cause{{Class: "x." + class, Message: "StartingSequenceNumber"}}).Advice
			if !strings.HasSuffix(advice, c.want) {
				t.Errorf("streams %v: the advice is %q, want %q at its end", c.streams, advice, c.want)
			}
		}
	}
}

// The error of a Run that leaves a processor behind names the stream and the shard.
func TestHungProcessorOfAStream(t *testing.T) {
	const key = "111122223333:orders:1700:shard-0"
	w := New(Config{}, nil)
	hung := make(chan struct{})
	close(hung)
	w.shards[key] = &shard{newest: &session{lease: &engine.Lease{LeaseKey: key}, hung: hung, ended: make(chan struct{})}}
	if err := w.awaitProcessors(); !errors.Is(err, ErrHung) || !strings.HasSuffix(err.Error(), ": the one of "+key) {
		t.Errorf("error %v", err)
	}
}

// One property names the streams; it overrides the others.
//
// Guarantee: The streams of Config override those of a properties file.
func TestPropertiesOfStreams(t *testing.T) {
	at := time.Date(2026, 11, 30, 1, 2, 3, 0, time.FixedZone("", 3600))
	const consumer = foreignARN + "/consumer/c:1"
	for name, c := range map[string]struct {
		config Config
		file   string
		want   string // of the properties by which it is said
	}{
		"a name":             {config: Config{Stream: "orders"}, want: "streamName=orders"},
		"an ARN":             {config: Config{Stream: foreignARN}, want: "streams=" + foreignARN},
		"one of a list":      {config: Config{Streams: []Stream{{Stream: "orders"}}}, want: "streamName=orders"},
		"one with something": {config: Config{Streams: []Stream{{Stream: "orders", InitialPosition: Latest}}}, want: "streams=orders initialPosition=LATEST"},
		"several": {
			config: Config{Streams: []Stream{
				{Stream: "orders", InitialPosition: TrimHorizon},
				{Stream: foreignARN, InitialPosition: AtTimestamp, InitialTimestamp: at, ConsumerARN: consumer},
				{Stream: "bills"},
			}},
			want: "streams=orders initialPosition=TRIM_HORIZON, " + foreignARN + " initialPosition=2026-11-30T00:02:03Z consumerArn=" + consumer + ", bills",
		},
		"above Properties":          {config: Config{Stream: "orders", Properties: map[string]string{"streams": "a,b"}}, want: "streamName=orders"},
		"a name above a list":       {config: Config{Stream: "orders"}, file: "streams = a, b\n", want: "streamName=orders streams="},
		"a list above a name":       {config: Config{Streams: []Stream{{Stream: "a"}, {Stream: "b"}}}, file: "streamName = s\nstreamArn = " + foreignARN, want: "streamArn= streamName= streams=a, b"},
		"Properties above the file": {config: Config{Properties: map[string]string{"streams": "a,b"}}, file: "streamName = s\n", want: "streamName= streams=a,b"},
		"the file alone":            {file: "streams = a, b\n", want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "serves")
			c.config.Application, c.config.Region, c.config.InitialPosition = "application", "us-east-1", TrimHorizon
			c.config.Java = r.config.Java
			file := &bootstrap.Properties{}
			if c.file != "" {
				c.config.PropertiesFile = filepath.Join(r.state, "file.properties")
				must(os.WriteFile(c.config.PropertiesFile, []byte(c.file), 0o600))
				var err error
				file, err = bootstrap.ReadProperties(c.config.PropertiesFile)
				must(err)
			}
			r.config = c.config
			w := r.worker(nil)
			if err := w.config.validate(); err != nil {
				t.Fatal(err)
			}
			p, err := w.prepare(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, name := range slices.Sorted(slices.Values(streamProperties)) {
				value, ok := p.command.Properties.Get(name)
				if read, inFile := file.Get(name); ok && (!inFile || value != read) {
					got = append(got, name+"="+value)
				}
			}
			check(t, "properties", strings.Join(got, " "), c.want)
		})
	}
}
