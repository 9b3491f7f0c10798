package bootstrap

import (
	"archive/zip"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// The limits for unpacking, several times what is needed: 240 files, 71 MB.
const (
	maxJavaFiles = 5000
	maxJavaSize  = 1 << 30
)

// A wheelError describes what is wrong with a wheel, as opposed to the disk.
type wheelError struct{ reason string }

func (e *wheelError) Error() string { return e.reason }

func badWheel(format string, args ...any) error { return &wheelError{fmt.Sprintf(format, args...)} }

// unpack unpacks the runtime in a wheel, and returns its manifest.
func (c *cache) unpack(ctx context.Context, wheel io.ReaderAt, size int64, to string) ([]byte, error) {
	archive, err := zip.NewReader(wheel, size)
	if err != nil {
		return nil, badWheel("%v", err)
	}
	entries, root, err := javaEntries(archive)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if err := c.root.MkdirAll(path.Join(to, path.Dir(strings.TrimPrefix(e.Name, root))), 0o755); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(entries, func(a, b *zip.File) int { return cmp.Compare(b.UncompressedSize64, a.UncompressedSize64) })
	files := make([]manifestFile, len(entries))
	err = inParallel(ctx, runtime.GOMAXPROCS(0), len(entries), func(ctx context.Context, i int) error {
		e := entries[i]
		file := manifestFile{name: strings.TrimPrefix(e.Name, root), executable: e.Mode()&0o111 != 0}
		if err := c.unpackFile(ctx, e, path.Join(to, file.name), &file); err != nil {
			return err
		}
		files[i] = file
		return nil
	})
	return formatManifest(files), err
}

// javaEntries returns the files of the runtime in a wheel, and the name of its folder with a
// slash. All their names, types and sizes are then known to be harmless.
func javaEntries(archive *zip.Reader) (entries []*zip.File, root string, err error) {
	for _, e := range archive.File {
		name := path.Base(e.Name)
		if dir := path.Dir(e.Name); path.Base(dir) != "bin" || name != "java" && name != "java.exe" {
			continue
		}
		if root != "" {
			return nil, "", badWheel("it has two Java commands, %s and one in %s", e.Name, root)
		}
		root = path.Dir(path.Dir(e.Name)) + "/"
	}
	if root == "" {
		return nil, "", badWheel("it has no Java command")
	}
	var total uint64
	names := make(map[string]bool)
	for _, e := range archive.File {
		name, ok := strings.CutPrefix(e.Name, root)
		if !ok || strings.HasSuffix(name, "/") {
			continue
		}
		key := strings.ToLower(name) // one file on Windows and macOS
		switch local := filepath.FromSlash(name); {
		case !fs.ValidPath(name) || !filepath.IsLocal(local) || strings.ContainsAny(name, "\\:\n") || name == manifestName || names[key]:
			return nil, "", badWheel("a file in it has the name %q", e.Name)
		case !e.Mode().IsRegular():
			return nil, "", badWheel("%q in it is not a regular file", e.Name)
		}
		names[key] = true
		entries = append(entries, e)
		total += min(e.UncompressedSize64, maxJavaSize)
	}
	if len(entries) > maxJavaFiles || total > maxJavaSize {
		return nil, "", badWheel("it has %d files of %d bytes, more than any Java", len(entries), total)
	}
	return entries, root, nil
}

// unpackFile unpacks a file, and sets its size and hash.
func (c *cache) unpackFile(ctx context.Context, e *zip.File, name string, file *manifestFile) (err error) {
	mode := fs.FileMode(0o644)
	if file.executable {
		mode = 0o755
	}
	from, err := e.Open()
	if err != nil {
		return badWheel("%s: %v", e.Name, err)
	}
	defer from.Close()
	to, err := c.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer func() {
		if closed := to.Close(); err == nil {
			err = closed
		}
	}()
	hash := sha256.New()
	limited := io.LimitReader(contextReader{ctx, from}, int64(e.UncompressedSize64)+1)
	file.size, err = io.Copy(io.MultiWriter(diskWriter{to}, hash), limited)
	var onDisk *diskError
	switch {
	case errors.As(err, &onDisk), ctx.Err() != nil:
		return err
	case err != nil:
		return badWheel("%s: %v", e.Name, err)
	case file.size != int64(e.UncompressedSize64):
		return badWheel("%s: it has %d bytes, not %d", e.Name, file.size, e.UncompressedSize64)
	}
	file.sum = [sha256.Size]byte(hash.Sum(nil))
	return nil
}
