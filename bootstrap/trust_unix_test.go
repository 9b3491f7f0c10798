//go:build unix

package bootstrap

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Whoever can replace a folder on the way to the cache, or a file in it, could run
// code as the user.
//
// Guarantee: A cache in which other users can replace files is refused.
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
		{name: "everybody writes", mode: 0o757, uid: -1, gid: -1, want: "is writable by everybody, and whoever can write there can run code as this user; remove that permission (chmod o-w)"},
		{name: "sticky, as /tmp", mode: 0o777 | os.ModeSticky, uid: -1, gid: -1},
		{name: "a group writes", mode: 0o775, uid: -1, gid: stranger, want: "is writable by group 54321"},
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
				_, err := Fetch(t.Context(), repo.lock, &FetchOptions{Repository: repo.url(), CacheDir: dir})
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
//
// Guarantee: A cache in which other users can replace files is refused.
func TestTrustInTheCache(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	for _, name := range []string{"org", "org/example/a0/1.0", "org/example/a0/1.0/a0-1.0.jar"} {
		repo := newRepository(t, 3, nil)
		options := &FetchOptions{Repository: repo.url(), CacheDir: t.TempDir()}
		if _, err := Fetch(t.Context(), repo.lock, options); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(options.CacheDir, filepath.FromSlash(name))
		if err := os.Chmod(file, 0o777); err != nil {
			t.Fatal(err)
		}
		_, err := Fetch(t.Context(), repo.lock, options)
		if !errors.As(err, new(*untrustedError)) || !strings.Contains(err.Error(), file+" is writable by everybody") {
			t.Errorf("%s: error %v, want that it is writable by everybody", name, err)
		}
		if n := repo.count(); n != 3 {
			t.Errorf("%d requests for 3 files", n)
		}
	}
}

// A relative link starts in the folder where it is, not in the one by whose name it was
// reached.
//
// Guarantee: A cache in which other users can replace files is refused.
func TestTrustLinkBelowLink(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	for name, tt := range map[string]struct {
		real, other os.FileMode // other: of the folder that the names alone lead to; 0 for none
		good        bool
	}{
		"good":                      {0o755, 0, true},
		"good beside a bad one":     {0o755, 0o777, true},
		"bad":                       {0o777, 0, false},
		"bad beside a good one":     {0o777, 0o755, false},
		"both good":                 {0o755, 0o755, true},
		"sticky, beside a bad one":  {0o777 | os.ModeSticky, 0o777, true},
		"bad, beside a sticky one":  {0o777, 0o777 | os.ModeSticky, false},
		"bad, the other not to see": {0o777, 0o700, false},
	} {
		base := t.TempDir()
		t.Setenv("HOME", filepath.Join(base, "home"))
		folder := func(name string, mode os.FileMode) {
			if err := os.MkdirAll(filepath.Join(base, name, "cache"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(filepath.Join(base, name), mode); err != nil {
				t.Fatal(err)
			}
		}
		folder("x/folder", tt.real)
		folder("x/y", 0o755)
		if tt.other != 0 {
			folder("folder", tt.other)
		}
		err := errors.Join(os.Symlink("x/y", filepath.Join(base, "link")), os.Symlink("../folder/cache", filepath.Join(base, "x/y/relative")))
		if err != nil {
			t.Fatal(err)
		}
		repo := newRepository(t, 1, nil)
		options := &FetchOptions{Repository: repo.url(), CacheDir: filepath.Join(base, "link", "relative")}
		_, err = Fetch(t.Context(), repo.lock, options)
		if tt.good && err != nil || !tt.good && !errors.As(err, new(*untrustedError)) {
			t.Errorf("%s: error %v, want trust: %t", name, err, tt.good)
		}
		options.Offline = true
		_, err = Fetch(t.Context(), repo.lock, options)
		if tt.good && err != nil || !tt.good && !errors.As(err, new(*untrustedError)) {
			t.Errorf("%s: offline: error %v, want trust: %t", name, err, tt.good)
		}
	}
}

// The home's own name may be a link, in a folder that others own.
func TestTrustLinkedHome(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	base := t.TempDir()
	cache := filepath.Join(base, "disk", "home", "cache")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(base, "home")
	link := filepath.Join(t.TempDir(), "link")
	err := errors.Join(os.Symlink("disk/home", home), os.Chmod(base, 0o777), os.Chmod(filepath.Join(base, "disk"), 0o777),
		os.Symlink(filepath.Join(home, "cache"), link))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", home)
	for dir, good := range map[string]bool{
		filepath.Join(home, "cache"): true,
		cache:                        true,
		link:                         true,
		filepath.Join(base, "disk", "home", "..", "..", "disk"): false,
	} {
		if err := checkFolder(dir); (err == nil) != good {
			t.Errorf("%s: error %v, want trust: %t", dir, err, good)
		}
	}
	for _, none := range []string{"", "home"} {
		t.Setenv("HOME", none)
		if err := checkFolder(cache); !errors.As(err, new(*untrustedError)) {
			t.Errorf("HOME=%s: error %v, want an untrustedError", none, err)
		}
	}
	t.Setenv("HOME", home)
	if err := os.Chmod(cache, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Join(home, "cache"), cache, link} {
		if err := checkFolder(dir); !errors.As(err, new(*untrustedError)) {
			t.Errorf("%s: error %v, want an untrustedError", dir, err)
		}
	}
}

// A file that cannot be read is not one that is not there.
func TestUnreadable(t *testing.T) {
	loop := func(file string) error { return errors.Join(os.RemoveAll(file), os.Symlink(filepath.Base(file), file)) }
	repo, x := newRepository(t, 1, nil), newIndex(t, madeUp(), nil)
	options := &FetchOptions{Repository: repo.url(), CacheDir: t.TempDir()}
	_, err := Fetch(t.Context(), repo.lock, options)
	_, javaErr := x.fetchJava(t, options)
	if err := errors.Join(err, javaErr, loop(filepath.Join(options.CacheDir, "org")), loop(filepath.Join(options.CacheDir, "java"))); err != nil {
		t.Fatal(err)
	}
	for _, offline := range []bool{false, true} {
		options.Offline = offline
		_, err := Fetch(t.Context(), repo.lock, options)
		_, javaErr := x.fetchJava(t, options)
		for _, err := range []error{err, javaErr} {
			if !errors.Is(err, syscall.ELOOP) || !strings.HasPrefix(err.Error(), "cannot read the folder for the jars: ") {
				t.Errorf("offline %v: error %v, want ELOOP", offline, err)
			}
		}
	}
	if n := repo.count() + x.count(); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}
