//go:build unix

package bootstrap

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whoever can replace a folder on the way to the cache, or a file in it, could run
// code as the user.
func TestTrust(t *testing.T) {
	const stranger = 54321
	self := os.Geteuid()
	for _, tt := range []struct {
		name string
		mode os.FileMode // of the folder above the cache
		uid  int         // its owner; -1 for this user
		gid  int
		home bool // it is the user's home
		pod  bool // in Kubernetes
		want string
	}{
		{name: "the user's alone", mode: 0o755, uid: -1, gid: -1},
		{name: "everybody writes", mode: 0o757, uid: -1, gid: -1, want: "may be written to by everybody, and who can write there can run code as this user; take that away (chmod o-w)"},
		{name: "sticky, as /tmp", mode: 0o777 | os.ModeSticky, uid: -1, gid: -1},
		{name: "a group writes", mode: 0o775, uid: -1, gid: stranger, want: "may be written to by group 54321"},
		{name: "a group reads", mode: 0o755, uid: -1, gid: stranger},
		{name: "the user's own group writes", mode: 0o775, uid: -1, gid: self},
		{name: "root's group writes", mode: 0o775, uid: -1, gid: 0},
		{name: "a stranger's", mode: 0o755, uid: stranger, gid: -1, want: "belongs to user 54321"},
		{name: "a stranger's, sticky", mode: 0o777 | os.ModeSticky, uid: stranger, gid: -1, want: "belongs to user 54321"},
		{name: "the home, whosever", mode: 0o777, uid: stranger, gid: -1, home: true},
		{name: "an emptyDir", mode: 0o777, uid: -1, gid: -1, pod: true},
		{name: "a volume with fsGroup", mode: 0o775, uid: -1, gid: stranger, pod: true},
		{name: "a stranger's volume", mode: 0o755, uid: stranger, gid: -1, pod: true, want: "belongs to user 54321"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("KUBERNETES_SERVICE_HOST", "")
			if tt.pod {
				t.Setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
			}
			above := filepath.Join(t.TempDir(), "above")
			t.Setenv("HOME", t.TempDir())
			if tt.home {
				t.Setenv("HOME", above)
			}
			cache := filepath.Join(above, "cache")
			if err := os.MkdirAll(cache, 0o755); err != nil {
				t.Fatal(err)
			}
			if (tt.uid >= 0 && tt.uid != self || tt.gid >= 0) && self != 0 {
				t.Skip("only root can give a folder away")
			}
			if err := os.Chown(above, tt.uid, tt.gid); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(above, tt.mode); err != nil {
				t.Fatal(err)
			}
			link := filepath.Join(t.TempDir(), "link")
			if err := os.Symlink(cache, link); err != nil {
				t.Fatal(err)
			}
			repo := newRepository(t, 1, nil)
			for _, dir := range []string{cache, link, filepath.Join(cache, "new", "one")} {
				_, err := Fetch(t.Context(), repo.lock, FetchOptions{Repository: repo.url(), CacheDir: dir})
				if (err == nil) != (tt.want == "") {
					t.Fatalf("%s: %v, want %q", dir, err, tt.want)
				}
				if err != nil && (!strings.HasPrefix(err.Error(), "cannot trust the folder for the jars: "+above+" "+tt.want) ||
					!strings.Contains(err.Error(), "--jar-path") || strings.Contains(err.Error(), "\n")) {
					t.Errorf("%s: %v, want %q", dir, err, tt.want)
				}
			}
			if tt.want != "" {
				if n := repo.count(); n != 0 {
					t.Errorf("%d requests", n)
				}
			}
		})
	}
}

// Neither may others write in the cache, or to a file of it.
func TestTrustInTheCache(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	for _, name := range []string{"org", "org/example/a0/1.0", "org/example/a0/1.0/a0-1.0.jar"} {
		repo := newRepository(t, 3, nil)
		options := FetchOptions{Repository: repo.url(), CacheDir: t.TempDir()}
		if _, err := Fetch(t.Context(), repo.lock, options); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(options.CacheDir, filepath.FromSlash(name))
		if err := os.Chmod(file, 0o777); err != nil {
			t.Fatal(err)
		}
		_, err := Fetch(t.Context(), repo.lock, options)
		if !errors.As(err, new(*untrustedError)) || !strings.Contains(err.Error(), file+" may be written to by everybody") {
			t.Errorf("%s: %v", name, err)
		}
		if n := repo.count(); n != 3 {
			t.Errorf("%d requests for 3 files", n)
		}
	}
}
