//go:build unix

package journal

import (
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// When the disk takes only a part of an entry, it is as if it had not been
// tried; when there is room again, the journal goes on.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	j, _, _ := open(t, dir)
	appendTo(t, j, "one")
	// A limit on the size of files is the disk that any machine can fill.
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	full := was
	full.Cur = 1000
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		t.Fatal(err)
	}
	err := j.Append(append(Begin(nil), strings.Repeat("x", 2000)...))
	small := j.Append(append(Begin(nil), "two"...))
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if err == nil || small != nil {
		t.Errorf("large entry: %v, small entry: %v", err, small)
	}
	appendTo(t, j, "three")
	if _, entries, log := open(t, folder(t, files(t, dir))); !slices.Equal(entries, []string{"one", "two", "three"}) || log != "" {
		t.Errorf("entries %q, log %s", entries, log)
	}
}
