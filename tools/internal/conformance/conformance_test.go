//go:build unix

package conformance_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/conformance"
	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// temp is for files that the tests share; testenv removes it.
var temp string

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == childArg {
		runChild(os.Args[2])
	}
	os.Exit(testenv.Main(func() int {
		var err error
		if temp, err = os.MkdirTemp("", "conformance-"); err != nil {
			fmt.Fprintf(os.Stderr, "conformance: %v\n", err)
			return 1
		}
		return m.Run()
	}))
}

// testChild returns the executable of a child of this package.
func testChild(t *testing.T, name string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe + " " + childArg + " " + name
}

var build struct {
	once sync.Once
	err  error
}

// consumerSample returns the executable of the sample, built once.
func consumerSample(t *testing.T) string {
	t.Helper()
	root := testenv.Workspace(t)
	build.once.Do(func() { build.err = sample.Build(t.Context(), root, temp) })
	if build.err != nil {
		t.Fatal(build.err)
	}
	return sample.Command(temp, "consumer-sample")
}

// long skips a long test. Each of them starts JVMs.
func long(t *testing.T) {
	t.Helper()
	testenv.Long(t)
}

// start starts a driver in its own folder. A test that hangs ends with the driver, after
// much more time than any other test takes.
func start(t *testing.T, environ ...string) (*conformance.Driver, string) {
	t.Helper()
	// These JVMs live so briefly that only a quick start matters.
	environ = append(environ, "JDK_JAVA_OPTIONS=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
	c := conformance.Config{Java: testenv.JDK(t), Dir: t.TempDir(), Environ: environ}
	d, err := conformance.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	tooLong := time.AfterFunc(3*time.Minute, d.Close)
	t.Cleanup(func() {
		tooLong.Stop()
		d.Close()
		if t.Failed() {
			t.Logf("the daemon's log:\n%s", d.Log())
		}
	})
	return d, c.Dir
}

// An action is a call of a method of Shard.
type action func() (conformance.Answer, error)

// answered calls an action. The executable must answer it, and the daemon must log no error.
func answered(t *testing.T, name string, do action) conformance.Answer {
	t.Helper()
	a, err := do()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(a.Errors) > 0 {
		t.Fatalf("%s: the daemon logged %q", name, a.Errors)
	}
	return a
}

func initialize(t *testing.T, s *conformance.Shard, executable string) {
	t.Helper()
	a := answered(t, "initialize", func() (conformance.Answer, error) { return s.Initialize(executable, "TRIM_HORIZON") })
	if a.PID == 0 || a.ChildStatus != nil {
		t.Fatalf("initialize: process %d, status %v", a.PID, a.ChildStatus)
	}
}

// deliver delivers a batch, which must be answered and completely checkpointed.
func deliver(t *testing.T, s *conformance.Shard, records []conformance.Record) conformance.Answer {
	t.Helper()
	a := answered(t, "processRecords", func() (conformance.Answer, error) {
		return s.ProcessRecords(conformance.Batch{Records: records})
	})
	checkpointed(t, "processRecords", a, position(records[len(records)-1]))
	return a
}

func position(r conformance.Record) conformance.Position {
	return conformance.Position{SequenceNumber: r.SequenceNumber, SubSequenceNumber: r.SubSequenceNumber}
}

var shardEnd = conformance.Position{SequenceNumber: "SHARD_END"}

func checkpointed(t *testing.T, action string, a conformance.Answer, want conformance.Position) {
	t.Helper()
	if a.Checkpoint != want {
		t.Errorf("%s: the lease stands at %v after %d checkpoints, want %v", action, a.Checkpoint, len(a.Checkpoints), want)
	}
}

// ended checks the answer to an executable's last action.
func ended(t *testing.T, action string, a conformance.Answer) {
	t.Helper()
	if a.ChildStatus == nil || *a.ChildStatus != 0 {
		t.Errorf("%s: the executable ended with %s, want status 0", action, status(a.ChildStatus))
	}
}

func status(s *int) string {
	if s == nil {
		return "nothing: it lives"
	}
	return fmt.Sprintf("status %d", *s)
}

// exits calls an action. The daemon must exit, as it does when an executable fails, and the
// executable must end with status 1.
func exits(t *testing.T, do action) *conformance.ExitError {
	t.Helper()
	_, err := do()
	var exit *conformance.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("the daemon goes on: %v", err)
	}
	if exit.Status != 1 {
		t.Errorf("the daemon exited with status %d, want 1", exit.Status)
	}
	if s := exit.Last.ChildStatus; s == nil || *s != 1 {
		t.Errorf("the executable ended with %s, want status 1", status(s))
	}
	return exit
}

