package main

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
)

// A lockFile is a lock as it is written.
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
	full, err := closure.files()
	if err != nil {
		return nil, err
	}
	left, err := closure.files(slim...)
	if err != nil {
		return nil, err
	}
	artifacts, err := download(ctx, repo, full)
	if err != nil {
		return nil, err
	}
	slimLock := lockFile{name: "multilang-daemon-" + version + ".lock", comment: fmt.Sprintf(
		"The jars that MultiLangDaemon %s runs on: coordinate, SHA-256, size in bytes.\n"+
			"Of the %d of Maven's closure the %d that only the Glue Schema Registry needs\n"+
			"are left out: no property of the daemon reaches it. Made by tools/jarlock.\n",
		version, len(full), len(full)-len(left))}
	for _, c := range left {
		slimLock.files = append(slimLock.files, artifacts[c])
	}
	fullLock := lockFile{name: "multilang-daemon-" + version + "-full.lock", comment: fmt.Sprintf(
		"MultiLangDaemon %s with the whole of Maven's closure, the Glue Schema Registry\n"+
			"included: coordinate, SHA-256, size in bytes. Made by tools/jarlock.\n", version)}
	for _, c := range full {
		fullLock.files = append(fullLock.files, artifacts[c])
	}
	return []lockFile{slimLock, fullLock}, nil
}

// download gets the files, eight at a time.
func download(ctx context.Context, repo *repository, files []bootstrap.Coordinate) (map[bootstrap.Coordinate]bootstrap.Artifact, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	queue := make(chan bootstrap.Coordinate, len(files))
	for _, c := range files {
		queue <- c
	}
	close(queue)
	var (
		wg        sync.WaitGroup
		mu        sync.Mutex
		artifacts = make(map[bootstrap.Coordinate]bootstrap.Artifact)
		first     error
	)
	for range 8 {
		wg.Go(func() {
			for c := range queue {
				a, err := repo.artifact(ctx, c)
				mu.Lock()
				if err != nil && first == nil {
					first = err
					cancel()
				}
				artifacts[c] = a
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	if first == nil {
		first = context.Cause(ctx)
	}
	return artifacts, first
}

func (l *lockFile) size() (n int64) {
	for _, a := range l.files {
		n += a.Size
	}
	return n
}

// text returns the lock as bootstrap.ParseLock reads it.
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
