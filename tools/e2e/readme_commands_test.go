//go:build unix

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// A readmeCommand is a command in the README.
type readmeCommand struct {
	line   int
	text   string
	prints []string // as the README has it
}

// typed are the first words of commands in running text.
var typed = []string{"go", "git", "bash", "sh", "dnf", "curl", "producer", "consumer-sample", "kcl-bootstrap", "kcl-infra"}

// readmeCommands returns all commands of a text, in order: each line of an sh block, each
// line with $ in a console block, whose other lines are its output, the command of a
// systemd unit, and commands between backquotes. Other code is refused, so that each
// command is tested.
func readmeCommands(text string) (commands []readmeCommand, err error) {
	inline := regexp.MustCompile("`([^`]+)`")
	fence := ""
	for i, line := range strings.Split(text, "\n") {
		at := i + 1
		add := func(command string) { commands = append(commands, readmeCommand{line: at, text: command}) }
		if mark, ok := strings.CutPrefix(line, "```"); ok {
			if fence != "" {
				fence = ""
				continue
			}
			fence = mark
			if !slices.Contains([]string{"sh", "console", "go", "ini", "mermaid"}, fence) {
				return nil, fmt.Errorf("line %d: a block of %q: commands stand in sh and console", at, fence)
			}
			continue
		}
		switch fence {
		case "sh":
			add(line)
		case "console":
			command, ok := strings.CutPrefix(line, "$ ")
			switch {
			case ok:
				add(command)
			case len(commands) == 0:
				return nil, fmt.Errorf("line %d: output of no command", at)
			default:
				last := &commands[len(commands)-1]
				last.prints = append(last.prints, line)
			}
		case "ini":
			if command, ok := strings.CutPrefix(line, "ExecStart="); ok {
				add(command)
			}
		case "":
			if strings.HasPrefix(line, "    ") || strings.HasPrefix(line, "\t") {
				return nil, fmt.Errorf("line %d: an indented block: commands stand in sh and console", at)
			}
			for _, span := range inline.FindAllStringSubmatch(line, -1) {
				if word, _, more := strings.Cut(span[1], " "); more && slices.Contains(typed, word) {
					add(span[1])
				}
			}
		}
	}
	return commands, nil
}

func TestREADMECommandsAreFound(t *testing.T) {
	commands, err := readmeCommands("`go env` and `go`:\n```console\n$ a b\n…\nc\n```\n```sh\nd\ne\n```\n```go\nf\n```\n```ini\nExecStart=g h\n```\n")
	want := []readmeCommand{{1, "go env", nil}, {3, "a b", []string{"…", "c"}}, {8, "d", nil}, {9, "e", nil}, {15, "g h", nil}}
	if err != nil || fmt.Sprint(commands) != fmt.Sprint(want) {
		t.Errorf("%v, %v", commands, err)
	}
	for _, text := range []string{"    go env\n", "```\ngo env\n```\n", "```bash\ngo env\n```\n", "```console\na\n```\n"} {
		if commands, err := readmeCommands(text); err == nil {
			t.Errorf("%q: %v", text, commands)
		}
	}
}

// A newcomer runs all commands of the README, in order, in a clean clone: in one terminal,
// and in others those that run until Ctrl-C.
type newcomer struct {
	t        *testing.T
	home     string // of all that is made
	dir      string // what the terminal is in
	environ  []string
	released []string // the environment in which the modules are released
	program  string
	files    *sample.ShardFiles
	sent     []sample.Key
}

// howTyped describes how a command of the README is run. A command without an entry is run
// as it is and must end with status 0.
type howTyped struct {
	// why says why the command is run with other arguments or not at all.
	why      string
	not      bool
	instead  func(n *newcomer, command string) string
	before   func(n *newcomer)
	released bool                                  // it needs the released modules
	until    func(n *newcomer, out string) bool    // it runs until Ctrl-C, which is sent then,
	stays    bool                                  // or at the end of the test
	after    func(n *newcomer, stdout, dir string) // dir is where it ran
}