// number returns the n-th sequence number of a shard, with the length of Kinesis's.
func number(n int) string {
	return fmt.Sprintf("4959033827149025660855969253836157109592157598913658%04d", n)
}

// records makes n records with random data, beginning with a number.
func records(first, n, size int) []conformance.Record {
	random := rand.NewChaCha8([32]byte{byte(first), byte(n), byte(size)})
	batch := make([]conformance.Record, n)
	for i := range batch {
		data := make([]byte, size)
		random.Read(data)
		key, millis := fmt.Sprintf("key-%d", i), int64(1_700_000_000_000+i)
		batch[i] = conformance.Record{Data: data, PartitionKey: &key, SequenceNumber: number(first + i), ApproximateArrivalTimestamp: &millis}
	}
	return batch
}

// An executable is a record processor that the tests run, with a way to read what it got.
type executable struct {
	name     string
	command  func(*testing.T) string
	received func(t *testing.T, dir, shard string) []string // as recordedLine writes them
}

var executables = []executable{
	{
		"consumer-sample", consumerSample,
		func(t *testing.T, dir, shard string) (lines []string) {
			text, err := os.ReadFile(filepath.Join(dir, "data", shard+".jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			for d := json.NewDecoder(bytes.NewReader(text)); ; {
				var l struct {
					SequenceNumber              string
					SubSequenceNumber           int64
					PartitionKey                *string
					ApproximateArrivalTimestamp *time.Time
					Data, Encoding              string
				}
				if err := d.Decode(&l); err == io.EOF {
					return lines
				} else if err != nil {
					t.Fatal(err)
				}
				data, key, millis := []byte(l.Data), "", int64(-1)
				if l.Encoding == "base64" {
					if err := json.Unmarshal([]byte(`"`+l.Data+`"`), &data); err != nil {
						t.Fatal(err)
					}
				}
				if l.PartitionKey != nil {
					key = *l.PartitionKey
				}
				if l.ApproximateArrivalTimestamp != nil {
					millis = l.ApproximateArrivalTimestamp.UnixMilli()
				}
				lines = append(lines, recordedLine(l.SequenceNumber, l.SubSequenceNumber, key, millis, data))
			}
		},
	},
	{
		"test child", func(t *testing.T) string { return testChild(t, "recorder") },
		func(t *testing.T, dir, shard string) (lines []string) {
			text, err := os.ReadFile(filepath.Join(dir, shard))
			if err != nil {
				t.Fatal(err)
			}
			lines = strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
			return slices.DeleteFunc(lines, func(l string) bool { return l == "leaseLost" })
		},
	},
}

// forEach runs a test with each executable.
func forEach(t *testing.T, test func(t *testing.T, e executable)) {
	for _, e := range executables {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			test(t, e)
		})
	}
}

// gotAll compares what the executable got with what was delivered.
func (e executable) gotAll(t *testing.T, dir, shard string, delivered ...[]conformance.Record) {
	t.Helper()
	got := e.received(t, dir, shard)
	var want []string
	for _, r := range slices.Concat(delivered...) {
		key, millis := "", int64(-1)
		if r.PartitionKey != nil {
			key = *r.PartitionKey
		}
		if r.ApproximateArrivalTimestamp != nil {
			millis = *r.ApproximateArrivalTimestamp
		}
		want = append(want, recordedLine(r.SequenceNumber, r.SubSequenceNumber, key, millis, r.Data))
	}
	if len(got) != len(want) {
		t.Errorf("the executable was given %d records, want %d", len(got), len(want))
		return
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("record %d of %s came as\n%s, want\n%s", i, shard, got[i], want[i])
			return
		}
	}
}

