package journal

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// open opens a folder and returns its entries and the log.
func open(t *testing.T, dir string) (j *Journal, entries []string, log string) {
	t.Helper()
	j, entries, log, err := tryOpen(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j, entries, log
}

func tryOpen(dir string) (j *Journal, entries []string, log string, err error) {
	var out bytes.Buffer
	j, err = Open(dir, slog.New(slog.NewTextHandler(&out, nil)), func(entry []byte) error {
		entries = append(entries, string(entry))
		return nil
	})
	return j, entries, out.String(), err
}

func appendTo(t *testing.T, j *Journal, entries ...string) {
	t.Helper()
	for _, e := range entries {
		if err := j.Append(append(Begin(nil), e...)); err != nil {
			t.Fatal(err)
		}
	}
}

// files returns what is in a folder, the lock aside.
func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, f := range list {
		if f.Name() == lockName {
			continue
		}
		if all[f.Name()], err = os.ReadFile(filepath.Join(dir, f.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// folder makes one with the files.
func folder(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestEntriesAreThereAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	j, entries, _ := open(t, dir)
	if len(entries) > 0 {
		t.Errorf("entries %q", entries)
	}
	want := []string{"one", "", strings.Repeat("three", 1<<20)}
	appendTo(t, j, want...)
	// The process may be killed now: nothing is synced or closed.
	_, entries, log := open(t, folder(t, files(t, dir)))
	if !slices.Equal(entries, want) || log != "" {
		t.Errorf("%d entries, log %s", len(entries), log)
	}
}

// The process may be killed at any byte of a write, and goes on afterwards.
func TestTornEndIsDropped(t *testing.T) {
	j, _, _ := open(t, t.TempDir())
	appendTo(t, j, "one", "two", "three")
	whole := files(t, j.dir)["00000001.log"]
	for n := range len(whole) {
		dir := folder(t, map[string][]byte{"00000001.log": whole[:n]})
		j, before, log, err := tryOpen(dir)
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		appendTo(t, j, "four")
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		_, after, again := open(t, dir)
		if !slices.Equal(after, append(before, "four")) || again != "" {
			t.Errorf("%d bytes: %q, then %q; log %s", n, before, after, again)
		}
		_, ends := file([]byte("one"), []byte("two"), []byte("three"))
		clean := n == len(magic) || slices.Contains(ends, int64(n))
		if clean == strings.Contains(log, "level=WARN") {
			t.Errorf("%d bytes: log %q", n, log)
		}
	}
}

func TestDamageIsSaid(t *testing.T) {
	j, _, _ := open(t, t.TempDir())
	appendTo(t, j, "one", "two")
	if err := j.Rotate(); err != nil {
		t.Fatal(err)
	}
	appendTo(t, j, "three", "four")
	whole := files(t, j.dir)
	names := slices.Sorted(maps.Keys(whole))
	for _, c := range []struct {
		name   string
		damage func(files map[string][]byte)
		want   string
	}{
		{"a changed byte", func(f map[string][]byte) { f[names[1]][len(magic)+headSize]++ }, "truncate -s 16 "},
		{"a changed length", func(f map[string][]byte) { f[names[1]][len(magic)+3] = 0x7f }, "byte 16 of 49"},
		{"an end of a file before the last", func(f map[string][]byte) { f[names[0]] = f[names[0]][:45] }, "remove the files with higher numbers"},
		{"another beginning", func(f map[string][]byte) { f[names[0]][0]++ }, "truncate -s 0 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			damaged := map[string][]byte{}
			for name, content := range whole {
				damaged[name] = bytes.Clone(content)
			}
			c.damage(damaged)
			dir := folder(t, damaged)
			_, _, _, err := tryOpen(dir)
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v", err)
			}
			for name, content := range files(t, dir) {
				if !bytes.Equal(content, damaged[name]) {
					t.Errorf("%s was changed", name)
				}
			}
		})
	}
}

func TestOneOpensAFolder(t *testing.T) {
	dir := t.TempDir()
	j, _, _ := open(t, dir)
	if _, _, _, err := tryOpen(dir); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("error %v", err)
	}
	appendTo(t, j, "one")
	for range 2 {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := j.Append(Begin(nil)); err != ErrClosed {
		t.Errorf("Append after Close: %v", err)
	}
	if _, entries, _ := open(t, dir); len(entries) != 1 {
		t.Errorf("entries %q", entries)
	}
}

// replace makes the entries the first ones.
func replace(j *Journal, entries ...string) error {
	return j.Replace(func(add func([]byte) error) error {
		for _, e := range entries {
			if err := add(append(Begin(nil), e...)); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	j, _, _ := open(t, dir)
	for i := range 3 { // more than once
		appendTo(t, j, strings.Repeat("x", 1000), "old")
		if err := j.Rotate(); err != nil {
			t.Fatal(err)
		}
		appendTo(t, j, fmt.Sprint("after ", i))
		if err := replace(j, fmt.Sprint("checkpoint ", i)); err != nil {
			t.Fatal(err)
		}
		if size := j.Size(); size > 100 {
			t.Errorf("size %d", size)
		}
	}
	sum := int64(0)
	for _, content := range files(t, dir) {
		sum += int64(len(content))
	}
	if sum != j.Size() {
		t.Errorf("%d bytes, Size says %d", sum, j.Size())
	}
	j.Close()
	j, entries, _ := open(t, dir)
	if want := []string{"checkpoint 2", "after 2"}; !slices.Equal(entries, want) || j.Size() != sum {
		t.Errorf("entries %q, size %d", entries, j.Size())
	}
}

// Wherever the process ends on the way, what was appended is read: the entries
// before Rotate as they were, or as their replacement, or both in this order.
func TestReplaceInterruptedAnywhere(t *testing.T) {
	dir := t.TempDir()
	j, _, _ := open(t, dir)
	appendTo(t, j, "old 1", "old 2")
	before := files(t, dir)
	if err := j.Rotate(); err != nil {
		t.Fatal(err)
	}
	appendTo(t, j, "new")
	rotated := files(t, dir)
	if err := replace(j, "checkpoint"); err != nil {
		t.Fatal(err)
	}
	replaced := files(t, dir)
	if len(before) != 1 || len(rotated) != 2 || len(replaced) != 2 {
		t.Fatal("files", len(before), len(rotated), len(replaced))
	}
	both := maps.Clone(replaced)
	maps.Copy(both, rotated)
	half := maps.Clone(rotated)
	half["00000002.log.tmp"] = replaced["00000002.log"][:20]
	empty := maps.Clone(rotated)
	empty["00000003.log"] = nil
	for name, c := range map[string]struct {
		files map[string][]byte
		want  []string
	}{
		"the new file just made":     {empty, []string{"old 1", "old 2"}},
		"rotated":                    {rotated, []string{"old 1", "old 2", "new"}},
		"the replacement half":       {half, []string{"old 1", "old 2", "new"}},
		"the old ones still there":   {both, []string{"old 1", "old 2", "checkpoint", "new"}},
		"all done":                   {replaced, []string{"checkpoint", "new"}},
		"one after the other, again": {before, []string{"old 1", "old 2"}},
	} {
		dir := folder(t, c.files)
		j, entries, _ := open(t, dir)
		if !slices.Equal(entries, c.want) {
			t.Errorf("%s: %q, want %q", name, entries, c.want)
		}
		// And the next time leaves nothing of it.
		if err := errors.Join(j.Rotate(), replace(j, "again")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if left := files(t, dir); len(left) != 2 {
			t.Errorf("%s: %d files are left", name, len(left))
		}
	}
}

func TestReplaceThatFailsChangesNothing(t *testing.T) {
	dir := t.TempDir()
	j, _, _ := open(t, dir)
	appendTo(t, j, "old")
	if err := j.Rotate(); err != nil {
		t.Fatal(err)
	}
	no := errors.New("no")
	if err := j.Replace(func(func([]byte) error) error { return no }); !errors.Is(err, no) {
		t.Errorf("error %v", err)
	}
	appendTo(t, j, "new")
	if len(files(t, dir)) != 2 {
		t.Errorf("%d files", len(files(t, dir)))
	}
	if _, entries, _ := open(t, folder(t, files(t, dir))); !slices.Equal(entries, []string{"old", "new"}) {
		t.Errorf("entries %q", entries)
	}
}

func TestConcurrentAppends(t *testing.T) {
	dir := t.TempDir()
	j, _, _ := open(t, dir)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 100 {
				if err := j.Append(append(Begin(nil), fmt.Sprintf("%d %d", w, i)...)); err != nil {
					t.Error(err)
				}
				j.Size()
			}
		})
	}
	for range 5 {
		if err := errors.Join(j.Sync(), j.Rotate()); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	j.Close()
	_, entries, _ := open(t, dir)
	next := map[string]int{}
	for _, e := range entries {
		w, i, _ := strings.Cut(e, " ")
		if i != fmt.Sprint(next[w]) {
			t.Fatalf("%s after %d", e, next[w])
		}
		next[w]++
	}
	if len(entries) != 400 {
		t.Errorf("%d entries", len(entries))
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1 << 10, 500 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			j, _, _, err := tryOpen(b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			defer j.Close()
			entry := make([]byte, size)
			var frame []byte
			b.SetBytes(int64(size))
			for b.Loop() {
				frame = append(Begin(frame), entry...)
				if err := j.Append(frame); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
