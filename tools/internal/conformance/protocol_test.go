//go:build unix

package conformance_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/seed96110120/kinesis-client-go/tools/internal/conformance"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// Amazon's classes accept the client in PROTOCOL.md as it is there.
func TestPROTOCOLClient(t *testing.T) {
	long(t)
	t.Parallel()
	testenv.Command(t, "python3")
	page, err := os.ReadFile(filepath.Join(testenv.Workspace(t), "protocol", "PROTOCOL.md"))
	if err != nil {
		t.Fatal(err)
	}
	program := regexp.MustCompile("(?s)```python\n(.*?)```").FindSubmatch(page)
	if program == nil {
		t.Fatal("there is no client in PROTOCOL.md")
	}
	d, dir := start(t)
	if err := os.WriteFile(filepath.Join(dir, "client.py"), program[1], 0o666); err != nil {
		t.Fatal(err)
	}
	const client = "python3 client.py"
	key := "clé"
	records := []conformance.Record{
		{Data: []byte("\x00\xff"), PartitionKey: &key, SequenceNumber: "9"},
		{Data: []byte("three"), PartitionKey: &key, SequenceNumber: "10", SubSequenceNumber: 0},
		{Data: []byte{}, PartitionKey: &key, SequenceNumber: "10", SubSequenceNumber: 1},
	}
	ended := func(a conformance.Answer) {
		t.Helper()
		if a.ChildStatus == nil || *a.ChildStatus != 0 {
			t.Errorf("the client's status: %v", a.ChildStatus)
		}
	}

	// Until the end of a shard, with a checkpoint that is throttled twice.
	s := d.Shard("shardId-000000000000")
	a := answered(t, "initialize", func() (conformance.Answer, error) { return s.Initialize(client, "TRIM_HORIZON") })
	if err := syscall.Kill(a.PID, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	deliver(t, s, records)
	records[0].SequenceNumber, records[1].SequenceNumber, records[2].SequenceNumber = "11", "12", "12"
	a, err = s.ProcessRecords(conformance.Batch{Records: records, CheckpointErrors: []string{"ThrottlingException", "ThrottlingException"}})
	if err != nil {
		t.Fatal(err)
	}
	checkpointed(t, "processRecords", a, position(records[2]))
	if len(a.Checkpoints) != 3 {
		t.Errorf("checkpoints %v, want 3", a.Checkpoints)
	}
	answered(t, "processRecords of none", func() (conformance.Answer, error) { return s.ProcessRecords(conformance.Batch{}) })
	a = answered(t, "shardEnded", func() (conformance.Answer, error) { return s.ShardEnded(conformance.Batch{}) })
	checkpointed(t, "shardEnded", a, shardEnd)
	ended(a)

	// An announced stop, and a lease that is lost during it.
	s = d.Shard("shardId-000000000001")
	initialize(t, s, client)
	deliver(t, s, records)
	a, err = s.ShutdownRequested(conformance.Batch{CheckpointErrors: []string{"ShutdownException"}})
	if err != nil || len(a.Checkpoints) != 1 {
		t.Errorf("shutdownRequested: %v, checkpoints %v", err, a.Checkpoints)
	}
	ended(answered(t, "leaseLost", s.LeaseLost))

	// A failed checkpoint ends the client, and with it the daemon.
	s = d.Shard("shardId-000000000002")
	initialize(t, s, client)
	if _, err = s.ProcessRecords(conformance.Batch{Records: records, CheckpointErrors: []string{"InvalidStateException"}}); err == nil {
		t.Error("it goes on after an InvalidStateException")
	}
	lines := slices.DeleteFunc(strings.Split(d.Log(), "\n"), func(line string) bool { return !strings.Contains(line, " bytes") })
	if len(lines) < 12 || !strings.Contains(lines[0], key+" 2 bytes") {
		t.Errorf("the client printed %q", lines)
	}
}
