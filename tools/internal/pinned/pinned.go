// Package pinned builds the programs of others that this project is checked
// and released with, at the versions that tools/pinned/go.mod has. They are a
// module outside the workspace, because what they require would lift the
// versions that everything in it is built and tested with.
package pinned

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"runtime"

	"github.com/seed96110120/kinesis-client-go/tools/internal/outside"
)

// The import paths of the programs.
const (
	Gorelease = "golang.org/x/exp/cmd/gorelease"
	CycloneDX = "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod"
)

// Build builds a program from the workspace at root into dir and returns its
// path. A second build takes it from the build cache.
func Build(ctx context.Context, root, program, dir string) (string, error) {
	name := path.Base(program)
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	name = filepath.Join(dir, name)
	if _, err := outside.Go(ctx, filepath.Join(root, "tools", "pinned"), []string{"GOWORK=off"}, "build", "-o", name, program); err != nil {
		return "", fmt.Errorf("build %s: %w", path.Base(program), err)
	}
	return name, nil
}
