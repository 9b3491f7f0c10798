package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/processor/worker"
	"github.com/seed96110120/kinesis-client-go/tools/internal/needs"
	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// shared is what all the tests use: the commands, built once, and one local
// Kinesis and DynamoDB. Each test has a stream and an application of its own.
var shared struct {
	root, bin string
	stack     *stack.Stack
	published interface{ Remove() error }
}

// noWorkspace is why the commands cannot be built here; nil where they can.
var noWorkspace error

func TestMain(m *testing.M) {
	worker.Shim() // the daemon of a worker started this binary for a shard
	if name := os.Getenv(childEnv); name != "" {
		children[name]() // the daemon started this binary as a record processor
		os.Exit(99)
	}
	flag.Parse()
	if !given("test.parallel") {
		// The tests wait for the daemon more than they work. CI gives them the
		// time that they want; elsewhere go test has 10 minutes for all of them.
		atOnce := "6"
		if os.Getenv("CI") == "true" {
			atOnce = "4"
		}
		flag.Set("test.parallel", atOnce)
	}
	if os.Getenv("JAVA_TOOL_OPTIONS") == "" {
		// A daemon lives for seconds here: most of its processor time would go
		// into compiling for speed, and into threads of the collector.
		os.Setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
	}
	os.Exit(runTests(m))
}

// given reports whether a flag is on the command line.
func given(name string) (found bool) {
	flag.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

func runTests(m *testing.M) int {
	ctx := context.Background()
	var err error
	if shared.root, err = workspace.Find(ctx, "."); err != nil {
		noWorkspace = fmt.Errorf("the commands are built from the workspace: %w", err)
		return m.Run()
	}
	if _, err := bootstrap.FindJava(""); err != nil {
		return m.Run() // require deals with it
	}
	temp, err := os.MkdirTemp("", "kcl-e2e-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(temp)
	shared.bin = filepath.Join(temp, "bin")
	if err := sample.Build(ctx, shared.root, shared.bin); err != nil {
		return fail(err)
	}
	exe, err := os.Executable()
	if err != nil {
		return fail(err)
	}
	// The daemon splits executableName at spaces; on PATH any folder will do.
	if err := os.Symlink(exe, sample.Command(shared.bin, childName)); err != nil {
		return fail(err)
	}
	defer func() {
		if shared.stack != nil {
			shared.stack.Close()
		}
		if shared.published != nil {
			shared.published.Remove()
		}
	}()
	return m.Run()
}

func fail(err error) int {
	fmt.Fprintf(os.Stderr, "e2e: %v\n", err)
	return 1
}

// require skips the test where there is no Java or, in a module that is tested
// alone, no workspace. In CI a missing Java fails it, and so does a missing
// workspace, unless that is what was asked for.
func require(t *testing.T) {
	t.Helper()
	needs.Java(t)
	if noWorkspace == nil {
		return
	}
	if os.Getenv("CI") == "true" && os.Getenv("GOWORK") != "off" {
		t.Fatal(noWorkspace)
	}
	t.Skip(noWorkspace)
}

var startStack = sync.OnceValue(func() (err error) {
	shared.stack, err = stack.Start(context.Background(), stack.Config{})
	return err
})

// local returns the local Kinesis and DynamoDB, started with the first test
// that asks for them.
func local(t *testing.T) *stack.Stack {
	t.Helper()
	require(t)
	if err := startStack(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-shared.stack.Done():
		t.Fatal(errors.Join(errors.New("the local stack has ended"), shared.stack.Close()))
	default:
	}
	return shared.stack
}
