package conformance

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
)

//go:embed Driver.java
var source []byte

// release is the Java version for which the program is compiled.
const release = "17"

// FindCompiler returns the javac beside the java command.
func FindCompiler(java string) (string, error) {
	real, err := filepath.EvalSymlinks(java)
	if err != nil {
		return "", err
	}
	javac := filepath.Join(filepath.Dir(real), "javac")
	if runtime.GOOS == "windows" {
		javac += ".exe"
	}
	if _, err := os.Stat(javac); err != nil {
		return "", fmt.Errorf("no javac beside %s: install a JDK %s or later, not only a runtime", real, release)
	}
	return javac, nil
}

// compile returns a folder with the classes of the Java program. It compiles them once for
// each source, class path and release.
func compile(ctx context.Context, java, classPath string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder for compiled classes: %w", err)
	}
	parent := filepath.Join(cache, "kinesis-client-go", "conformance")
	hash := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s", release, classPath, source))
	classes := filepath.Join(parent, fmt.Sprintf("%x", hash[:12]))
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
	// The folder is renamed when it is complete, because several processes may compile.
	temp, err := os.MkdirTemp(parent, "new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	file, made := filepath.Join(temp, "Driver.java"), filepath.Join(temp, "classes")
	if err := os.WriteFile(file, source, 0o644); err != nil {
		return "", err
	}
	cmd := exec.Command(javac, "--release", release, "-proc:none", "-cp", classPath, "-d", made, file)
	if _, err := subprocess.Output(ctx, cmd, time.Second); err != nil {
		return "", fmt.Errorf("cannot compile the driver: %w", err)
	}
	err = os.Rename(made, classes)
	if _, there := os.Stat(classes); there == nil {
		err = nil // another process was first
	}
	return classes, err
}
