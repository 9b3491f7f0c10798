//go:build unix

package e2e

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/npm"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// Amazon's unchanged clients for other languages start and read, one of them fails, a shard
// is split, and they stop. With --execute a failure affects only its shard; with --stock
// all children end, and --restart starts them again.
//
// Guarantee: Each child gets what Java writes, and Java gets the child's messages,
// byte for byte and of any length.
//
// Guarantee: A child that fails in any way is replaced alone, after it and all
// processes of its group have gone, and ever more slowly.
func TestClients(t *testing.T) {
	for name, client := range map[string]struct {
		program  string // of testdata
		commands []string
		install  func(t *testing.T) (variable string)
	}{
		"node": {"app.js", []string{"node", "npm"}, func(t *testing.T) string {
			modules, err := npm.InstallKCL(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return "NODE_PATH=" + modules
		}},
		"python3": {"app.py", []string{"python3"}, func(t *testing.T) string { return "PYTHONPATH=" + kclpy(t) }},
	} {
		for _, way := range []string{"--execute", "--stock"} {
			t.Run(name+way, func(t *testing.T) {
				if way == "--stock" {
					testenv.Nightly(t)
				}
				testenv.Long(t)
				testenv.Command(t, client.commands...)
				t.Parallel()
				require(t)
				variable := client.install(t)
				text, err := os.ReadFile(filepath.Join("testdata", client.program))
				if err != nil {
					t.Fatal(err)
				}
				a := newApplication(t, 2, stack.Setting{Name: "executableName", Value: name + " " + client.program})
				a.write(client.program, string(text))
				if way == "--stock" {
					// After a reshard Amazon's daemon stops only at the end of its grace.
					a.arguments = []string{"--stock", "--restart", "--set", "shutdownGraceMillis=10000"}
				}
				readByClients(a, way == "--stock", variable)
			})
		}
	}
}

func readByClients(a *application, stock bool, variable string) {
	t := a.t
	d := a.start(variable)
	all := func(what string) {
		t.Helper()
		a.produce(100)
		a.await(d, "each record "+what, func() bool { return a.missing() == 0 })
	}
	all("of the start")
	java := d.JavaPID()
	a.await(d, "two children", func() bool { return a.count("initialize") == 2 })

	a.write("fail."+firstShard, "")
	all("after a failure")
	if restarted := d.JavaPID() != java; restarted != stock {
		t.Errorf("Java was started again: %t", restarted)
	}
	// The other shard's child continues, or all children are new, maybe more than once.
	failed, other := a.count("initialize "+firstShard), a.count("initialize "+*shardID(1))
	if failed < 2 || stock && other < 2 || !stock && (failed != 2 || other != 1) {
		t.Errorf("%d and %d children:\n%s", failed, other, a.read("events.txt"))
	}
	if log := a.read("daemon.log"); !stock && !strings.Contains(log, "a record processor has failed, stream "+a.name+", shard "+firstShard+", reason it ended with exit status 3, startsAgainIn 0s") {
		t.Error("the failure is not in the log")
	}

	a.split(0)
	all("after a reshard")
	a.await(d, "the end of the parent", func() bool { return a.count("shardEnded") == 1 })
	all("of its children")
	began := time.Now()
	a.stop(d)
	if !stock {
		a.inTime("a stop", time.Since(began), 2*time.Second)
		a.leasesAreFree()
		if n := a.count("leaseLost"); n != 3 {
			t.Errorf("leaseLost %d times, want 3:\n%s", n, a.read("events.txt"))
		}
		if n := a.noted(); n != len(a.sent) {
			t.Errorf("%d records noted of %d: some came twice", n, len(a.sent))
		}
	}
}

// kclpyVersion is the version of amazon_kclpy.
const kclpyVersion = "3.2.0"

// kclpy unpacks amazon_kclpy in the user's cache and returns the folder to import it from.
// Installing it would fetch its jars.
func kclpy(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	name := "amazon_kclpy-" + kclpyVersion
	parent := filepath.Join(cache, "kinesis-client-go", "pypi")
	dir := filepath.Join(parent, name)
	if _, err := os.Stat(dir); err == nil {
		return dir
	} else if !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		t.Fatal(err)
	}
	temp, err := os.MkdirTemp(parent, "unpacked-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(temp)
	for _, args := range [][]string{
		{"python3", "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", ":all:", "--dest", temp, "amazon_kclpy==" + kclpyVersion},
		{"tar", "-xzf", filepath.Join(temp, name+".tar.gz"), "-C", temp},
	} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stderr = os.Stderr
		if err := subprocess.Run(t.Context(), cmd, time.Second); err != nil {
			t.Fatalf("%v: %v", args, err)
		}
	}
	if err := os.Rename(filepath.Join(temp, name), dir); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	return dir
}
