package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// FetchOptions says where Fetch gets files from and where it puts them. The
// zero value is good.
type FetchOptions struct {
	// Repository is the http or https URL of a Maven repository; a user and
	// a password in it are sent to it and shown nowhere. Empty means
	// DefaultRepository().
	Repository string

	// CacheDir is the folder that the files are kept in, laid out as a Maven
	// repository; it is made when it is not there. Empty means
	// DefaultCacheDir().
	CacheDir string

	// Offline makes a file that is missing or broken an error (ErrOffline)
	// instead of fetching it. Nothing is written.
	Offline bool

	// Log gets broken files and waiting for another process at info level,
	// and further tries at debug level. nil means no log.
	Log *slog.Logger

	// Progress, if not nil, is called when a download starts, each time a
	// part of a file has come, and at the end; not at all when the cache has
	// everything. It is called by one goroutine at a time and must be quick.
	Progress func(Progress)
}

// Progress is how far a Fetch has come. Its fields count only what was not in
// the cache.
type Progress struct {
	// Files have come, of TotalFiles.
	Files, TotalFiles int
	// Bytes have come, of TotalBytes. Those of a try that failed are taken
	// back.
	Bytes, TotalBytes int64
}

// Fetched is what Fetch has made sure of.
type Fetched struct {
	// Files are the absolute paths of the lock's files, in its order.
	Files []string
	// Downloaded is how many of them were not in the cache, or were broken
	// there.
	Downloaded int
	// DownloadedBytes is their size.
	DownloadedBytes int64
}

var (
	// ErrOffline is the error of a file that the cache lacks and that Fetch
	// was told not to download.
	ErrOffline = errors.New("offline")

	// ErrNotVerified is the error of a file that came, but is not the one
	// that the lock names.
	ErrNotVerified = errors.New("not the file that the lock names")
)

// An ArtifactError says which file could not be fetched, and from where.
// Fetch's errors that concern one file can be turned into it by errors.As.
type ArtifactError struct {
	// Artifact is the file.
	Artifact Coordinate
	// URL is the file's address, without user and password.
	URL string
	// Err is the reason; ErrNotVerified may be in it.
	Err error
}

// Error returns one line.
func (e *ArtifactError) Error() string {
	return fmt.Sprintf("cannot fetch %s from %s: %v", e.Artifact, e.URL, e.Err)
}

// Unwrap returns the reason.
func (e *ArtifactError) Unwrap() error { return e.Err }

// DefaultCacheDir returns the folder kcl-bootstrap/maven in the user's cache
// folder (os.UserCacheDir), for example ~/.cache/kcl-bootstrap/maven.
func DefaultCacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder for the jars: %w; name one", err)
	}
	return filepath.Join(dir, "kcl-bootstrap", "maven"), nil
}

// Fetch sees to it that all files of a lock are in the cache, and returns
// their paths. It trusts nothing but the lock: each file is hashed at each
// call, whether it was in the cache or has just come, and only a file with the
// right size and hash ever gets its final name.
//
// What is missing or broken is downloaded by 8 workers. A server's failure
// (status 5xx, 408, 429), a broken connection and a body that ends too early
// or stands still for 30 s are tried again, 3 times in all. HTTPS_PROXY and
// NO_PROXY are obeyed.
//
// Fetch may be called by several goroutines and processes with the same cache;
// one of them downloads, the others wait for it. When ctx ends, Fetch returns
// its cause and leaves no partial file.
func Fetch(ctx context.Context, lock *Lock, options FetchOptions) (*Fetched, error) {
	return newFetcher(options).fetch(ctx, lock)
}

// workers is how many files are downloaded at a time: with HTTP/2, from four
// up the time is the same.
const workers = 8

// Files that are being written have names with this start and end.
const (
	partPrefix = ".kcl-bootstrap-"
	partSuffix = ".part"
)

type fetcher struct {
	options FetchOptions
	log     *slog.Logger
	limits  limits
}

func newFetcher(options FetchOptions) *fetcher {
	log := options.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &fetcher{options: options, log: log, limits: defaultLimits}
}

