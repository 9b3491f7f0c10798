// Package testwheel makes small Python wheels that contain a fake Java, and the index
// page that lists them, for tests.
package testwheel

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
)

// Java is a shell script that prints a version as Java does, and nothing else.
const Java = "#!/bin/sh\necho 'openjdk version \"25.0.1\"'\n"

// Files returns the files of a fake Java by name. One of them has n bytes that cannot
// be compressed; the others are small.
func Files(n int) map[string]string {
	random := rand.NewChaCha8([32]byte{1})
	modules := make([]byte, n)
	random.Read(modules)
	java := "bin/java"
	if runtime.GOOS == "windows" {
		java += ".exe"
	}
	return map[string]string{
		java:                       Java,
		"lib/modules":              string(modules),
		"lib/server/libjvm.so":     strings.Repeat("jvm", 5000),
		"legal/java.base/LICENSE":  "GPL",
		"conf/security/some.thing": "",
		"release":                  "JAVA_VERSION=\"25.0.1\"\n",
	}
}

// A Wheel is a wheel and its line in a lock.
type Wheel struct {
	Name    string // the file name
	Content []byte
	Lock    string // the line in a lock
}

// New returns a wheel for a platform. edit, if not nil, may change the entries of the
// archive before they are written.
func New(platform string, files map[string]string, edit func(entries []*zip.FileHeader) []*zip.FileHeader) Wheel {
	const root = "made_up/java/"
	var manifest strings.Builder
	entries := []*zip.FileHeader{{Name: "made_up/__init__.py"}, {Name: "made_up-1.0.dist-info/RECORD"}}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(name, "bin/") {
			mode = 0o755
		}
		fmt.Fprintf(&manifest, "%o %x %d %s\n", mode, sha256.Sum256([]byte(files[name])), len(files[name]), name)
		e := &zip.FileHeader{Name: root + name, Method: zip.Deflate}
		e.SetMode(mode)
		entries = append(entries, e)
	}
	if edit != nil {
		entries = edit(entries)
	}
	var content bytes.Buffer
	archive := zip.NewWriter(&content)
	for _, e := range entries {
		w, err := archive.CreateHeader(e)
		if err != nil {
			panic(err)
		}
		if _, err := w.Write([]byte(files[strings.TrimPrefix(e.Name, root)])); err != nil {
			panic(err)
		}
	}
	if err := archive.Close(); err != nil {
		panic(err)
	}
	return Locked(platform, content.Bytes(), sha256.Sum256([]byte(manifest.String())))
}

// Locked returns a wheel with this content, and the hash of its manifest in its lock.
func Locked(platform string, content []byte, manifest [32]byte) Wheel {
	return Wheel{
		Name: "made_up-1.0-py3-none-any.whl", Content: content,
		Lock: fmt.Sprintf("%s java:made_up:whl:py3-none-any:1.0 %x %d %x\n", platform, sha256.Sum256(content), len(content), manifest),
	}
}

// Page returns the index page of the wheel's project, with links into folder.
func (w Wheel) Page(folder string) string {
	return "<!DOCTYPE html><html><body><a href=\"x.whl\">x</a>\n<a class='a' href='" + folder + w.Name +
		"#sha256=0&amp;x' data-requires-python=\"&gt;=3.8\">" + w.Name + "</a><br/></body></html>"
}