var howREADMEIsTyped = map[string]howTyped{
	"go test -count=1 work":                           {not: true, why: "this test is one of them, in the long tier"},
	"LONG_TESTS=1 go test -count=1 -timeout 30m work": {not: true, why: "this test is one of them"},
	"bash .ci/run":                                    {not: true, why: "this test is a part of it"},
	"kcl-infra create":                                {not: true, why: "says which command is meant, with the flags above it"},
	"kcl-bootstrap new":                               {not: true, why: "says which command is meant, with its argument below it"},
	"kcl-bootstrap --execute":                         {not: true, why: "says which command is meant; it needs a properties file"},

	"go run ./tools/cmd/kcl-local -p consumer-sample/sample.properties": {
		until: func(_ *newcomer, out string) bool {
			return strings.Contains(out, "export AWS_EC2_METADATA_DISABLED=true\n")
		},
		stays: true,
		after: func(n *newcomer, stdout, _ string) { n.do(stdout) }, // pasted
	},
	"go run ./producer --records 100": {after: (*newcomer).keepReceipts},
	"producer --records 1000":         {after: (*newcomer).keepReceipts},
	"go run ./consumer-sample/hello": {
		before: func(n *newcomer) { n.save("consumer-sample/hello/main.go", n.program) },
		until:  prints(100, ` shardId-\d+ sensor-\d+: \{"time"`),
	},
	"go get github.com/seed96110120/kinesis-client-go/processor/worker@latest": {
		released: true,
		instead: func(n *newcomer, command string) string {
			n.save("../module/main.go", n.program)
			return "cd ../module && go mod init hello && " + command + " && go vet ."
		},
		why: "it is typed in a module of the reader's own",
	},
	"go install github.com/seed96110120/kinesis-client-go/producer@latest":                    {released: true},
	"go install github.com/seed96110120/kinesis-client-go/consumer-sample@latest":             {released: true},
	"go install github.com/seed96110120/kinesis-client-go/bootstrap/cmd/kcl-bootstrap@latest": {released: true},
	"go install github.com/seed96110120/kinesis-client-go/infra/cmd/kcl-infra@latest":         {released: true},
	"consumer-sample run --http :8080": {
		instead: func(_ *newcomer, command string) string { return strings.Replace(command, ":8080", ":0", 1) },
		why:     "the port may be taken on this machine",
		until:   (*newcomer).received,
	},
	"kcl-infra delete --stream": {
		instead: func(_ *newcomer, command string) string { return command + " --yes --force" },
		why:     "nobody is there to be asked, and a worker ran less than a minute ago",
	},
}

