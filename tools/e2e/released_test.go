//go:build unix

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// published has all modules in a module proxy, as after a release of the tree. TestMain
// removes it.
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

// readmeProgram returns the program in the README.
func readmeProgram(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(shared.root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(blocks) != 1 {
		t.Fatalf("%d blocks of Go in the README, want 1", len(blocks))
	}
	program := blocks[0][1]
	if n := strings.Count(program, "\n"); n > 20 {
		t.Errorf("the program in the README has %d lines, want 20 at most", n)
	}
	return program
}
