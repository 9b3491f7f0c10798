//go:build unix

package differential

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// The versions of what is compared with localaws, from npm, PyPI and Cargo.
const (
	kinesisLocalVersion = "0.6.2"
	awsCLIVersion       = "1.46.3"
	motoVersion         = "5.2.5"
	dynoxideVersion     = "3.2.0"
)

// cache returns a folder in the user's cache for a package. If the package is already
// there, its installer does nothing; it repairs what a killed run has left.
func cache(t testing.TB, name string) string {
	t.Helper()
	root, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "kinesis-client-go", "differential", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// installing serialises installations, because concurrent tests install the same packages.
var installing sync.Mutex

func install(t testing.TB, name string, args ...string) {
	t.Helper()
	installing.Lock()
	defer installing.Unlock()
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	if err := subprocess.Run(t.Context(), cmd, time.Second); err != nil {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
}

// venv makes a virtual environment with a package and returns its python.
func venv(t testing.TB, name, requirement string) (python string) {
	t.Helper()
	testenv.Command(t, "python3")
	dir := cache(t, name)
	python = filepath.Join(dir, "bin", "python")
	install(t, "python3", "-m", "venv", dir)
	install(t, python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement)
	return python
}

// awsCLI installs the AWS CLI and returns the python that can import it.
func awsCLI(t testing.TB) (python string) {
	t.Helper()
	return venv(t, "awscli-"+awsCLIVersion, "awscli=="+awsCLIVersion)
}

// kinesisLocal installs kinesis-local and starts it. Streams change their state immediately.
func kinesisLocal(t testing.TB) *emulator {
	t.Helper()
	testenv.Command(t, "node", "npm")
	dir := cache(t, "kinesis-local-"+kinesisLocalVersion)
	install(t, "npm", "install", "--prefix", dir, "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error",
		"kinesis-local@"+kinesisLocalVersion)
	// It ignores SIGTERM while clients are connected.
	return start(t, 0, func(port string) *exec.Cmd {
		cmd := exec.Command("node", "main.js")
		cmd.Dir = filepath.Join(dir, "node_modules", "kinesis-local") // for its certificate
		cmd.Env = append(os.Environ(), "KINESIS_MOCK_PLAIN_PORT="+port, "KINESIS_MOCK_TLS_PORT="+freePort(t),
			"LOG_LEVEL=ERROR", "SHARD_LIMIT=500", "SHOULD_PERSIST_DATA=false", "LOAD_DATA_IF_EXISTS=false")
		for _, change := range []string{
			"CREATE_STREAM", "DELETE_STREAM", "REGISTER_STREAM_CONSUMER", "DEREGISTER_STREAM_CONSUMER",
			"START_STREAM_ENCRYPTION", "STOP_STREAM_ENCRYPTION", "MERGE_SHARDS", "SPLIT_SHARD", "UPDATE_SHARD_COUNT", "UPDATE_STREAM_MODE",
		} {
			cmd.Env = append(cmd.Env, change+"_DURATION=1ms")
		}
		return cmd
	})
}

// moto installs moto and starts its server. Its tables change their state immediately.
func moto(t testing.TB) *emulator {
	t.Helper()
	python := venv(t, "moto-"+motoVersion, "moto[server,dynamodb]=="+motoVersion)
	return start(t, time.Second, func(port string) *exec.Cmd {
		cmd := exec.Command(python, "-m", "moto.server", "-H", "127.0.0.1", "-p", port)
		cmd.Env = append(os.Environ(), "PYTHONHASHSEED=0") // some of its answers depend on it
		return cmd
	})
}

// dynoxide compiles dynoxide, which takes minutes at the first time, and starts it.
func dynoxide(t testing.TB) *emulator {
	t.Helper()
	testenv.Command(t, "cargo")
	dir := cache(t, "dynoxide-"+dynoxideVersion)
	install(t, "cargo", "install", "--quiet", "--locked", "--root", dir, "--version", dynoxideVersion,
		"--no-default-features", "--features", "native-sqlite,http-server,cli", "dynoxide-rs")
	return start(t, time.Second, func(port string) *exec.Cmd {
		return exec.Command(filepath.Join(dir, "bin", "dynoxide"), "serve", "--log", "quiet", "--port", port)
	})
}

// An emulator is a server that runs until the test ends.
type emulator struct {
	url     string
	pid     int
	started time.Time
}

// start starts a server on a free port and returns when it listens. No emulator can report
// which port it has got for port 0. If another program takes the port first, the emulator
// ends and start tries another one.
func start(t testing.TB, grace time.Duration, command func(port string) *exec.Cmd) *emulator {
	t.Helper()
	var name string
	for range 5 {
		port := freePort(t)
		cmd, started := command(port), time.Now()
		name = strings.Join(cmd.Args, " ")
		process, err := subprocess.Start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { process.Stop(grace) })
		if addr := net.JoinHostPort("127.0.0.1", port); awaitListener(t, process, addr) {
			return &emulator{"http://" + addr, process.PID(), started}
		}
	}
	t.Fatalf("%s: ended five times before it listened", name)
	return nil
}

// awaitListener waits until the process listens. It returns false if the process ends first.
func awaitListener(t testing.TB, process *subprocess.Process, addr string) bool {
	t.Helper()
	for {
		select {
		case <-t.Context().Done():
			t.Fatalf("nothing listens at %s", addr)
		case <-process.Done():
			return false
		case <-time.After(2 * time.Millisecond):
		}
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			return true
		}
	}
}

// freePort returns a port that is free now.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
