package main

import (
	"context"
	"errors"
	"os"
)

var systems = []string{"linux", "darwin", "windows"}
var architectures = []string{"amd64", "arm64"}

// cross builds and links the commands of all modules for each platform and
// keeps nothing. One go command at a time: it uses all processors itself.
func cross(ctx context.Context, t *task) error {
	packages, err := listPackages(ctx, t.ws.Root, nil, "work")
	if err != nil {
		return err
	}
	build := []string{"build", "-o", os.DevNull}
	for _, p := range packages {
		if p.command {
			build = append(build, p.path)
		}
	}
	if len(build) == 3 {
		return errors.New("the workspace has no command")
	}
	for _, goos := range systems {
		for _, arch := range architectures {
			if err := t.step("cross "+goos+"/"+arch, func() error {
				_, err := command(ctx, t.ws.Root, []string{"GOOS=" + goos, "GOARCH=" + arch, "CGO_ENABLED=0"}, build...)
				return err
			}); err != nil {
				return err
			}
		}
	}
	return nil
}
