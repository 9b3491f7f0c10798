package processortest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/seed96110120/kinesis-client-go/processor"
	"github.com/seed96110120/kinesis-client-go/processor/processortest"
	"github.com/seed96110120/kinesis-client-go/protocol"
)

// record serves a consumer over a Recorder while script plays its daemon, and
// returns the transcript.
func record(t testing.TB, script func(*processortest.Shard, *processortest.Daemon)) string {
	t.Helper()
	var transcript bytes.Buffer
	r := processortest.NewRecorder(&transcript)
	in, stdin := io.Pipe()
	stdout, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- processor.Run(context.Background(), &consumer{save: everything}, r.Input(in), r.Output(out), nil)
	}()
	var shard processortest.Shard
	d := shard.Connect(t, stdin, stdout)
	script(&shard, d)
	d.Close()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	return transcript.String()
}

// Guarantee: Play accepts what a Recorder wrote, including the conversation
// with a real daemon.
func TestRecordAndPlay(t *testing.T) {
	got := record(t, func(shard *processortest.Shard, d *processortest.Daemon) {
		shard.PutRecords(processor.Record{SequenceNumber: "9", Data: []byte("nine"), PartitionKey: "k"})
		shard.PutAggregate("k", "ten", strings.Repeat("long", 64<<10))
		d.Do(shard.Initialize())
		d.Do(shard.Next(1))
		shard.FailCheckpoint(1, "ThrottlingException")
		d.Do(protocol.ShutdownRequested{})
		d.Do(protocol.LeaseLost{})
	})
	lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	directions := ""
	for _, line := range lines {
		directions += line[:2]
	}
	if directions != "> < > < > < > < > < > < > < " || !strings.HasPrefix(lines[2], `> {"action":"processRecords"`) {
		t.Errorf("got\n%.2000s\nwant seven messages of the daemon, each with one answer", got)
	}
	if err := processortest.Play(t, strings.NewReader("# recorded\n\n"+got), &consumer{save: everything}, nil); err != nil {
		t.Errorf("Play: %v", err)
	}
	// A crash leaves one that ends in the middle of a batch.
	err := processortest.Play(t, strings.NewReader(strings.Join(lines[:4], "\n")), &consumer{save: everything}, nil)
	if !errors.Is(err, processor.ErrDaemonGone) {
		t.Errorf("Play of the beginning: error %v, want %v", err, processor.ErrDaemonGone)
	}
}

// Guarantee: Play accepts what a Recorder wrote, including the conversation
// with a real daemon.
func TestPlayRealTranscript(t *testing.T) {
	transcript, err := os.Open("testdata/daemon-3.1.3.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer transcript.Close()
	c := &consumer{save: everything}
	if err := processortest.Play(t, transcript, c, nil); err != nil || len(c.seen) != 20 {
		t.Errorf("error %v, %d records seen; want none, 20", err, len(c.seen))
	}
}

// An error of the writer ends the conversation.
func TestRecorderTellsErrors(t *testing.T) {
	full := errors.New("disk full")
	r := processortest.NewRecorder(writerFunc(func([]byte) (int, error) { return 0, full }))
	if _, err := io.ReadAll(r.Input(strings.NewReader("{}\n"))); !errors.Is(err, full) {
		t.Errorf("Input: error %v, want %v", err, full)
	}
	var out bytes.Buffer
	if _, err := r.Output(&out).Write([]byte("{}\n")); !errors.Is(err, full) || out.Len() > 0 {
		t.Errorf("Output: error %v, wrote %q; want %v, nothing", err, &out, full)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