// A whole life, with each possible end. With a child of this package it is no long test: it
// shows that Amazon's classes accept the library's messages.
func TestLifeCycles(t *testing.T) {
	forEach(t, func(t *testing.T, e executable) {
		if e.name != "test child" {
			long(t)
		}
		d, dir := start(t)
		command := e.command(t)
		for _, c := range []struct {
			shard string
			end   func(t *testing.T, s *conformance.Shard, last conformance.Position)
		}{
			{"shardId-lease-lost", func(t *testing.T, s *conformance.Shard, last conformance.Position) {
				a := answered(t, "leaseLost", s.LeaseLost)
				checkpointed(t, "leaseLost", a, last)
				ended(t, "leaseLost", a)
			}},
			{"shardId-shard-ended", func(t *testing.T, s *conformance.Shard, _ conformance.Position) {
				a := answered(t, "shardEnded", func() (conformance.Answer, error) { return s.ShardEnded(conformance.Batch{}) })
				checkpointed(t, "shardEnded", a, shardEnd)
				if last := a.Checkpoints[len(a.Checkpoints)-1]; last.SequenceNumber != nil || last.Error != "" {
					t.Errorf("shardEnded: the last checkpoint is %+v, want one without a sequence number", last)
				}
				ended(t, "shardEnded", a)
			}},
			{"shardId-shutdown-requested", func(t *testing.T, s *conformance.Shard, last conformance.Position) {
				a := answered(t, "shutdownRequested", func() (conformance.Answer, error) { return s.ShutdownRequested(conformance.Batch{}) })
				if len(a.Checkpoints) == 0 {
					t.Error("shutdownRequested: no checkpoint was asked for")
				}
				checkpointed(t, "shutdownRequested", a, last)
				ended(t, "leaseLost", answered(t, "leaseLost", s.LeaseLost))
			}},
		} {
			t.Run(c.shard, func(t *testing.T) {
				s := d.Shard(c.shard)
				initialize(t, s, command)
				aggregate := records(10, 3, 20)
				for i := range aggregate {
					aggregate[i].SequenceNumber, aggregate[i].SubSequenceNumber = number(10), int64(i)
				}
				bare := records(11, 2, 0)
				bare[0].PartitionKey, bare[1].ApproximateArrivalTimestamp = nil, nil
				deliver(t, s, records(1, 7, 100))
				deliver(t, s, aggregate)
				deliver(t, s, bare)
				answered(t, "an empty batch", func() (conformance.Answer, error) { return s.ProcessRecords(conformance.Batch{}) })
				c.end(t, s, position(bare[1]))
				e.gotAll(t, dir, c.shard, records(1, 7, 100), aggregate, bare)
			})
		}
	})
}

