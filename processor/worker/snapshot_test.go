package worker

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/seed96110120/kinesis-client-go/bootstrap/engine"
	"github.com/seed96110120/kinesis-client-go/processor"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	ordersKey  = "111122223333:orders:1700"
	foreignKey = "444455556666:orders:1700"
)

// snapshots are what recorders have in testdata/NAME.json, of which the tests of metrics
// and monitor make metrics and pages.
var snapshots = map[string]func(rec *recorder, c *clock){
	"busy":   recordBusy,
	"shards": recordShards,
	// A shard that another worker has now.
	"left": func(rec *recorder, c *clock) {
		stays, leaves := rec.beginSession("a"), rec.beginSession("b")
		stays.setState(ShardIdle)
		for range 20 {
			stays.batchReceived(10, 1, 5000)
			leaves.batchReceived(10, 1, 900_000)
			c.seconds(1)
		}
		leaves.setState(ShardLost)
		leaves.end()
		c.seconds(6)
	},
	"failing": func(rec *recorder, _ *clock) {
		for range 3 {
			rec.beginSession("a").failed(errors.New("cannot"))
			rec.beginSession("b").failed(errors.New("cannot"))
		}
	},
	"trouble": recordTrouble,
	"trouble_later": func(rec *recorder, c *clock) {
		recordTrouble(rec, c)
		c.seconds(63)
	},
	"streams": recordStreams,
	"evil": func(rec *recorder, _ *clock) {
		evil := `"><script>alert(1)</script>`
		rec.setIdentity(evil, []string{evil, evil}, evil, evil)
		s := rec.beginSession(evil)
		s.checkpointed(processor.Position{SequenceNumber: evil}, nil)
		s.failed(errors.New(evil))
		rec.beginSession("other" + evil).end()
	},
}

// recordBusy has all metrics: a shard that is read, one without a batch, and one that
// left.
func recordBusy(rec *recorder, c *clock) {
	rec.daemonStarted(1)
	rec.setDaemonState(DaemonReady)
	rec.daemonEnded(errors.New("killed"), true)
	rec.daemonStarted(2)
	rec.setDaemonState(DaemonReady)
	rec.setLeases([]string{"shardId-000000000000", "shardId-000000000001", "shardId-000000000002"})
	left := rec.beginSession("shardId-000000000000")
	left.batchReceived(1, 10, 1000)
	left.setInFlight(1)
	for range 3 {
		left.failed(errors.New("cannot"))
	}
	left.end()
	s := rec.beginSession("shardId-000000000001")
	s.setState(ShardProcessing)
	s.batchReceived(20, 2000, 1500)
	s.setInFlight(7)
	s.retried(2, errors.New("bad"))
	s.deadLettered(errors.New("bad"))
	s.checkpointed(processor.Position{SequenceNumber: "5"}, nil)
	rec.beginSession("shardId-000000000002")
	rec.addProblem("shardId-000000000002", "GetRecords", nil)
	rec.setLeases([]string{"shardId-000000000001", "shardId-000000000002"})
	c.seconds(4)
}

func recordShards(rec *recorder, c *clock) {
	rec.setDaemonState(DaemonPreparing)
	rec.daemonStarted(4711)
	c.seconds(10)
	rec.setDaemonState(DaemonReady)
	s := rec.beginSession("shardId-000000000012")
	s.setState(ShardProcessing)
	s.batchReceived(3000, 1, 90_500)
	s.setInFlight(1234)
	c.seconds(11)
	s.checkpointed(processor.Position{SequenceNumber: "4965", SubSequenceNumber: 3}, nil)
	idle := rec.beginSession("shardId-000000000000")
	idle.batchReceived(1, 1, 0)
	idle.setState(ShardIdle)
	failed := rec.beginSession("shardId-000000000001")
	for range 3 {
		failed.failed(errors.New("cannot store"))
	}
	failed.retried(1, errors.New("not yet"))
	ended := rec.beginSession("shardId-000000000002")
	ended.setState(ShardEnded)
	ended.end()
	c.seconds(65)
}

