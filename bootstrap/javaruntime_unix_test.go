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

	"github.com/seed96110120/kinesis-client-go/bootstrap/internal/testwheel"
)

// Java loads what lies in its folder: nobody else may write there, not even where a
// sticky folder would keep what is there.
//
// Guarantee: A cache in which other users can replace files is refused.
func TestFetchJavaTrust(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	folder := newIndex(t, madeUp(), nil).folder()
	for name, mode := range map[string]os.FileMode{
		"java": 0o777, folder: 0o777, folder + "/lib": 0o777 | os.ModeSticky, folder + "/lib/modules": 0o666,
	} {
		x := newIndex(t, madeUp(), nil)
		options := &FetchOptions{CacheDir: t.TempDir()}
		if _, err := x.fetchJava(t, options); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(options.CacheDir, filepath.FromSlash(name))
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		_, err := x.fetchJava(t, options)
		if !errors.As(err, new(*untrustedError)) || !strings.Contains(err.Error(), file+" is writable by everybody") {
			t.Errorf("%s: error %v, want that it is writable by everybody", name, err)
		}
	}
}

// Neither links nor what cannot be executed are what was unpacked.
//
// Guarantee: FetchJava returns only a folder in which each file has at that moment
// the hash that follows from its lock, and which has no other files except .DS_Store
// and Thumbs.db, whatever the index sends and whatever has happened to the folder.
func TestFetchJavaLinksAndModes(t *testing.T) {
	for name, spoil := range map[string]func(folder string) error{
		"not executable": func(folder string) error { return os.Chmod(filepath.Join(folder, "bin", "java"), 0o644) },
		"a link to a file": func(folder string) error {
			file := filepath.Join(folder, "release")
			return errors.Join(os.Rename(file, folder+".txt"), os.Symlink(folder+".txt", file))
		},
		"a link to a folder": func(folder string) error {
			return errors.Join(os.Rename(filepath.Join(folder, "lib"), folder+".lib"), os.Symlink(folder+".lib", filepath.Join(folder, "lib")))
		},
		"a link to all": func(folder string) error {
			return errors.Join(os.Rename(folder, folder+".all"), os.Symlink(folder+".all", folder))
		},
		"a named pipe": func(folder string) error {
			file := filepath.Join(folder, "release")
			return errors.Join(os.Remove(file), syscall.Mkfifo(file, 0o644))
		},
	} {
		x := newIndex(t, madeUp(), nil)
		options := &FetchOptions{CacheDir: t.TempDir()}
		java, err := x.fetchJava(t, options)
		if err != nil {
			t.Fatal(err)
		}
		if err := spoil(filepath.Dir(filepath.Dir(java))); err != nil {
			t.Fatal(err)
		}
		options.Offline = true
		if _, err := x.fetchJava(t, options); !errors.Is(err, ErrOffline) {
			t.Errorf("%s: offline: error %v, want ErrOffline", name, err)
		}
		options.Offline = false
		if _, err := x.fetchJava(t, options); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := x.count(); n != 4 {
			t.Errorf("%s: %d requests, want 4", name, n)
		}
	}
}

// A disk that is too small, for the wheel or for what is in it: the error says so, and
// with more room the next run completes it. A wheel that has come is not fetched again.
func TestFetchJavaDiskFull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make a file system that is small")
	}
	for _, tt := range []struct {
		name     string
		ballast  int
		requests int // in all
	}{
		{"for the wheel", 220_000, 4},
		{"for what is in it", 130_000, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := newIndex(t, testwheel.New(testPlatform, testwheel.Files(70_000), nil), nil)
			dir := t.TempDir()
			smallDisk(t, dir)
			ballast := filepath.Join(dir, "ballast")
			if err := os.WriteFile(ballast, bytes.Repeat([]byte("x"), tt.ballast), 0o644); err != nil {
				t.Fatal(err)
			}
			options := &FetchOptions{CacheDir: dir}
			_, err := x.fetchJava(t, options)
			if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "cannot write to the folder for the jars") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want one of a full disk", err)
			}
			for _, name := range files(t, dir) {
				if name != "ballast" && !strings.HasSuffix(name, ".whl") {
					t.Errorf("left in the cache: %s", name)
				}
			}
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			if _, err := x.fetchJava(t, options); err != nil {
				t.Errorf("with room again: %v", err)
			}
			if n := x.count(); n != tt.requests {
				t.Errorf("%d requests, want %d", n, tt.requests)
			}
		})
	}
}
