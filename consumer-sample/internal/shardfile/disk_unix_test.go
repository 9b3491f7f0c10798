//go:build unix

package shardfile

import (
	"os"
	"syscall"
	"testing"

	"github.com/seed96110120/kinesis-client-go/processor"
)

// The file is locked while it is open. Who waited for it knows what was written
// meanwhile.
//
// Guarantee: On Unix, two processors cannot write to one file.
func TestOneWriter(t *testing.T) {
	dir := t.TempDir()
	first, err := Open(dir, shard)
	if err != nil {
		t.Fatal(err)
	}
	probe, err := os.Open(path(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer probe.Close()
	if err := syscall.Flock(int(probe.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != syscall.EWOULDBLOCK {
		t.Errorf("locking an open file: error %v, want %v", err, syscall.EWOULDBLOCK)
	}
	opened := make(chan *File)
	go func() {
		second, err := Open(dir, shard)
		if err != nil {
			t.Error(err)
		}
		opened <- second
	}()
	if _, err := first.Append([]processor.Record{record("7", nil)}); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := <-opened
	if second == nil {
		return
	}
	defer second.Close()
	if got := second.Last().SequenceNumber; got != "7" {
		t.Errorf("the second writer found %q last, want 7", got)
	}
}
