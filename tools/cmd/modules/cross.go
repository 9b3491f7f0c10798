package main

import (
	"context"
	"errors"
	"os"

	"github.com/seed96110120/kinesis-client-go/tools/internal/outside"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// cross builds and links the commands of all modules for each platform and
// keeps nothing. One go command at a time: it uses all processors itself.
func cross(ctx context.Context, t *task) error {
	packages, err := outside.Packages(ctx, t.ws.Root, nil, "work")
	if err != nil {
		return err
	}
	build := []string{"build", "-o", os.DevNull}
	for _, p := range packages {
		if p.Command {
			build = append(build, p.Path)
		}
	}
	if len(build) == 3 {
		return errors.New("the workspace has no command")
	}
	for _, p := range workspace.Platforms {
		if err := t.step("cross "+p.String(), func() error {
			_, err := outside.Go(ctx, t.ws.Root, []string{"GOOS=" + p.OS, "GOARCH=" + p.Arch, "CGO_ENABLED=0"}, build...)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}
