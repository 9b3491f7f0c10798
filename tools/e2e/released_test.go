//go:build unix

package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// published is all modules in a module proxy, as a release of the tree would
// put them there. runTests removes it.
var published = sync.OnceValues(func() (*releasedModules, error) {
	ctx := context.Background()
	ws, err := workspace.Load(shared.root)
	if err != nil {
		return nil, err
	}
	s, err := ws.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	shared.published = s
	for _, m := range s.Modules {
		if err := s.Publish(ctx, m); err != nil {
			return nil, err
		}
	}
	first := s.Modules[0]
	return &releasedModules{s, strings.TrimSuffix(first.Path, "/"+first.Dir)}, nil
})

type releasedModules struct {
	*workspace.Snapshot
	prefix string // of all module paths
}

func released(t *testing.T) *releasedModules {
	t.Helper()
	require(t)
	r, err := published()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// module returns the module in a folder.
func (r *releasedModules) module(t *testing.T, dir string) *workspace.Module {
	t.Helper()
	i := slices.IndexFunc(r.Modules, func(m *workspace.Module) bool { return m.Dir == dir })
	if i < 0 {
		t.Fatalf("no module %s", dir)
	}
	return r.Modules[i]
}

// user makes a module that requires one of ours and has the one file, and
// tidies it.
func (r *releasedModules) user(t *testing.T, env []string, requires, name, text string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	m := r.module(t, requires)
	goMod := "module user.invalid\n\ngo 1.25.0\n\nrequire " + m.Path + " " + m.Version + "\n"
	for name, text := range map[string]string{"go.mod": goMod, name: text} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(text, "PREFIX", r.prefix)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := workspace.Go(t.Context(), dir, env, "mod", "tidy"); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A user requires one module and builds or tests with it.
func TestOneModuleIsEnough(t *testing.T) {
	t.Parallel()
	r := released(t)
	for _, u := range []struct {
		requires   string // a module's folder
		name, text string // the user's file
		args       []string
		prints     string
	}{
		{
			requires: "tools/kinesislocal",
			name:     "main_test.go",
			text: `package user

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"PREFIX/tools/kinesislocal"
)

func TestStream(t *testing.T) {
	client := kinesis.NewFromConfig(kinesislocal.New(t).AWSConfig())
	if _, err := client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String("orders"), ShardCount: aws.Int32(1)}); err != nil {
		t.Fatal(err)
	}
	list, err := client.ListStreams(t.Context(), &kinesis.ListStreamsInput{})
	if err != nil || len(list.StreamNames) != 1 {
		t.Fatal(list, err)
	}
}
`,
			args:   []string{"test", "-v", "."},
			prints: "--- PASS: TestStream",
		},
		{
			requires: "processor",
			name:     "main_test.go",
			text: `package user

import (
	"context"
	"testing"

	"PREFIX/processor"
	"PREFIX/processor/processortest"
)

type counter struct{ records int }

func (*counter) Initialize(context.Context, processor.InitializeInput) error { return nil }

func (c *counter) ProcessRecords(ctx context.Context, in processor.ProcessRecordsInput) error {
	c.records += len(in.Records)
	return in.Checkpointer.Checkpoint(ctx)
}

func (*counter) LeaseLost(context.Context, processor.LeaseLostInput) error { return nil }

func (*counter) ShardEnded(ctx context.Context, in processor.ShardEndedInput) error {
	return in.Checkpointer.Checkpoint(ctx)
}

func (*counter) ShutdownRequested(context.Context, processor.ShutdownRequestedInput) error { return nil }

func TestCounter(t *testing.T) {
	var shard processortest.Shard
	shard.Put("sensor-17", "one", "two", "three")
	c := new(counter)
	d := shard.Start(t, c)
	d.Do(shard.Initialize())
	d.Do(shard.Next(3))
	d.Close()
	if c.records != 3 || len(shard.Checkpoints()) != 1 {
		t.Fatal(c.records, shard.Checkpoints())
	}
}
`,
			args:   []string{"test", "-v", "."},
			prints: "--- PASS: TestCounter",
		},
	} {
		t.Run(u.requires, func(t *testing.T) {
			out, err := workspace.Go(t.Context(), r.user(t, r.Env, u.requires, u.name, u.text), r.Env, u.args...)
			if err != nil || !strings.Contains(out, u.prints) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// Whoever writes a consumer downloads two modules and nothing else: processor
// and protocol.
func TestProcessorDownloadsProtocolOnly(t *testing.T) {
	t.Parallel()
	r := released(t)
	cache := t.TempDir()
	// No other proxy: what else is wanted cannot be had.
	env := append(slices.Clone(r.Env), "GOPROXY="+r.Proxy+",off", "GOMODCACHE="+cache)
	_, program := readmePrograms(t)
	dir := r.user(t, env, "processor", "main.go", program)
	if _, err := workspace.Go(t.Context(), dir, env, "build", "-o", os.DevNull, "."); err != nil {
		t.Fatal(err)
	}
	downloads := filepath.Join(cache, "cache", "download")
	var modules []string
	if err := filepath.WalkDir(downloads, func(name string, d os.DirEntry, err error) error {
		if filepath.Base(name) == "@v" {
			rel, err := filepath.Rel(downloads, filepath.Dir(name))
			modules = append(modules, filepath.ToSlash(rel))
			return err
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{r.prefix + "/processor", r.prefix + "/protocol"}; !slices.Equal(modules, want) {
		t.Errorf("downloaded %v, want %v", modules, want)
	}
}

// install installs commands by version, as the READMEs say, into a folder of
// the test's own.
func (r *releasedModules) install(t *testing.T, module string, commands ...string) (bin string) {
	t.Helper()
	bin = t.TempDir()
	m := r.module(t, module)
	for _, command := range commands {
		if _, err := workspace.Go(t.Context(), bin, append(slices.Clone(r.Env), "GOBIN="+bin), "install", m.Path+command+"@"+m.Version); err != nil {
			t.Fatal(err)
		}
	}
	return bin
}

func TestInstalledCommandsRun(t *testing.T) {
	t.Parallel()
	r := released(t)
	for _, c := range []struct {
		module, command string
		args            []string
		prints          string
	}{
		{"bootstrap", "/cmd/kcl-bootstrap", []string{"version"}, "kcl-bootstrap " + r.module(t, "bootstrap").Version + ", MultiLangDaemon "},
		{"consumer-sample", "", []string{"--help"}, "Usage: consumer-sample run"},
		{"producer", "", []string{"--help"}, "Usage: producer"},
		{"infra", "/cmd/kcl-infra", []string{"--help"}, "Usage: kcl-infra"},
	} {
		t.Run(c.module, func(t *testing.T) {
			bin := r.install(t, c.module, c.command)
			name := filepath.Base(c.module + c.command)
			out, err := workspace.Run(t.Context(), bin, nil, sample.Command(bin, name), c.args...)
			if err != nil || !strings.HasPrefix(out, c.prints) {
				t.Errorf("%s: %v\n%s", name, err, out)
			}
		})
	}
}

// readmePrograms returns the two programs in the README: a worker, and a record
// processor that the daemon starts.
func readmePrograms(t *testing.T) (worker, child string) {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(shared.root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(blocks) != 2 {
		t.Fatalf("%d blocks of Go in the README, want 2", len(blocks))
	}
	return blocks[0][1], blocks[1][1]
}

// The programs in the README, as they stand there, are compiled against the
// released modules; the real daemon runs them.
func TestREADMEPrograms(t *testing.T) {
	t.Parallel()
	r := released(t)
	worker, child := readmePrograms(t)
	build := func(t *testing.T, requires, program, name string) (command string) {
		t.Helper()
		dir := r.user(t, r.Env, requires, "main.go", program)
		command = sample.Command(shared.bin, name)
		if _, err := workspace.Go(t.Context(), dir, r.Env, "build", "-o", command, "."); err != nil {
			t.Fatal(err)
		}
		return command
	}
	t.Run("worker", func(t *testing.T) {
		t.Parallel()
		if n := strings.Count(worker, "\n"); n > 25 {
			t.Errorf("the program has %d lines, want 25 at most", n)
		}
		command := build(t, "processor/worker", worker, "readme-worker")
		// With the names that stand in it, and what the local services export.
		l := local(t)
		a := &application{t: t, name: "kclgosample", dir: t.TempDir(), environ: sample.Environ(l.Environ(os.Environ()), shared.bin)}
		a.produce(7)
		a.run("kcl-infra", "create", "--application", "hello", "--stream-name", a.name, "--seed-leases", "TRIM_HORIZON")
		p := a.startProcess("hello", exec.Command(command))
		printed := regexp.MustCompile(`(?m) shardId-\d+ sensor-\d+: \{"time"`)
		p.await("the records", func() bool { return len(printed.FindAllString(a.read("hello.log"), -1)) >= 7 })
		p.stopBy(os.Interrupt)
	})
	t.Run("processor", func(t *testing.T) {
		t.Parallel()
		_, heart, _ := strings.Cut(child, "\ntype ")
		if n := strings.Count(heart, "\n"); n > 30 {
			t.Errorf("the program has %d lines without its imports, want 30 at most", n)
		}
		build(t, "processor", child, "readme-program")
		a := newApplication(t, 1, stack.Setting{Name: "executableName", Value: "readme-program"})
		// Started by the released kcl-bootstrap.
		a.launcher = r.install(t, "bootstrap", "/cmd/kcl-bootstrap")
		a.produce(7)
		d := a.start()
		printed := regexp.MustCompile(`(?m)^sensor-\d+: \{"time"`)
		a.await(d, "the records", func() bool { return len(printed.FindAllString(a.read("daemon.log"), -1)) >= 7 })
		a.stop(d)
	})
}
