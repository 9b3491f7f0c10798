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

	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/handle"
)

const foreignARN = "arn:aws:kinesis:us-east-1:444455556666:stream/orders"

var severalStreams = []Stream{{Stream: "orders"}, {Stream: foreignARN}, {Stream: "bills"}}

// Shards of several streams that have one ID, and streams that have one name, are
// kept apart, whichever of them fail and whichever have bad records: sessions,
// backoff, board, metrics, log, files and dead letters.
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
	r.config.Log = slog.New(slog.NewTextHandler(&log, nil))
	files := handle.NewFiles(filepath.Join(r.state, "dead"))
	defer files.Close()
	var mu sync.Mutex
	made, handled := map[string]int{}, map[string]int{}
	served := make(chan struct{}, len(keysOfStreams))
	w := r.workerOf(func(shard ShardInfo) (processor.RecordProcessor, error) {
		stream, id := processor.SplitLeaseKey(shard.LeaseKey)
		account, name, _ := strings.Cut(stream, ":")
		if id != shard.ShardID || !strings.HasPrefix(name, shard.Stream+":") || shard.StreamARN != "arn:aws:kinesis:us-east-1:"+account+":stream/"+shard.Stream {
			t.Errorf("%+v", shard)
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
		}, handle.WithAttempts(1), handle.WithDeadLetter(files)), nil
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
	check(t, "series", len(series(t, w.board, "kcl_shard_batch_duration_seconds")), len(keysOfStreams))
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
		check(t, "failures of "+key, words(shard.Failures, w.board.failures(key)), words(fails[key], fails[key]))
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

// What is said of a shard says of which stream, before KCL has told more of it than
// its lease's key, too; in a worker of one stream nothing is said twice.
func TestBoardOfSeveralStreams(t *testing.T) {
	const first, other = "111122223333:orders:1700", "444455556666:orders:1700"
	b, c := testBoard()
	b.identify("app", []string{"orders", foreignARN}, "us-east-1", "worker-1")
	b.daemonReady()
	b.leases([]string{other + ":shard-0", first + ":shard-0", first + ":shard-1", other + ":shard-1"})
	var listed []string
	for _, s := range b.status().Shards {
		listed = append(listed, s.Stream+" "+s.ShardID)
	}
	check(t, "shards", strings.Join(listed, ", "), first+" shard-0, "+first+" shard-1, "+other+" shard-0, "+other+" shard-1")
	check(t, "series", series(t, b, "kcl_shard_leases_taken_total"),
		"[shard-0 "+first+" shard-0 "+other+" shard-1 "+first+" shard-1 "+other+"]")
	check(t, "worker", series(t, b, "kcl_worker_info"), "[app us-east-1 orders,"+foreignARN+" worker-1]")

	for range failsOften {
		b.shard(first + ":shard-0").failed(errPlanted)
	}
	hung := b.shard(other + ":shard-1")
	hung.failed(errPlanted)
	hung.hung()
	b.problem(other+":shard-0", "GetRecords", []engine.Cause{{Class: "x.AccessDeniedException"}})
	b.shard(first + ":shard-1").left()
	c.seconds(1)
	_, _, body := request(t, newHandler(b), "GET", "/readyz")
	check(t, "readyz", body, "not ready: "+first+":shard-0 fails again and again; "+other+":shard-1 is not read: its processor does not return\n")
	check(t, "what is wrong", b.status().unread(), "; "+other+":shard-0 cannot be read: GetRecords: AccessDeniedException")
	check(t, "the head", text(t, b, "<header>", "<section"), "app | daemon ready for 1.0 s | Streams | orders, "+foreignARN+
		" | Worker | worker-1 | Region | us-east-1 | Up | 1.0 s | Restarts of the daemon | 0"+
		" | "+first+":shard-0 fails again and again: 3 times or more within the last hour. Nothing behind the last checkpoint is passed over. The last errors say why."+
		" | "+other+":shard-1: the processor does not return. The shard is not read until it has. Find what it waits for, or end the process."+
		" | "+other+":shard-0 cannot be read: GetRecords: AccessDeniedException. For 1.0 s. What to do: allow kinesis:GetRecords to the worker&#39;s role; "+
		"kcl-infra iam-policy prints all that it needs; for a stream of another account its resource policy, or its key&#39;s policy, must allow it too.")
	check(t, "the shards", text(t, b, "</thead>", "</table>"), first+" | shard-0 | failed 1.0 s | unknown | 0 | 0 | none yet | 3 again and again"+
		" | "+other+" | shard-0 | starting 1.0 s | unknown | 0 | 0 | none yet | 0 | shard-1 | hung 1.0 s | unknown | 0 | 0 | none yet | 1")
	check(t, "the errors", text(t, b, `<ol class="errors"`, "</ol>"), `aria-labelledby="errors"> | 1.0 s ago | · `+other+":shard-0 | GetRecords: AccessDeniedException"+
		" | 1.0 s ago | · "+other+":shard-1 | planted | 1.0 s ago | · "+first+":shard-0 · 3 times | planted")
	check(t, "those that left", text(t, b, `<ul class="left"`, "</ul>"), `aria-labelledby="left"> | `+first+":shard-1 lost 1.0 s ago · 0 records")
	check(t, "the title", text(t, b, "<title>", "</title>"), "1.0 s behind · app")
	_, _, body = request(t, newHandler(b), "GET", "/")
	for _, key := range []string{first + ":shard-0", first + ":shard-1", other + ":shard-0", other + ":shard-1"} {
		if n := strings.Count(body, `id="`+key+`"`); n != 1 {
			t.Errorf("%d elements are %s", n, key)
		}
	}

	for configured, want := range map[string]string{"orders": "orders", foreignARN: "orders"} {
		b, _ := testBoard()
		b.identify("app", []string{configured}, "us-east-1", "worker-1")
		b.leases([]string{"shard-0"})
		s := b.status()
		check(t, "of one stream", words(s.Streams, one(t, b).Stream, s.name(want, "shard-0"), series(t, b, "kcl_shard_records_total")),
			words([]string{configured}, want, "shard-0", "[shard-0 "+want+"]"))
	}
}

// Where one of several streams was made anew, the leases of the others stay; of one
// stream alone there are no others.
func TestExplainStreamMadeAnew(t *testing.T) {
	const key = "111122223333:orders:1700:shard-0"
	for _, c := range []struct {
		streams   []string
		key, want string
	}{
		{[]string{"orders", "bills"}, key, "remove the old leases with: kcl-infra delete --application app --leases-of 111122223333:orders:1700"},
		{[]string{"orders"}, "shard-0", "remove the old leases with: kcl-infra delete --application app"},
	} {
		b, _ := testBoard()
		b.identify("app", c.streams, "us-east-1", "worker-1")
		for operation, class := range map[string]string{"Initialize": "OpenShardException", "GetRecords": "InvalidArgumentException"} {
			advice := b.problem(c.key, operation, []engine.Cause{{Class: "x." + class, Message: "StartingSequenceNumber"}}).Advice
			if !strings.HasSuffix(advice, c.want) {
				t.Errorf("%v: %s", c.streams, advice)
			}
		}
	}
}

// The error of a Run that leaves a processor behind names stream and shard.
func TestHungProcessorOfAStream(t *testing.T) {
	const key = "111122223333:orders:1700:shard-0"
	w := New(Config{}, nil)
	hung := make(chan struct{})
	close(hung)
	w.shards[key] = &shard{newest: &session{lease: &engine.Lease{LeaseKey: key}, hung: hung, ended: make(chan struct{})}}
	if err := w.awaitProcessors(); !errors.Is(err, ErrHung) || !strings.HasSuffix(err.Error(), ": that of "+key) {
		t.Errorf("error %v", err)
	}
}

// What is read is one property, and what stands above puts out of force what is
// below.
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
			c.config.Java, c.config.Fetch = r.config.Java, r.config.Fetch
			if c.file != "" {
				c.config.PropertiesFile = filepath.Join(r.state, "file.properties")
				must(os.WriteFile(c.config.PropertiesFile, []byte(c.file), 0o600))
			}
			r.config = c.config
			w := r.worker(nil)
			if err := w.config.validate(); err != nil {
				t.Fatal(err)
			}
			p, err := w.prepare(t.Context(), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, name := range slices.Sorted(maps.Keys(p.command.Overrides)) {
				if slices.Contains(streamProperties, name) {
					got = append(got, name+"="+p.command.Overrides[name])
				}
			}
			check(t, "properties", strings.Join(got, " "), c.want)
		})
	}
}