// Each command in the README works in a clean clone, in order, and prints what the README
// says. The local services play AWS.
func TestREADMECommands(t *testing.T) {
	testenv.Long(t)
	t.Parallel()
	r := released(t)
	text, err := os.ReadFile(filepath.Join(shared.root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	commands, err := readmeCommands(string(text))
	if err != nil {
		t.Fatal("README.md: ", err)
	}
	for known := range howREADMEIsTyped {
		if !slices.ContainsFunc(commands, func(c readmeCommand) bool { return c.text == known }) {
			t.Errorf("the README has no %q any more", known)
		}
	}
	n := newNewcomer(t, r)
	for _, c := range commands {
		n.type_(c)
	}
	status, _ := n.run(readmeCommand{}, "git status --porcelain", n.environ)
	if status != "" {
		t.Errorf("git would take what the README has its reader make: .gitignore lacks it\n%s", status)
	}
}

func newNewcomer(t *testing.T, r *releasedModules) *newcomer {
	n := &newcomer{t: t, home: t.TempDir()}
	n.program = readmeProgram(t)
	n.dir = n.home
	bin, temp := filepath.Join(n.home, "gobin"), filepath.Join(n.home, "tmp")
	if err := os.Mkdir(temp, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if left, _ := os.ReadDir(temp); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	remote := snapshot(t)
	n.environ = append(sample.Environ(os.Environ(), bin), "GOBIN="+bin, "TMPDIR="+temp,
		// The next clone can use the build cache.
		"GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -trimpath"),
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=url."+workspace.FileURL(remote)+".insteadOf", "GIT_CONFIG_VALUE_0=https://"+r.prefix)
	// go run and go build use the workspace.
	n.released = slices.DeleteFunc(slices.Clone(r.Env), func(e string) bool { return strings.HasPrefix(e, "GOWORK=") })
	return n
}

// snapshot returns a repository with one commit of the whole tree, uncommitted changes
// included.
func snapshot(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = shared.root
	names, err := list.Output()
	if err != nil {
		t.Fatal("git ls-files: ", err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		from, to := filepath.Join(shared.root, name), filepath.Join(dir, name)
		info, err := os.Stat(from)
		if os.IsNotExist(err) {
			continue // deleted, but not committed
		}
		var text []byte
		if err == nil {
			text, err = os.ReadFile(from)
		}
		if err == nil {
			err = os.MkdirAll(filepath.Dir(to), 0o755)
		}
		if err == nil {
			err = os.WriteFile(to, text, info.Mode().Perm())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"init", "-q"},
		{"add", "--all"},
		{"-c", "user.name=test", "-c", "user.email=test@user.invalid", "-c", "commit.gpgsign=false", "commit", "-q", "-m", "snapshot"},
	} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v: %s", args, err, out)
		}
	}
	return dir
}

// type_ runs a command of the README.
func (n *newcomer) type_(c readmeCommand) {
	n.t.Helper()
	how := howREADMEIsTyped[c.text]
	if (how.not || how.instead != nil) && how.why == "" {
		n.t.Fatalf("%q is not run as it stands: say why", c.text)
	}
	if how.not {
		return
	}
	began := time.Now()
	if how.before != nil {
		how.before(n)
	}
	script, environ, dir := c.text, n.environ, n.dir
	if how.instead != nil {
		script = how.instead(n, script)
	}
	if how.released {
		environ = append(slices.Clone(environ), n.released...)
	}
	word, _, _ := strings.Cut(c.text, " ")
	var stdout, out string
	switch {
	case how.until != nil:
		stdout, out = n.watch(c, script, environ, how)
	case word == "cd" || word == "export": // changes the terminal
		n.do(script)
	default:
		stdout, out = n.run(c, script, environ)
	}
	if how.after != nil {
		how.after(n, stdout, dir)
	}
	n.printed(c, out)
	n.t.Logf("%5.1f s  %s", time.Since(began).Seconds(), c.text)
}

// streams are the output of a command.
type streams struct {
	mu          sync.Mutex
	stdout, all bytes.Buffer
}

func (s *streams) both() (stdout, all string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stdout.String(), s.all.String()
}

// tail returns the last part of an output.
func tail(out string) string { return out[max(0, len(out)-4000):] }

// command returns the script as a command, with its output.
func (n *newcomer) command(script string, environ []string) (*exec.Cmd, *streams) {
	s := new(streams)
	write := func(stdout bool) writerFunc {
		return func(p []byte) (int, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if stdout {
				s.stdout.Write(p)
			}
			return s.all.Write(p)
		}
	}
	// exec, so that no shell is between Ctrl-C and the command.
	if !strings.Contains(script, "&&") {
		script = "exec " + script
	}
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = n.dir, environ, write(true), write(false)
	return cmd, s
}

// run runs a command that ends by itself.
func (n *newcomer) run(c readmeCommand, script string, environ []string) (stdout, all string) {
	n.t.Helper()
	cmd, s := n.command(script, environ)
	ctx, cancel := context.WithTimeout(n.t.Context(), patience)
	defer cancel()
	err := subprocess.Run(ctx, cmd, time.Second)
	stdout, all = s.both()
	if err != nil {
		n.t.Fatalf("README.md:%d: %s: %v\n%s", c.line, script, err, tail(all))
	}
	return stdout, all
}

// watch starts a command, waits until its condition is met, and sends Ctrl-C unless it
// stays.
func (n *newcomer) watch(c readmeCommand, script string, environ []string, how howTyped) (stdout, all string) {
	n.t.Helper()
	cmd, s := n.command(script, environ)
	p, err := subprocess.Start(cmd)
	if err != nil {
		n.t.Fatal(err)
	}
	stop := func() {
		// Like a terminal, to the whole group.
		if group, err := syscall.Getpgid(p.PID()); err == nil {
			syscall.Kill(-group, syscall.SIGINT)
		}
		select {
		case <-p.Done():
			_, all := s.both()
			// go run ends with status 1 after Ctrl-C, and prints another status than 0 of
			// its program.
			status := regexp.MustCompile(`(?m)^(exit status|signal:) .*\n\z`).FindString(all)
			if p.Err() != nil && (!strings.HasPrefix(script, "go run ") || p.ExitCode() != 1 || status != "") {
				n.t.Errorf("README.md:%d: %s: after Ctrl-C: %v\n%s", c.line, script, p.Err(), tail(all))
			}
		case <-time.After(patience):
			n.t.Errorf("README.md:%d: %s: still runs %v after Ctrl-C", c.line, script, patience)
			p.Stop(0)
		}
	}
	n.t.Cleanup(func() { p.Stop(0) })
	ctx, cancel := context.WithTimeoutCause(n.t.Context(), patience, fmt.Errorf("not what it is to do after %v", patience))
	defer cancel()
	if err := sample.Await(ctx, nil, func() (bool, error) {
		_, all := s.both()
		if how.until(n, all) {
			return true, nil
		}
		select {
		case <-p.Done():
			return false, fmt.Errorf("it has ended: %v", p.Err())
		default:
			return false, nil
		}
	}); err != nil {
		_, all := s.both()
		n.t.Fatalf("README.md:%d: %s: %v\n%s", c.line, script, err, tail(all))
	}
	if how.stays {
		n.t.Cleanup(stop)
	} else {
		stop()
	}
	return s.both()
}

// do runs a script in the terminal itself. Its folder and variables stay for the next
// commands.
func (n *newcomer) do(script string) {
	n.t.Helper()
	const mark = "\x00the terminal\x00"
	cmd := exec.Command("sh", "-ec", script+"\nprintf '\\0the terminal\\0'; pwd; printf '\\0'; env -0")
	cmd.Dir, cmd.Env = n.dir, n.environ
	out, err := cmd.Output()
	if err != nil {
		n.t.Fatalf("%s: %v", script, err)
	}
	_, after, found := strings.Cut(string(out), mark)
	pwd, env, _ := strings.Cut(after, "\n\x00")
	if !found {
		n.t.Fatalf("%s: %q", script, out)
	}
	n.dir, n.environ = pwd, strings.Split(strings.TrimSuffix(env, "\x00"), "\x00")
}

// inexact are numbers that differ from the README's example: times, ports, process IDs,
// sequence numbers.
var inexact = regexp.MustCompile(`\d+\.\d+|\d{4,}`)

// printed checks that the command printed the README's lines, in that order. "..." stands
// for any text, and a line … for any lines.
func (n *newcomer) printed(c readmeCommand, out string) {
	n.t.Helper()
	for i, line := range c.prints {
		if line == "…" {
			continue
		}
		var pattern strings.Builder
		for j, part := range strings.Split(line, "...") {
			if j > 0 {
				pattern.WriteString(".*")
			}
			from := 0
			for _, at := range inexact.FindAllStringIndex(part, -1) {
				pattern.WriteString(regexp.QuoteMeta(part[from:at[0]]) + `\d+(\.\d+)?`)
				from = at[1]
			}
			pattern.WriteString(regexp.QuoteMeta(part[from:]))
		}
		at := regexp.MustCompile(`(?m)^` + pattern.String() + `$`).FindStringIndex(out)
		if at == nil {
			n.t.Errorf("README.md:%d: %s does not print, or not there:\n%s\nbut:\n%s", c.line+i+1, c.text, line, tail(out))
			return
		}
		out = out[at[1]:]
	}
}

// prints returns a condition: the output matches the expression n times.
func prints(count int, expression string) func(*newcomer, string) bool {
	pattern := regexp.MustCompile(expression)
	return func(_ *newcomer, out string) bool { return len(pattern.FindAllStringIndex(out, count)) == count }
}

// save saves a program of the README in the file that the README names.
func (n *newcomer) save(name, program string) {
	n.t.Helper()
	file := filepath.Join(n.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(program), 0o644); err != nil {
		n.t.Fatal(err)
	}
}

// keepReceipts keeps the records that a producer has put: the sample's files must have
// them.
func (n *newcomer) keepReceipts(stdout, _ string) {
	n.t.Helper()
	receipts, err := sample.Receipts(strings.NewReader(stdout))
	if err != nil || len(receipts) == 0 {
		n.t.Fatal(len(receipts), err)
	}
	n.sent = append(n.sent, receipts...)
}

// received reports whether all records that were put are in the sample's files.
func (n *newcomer) received(string) bool {
	if n.files == nil {
		n.files = sample.NewShardFiles(filepath.Join(n.dir, "data"))
	}
	if err := n.files.Read(); err != nil {
		n.t.Fatal(err)
	}
	return n.files.Missing(n.sent) == 0
}