func recordTrouble(rec *recorder, c *clock) {
	rec.setDaemonState(DaemonReady)
	rec.setLeases([]string{"a", "b", "c", "d"})
	rec.setBlocked("a", true)
	rec.addProblem("b", "GetRecords", []engine.Cause{{Class: "x.ExpiredIteratorException", Message: "old"}})
	hung := rec.beginSession("c")
	hung.failed(errors.New("slow"))
	hung.setHung()
	restarts := rec.beginSession("d")
	restarts.failed(errors.New("cannot"))
	restarts.setRestarting(70 * time.Second)
	c.seconds(8)
	rec.addProblem("b", "GetRecords", []engine.Cause{{Class: "x.ExpiredIteratorException", Message: "old"}})
}

// recordStreams has shards of two streams with the same name and the same shard IDs.
func recordStreams(rec *recorder, c *clock) {
	rec.setIdentity("app", []string{"orders", foreignARN}, "us-east-1", "worker-1")
	rec.setDaemonState(DaemonReady)
	rec.setLeases([]string{foreignKey + ":shard-0", ordersKey + ":shard-0", ordersKey + ":shard-1", foreignKey + ":shard-1"})
	for range manyFailures {
		rec.beginSession(ordersKey + ":shard-0").failed(errPlanted)
	}
	hung := rec.beginSession(foreignKey + ":shard-1")
	hung.failed(errPlanted)
	hung.setHung()
	rec.addProblem(foreignKey+":shard-0", "GetRecords", []engine.Cause{{Class: "x.AccessDeniedException"}})
	rec.beginSession(ordersKey + ":shard-1").end()
	c.seconds(1)
}

// utcSnapshot returns a snapshot with all times in UTC.
func utcSnapshot(rec *recorder) Status {
	s := rec.snapshot()
	for _, shard := range s.Shards {
		for i := range shard.History {
			shard.History[i].Time = shard.History[i].Time.UTC()
		}
	}
	return s
}

func TestSnapshots(t *testing.T) {
	for name, record := range snapshots {
		rec, c := testRecorder()
		record(rec, c)
		got, err := json.Marshal(utcSnapshot(rec))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, '\n')
		file := filepath.Join("testdata", name+".json")
		if *update {
			if err := os.WriteFile(file, got, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s: got\n%swant\n%s", file, got, want)
		}
	}
}

// Guarantee: Whatever the shards and errors are called, page, status.json, metrics and
// readyz stay well-formed.
func FuzzMonitor(f *testing.F) {
	f.Add("shardId-000000000000", ":shardId-000000000000", "why")
	f.Add("1:orders:1:s", "orders:s", "<script>\n\x1b[2J")
	f.Add(`"><script>`, "{{script}}", "</title>")
	f.Add("\xff", "a\nb", strings.Repeat("é", 600))
	rec, _ := testRecorder()
	h := MonitorHandler(&Worker{recorder: rec})
	f.Fuzz(func(t *testing.T, key, other, text string) {
		key, other = strings.ToValidUTF8(key, "?"), strings.ToValidUTF8(other, "?") // as JSON is read
		rec.beginRun()
		rec.setIdentity(text, []string{"stream"}, other, text)
		rec.setDaemonState(DaemonReady)
		rec.setLeases([]string{key, other})
		rec.beginSession(key).failed(errors.New(text))
		rec.addProblem(other, strings.ToValidUTF8(text, "?"), []engine.Cause{{Class: text, Message: text}})
		if _, page := getFrom(h, "/"); strings.Count(strings.ToLower(page), "<script") != 1 || strings.Count(page, "</html>") != 1 || strings.Contains(page, "ZgotmplZ") {
			t.Errorf("the page is\n%s", page)
		}
		if _, text := getFrom(h, "/status.json"); !json.Valid([]byte(text)) {
			t.Errorf("the status is %s", text)
		}
		if status, text := getFrom(h, "/metrics"); status != 200 {
			t.Errorf("no metrics: %s", text)
		}
		_, text = getFrom(h, "/readyz")
		ready := strings.TrimSuffix(text, "\n")
		if !strings.HasPrefix(ready, "ready; ") || strings.ContainsFunc(ready, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("readyz is %q", ready)
		}
	})
}
