// Command rename changes the prefix that all module paths of the workspace
// begin with: for a fork, or a repository that has moved.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/format"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/seed96110120/kinesis-client-go/tools/internal/child"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

const usage = `usage: rename [--write] PREFIX

Changes the prefix of all module paths in every file that git tracks: go.mod,
go.work, imports, documents, scripts, workflows. Prints the files and how often
each names the prefix. Without --write nothing is changed.

flags:
%s
example:
  go run ./tools/cmd/rename --write github.com/acme/kinesis
`

// errUsage marks what is the caller's mistake: exit status 2.
var errUsage = errors.New("try --help")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "rename:", err)
	if errors.Is(err, errUsage) {
		os.Exit(2)
	}
	os.Exit(1)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := pflag.NewFlagSet("rename", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	write := flags.Bool("write", false, "change the files")
	help := flags.BoolP("help", "h", false, "print this text")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("%w; %w", err, errUsage)
	}
	if *help {
		_, err := fmt.Fprintf(stdout, usage, flags.FlagUsages())
		return err
	}
	if flags.NArg() != 1 {
		return fmt.Errorf("want the new prefix; %w", errUsage)
	}
	to := flags.Arg(0)
	if err := module.CheckPath(to); err != nil {
		return fmt.Errorf("%w; %w", err, errUsage)
	}
	if _, major, _ := module.SplitPathVersion(to); major != "" {
		return fmt.Errorf("%s ends with a major version, which each module has for itself; %w", to, errUsage)
	}
	root, err := workspace.Find(ctx, ".")
	if err != nil {
		return err
	}
	ws, err := workspace.Load(root)
	if err != nil {
		return err
	}
	if to == ws.Prefix {
		return fmt.Errorf("%s is the prefix already; %w", to, errUsage)
	}
	dirty, err := git(ctx, root, "status", "--porcelain")
	if err != nil {
		return err
	}
	if dirty != "" && *write {
		return fmt.Errorf("the tree has changes that are not committed, which could not be told from those of the new prefix: commit or stash them:\n%s", dirty)
	}
	files, err := changes(ctx, ws, to)
	if err != nil {
		return err
	}
	// All is worked out before anything is written, and the tree is clean: what
	// an interruption leaves, git restores.
	total := 0
	for _, f := range files {
		total += f.count
		fmt.Fprintf(stdout, "%5d  %s\n", f.count, f.name)
		if !*write {
			continue
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("interrupted: git restore . takes back what is done")
		}
		if err := writeFile(filepath.Join(root, filepath.FromSlash(f.name)), f.text); err != nil {
			return err
		}
	}
	if *write {
		fmt.Fprintf(stderr, "rename: %s is now %s, %d times in %d files; next: go vet work, git diff, and commit\n", ws.Prefix, to, total, len(files))
	} else {
		fmt.Fprintf(stderr, "rename: %s would become %s, %d times in %d files; --write does it\n", ws.Prefix, to, total, len(files))
	}
	return nil
}

// A file with the new prefix in it.
type file struct {
	name  string // relative to the root, with forward slashes
	count int
	text  []byte
}

func changes(ctx context.Context, ws *workspace.Workspace, to string) ([]file, error) {
	list, err := git(ctx, ws.Root, "ls-files", "-z")
	if err != nil {
		return nil, err
	}
	var files []file
	for name := range strings.SplitSeq(list, "\x00") {
		disk := filepath.Join(ws.Root, filepath.FromSlash(name))
		info, err := os.Lstat(disk)
		if name == "" || err == nil && !info.Mode().IsRegular() || errors.Is(err, os.ErrNotExist) {
			continue // deleted, and not yet committed
		}
		text, err := os.ReadFile(disk)
		if err != nil {
			return nil, err
		}
		changed, n := replace(text, ws.Prefix, to)
		if n == 0 {
			continue
		}
		if bytes.IndexByte(text, 0) >= 0 {
			return nil, fmt.Errorf("%s is no text and names %s: change how it is made, first", name, ws.Prefix)
		}
		if changed, err = settle(ws, name, text, changed); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		files = append(files, file{name, n, changed})
	}
	return files, nil
}

// replace changes a prefix where it stands as a path of its own: not as the
// beginning of a longer name, nor as the end of another host's.
func replace(text []byte, from, to string) (changed []byte, n int) {
	rest := text
	for {
		i := bytes.Index(rest, []byte(from))
		if i < 0 {
			return append(changed, rest...), n
		}
		end := i + len(from)
		own := true
		if i > 0 && (isName(rest[i-1]) || rest[i-1] == '.') {
			own = false
		}
		if end < len(rest) && isName(rest[end]) {
			own = false
		}
		if own {
			changed = append(append(changed, rest[:i]...), to...)
			n++
		} else {
			changed = append(changed, rest[:end]...)
		}
		rest = rest[end:]
	}
}

func isName(b byte) bool {
	return b == '_' || b == '-' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// settle puts lines whose order hangs on the prefix in the order that their
// tools give them.
func settle(ws *workspace.Workspace, name string, before, text []byte) ([]byte, error) {
	switch base := path.Base(name); {
	case strings.HasSuffix(base, ".go"):
		if formatted, err := format.Source(before); err != nil || !bytes.Equal(formatted, before) {
			return text, nil // no Go, or not as gofmt has it: it is left so
		}
		return format.Source(text)
	case base == "go.mod":
		f, err := modfile.Parse(name, text, nil)
		if err != nil {
			return nil, err
		}
		f.SortBlocks()
		return f.Format()
	case base == "go.work":
		f, err := modfile.ParseWork(name, text, nil)
		if err != nil {
			return nil, err
		}
		f.SortBlocks()
		return modfile.Format(f.Syntax), nil
	case base == "go.sum":
		// The sums were those of other modules. The release writes them anew.
		return ws.WithoutSiblings(before), nil
	case strings.HasPrefix(name, "tools/closure/"):
		lines := slices.Sorted(strings.Lines(string(text)))
		return []byte(strings.Join(lines, "")), nil
	}
	return text, nil
}

func writeFile(name string, text []byte) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	return os.WriteFile(name, text, info.Mode())
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := child.Run(ctx, cmd, time.Second); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimRight(stdout.String(), "\n"), nil
}
