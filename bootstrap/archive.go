package bootstrap

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/seed96110120/kinesis-client-go/bootstrap/internal/group"
)

const (
	archiveFormat = "1"          // part of the key
	archiveFolder = "class-data" // in the cache
	archiveSuffix = ".jsa"
	mostArchives  = 3 // of 75 MB each
	mostEntryJars = 8 // of 70 KB each

	// The memory that making an archive needs. It was at most 430 MB, of which only the heap
	// has a limit.
	archiveMemory = 1 << 30
	archiveHeap   = "-Xmx128m"
)

// These are variables for tests.
var (
	archiveDelay = 30 * time.Second // from Entry.Ready until an archive is made
	archiveTime  = 5 * time.Minute  // the limit for making it
)

// An archive is a class-data archive (AppCDS): a file with classes in the form that they
// have in Java's memory, so that a start need not read them from the jars and verify them.
// Java ignores an archive of another build or another class path, which it compares by the
// names, sizes and times of the jars. But it trusts the content: a file that was cut short
// crashes Java 17. So the name of the file contains the hash of its content, and Java only
// gets a file whose hash is right.
type archive struct {
	dir       string
	java      string
	options   []string // those that change the content
	classPath []string
	classes   []byte // the classes for it, a line each, gzipped
	key       string // the hash of everything that it depends on
	file      string // its path, or empty if there is none
}

// openArchive looks for the archive of a run, and keeps the entry's jar beside it: for Java a
// jar with another path is another jar. The error says why there can be no archive.
func (c Command) openArchive(environ []string) (*archive, error) {
	options, err := archiveOptions(c.JavaOptions, environ)
	if err != nil {
		return nil, err
	}
	cacheDir, err := filepath.Abs(c.CacheDir)
	if err != nil {
		return nil, err
	}
	a := &archive{dir: filepath.Join(cacheDir, archiveFolder), java: c.Java, options: options, classes: c.Entry.Classes}
	if err := os.MkdirAll(a.dir, 0o755); err != nil {
		return nil, err
	}
	if err := checkFolder(a.dir); err != nil {
		return nil, err
	}
	jar, err := a.keep(c.Entry.Jar)
	if err != nil {
		return nil, err
	}
	a.classPath = append([]string{jar}, slices.Sorted(slices.Values(c.Jars))...)
	if a.key, err = a.makeKey(); err != nil {
		return nil, err
	}
	a.file = a.find()
	return a, nil
}

// archiveOptions returns those options of Java that change the content of an archive. It is
// an error if they name another archive, or none.
func archiveOptions(options, environ []string) (kept []string, err error) {
	for _, option := range namedOptions(environ, options) {
		switch {
		case ownArchive().MatchString(option), ofAll().MatchString(option):
			return nil, fmt.Errorf("the option %s may name an archive", option)
		case archived().MatchString(option):
			kept = append(kept, option)
		}
	}
	return kept, nil
}

var (
	ownArchive = compiled(`^(-Xshare|-XX:(SharedArchiveFile|SharedClassListFile|ArchiveClassesAtExit|[+-]AutoCreateSharedArchive|DumpLoadedClassList|AOT.*|[+-]AOT.*)\b)`)
	// Sizes of references and headers; the collectors without compressed references.
	archived = compiled(`^-XX:([+-](Use(Compressed.*|Compact.*|ZGC|ShenandoahGC)|ZGenerational|UnlockExperimentalVMOptions)|ObjectAlignmentInBytes=.*)$`)
)

// isJavaVariable reports whether Java reads options from a variable.
func isJavaVariable(name string) bool {
	return name == "JAVA_TOOL_OPTIONS" || name == "JDK_JAVA_OPTIONS" || name == "_JAVA_OPTIONS"
}

// keep returns the path of a permanent copy of the entry's jar.
func (a *archive) keep(jar string) (string, error) {
	content, err := os.ReadFile(jar)
	if err != nil {
		return "", err
	}
	path := filepath.Join(a.dir, fmt.Sprintf("entry-%x.jar", sha256.Sum256(content)))
	if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && checkOwner(path, info, false) == nil {
		if there, err := os.ReadFile(path); err == nil && bytes.Equal(there, content) {
			return path, nil
		}
	}
	part := a.part()
	defer os.Remove(part)
	if err := os.WriteFile(part, content, 0o644); err != nil {
		return "", err
	}
	if err := os.Rename(part, path); err != nil {
		return "", err
	}
	return path, nil
}

// part returns the name of a file that is being written.
func (a *archive) part() string { return filepath.Join(a.dir, partPrefix+rand.Text()+partSuffix) }

