package bootstrap

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// A cache is the folder in which the files are kept. All names are those of Coordinate.Path.
// Because of os.Root no symbolic link in the folder leads out of it.
type cache struct {
	dir  string
	root *os.Root
	seen sync.Map // the folders in it that checkPath has checked
}

// openCache opens the folder. If it does not exist, openCache creates it if write is true,
// and else returns nil. A folder in which others could replace files is an error.
func openCache(dir string, write bool) (*cache, error) {
	if write {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("cannot create the folder for the jars: %w; %s", err, nameFolder())
		}
	}
	root, err := os.OpenRoot(dir)
	if !write && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open the folder for the jars: %w; %s", err, nameFolder())
	}
	if err := checkFolder(dir); err != nil {
		root.Close()
		return nil, fmt.Errorf("cannot trust the folder for the jars: %w; %s", err, nameFolder())
	}
	return &cache{dir: dir, root: root}, nil
}

// checkPath returns an error if others can replace a file in the cache, as checkFolder does
// for the cache itself.
func (c *cache) checkPath(name string) error {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if _, seen := c.seen.Load(dir); seen {
			return nil // and those above it
		}
		info, err := c.root.Stat(dir)
		if err != nil {
			return err
		}
		if err := checkOwner(filepath.Join(c.dir, filepath.FromSlash(dir)), info, true); err != nil {
			return err
		}
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		c.seen.Store(dir, true)
	}
	return nil
}

func (c *cache) close() { c.root.Close() }

// lock prevents other processes from writing to the folder until unlock is called.
func (c *cache) lock(ctx context.Context, log *slog.Logger) (unlock func(), err error) {
	lock := c.flock()
	locked, err := lock.TryLock()
	if err == nil && !locked {
		log.Info("waiting for another process that is filling the cache", "folder", c.dir)
		_, err = lock.TryLockContext(ctx, 50*time.Millisecond)
	}
	if ctx.Err() != nil {
		lock.Close()
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, cannotWrite(err)
	}
	return func() { lock.Close() }, nil
}

// tryLock is lock without waiting. It returns nil if the folder cannot be locked now.
func (c *cache) tryLock() (unlock func()) {
	lock := c.flock()
	if locked, err := lock.TryLock(); err != nil || !locked {
		lock.Close()
		return nil
	}
	return func() { lock.Close() }
}

func (c *cache) flock() *flock.Flock { return flock.New(filepath.Join(c.dir, ".kcl-bootstrap.lock")) }

func cannotRead(err error) error {
	return fmt.Errorf("cannot read the folder for the jars: %w; %s", err, nameFolder())
}

func cannotWrite(err error) error {
	return fmt.Errorf("cannot write to the folder for the jars: %w; %s", err, nameFolder())
}

// nameFolder says what to do if the folder for the jars cannot be used. The user of a service
// or a container often has no home, or one of somebody else.
func nameFolder() string {
	variable := "XDG_CACHE_HOME" // the variables of os.UserCacheDir
	switch runtime.GOOS {
	case "windows":
		variable = "LocalAppData"
	case "darwin", "ios":
		variable = "HOME"
	}
	return "name another one with --jar-path (in Go FetchOptions.CacheDir), or set " + variable
}

// verify returns nil if the cache has the artifact, byte for byte.
func (c *cache) verify(ctx context.Context, a Artifact) error {
	// Before it is opened: opening a named pipe would wait for a writer. A link is not
	// accepted, because what it points at may change.
	info, err := c.root.Lstat(a.Path())
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: it is not a regular file", ErrNotVerified)
	}
	if err := c.checkPath(a.Path()); err != nil {
		return err
	}
	if err := checkOwner(filepath.Join(c.dir, filepath.FromSlash(a.Path())), info, false); err != nil {
		return err
	}
	return c.verifyContent(ctx, a.Path(), info, a.Size, a.SHA256)
}

// isMissing reports whether the error of a file in the cache says that it does not exist, as
// also if a link leads out of the cache. Fetching it helps against no other error of the
// system: no permission, a broken disk, too many open files.
func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || !errors.As(err, new(syscall.Errno))
}

// verifyContent returns nil if a regular file has this content.
func (c *cache) verifyContent(ctx context.Context, name string, info fs.FileInfo, size int64, sum [sha256.Size]byte) error {
	if info.Size() != size {
		return fmt.Errorf("%w: it has %d bytes, not %d", ErrNotVerified, info.Size(), size)
	}
	f, err := c.root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, contextReader{ctx, f}); err != nil {
		return err
	}
	if got := [sha256.Size]byte(hash.Sum(nil)); got != sum {
		return fmt.Errorf("%w: its SHA-256 is %x, not %x", ErrNotVerified, got, sum)
	}
	return nil
}

// The names of files that are being written have this prefix and suffix.
const (
	partPrefix = ".kcl-bootstrap-"
	partSuffix = ".part"
)

// clear removes a broken file, so that nothing else uses it, and what a killed process left
// beside it. The caller has the cache's lock, so nobody is still writing that. keep says that
// the file itself is good.
func (c *cache) clear(a Artifact, keep bool) error {
	name := a.Path()
	dir, err := c.root.Open(path.Dir(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	entries, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		part := strings.HasPrefix(entry, partPrefix) && strings.HasSuffix(entry, partSuffix)
		if !part && (keep || entry != path.Base(name)) {
			continue
		}
		if err := c.root.RemoveAll(path.Join(path.Dir(name), entry)); err != nil {
			return err
		}
	}
	return nil
}

// A part is a file that is being written.
type part struct {
	*os.File
	cache *cache
	name  string
}

// create begins to write an artifact.
func (c *cache) create(a Artifact) (*part, error) {
	dir := path.Dir(a.Path())
	if err := c.root.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	name := path.Join(dir, partPrefix+rand.Text()+partSuffix)
	f, err := c.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	return &part{File: f, cache: c, name: name}, nil
}

// place gives a complete file its final name, so that a crash at any moment
// leaves either the whole file there or none.
func (p *part) place(a Artifact) error {
	if err := p.Sync(); err != nil {
		return err
	}
	if err := p.Close(); err != nil {
		return err
	}
	return p.cache.root.Rename(p.name, a.Path())
}

// discard removes what was written.
func (p *part) discard() {
	p.Close()
	p.cache.root.Remove(p.name)
}

// A contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