// Each shard has its own process and waits for no other.
func TestShardsAtOnce(t *testing.T) {
	long(t)
	forEach(t, func(t *testing.T, e executable) {
		d, dir := start(t)
		command := e.command(t)
		held := d.Shard("shardId-held")
		initialize(t, held, command)
		batch := records(1, 100, 1000)
		done := make(chan error, 1)
		go func() {
			_, err := held.ProcessRecords(conformance.Batch{Records: batch, HoldCheckpoint: 1})
			done <- err
		}()
		<-held.Held()
		var others sync.WaitGroup
		for i := range 4 {
			others.Go(func() {
				id := fmt.Sprintf("shardId-%d", i)
				s := d.Shard(id)
				if _, err := s.Initialize(command, "LATEST"); err != nil {
					t.Error(err)
					return
				}
				var all []conformance.Record
				for n := range 5 {
					b := records(100*n, 100, 1000+i)
					all = append(all, b...)
					if a, err := s.ProcessRecords(conformance.Batch{Records: b}); err != nil || a.Checkpoint != position(b[99]) {
						t.Errorf("%s: %+v, %v", id, a.Checkpoint, err)
						return
					}
				}
				if a, err := s.LeaseLost(); err != nil {
					t.Error(err)
				} else {
					ended(t, id, a)
				}
				e.gotAll(t, dir, id, all)
			})
		}
		others.Wait()
		if err := held.Release(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		e.gotAll(t, dir, "shardId-held", batch)
	})
}

// The sample, through the library, retries a throttled checkpoint, stops when the lease is lost,
// and on each other exception lets the daemon end, which delivers the batch again later.
func TestCheckpointErrors(t *testing.T) {
	long(t)
	for _, c := range []struct {
		errors []string
		goesOn bool
		calls  int
	}{
		{[]string{"ThrottlingException"}, true, 2},
		{[]string{"ThrottlingException", "ThrottlingException"}, true, 3},
		{[]string{"ShutdownException"}, true, 1},
		{[]string{"ThrottlingException", "ShutdownException"}, true, 2},
		{[]string{"InvalidStateException"}, false, 1},
		{[]string{"KinesisClientLibDependencyException"}, false, 1},
		{[]string{"IllegalArgumentException"}, false, 1},
		{[]string{"RuntimeException"}, false, 1},
	} {
		t.Run(strings.Join(c.errors, "+"), func(t *testing.T) {
			t.Parallel()
			d, dir := start(t)
			s := d.Shard("shardId-0")
			initialize(t, s, consumerSample(t))
			first := records(1, 2, 50)
			deliver(t, s, first)
			batch := records(3, 5, 50)
			process := func() (conformance.Answer, error) {
				return s.ProcessRecords(conformance.Batch{Records: batch, CheckpointErrors: c.errors})
			}
			var a conformance.Answer
			if c.goesOn {
				a = answered(t, "processRecords", process)
			} else {
				a = exits(t, process).Last
			}
			if len(a.Checkpoints) != c.calls {
				t.Errorf("%d checkpoints were asked for, want %d: %v", len(a.Checkpoints), c.calls, a.Checkpoints)
			}
			want := position(first[1])
			if c.calls > len(c.errors) {
				want = position(batch[4])
			}
			checkpointed(t, "processRecords", a, want)
			if c.goesOn {
				ended(t, "leaseLost", answered(t, "leaseLost", s.LeaseLost))
			}
			executables[0].gotAll(t, dir, "shardId-0", first, batch)
		})
	}
}

// The same exceptions in the other actions that may checkpoint.
func TestCheckpointErrorsAtTheEnd(t *testing.T) {
	long(t)
	for _, c := range []struct {
		name  string
		do    func(*conformance.Shard) (conformance.Answer, error)
		check func(*testing.T, action)
	}{
		{"shardEnded throttled", func(s *conformance.Shard) (conformance.Answer, error) {
			return s.ShardEnded(conformance.Batch{CheckpointErrors: []string{"ThrottlingException"}})
		}, func(t *testing.T, do action) {
			a := answered(t, "shardEnded", do)
			checkpointed(t, "shardEnded", a, shardEnd)
			ended(t, "shardEnded", a)
		}},
		// With an answer, the child shards would start and these records would be lost.
		{"shardEnded fails", func(s *conformance.Shard) (conformance.Answer, error) {
			return s.ShardEnded(conformance.Batch{CheckpointErrors: []string{"KinesisClientLibDependencyException"}})
		}, func(t *testing.T, do action) {
			checkpointed(t, "shardEnded", exits(t, do).Last, position(records(1, 1, 1)[0]))
		}},
		{"shutdownRequested fails", func(s *conformance.Shard) (conformance.Answer, error) {
			return s.ShutdownRequested(conformance.Batch{CheckpointErrors: []string{"InvalidStateException"}})
		}, func(t *testing.T, do action) {
			a, err := do()
			if err != nil || len(a.Errors) == 0 || !strings.Contains(a.Errors[len(a.Errors)-1], "failed to complete shutdown") {
				t.Errorf("%v, the daemon logged %q after %+v", err, a.Errors, a)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d, _ := start(t)
			s := d.Shard("shardId-0")
			initialize(t, s, testChild(t, "recorder"))
			deliver(t, s, records(1, 1, 1))
			c.check(t, func() (conformance.Answer, error) { return c.do(s) })
		})
	}
}

// The library has a different error for each of Amazon's exceptions.
func TestCheckpointErrorsAsTheProcessorSeesThem(t *testing.T) {
	long(t)
	d, _ := start(t)
	s := d.Shard("shardId-0")
	initialize(t, s, testChild(t, "careless"))
	throttled := slices.Repeat([]string{"ThrottlingException"}, 4) // 3 retries
	n := 0
	for _, errors := range [][]string{throttled, {"InvalidStateException"}, {"KinesisClientLibDependencyException"}, {"IllegalArgumentException"}, nil, {"ShutdownException"}} {
		n++
		a := answered(t, fmt.Sprint(errors), func() (conformance.Answer, error) {
			return s.ProcessRecords(conformance.Batch{Records: records(n, 1, 1), CheckpointErrors: errors})
		})
		if want := max(len(errors), 1); len(a.Checkpoints) != want {
			t.Errorf("%v: %d checkpoints, want %d", errors, len(a.Checkpoints), want)
		}
	}
	ended(t, "leaseLost", answered(t, "leaseLost", s.LeaseLost))
	d.Close()
	var got []string
	for line := range strings.Lines(d.Log()) {
		if message, ok := strings.CutPrefix(strings.TrimSpace(line), "checkpoint: "); ok {
			got = append(got, message)
		}
	}
	want := []string{
		"the lease table throttles", "the daemon cannot checkpoint now", "a dependency of the daemon failed",
		"the position is not between the last checkpoint and the last record delivered", "<nil>", "this worker no longer has the lease",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the processor saw\n%q, want\n%q", got, want)
	}
}

func TestLargestRecordAndLargestBatch(t *testing.T) {
	long(t)
	forEach(t, func(t *testing.T, e executable) {
		d, dir := start(t)
		s := d.Shard("shardId-0")
		initialize(t, s, e.command(t))
		one := records(1, 1, 10<<20)
		many := records(2, 9_990, 30)
		deliver(t, s, one)
		deliver(t, s, many)
		ended(t, "leaseLost", answered(t, "leaseLost", s.LeaseLost))
		e.gotAll(t, dir, "shardId-0", one, many)
	})
}

// Keys may be any text. Without the encodings that bootstrap sets, Java up to 17 would write
// '?' for characters that the POSIX locale lacks.
func TestPartitionKeys(t *testing.T) {
	long(t)
	keys := []string{
		"Zürich", "Ελλάδα", "東京", "🦀 and 👩‍👩‍👧", "e\u0301 is not é", "\u2028\u2029\u0085",
		"\x00\x01\x1f\x7f", "\"quoted\" \\ / \t\r\n", "\ufeffBOM", "\ufffd", "\ufdd0\U0010ffff",
		"</script>&amp;", "?", strings.Repeat("𝄞", 256),
	}
	batch := records(1, len(keys), 10)
	for i := range batch {
		batch[i].PartitionKey = &keys[i]
	}
	forEach(t, func(t *testing.T, e executable) {
		d, dir := start(t, "LC_ALL=POSIX")
		s := d.Shard("shardId-0")
		initialize(t, s, e.command(t))
		deliver(t, s, batch)
		ended(t, "leaseLost", answered(t, "leaseLost", s.LeaseLost))
		e.gotAll(t, dir, "shardId-0", batch)
	})
}

func TestStdoutPollution(t *testing.T) {
	long(t)
	d, dir := start(t)
	s := d.Shard("shardId-0")
	initialize(t, s, testChild(t, "pollution"))
	var all []conformance.Record
	for n := range 3 {
		batch := records(10*n, 10, 10)
		all = append(all, batch...)
		if a := deliver(t, s, batch); len(a.Checkpoints) != 1 {
			t.Errorf("%d checkpoints, want 1: %v", len(a.Checkpoints), a.Checkpoints)
		}
	}
	a := answered(t, "shardEnded", func() (conformance.Answer, error) { return s.ShardEnded(conformance.Batch{}) })
	checkpointed(t, "shardEnded", a, shardEnd)
	ended(t, "shardEnded", a)
	executables[1].gotAll(t, dir, "shardId-0", all)
	d.Close()
	for _, text := range []string{"printed by fmt", "raw write", "from a grandchild"} {
		if n := strings.Count(d.Log(), "\n"+text+"\n") + strings.Count(d.Log(), "}"+text+"\n"); n != 3 {
			t.Errorf("%q is %d times on standard error, want 3", text, n)
		}
	}
}

func TestPanic(t *testing.T) {
	long(t)
	d, _ := start(t)
	s := d.Shard("shardId-0")
	initialize(t, s, testChild(t, "panics"))
	exit := exits(t, func() (conformance.Answer, error) {
		return s.ProcessRecords(conformance.Batch{Records: records(1, 1, 1)})
	})
	if len(exit.Last.Checkpoints) != 0 || !strings.Contains(exit.Log, "panic: the processor's own fault") || !strings.Contains(exit.Log, "children_test.go:") {
		t.Errorf("%d checkpoints, log:\n%s", len(exit.Last.Checkpoints), exit.Log)
	}
}

// Why an executable cannot be started is only in the log.
func TestMissingExecutable(t *testing.T) {
	long(t)
	d, _ := start(t)
	_, err := d.Shard("shardId-0").Initialize("no-such-executable --flag", "LATEST")
	var exit *conformance.ExitError
	if !errors.As(err, &exit) || exit.Status != 1 || exit.Last.PID != 0 || !strings.Contains(exit.Log, `"no-such-executable"`) {
		t.Errorf("%+v", err)
	}
	if _, err := d.Shard("shardId-1").Initialize(testChild(t, "recorder"), "LATEST"); !errors.As(err, &exit) {
		t.Errorf("a driver that has ended takes another shard: %v", err)
	}
}

// Ctrl-C and a supervisor's SIGTERM reach both the child and the daemon, at any time. The
// batch, and those that the daemon still delivers, are finished and checkpointed.
func TestSignalsInMidBatch(t *testing.T) {
	long(t)
	forEach(t, func(t *testing.T, e executable) {
		d, dir := start(t)
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
			t.Run(signal.String(), func(t *testing.T) {
				id := fmt.Sprintf("shardId-%d", signal)
				s := d.Shard(id)
				pid := answered(t, "initialize", func() (conformance.Answer, error) {
					return s.Initialize(e.command(t), "TRIM_HORIZON")
				}).PID
				batch := records(1, 10, 10)
				var a conformance.Answer
				done := make(chan error, 1)
				go func() {
					var err error
					a, err = s.ProcessRecords(conformance.Batch{Records: batch, HoldCheckpoint: 1})
					done <- err
				}()
				select {
				case <-s.Held():
				case err := <-done:
					t.Fatalf("no checkpoint was asked for: %v", err)
				}
				for range 3 {
					// A signal that ends a process takes effect before kill returns.
					if err := syscall.Kill(pid, signal); err != nil {
						t.Fatal(err)
					}
				}
				if err := s.Release(); err != nil {
					t.Fatal(err)
				}
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				checkpointed(t, "processRecords", a, position(batch[9]))
				last := records(20, 1, 10)
				deliver(t, s, last)
				answered(t, "shutdownRequested", func() (conformance.Answer, error) { return s.ShutdownRequested(conformance.Batch{}) })
				ended(t, "leaseLost", answered(t, "leaseLost", s.LeaseLost))
				e.gotAll(t, dir, id, batch, last)
			})
		}
	})
}