func (f *fetcher) fetch(ctx context.Context, lock *Lock) (*Fetched, error) {
	if lock == nil || len(lock.Artifacts) == 0 {
		return nil, errors.New("cannot fetch an empty lock")
	}
	repository, err := parseRepository(f.options.Repository)
	if err != nil {
		return nil, err
	}
	dir := f.options.CacheDir
	if dir == "" {
		if dir, err = DefaultCacheDir(); err != nil {
			return nil, err
		}
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("cannot write to the folder for the jars: %w", err)
	}

	fetched := &Fetched{Files: make([]string, len(lock.Artifacts))}
	for i, a := range lock.Artifacts {
		fetched.Files[i] = filepath.Join(dir, filepath.FromSlash(a.Path()))
	}
	missing := make([]int, len(lock.Artifacts))
	for i := range missing {
		missing[i] = i
	}
	// Without the cache's lock first: most runs need no more than this, and
	// a cache that cannot be written to is then good enough.
	if missing, err = f.verify(ctx, lock, fetched.Files, missing); err != nil {
		return nil, err
	}
	if len(missing) == 0 {
		return fetched, nil
	}
	if f.options.Offline {
		a := lock.Artifacts[missing[0]]
		return nil, fmt.Errorf("%w: %d of the %d files of %s are not in %s or are broken there, first %s",
			ErrOffline, len(missing), len(lock.Artifacts), lock.Name, dir, a.Coordinate)
	}

	unlock, err := f.lockCache(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	// Another process may have filled the cache meanwhile.
	if missing, err = f.verify(ctx, lock, fetched.Files, missing); err != nil {
		return nil, err
	}
	if len(missing) == 0 {
		return fetched, nil
	}
	for _, i := range missing {
		if err := clear(fetched.Files[i]); err != nil {
			return nil, fmt.Errorf("cannot write to the folder for the jars: %w", err)
		}
	}
	if err := f.download(ctx, repository, lock, fetched.Files, missing); err != nil {
		return nil, err
	}
	fetched.Downloaded = len(missing)
	for _, i := range missing {
		fetched.DownloadedBytes += lock.Artifacts[i].Size
	}
	return fetched, nil
}

// verify hashes the files that which names by their index, on all processors,
// and returns those that are not as the lock says.
func (f *fetcher) verify(ctx context.Context, lock *Lock, files []string, which []int) (bad []int, err error) {
	good := make([]bool, len(files))
	err = inParallel(ctx, runtime.GOMAXPROCS(0), which, func(ctx context.Context, i int) error {
		err := verifyFile(ctx, files[i], lock.Artifacts[i])
		switch {
		case err == nil:
			good[i] = true
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, ErrNotVerified):
			f.log.Info("a file in the cache is broken", "file", files[i], "error", err)
		default:
			f.log.Debug("not in the cache", "file", files[i], "error", err)
		}
		return nil
	})
	for _, i := range which {
		if !good[i] {
			bad = append(bad, i)
		}
	}
	return bad, err
}

// lockCache makes the cache folder and keeps other processes from writing to
// it until unlock is called.
func (f *fetcher) lockCache(ctx context.Context, dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the folder for the jars: %w", err)
	}
	lock := flock.New(filepath.Join(dir, ".kcl-bootstrap.lock"))
	locked, err := lock.TryLock()
	if err == nil && !locked {
		f.log.Info("waiting for another process that fills the cache", "folder", dir)
		_, err = lock.TryLockContext(ctx, 50*time.Millisecond)
	}
	if ctx.Err() != nil {
		lock.Close()
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot write to the folder for the jars: %w", err)
	}
	return func() { lock.Close() }, nil
}

// clear removes a broken file, so that it is not taken for a good one by
// anything else, and what a killed process has left beside it. The caller has
// the cache's lock, so nothing of that is still being written.
func clear(file string) error {
	dir := filepath.Dir(file)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		part := strings.HasPrefix(name, partPrefix) && strings.HasSuffix(name, partSuffix)
		if !part && name != filepath.Base(file) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (f *fetcher) download(ctx context.Context, repository *url.URL, lock *Lock, files []string, missing []int) error {
	client := newClient(f.limits)
	defer client.CloseIdleConnections()
	progress := &progressCounter{report: f.options.Progress}
	for _, i := range missing {
		progress.now.TotalFiles++
		progress.now.TotalBytes += lock.Artifacts[i].Size
	}
	progress.add(0, 0)
	return inParallel(ctx, workers, missing, func(ctx context.Context, i int) error {
		a := lock.Artifacts[i]
		d := download{
			client:   client,
			limits:   f.limits,
			log:      f.log,
			artifact: a,
			url:      repository.JoinPath(a.Path()),
			file:     files[i],
			progress: progress,
		}
		err := d.run(ctx)
		if err != nil && ctx.Err() != nil {
			return context.Cause(ctx) // not this file's fault
		}
		var onDisk *diskError
		if errors.As(err, &onDisk) {
			return fmt.Errorf("cannot write to the folder for the jars: %w", onDisk.err)
		}
		if err != nil {
			return &ArtifactError{Artifact: a.Coordinate, URL: redact(d.url), Err: err}
		}
		return nil
	})
}

// progressCounter makes Progress from what many downloads tell.
type progressCounter struct {
	mu     sync.Mutex
	now    Progress
	report func(Progress)
}

func (p *progressCounter) add(files int, bytes int64) {
	if p.report == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now.Files += files
	p.now.Bytes += bytes
	p.report(p.now)
}

// inParallel calls do for each item, n at a time. The first error ends it, and
// the context of the others.
func inParallel(ctx context.Context, n int, items []int, do func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	queue := make(chan int, len(items))
	for _, item := range items {
		queue <- item
	}
	close(queue)
	var wg sync.WaitGroup
	for range min(n, len(items)) {
		wg.Go(func() {
			for item := range queue {
				if ctx.Err() != nil {
					return
				}
				if err := do(ctx, item); err != nil {
					cancel(err) // only the first one counts
					return
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