// makeKey returns the hash of everything that the archive depends on: the files of Java's
// build, and the jars. Fetch has already checked the hashes of the jars.
func (a *archive) makeKey() (string, error) {
	java, err := filepath.EvalSymlinks(a.java)
	if err != nil {
		return "", err
	}
	home := filepath.Dir(filepath.Dir(java))
	hash := sha256.New()
	fmt.Fprintf(hash, "%q\n%q\n%x\n", archiveFormat, a.options, sha256.Sum256(a.classes))
	release, _ := os.ReadFile(filepath.Join(home, "release")) // not all have one
	fmt.Fprintf(hash, "%q\n", release)
	library := ""
	for _, name := range []string{"lib/server/libjvm.so", "lib/server/libjvm.dylib", "bin/server/jvm.dll"} {
		if path := filepath.Join(home, name); isFile(path) {
			library = path
		}
	}
	if library == "" {
		return "", fmt.Errorf("%s is not part of a Java installation", java)
	}
	for _, file := range append([]string{library, filepath.Join(home, "lib", "modules")}, a.classPath...) {
		info, err := os.Stat(file)
		if err != nil {
			return "", err
		}
		// Java compares seconds, and the image of a container has no fractions.
		fmt.Fprintf(hash, "%q %d %d\n", file, info.Size(), info.ModTime().Unix())
	}
	return hex.EncodeToString(hash.Sum(nil)[:16]), nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// find returns the path of the archive if there is a good one, and "" otherwise.
func (a *archive) find() string {
	for _, file := range a.files(a.key+"-", archiveSuffix) {
		info, err := os.Lstat(file)
		if err != nil || !info.Mode().IsRegular() || checkOwner(file, info, false) != nil {
			continue
		}
		if name, err := a.name(file); err == nil && name == file {
			now := time.Now()
			os.Chtimes(file, now, now) // the least recently used one is removed first
			return file
		}
	}
	return ""
}

// name returns the path of an archive with the content of file.
func (a *archive) name(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", err
	}
	return filepath.Join(a.dir, fmt.Sprintf("%s-%x%s", a.key, hash.Sum(nil), archiveSuffix)), nil
}

// javaOptions returns the options with which Java uses the archive.
func (a *archive) javaOptions() []string {
	if a.file == "" {
		return nil
	}
	return []string{"-XX:SharedArchiveFile=" + a.file}
}

// around runs Java, and meanwhile makes the archive if there is none. It removes an archive
// with which a signal ended Java before it was ready.
func (a *archive) around(ctx context.Context, ready <-chan struct{}, log *slog.Logger, run func(context.Context) error) error {
	if a.file == "" {
		making, end := context.WithCancel(ctx)
		var made sync.WaitGroup
		made.Go(func() { a.makeLater(making, ready, log) })
		defer made.Wait()
		defer end()
		return run(ctx)
	}
	err := run(ctx)
	var exit *ExitError
	if errors.As(err, &exit) && exit.Code >= 128 && !exit.Killed && !exit.Stopping {
		select {
		case <-ready:
		default:
			log.Warn("Java crashed while it started; removed its class-data archive", "file", a.file)
			os.Remove(a.file)
		}
	}
	return err
}

// errArchiving says that the archive is already being made.
var errArchiving = errors.New("another process is making one")

// MakeArchive makes the class-data archive of the Entry in CacheDir unless there is a good
// one. It needs the time and the memory that Entry.Ready documents. When ctx ends it leaves
// nothing.
func (c Command) MakeArchive(ctx context.Context) error {
	a, err := c.openArchive(os.Environ())
	if err == nil && a.file == "" {
		err = a.make(ctx)
	}
	if err != nil {
		return fmt.Errorf("cannot make a class-data archive: %w", err)
	}
	return nil
}

// makeLater makes the archive some time after ready is closed, unless ctx ends before.
func (a *archive) makeLater(ctx context.Context, ready <-chan struct{}, log *slog.Logger) {
	select {
	case <-ready:
	case <-ctx.Done():
		return
	}
	select {
	case <-time.After(archiveDelay):
	case <-ctx.Done():
		return
	}
	if free, known := freeMemory(); known && free < archiveMemory {
		log.Debug("no class-data archive is made: too little memory is free", "bytes", free, "wanted", archiveMemory)
		return
	}
	begun := time.Now()
	if err := a.make(ctx); err != nil {
		log.Debug("no class-data archive was made", "folder", a.dir, "error", err)
		return
	}
	log.Debug("made a class-data archive, with which Java starts faster", "file", a.file, "time", time.Since(begun).Round(time.Millisecond))
}

