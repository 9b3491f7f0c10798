package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/modfile"

	"github.com/seed96110120/kinesis-client-go/tools/internal/outside"
)

// tidy tidies a copy of each module and writes what has changed to the tree.
// Each is published as tidied, so that the next one is tidied against it.
func tidy(ctx context.Context, t *task) (err error) {
	o, err := outside.New(ctx, t.ws)
	if err != nil {
		return err
	}
	defer o.Remove()
	for _, m := range t.ws.Modules {
		var changed bool
		if err := t.step("tidy "+m.Dir, func() error {
			tree := filepath.Join(t.ws.Root, filepath.FromSlash(m.Dir))
			// A sum of a sibling that was written for another state of the
			// tree would be a checksum mismatch.
			sum, err := outside.ReadIfExists(filepath.Join(tree, "go.sum"))
			if err != nil {
				return err
			}
			dir, err := o.Pack(ctx, m, nil, t.ws.WithoutSiblings(sum))
			if err != nil {
				return err
			}
			goMod, goSum, err := o.Tidy(ctx, dir)
			if err != nil {
				return err
			}
			goSum = t.ws.WithoutSiblings(goSum)
			if err := sameGo(filepath.Join(tree, "go.mod"), goMod); err != nil {
				return err
			}
			if changed, err = store(tree, goMod, goSum); err != nil {
				return err
			}
			_, err = o.Proxy.Publish(ctx, t.ws, m, goMod, goSum)
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
		_, err := outside.Go(ctx, t.ws.Root, []string{"GOWORK=" + filepath.Join(t.ws.Root, "go.work")}, "build", "work")
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
		old, err := outside.ReadIfExists(name)
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
