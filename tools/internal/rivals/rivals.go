// Package rivals installs what this project is compared with: packages of npm,
// PyPI and Cargo at a pinned version, each into a folder of its own in the
// user's cache, by the ordinary clients. Nothing of them is part of the
// project.
package rivals

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/child"
)

// NPM installs a package of npm with what it depends on, unless it is there,
// and returns the folder whose node_modules holds it. It needs npm on PATH.
// Install scripts are not run.
func NPM(ctx context.Context, name, version string) (dir string, err error) {
	return install(ctx, "npm", name, version, func(dir string) []*exec.Cmd {
		return []*exec.Cmd{exec.Command("npm", "install", "--prefix", dir, "--no-package-lock", "--no-audit",
			"--no-fund", "--ignore-scripts", "--loglevel=error", name+"@"+version)}
	})
}

// PyPI installs a package of PyPI into a virtual environment, unless it is
// there, and returns the path of that environment's python. It needs python3
// on PATH.
func PyPI(ctx context.Context, name, version string) (python string, err error) {
	bin := filepath.Join("bin", "python")
	if runtime.GOOS == "windows" {
		bin = filepath.Join("Scripts", "python.exe")
	}
	dir, err := install(ctx, "pypi", name, version, func(dir string) []*exec.Cmd {
		return []*exec.Cmd{
			exec.Command("python3", "-m", "venv", dir),
			exec.Command(filepath.Join(dir, bin), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", name+"=="+version),
		}
	})
	return filepath.Join(dir, bin), err
}

// Crate builds a command from the registry of Cargo, unless it is there, and returns its
// path. It needs cargo on PATH and takes minutes.
func Crate(ctx context.Context, name, version string) (command string, err error) {
	dir, err := install(ctx, "crates", name, version, func(dir string) []*exec.Cmd {
		return []*exec.Cmd{exec.Command("cargo", "install", "--quiet", "--locked", "--root", dir, name+"@"+version)}
	})
	suffix := ""
	if runtime.GOOS == "windows" {
		suffix = ".exe"
	}
	return filepath.Join(dir, "bin", name+suffix), err
}

// PythonSource downloads the source of a package of PyPI, unless it is there,
// and returns the folder to name in PYTHONPATH. Nothing that it depends on comes
// along, and none of its install scripts run: amazon-kclpy's would fetch the
// daemon's jars. It needs python3 on PATH.
func PythonSource(ctx context.Context, name, version string) (dir string, err error) {
	dir, err = install(ctx, "pypi-source", name, version, func(dir string) []*exec.Cmd {
		return []*exec.Cmd{
			exec.Command("python3", "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
				"--no-deps", "--no-binary", ":all:", "--dest", dir, name+"=="+version),
			exec.Command("python3", "-c", "import glob, sys, tarfile\n"+
				"for name in glob.glob(glob.escape(sys.argv[1]) + '/*.tar.gz'): tarfile.open(name).extractall(sys.argv[1])", dir),
		}
	})
	if err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(dir, "*", "PKG-INFO"))
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("the source of %s %s has %d folders instead of one; delete %s", name, version, len(found), dir)
	}
	return filepath.Dir(found[0]), nil
}

// install runs the commands that fill a folder. The folder counts once the
// file is there that says so: a virtual environment cannot be moved, so an
// unfinished folder is emptied rather than renamed.
func install(ctx context.Context, registry, name, version string, commands func(dir string) []*exec.Cmd) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "kinesis-client-go", "rivals", registry+"-"+strings.ReplaceAll(name, "/", "-")+"-"+version)
	done := filepath.Join(dir, ".installed")
	if _, err := os.Stat(done); err == nil {
		return dir, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for _, cmd := range commands(dir) {
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		err := child.Run(ctx, cmd, 5*time.Second)
		if errors.Is(err, exec.ErrNotFound) {
			return "", fmt.Errorf("cannot install %s %s: there is no %s on PATH", name, version, cmd.Args[0])
		}
		if err != nil {
			return "", fmt.Errorf("cannot install %s %s with %s: %w: %s", name, version, filepath.Base(cmd.Path), err, strings.TrimSpace(out.String()))
		}
	}
	return dir, os.WriteFile(done, nil, 0o644)
}
