package e2e

import (
	"context"
	"flag"
	"os"
	"sync"
	"testing"

	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// shared is used by all tests: the commands, built once, and a local Kinesis and DynamoDB.
// Each test has its own stream and application.
var shared struct {
	root, bin string
	stack     *stack.Stack
	published interface{ Remove() error }
}

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		children[name]() // the daemon started this binary as a record processor
		os.Exit(99)
	}
	flag.Parse()
	if !given("test.parallel") {
		// The tests mostly wait for the daemon.
		flag.Set("test.parallel", "6")
	}
	if os.Getenv("JAVA_TOOL_OPTIONS") == "" {
		// The daemons live for seconds: optimising compilation and the collector's threads
		// would take most of their CPU time.
		os.Setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
	}
	os.Exit(testenv.Main(func() int {
		defer func() {
			if shared.stack != nil {
				shared.stack.Close()
			}
			if shared.published != nil {
				shared.published.Remove()
			}
		}()
		return m.Run()
	}))
}

// given reports whether a flag is on the command line.
func given(name string) (found bool) {
	flag.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

// build builds the commands for the first test that needs them.
var build = sync.OnceValue(func() (err error) {
	ctx := context.Background()
	if shared.root, err = workspace.Find(ctx, "."); err != nil {
		return err
	}
	if shared.bin, err = os.MkdirTemp("", "bin-"); err != nil {
		return err
	}
	if err := sample.Build(ctx, shared.root, shared.bin); err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	// The daemon splits executableName at spaces; a folder on PATH may have spaces.
	return os.Symlink(exe, sample.Command(shared.bin, childName))
})

// require builds the commands. It skips the test without Java, or without a workspace if the
// module is tested alone.
func require(t *testing.T) {
	t.Helper()
	testenv.Java(t)
	testenv.Workspace(t)
	if err := build(); err != nil {
		t.Fatal(err)
	}
}

var startStack = sync.OnceValue(func() (err error) {
	shared.stack, err = stack.Start(nil)
	return err
})

// local returns the local Kinesis and DynamoDB, which the first test starts.
func local(t *testing.T) *stack.Stack {
	t.Helper()
	require(t)
	if err := startStack(); err != nil {
		t.Fatal(err)
	}
	return shared.stack
}
