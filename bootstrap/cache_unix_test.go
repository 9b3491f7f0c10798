//go:build unix

package bootstrap

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A link in place of a file is replaced by the file; what it pointed at stays
// as it is, good or bad.
//
// Guarantee: Nothing is written outside the cache, whatever coordinates and symbolic
// links say.
func TestFetchLinkForAFile(t *testing.T) {
	repo := newRepository(t, 2, nil)
	dir, outside := t.TempDir(), t.TempDir()
	options := &FetchOptions{Repository: repo.url(), CacheDir: dir}
	got, err := Fetch(t.Context(), repo.lock, options)
	if err != nil {
		t.Fatal(err)
	}
	// One within the cache could be followed, and has the right content.
	good := filepath.Join(dir, "good.jar")
	if err := os.Rename(got.Files[0], good); err != nil {
		t.Fatal(err)
	}
	within, err := filepath.Rel(filepath.Dir(got.Files[0]), good)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(within, got.Files[0]); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(outside, "bad.jar")
	if err := os.WriteFile(bad, []byte("bad"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(got.Files[1]); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(bad, got.Files[1]); err != nil {
		t.Fatal(err)
	}

	options.Offline = true
	if _, err := Fetch(t.Context(), repo.lock, options); !errors.Is(err, ErrOffline) || !strings.Contains(err.Error(), "2 of the 2") {
		t.Errorf("offline: error %v, want ErrOffline for 2 of the 2", err)
	}
	options.Offline = false
	if got, err = Fetch(t.Context(), repo.lock, options); err != nil || got.Downloaded != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, file := range got.Files {
		if info, err := os.Lstat(file); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
	if text, err := os.ReadFile(bad); err != nil || string(text) != "bad" {
		t.Errorf("written through the link: %q, %v", text, err)
	}
	if _, err := os.Stat(good); err != nil {
		t.Error(err)
	}
}

// A link to a folder elsewhere leads nothing out of the cache.
//
// Guarantee: Nothing is written outside the cache, whatever coordinates and symbolic
// links say.
func TestFetchLinkOutOfTheCache(t *testing.T) {
	repo := newRepository(t, 1, nil)
	for name, outside := range map[string]string{"absolute": t.TempDir(), "relative": "../outside"} {
		dir := filepath.Join(t.TempDir(), "cache")
		elsewhere := outside
		if !filepath.IsAbs(outside) {
			elsewhere = filepath.Join(dir, outside)
		}
		for _, d := range []string{dir, elsewhere} {
			if err := os.MkdirAll(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink(outside, filepath.Join(dir, "org")); err != nil {
			t.Fatal(err)
		}
		_, err := Fetch(t.Context(), repo.lock, &FetchOptions{Repository: repo.url(), CacheDir: dir})
		if err == nil || !strings.Contains(err.Error(), "cannot write to the folder for the jars") || !strings.Contains(err.Error(), "path escapes") {
			t.Errorf("%s: %v", name, err)
		}
		if names := files(t, elsewhere); names != nil {
			t.Errorf("%s: written elsewhere: %q", name, names)
		}
	}
}

// A read-only folder that has all files is good enough; one that lacks a file
// is named. Root may write to any folder, so for root it is a file system that
// is read-only.
func TestFetchReadOnlyFolder(t *testing.T) {
	repo := newRepository(t, 3, nil)
	dir := t.TempDir()
	readOnly := func(t *testing.T) { chmodAll(t, dir, 0o555) }
	if os.Geteuid() == 0 {
		readOnly = smallDisk(t, dir)
	}
	options := &FetchOptions{Repository: repo.url(), CacheDir: dir}
	two := &Lock{Name: "test", Artifacts: repo.lock.Artifacts[:2]}
	if _, err := Fetch(t.Context(), two, options); err != nil {
		t.Fatal(err)
	}
	readOnly(t)
	if got, err := Fetch(t.Context(), two, options); err != nil || got.Downloaded != 0 {
		t.Errorf("with all files there: %+v, %v", got, err)
	}
	_, err := Fetch(t.Context(), repo.lock, options)
	if err == nil || !strings.Contains(err.Error(), "cannot write to the folder for the jars") ||
		!errors.Is(err, os.ErrPermission) && !errors.Is(err, syscall.EROFS) {
		t.Errorf("with a file missing: error %v, want that writing is not permitted", err)
	}
	if n := repo.count(); n > 3 {
		t.Errorf("%d requests for 2 files", n)
	}
}

func chmodAll(t *testing.T, dir string, mode os.FileMode) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			t.Cleanup(func() { os.Chmod(name, 0o755) })
			defer os.Chmod(name, mode)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A disk that is too small for the files: the error says so, no half file is
// left, and with more room the next run completes the cache.
func TestFetchDiskFull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make a file system that is small")
	}
	repo := newRepository(t, 8, nil) // 20 kB each
	dir := t.TempDir()
	smallDisk(t, dir)
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, bytes.Repeat([]byte("x"), 140_000), 0o644); err != nil {
		t.Fatal(err)
	}
	options := &FetchOptions{Repository: repo.url(), CacheDir: dir}
	_, err := Fetch(t.Context(), repo.lock, options)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "cannot write to the folder for the jars") {
		t.Errorf("%v, want one of a full disk", err)
	}
	for _, name := range files(t, dir) {
		if strings.HasSuffix(name, partSuffix) {
			t.Errorf("left in the cache: %s", name)
		}
	}
	whole := 0
	for _, a := range repo.lock.Artifacts {
		switch err := has(t, dir, a); {
		case err == nil:
			whole++
		case !errors.Is(err, os.ErrNotExist):
			t.Errorf("%s: %v", a, err)
		}
	}
	if whole == len(repo.lock.Artifacts) {
		t.Error("the disk was not full")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if got, err := Fetch(t.Context(), repo.lock, options); err != nil || got.Downloaded != len(repo.lock.Artifacts)-whole {
		t.Errorf("with room again: %+v, %v", got, err)
	}
}
