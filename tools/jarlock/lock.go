package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

// A lockFile is a lock to write.
type lockFile struct {
	name    string // of the file
	comment string // its first lines, without the #
	files   []bootstrap.Artifact
}

// makeLocks returns the slim lock and the full one.
func makeLocks(ctx context.Context, repo *repository, version string) ([]lockFile, error) {
	closure, err := closureOf(ctx, repo, daemon, version)
	if err != nil {
		return nil, err
	}
	full, err := files(closure)
	if err != nil {
		return nil, err
	}
	left, err := files(closure, slim...)
	if err != nil {
		return nil, err
	}
	more, err := additions(ctx, repo, left)
	if err != nil {
		return nil, err
	}
	closureSize := len(full)
	full, left = merge(full, more), merge(left, more)
	all, err := download(ctx, repo, full)
	if err != nil {
		return nil, err
	}
	var some []bootstrap.Artifact
	for _, a := range all {
		if slices.Contains(left, a.Coordinate) {
			some = append(some, a)
		}
	}
	return []lockFile{
		{"multilang-daemon-" + version + ".lock", fmt.Sprintf(
			"The jars that MultiLangDaemon %s runs on: coordinate, SHA-256, size in bytes.\n"+
				"Of the %d of Maven's closure the %d that only the Glue Schema Registry needs\n"+
				"are left out: no property of the daemon reaches it. Added are %d, for profiles\n"+
				"with SSO. Made by tools/jarlock.\n",
			version, closureSize, len(full)-len(left), len(more)), some},
		{"multilang-daemon-" + version + "-full.lock", fmt.Sprintf(
			"MultiLangDaemon %s with the whole of Maven's closure, the Glue Schema Registry\n"+
				"included, and with what profiles with SSO need: coordinate, SHA-256, size in\n"+
				"bytes. Made by tools/jarlock.\n", version), all},
	}, nil
}

// download downloads the files, eight at a time.
func download(ctx context.Context, repo *repository, files []bootstrap.Coordinate) ([]bootstrap.Artifact, error) {
	artifacts := make([]bootstrap.Artifact, len(files))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i, c := range files {
		group.Go(func() (err error) {
			artifacts[i], err = repo.artifact(ctx, c)
			return err
		})
	}
	return artifacts, group.Wait()
}

// text returns the lock in the format of bootstrap.ParseLock.
func (l *lockFile) text() []byte {
	var b bytes.Buffer
	for line := range bytes.Lines([]byte(l.comment)) {
		fmt.Fprintf(&b, "# %s", line)
	}
	for _, a := range l.files {
		fmt.Fprintf(&b, "%s %x %d\n", a.Coordinate, a.SHA256, a.Size)
	}
	return b.Bytes()
}
