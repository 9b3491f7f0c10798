//go:build unix

package differential

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// What ours are compared with, from npm and PyPI. Nothing of it is part
// of the project.
const (
	kinesisLocalVersion = "0.6.2"
	awsCLIVersion       = "1.46.3"
	motoVersion         = "5.2.5"
)

// cache returns a folder in the user's cache for what a registry has. Its
// clients have nothing to do where it is there already, and repair what a killed
// run has left.
func cache(t *testing.T, name string) string {
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

func install(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	if err := subprocess.Run(t.Context(), cmd, time.Second); err != nil {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
}

// awsCLI installs the AWS CLI and returns the python that can import it.
func awsCLI(t *testing.T) (python string) {
	t.Helper()
	testenv.Command(t, "python3")
	dir := cache(t, "awscli-"+awsCLIVersion)
	python = filepath.Join(dir, "bin", "python")
	install(t, "python3", "-m", "venv", dir)
	install(t, python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "awscli=="+awsCLIVersion)
	return python
}

// kinesisLocal installs kinesis-local, starts it and returns its URL when it
// listens. Streams change their state at once.
func kinesisLocal(t *testing.T) string {
	t.Helper()
	testenv.Command(t, "node", "npm")
	dir := cache(t, "kinesis-local-"+kinesisLocalVersion)
	install(t, "npm", "install", "--prefix", dir, "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error",
		"kinesis-local@"+kinesisLocalVersion)
	// It cannot take port 0 and say which it got. Another program can be faster
	// with a port that was free: then it ends.
	for range 5 {
		plain, tls := freePort(t), freePort(t)
		cmd := exec.Command("node", "main.js")
		cmd.Dir = filepath.Join(dir, "node_modules", "kinesis-local") // it looks there for its certificate
		cmd.Env = append(os.Environ(), "KINESIS_MOCK_PLAIN_PORT="+strconv.Itoa(plain), "KINESIS_MOCK_TLS_PORT="+strconv.Itoa(tls),
			"LOG_LEVEL=ERROR", "SHARD_LIMIT=500", "SHOULD_PERSIST_DATA=false", "LOAD_DATA_IF_EXISTS=false")
		for _, change := range []string{
			"CREATE_STREAM", "DELETE_STREAM", "REGISTER_STREAM_CONSUMER", "DEREGISTER_STREAM_CONSUMER",
			"START_STREAM_ENCRYPTION", "STOP_STREAM_ENCRYPTION", "MERGE_SHARDS", "SPLIT_SHARD", "UPDATE_SHARD_COUNT", "UPDATE_STREAM_MODE",
		} {
			cmd.Env = append(cmd.Env, change+"_DURATION=1ms")
		}
		process, err := subprocess.Start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { process.Stop(0) }) // it ignores SIGTERM while clients are connected
		if addr := fmt.Sprintf("127.0.0.1:%d", plain); listens(t, process, addr) {
			return "http://" + addr
		}
	}
	t.Fatal("kinesis-local ended five times before it listened")
	return ""
}

// moto installs moto, starts its server and returns its URL when it listens. Its
// tables change their state at once.
func moto(t *testing.T) string {
	t.Helper()
	testenv.Command(t, "python3")
	dir := cache(t, "moto-"+motoVersion)
	python := filepath.Join(dir, "bin", "python")
	install(t, "python3", "-m", "venv", dir)
	install(t, python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "moto[server,dynamodb]=="+motoVersion)
	for range 5 {
		addr := fmt.Sprintf("127.0.0.1:%d", freePort(t))
		_, port, _ := net.SplitHostPort(addr)
		cmd := exec.Command(python, "-m", "moto.server", "-H", "127.0.0.1", "-p", port)
		cmd.Env = append(os.Environ(), "PYTHONHASHSEED=0") // some of its answers depend on it
		process, err := subprocess.Start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { process.Stop(time.Second) })
		if listens(t, process, addr) {
			return "http://" + addr
		}
	}
	t.Fatal("moto ended five times before it listened")
	return ""
}

// listens waits until somebody listens, false when the process ends before.
func listens(t *testing.T, process *subprocess.Process, addr string) bool {
	t.Helper()
	for {
		select {
		case <-t.Context().Done():
			t.Fatal("nobody listens")
		case <-process.Done():
			return false
		case <-time.After(10 * time.Millisecond):
		}
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			return true
		}
	}
}

// freePort returns a port that nobody listens on at the moment.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
