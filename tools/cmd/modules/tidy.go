package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/modfile"

	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// tidy tidies a copy of each module and writes what has changed to the tree.
// Each is published as tidied, so that the next one is tidied against it.
func tidy(ctx context.Context, t *task) (err error) {
	o, err := newOutside(ctx, t.ws)
	if err != nil {
		return err
	}
	defer o.remove()
	for _, m := range t.ws.Modules {
		var changed bool
		if err := t.step("tidy "+m.Dir, func() error {
			tree := filepath.Join(t.ws.Root, filepath.FromSlash(m.Dir))
			// A sum of a sibling that was written for another state of the
			// tree would be a checksum mismatch.
			sum, err := readIfExists(filepath.Join(tree, "go.sum"))
			if err != nil {
				return err
			}
			dir, err := o.pack(ctx, t.ws, m, nil, t.ws.WithoutSiblings(sum))
			if err != nil {
				return err
			}
			goMod, goSum, err := o.tidy(ctx, t.ws, dir)
			if err != nil {
				return err
			}
			if err := sameGo(filepath.Join(tree, "go.mod"), goMod); err != nil {
				return err
			}
			if changed, err = store(tree, goMod, goSum); err != nil {
				return err
			}
			_, err = o.proxy.Publish(ctx, t.ws, m, goMod, goSum)
			return err
		}); err != nil {
			return fmt.Errorf("%s: %w", m.Dir, err)
		}
		if changed {
			fmt.Fprintln(t.stderr, "  changed", m.Dir)
		}
	}
	// The workspace may need sums that no single module does: those are
	// written to go.work.sum by the first command that wants them.
	return t.step("build work", func() error {
		_, err := command(ctx, t.ws.Root, []string{"GOWORK=" + filepath.Join(t.ws.Root, "go.work")}, "build", "work")
		return err
	})
}

// sameGo refuses a tidied go.mod whose go line was raised because a
// requirement has a higher one: which Go a module asks of its users is not for
// a tool to decide.
func sameGo(name string, tidied []byte) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	var lines [2]string
	for i, text := range [][]byte{text, tidied} {
		f, err := modfile.ParseLax(name, text, nil)
		if err != nil {
			return err
		}
		if f.Go != nil {
			lines[i] = f.Go.Version
		}
	}
	if lines[0] != lines[1] {
		return fmt.Errorf("go mod tidy changes the go line from %s to %s: a requirement wants it, choose an older version of that (see go mod graph), or change the line yourself", lines[0], lines[1])
	}
	return nil
}

// store writes go.mod and go.sum where they differ. A module without
// dependencies has no go.sum.
func store(dir string, goMod, goSum []byte) (changed bool, err error) {
	for name, text := range map[string][]byte{"go.mod": goMod, "go.sum": goSum} {
		name = filepath.Join(dir, name)
		old, err := readIfExists(name)
		if err != nil {
			return changed, err
		}
		if bytes.Equal(old, text) && (len(text) > 0 || old == nil) {
			continue
		}
		changed = true
		if len(text) == 0 {
			err = os.Remove(name)
		} else {
			err = os.WriteFile(name, text, 0o666)
		}
		if err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// untidy says how the files of the tree differ from the tidied ones, or
// nothing.
func untidy(ws *workspace.Workspace, m *workspace.Module, goMod, goSum []byte) error {
	dir := filepath.Join(ws.Root, filepath.FromSlash(m.Dir))
	for _, f := range []struct {
		name string
		want []byte
	}{{"go.mod", goMod}, {"go.sum", goSum}} {
		have, err := readIfExists(filepath.Join(dir, f.name))
		if err != nil {
			return err
		}
		if f.name == "go.sum" {
			have = ws.WithoutSiblings(have)
		}
		if line := firstDifference(have, f.want); line != "" {
			return fmt.Errorf("%s/%s is not tidy (%s): run go run ./tools/cmd/modules tidy", m.Dir, f.name, line)
		}
	}
	return nil
}

// firstDifference returns the first line that only one of two texts has,
// marked with - (have) or + (want).
func firstDifference(have, want []byte) string {
	for _, side := range []struct {
		mark     string
		in, from []byte
	}{{"-", want, have}, {"+", have, want}} {
		in := make(map[string]bool)
		for line := range bytes.Lines(side.in) {
			in[string(line)] = true
		}
		for line := range bytes.Lines(side.from) {
			if !in[string(line)] {
				return side.mark + string(bytes.TrimSpace(line))
			}
		}
	}
	return ""
}