// make makes the archive, using as little of the machine as possible, and one at a time.
func (a *archive) make(ctx context.Context) error {
	lock := flock.New(filepath.Join(a.dir, ".lock"))
	if locked, err := lock.TryLock(); err != nil {
		return err
	} else if !locked {
		return errArchiving
	}
	defer lock.Close()
	if a.file = a.find(); a.file != "" {
		return nil // another process has made it meanwhile
	}
	// Remove files that are broken or that a killed process left.
	for _, file := range append(a.files(a.key+"-", ""), a.files(partPrefix, partSuffix)...) {
		os.RemoveAll(file)
	}
	ctx, cancel := context.WithTimeout(ctx, archiveTime)
	defer cancel()
	list, part := a.part(), a.part()
	defer os.Remove(list)
	defer os.Remove(part)
	if err := a.writeList(list); err != nil {
		return err
	}
	// Heap objects are archived by G1 alone in Java 17; the others can read them.
	arguments := []string{"-XX:SharedArchiveFile=" + part, "-cp", strings.Join(a.classPath, string(filepath.ListSeparator))}
	dump := slices.Concat([]string{"-XX:ActiveProcessorCount=1", "-XX:TieredStopAtLevel=1", archiveHeap}, a.collector(), a.options,
		[]string{"-Xshare:dump", "-XX:SharedClassListFile=" + list}, arguments)
	if err := a.run(ctx, dump); err != nil {
		return err
	}
	// If Java refuses it, then now.
	if err := a.run(ctx, slices.Concat([]string{archiveHeap}, a.options, []string{"-Xshare:on"}, arguments, []string{"-version"})); err != nil {
		return err
	}
	if err := syncFile(part); err != nil {
		return err
	}
	file, err := a.name(part)
	if err != nil {
		return err
	}
	if err := os.Rename(part, file); err != nil {
		return err
	}
	a.file = file
	a.prune(archiveSuffix, mostArchives)
	a.prune(".jar", mostEntryJars)
	return nil
}

// collector makes Java use G1 for the archive, which it does not choose with one processor.
func (a *archive) collector() []string {
	for _, option := range a.options {
		if strings.HasPrefix(option, "-XX:+Use") && strings.HasSuffix(option, "GC") {
			return nil
		}
	}
	return []string{"-XX:+UseG1GC"}
}

// writeList writes the names of the classes for the archive.
func (a *archive) writeList(path string) error {
	r, err := gzip.NewReader(bytes.NewReader(a.classes))
	if err != nil {
		return err
	}
	list, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return os.WriteFile(path, list, 0o600)
}

// run runs Java with the lowest priority until it ends, and kills it when ctx or this process
// ends. It gets none of the user's options.
func (a *archive) run(ctx context.Context, args []string) error {
	cmd := exec.Command(a.java, args...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return isJavaVariable(name)
	})
	cmd.Dir = a.dir
	processes, err := group.New(cmd, true)
	if err != nil {
		return err
	}
	defer processes.Close()
	if err := processes.Start(); err != nil {
		return err
	}
	processes.Lower()
	unwatch := context.AfterFunc(ctx, processes.Kill)
	err = cmd.Wait()
	unwatch()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("%s %s: %w", a.java, args[0], err)
	}
	return nil
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrPermission) { // Java 17 writes a read-only one
		err = os.Chmod(path, 0o644)
		if err == nil {
			f, err = os.OpenFile(path, os.O_RDWR, 0)
		}
	}
	if err != nil {
		return err
	}
	err = f.Sync()
	return errors.Join(err, f.Close())
}

// files returns the paths of the files in the folder with such names.
func (a *archive) files(prefix, suffix string) (paths []string) {
	entries, _ := os.ReadDir(a.dir)
	for _, entry := range entries {
		if name := entry.Name(); strings.HasPrefix(name, prefix) && strings.HasSuffix(name, suffix) {
			paths = append(paths, filepath.Join(a.dir, name))
		}
	}
	return paths
}

// prune keeps the newest files with a suffix, and removes the others. A Java that runs keeps
// its open file; on Windows the file stays until then.
func (a *archive) prune(suffix string, most int) {
	files := a.files("", suffix)
	age := make(map[string]time.Time)
	for _, file := range files {
		if info, err := os.Lstat(file); err == nil {
			age[file] = info.ModTime()
		}
	}
	slices.SortFunc(files, func(x, y string) int { return age[y].Compare(age[x]) })
	for _, file := range files[min(most, len(files)):] {
		os.Remove(file)
	}
}
