package conformance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/tools/internal/child"
)

//go:embed java/*.java
var sources embed.FS

// release is the version of Java that the program is compiled for.
const release = "17"

// ErrNoCompiler is the error of a java command that has no javac beside it.
var ErrNoCompiler = errors.New("no javac")

// FindCompiler returns the javac that belongs to the java command. The error is
// ErrNoCompiler when that is one of a runtime without a compiler.
func FindCompiler(java string) (string, error) {
	real, err := filepath.EvalSymlinks(java)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoCompiler, err)
	}
	name := "javac"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	javac := filepath.Join(filepath.Dir(real), name)
	if _, err := os.Stat(javac); err != nil {
		return "", fmt.Errorf("%w beside %s: install a JDK of version %s or later, a runtime is not enough", ErrNoCompiler, real, release)
	}
	return javac, nil
}

// compile returns a folder with the classes of the Java program. It is named by
// the hash of all that makes the classes, and made once.
func compile(ctx context.Context, java string, jars []string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder for compiled classes: %w", err)
	}
	hash := sha256.New()
	files := map[string][]byte{}
	names, err := fs.Glob(sources, "java/*.java") // sorted
	if err != nil {
		return "", err
	}
	for _, name := range names {
		if files[name], err = sources.ReadFile(name); err != nil {
			return "", err
		}
		fmt.Fprintf(hash, "%s %d\n%s", name, len(files[name]), files[name])
	}
	fmt.Fprintf(hash, "%s %s", bootstrap.DaemonVersion, release)
	parent := filepath.Join(cache, "kinesis-client-go", "conformance")
	classes := filepath.Join(parent, fmt.Sprintf("%x", hash.Sum(nil)[:12]))
	if _, err := os.Stat(classes); err == nil {
		return classes, nil
	}

	javac, err := FindCompiler(java)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	// Whole under its final name, or not there: several processes may be at it.
	temp, err := os.MkdirTemp(parent, "new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	source, made := filepath.Join(temp, "source"), filepath.Join(temp, "classes")
	args := []string{"--release", release, "-proc:none", "-cp", strings.Join(jars, string(filepath.ListSeparator)), "-d", made}
	for name, text := range files {
		file := filepath.Join(source, filepath.Base(name))
		if err := errors.Join(os.MkdirAll(source, 0o755), os.WriteFile(file, text, 0o644)); err != nil {
			return "", err
		}
		args = append(args, file)
	}
	cmd := exec.Command(javac, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := child.Run(ctx, cmd, time.Second); err != nil {
		return "", fmt.Errorf("cannot compile the driver: %w: %s", err, strings.TrimSpace(out.String()))
	}
	if err := os.Rename(made, classes); err != nil {
		if _, there := os.Stat(classes); there != nil {
			return "", err
		}
	}
	return classes, nil
}
