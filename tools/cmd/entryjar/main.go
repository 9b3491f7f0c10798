// Command entryjar compiles the Java entry of bootstrap/engine and writes its jar. Run it
// after a change of a file in bootstrap/engine/java or of the daemon's lock.
package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/tools/internal/conformance"
	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// release is the version of Java of the classes and of the compiler. Other compilers make
// other bytes of the same source.
const release = "17"

const help = `Usage: go run ./tools/cmd/entryjar

Compiles bootstrap/engine/java against the jars of MultiLangDaemon ` + bootstrap.DaemonVersion + ` and
writes bootstrap/engine/entry.jar. Needs javac ` + release + ` in JAVA_HOME or on PATH. The same source
makes the same bytes.

Example:
  go run ./tools/cmd/entryjar && git diff --stat

Exit status: 0 written, 1 failed, 2 wrong usage.
`

// committed is the jar that Go embeds, relative to the root of the checkout.
const committed = "bootstrap/engine/entry.jar"

func main() { workspace.Generate("entryjar", help, committed, build) }

// build returns the jar of the source below root.
func build(ctx context.Context, root string) ([]byte, error) {
	source := filepath.Join(root, "bootstrap", "engine", "java")
	javac, err := compiler(ctx)
	if err != nil {
		return nil, err
	}
	fetched, err := bootstrap.Fetch(ctx, bootstrap.DaemonLock(), nil)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "entryjar-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	args := []string{
		"--release", release, "-encoding", "UTF-8", "-Xlint:all,-classfile,-path", "-Werror", "-implicit:none",
		"-cp", strings.Join(fetched.Files, string(os.PathListSeparator)), "-d", dir,
	}
	files, err := below(source, ".java")
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		args = append(args, filepath.FromSlash(name))
	}
	cmd := exec.Command(javac, args...)
	cmd.Dir = source
	if _, err := subprocess.Output(ctx, cmd, time.Second); err != nil {
		return nil, err
	}
	return pack(dir, filepath.Join(root, "LICENSE"))
}

// compiler returns the javac command. It returns an error for another version than release.
func compiler(ctx context.Context) (string, error) {
	java, err := bootstrap.FindJava("", 0)
	if err != nil {
		return "", err
	}
	javac, err := conformance.FindCompiler(java)
	if err != nil {
		return "", err
	}
	version, err := subprocess.Output(ctx, exec.Command(javac, "-version"), time.Second)
	if err == nil && !strings.HasPrefix(version, "javac "+release+".") {
		err = fmt.Errorf("the compiler is %s, want version %s: set JAVA_HOME to a JDK %s", strings.TrimSpace(version), release, release)
	}
	return javac, err
}

// below returns the files below dir with an extension, sorted, with slashes.
func below(dir, extension string) ([]string, error) {
	var names []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, extension) {
			names = append(names, name)
		}
		return err
	})
	slices.Sort(names)
	if err == nil && len(names) == 0 {
		err = errors.New("no " + extension + " file below " + dir)
	}
	return names, err
}

// pack makes a jar of the classes, in the order of their names, and the license. All entries
// have the same time.
func pack(classes, license string) ([]byte, error) {
	names, err := below(classes, ".class")
	if err != nil {
		return nil, err
	}
	var jar bytes.Buffer
	w := zip.NewWriter(&jar)
	add := func(name, file string) error {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		// The earliest time of a zip archive.
		out, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)})
		if err == nil {
			_, err = out.Write(text)
		}
		return err
	}
	if err := add("META-INF/LICENSE", license); err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := add(name, filepath.Join(classes, filepath.FromSlash(name))); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return jar.Bytes(), nil
}
