//go:build unix

package bootstrap

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// An archiving is a Java that is a script, with what openArchive needs of an
// installation, and a command for it.
type archiving struct {
	home    string
	command Command
}

// newArchiving makes it. The three are what the script does when it is to make an
// archive, which is "$file", when it is to look at one, and when it is to run.
func newArchiving(t *testing.T, dump, look, run string) *archiving {
	t.Helper()
	t.Setenv("HOME", t.TempDir()) // which bounds the look at the folders above
	a := &archiving{home: t.TempDir()}
	a.write(t, "lib/server/libjvm.so", "library", 0o644)
	a.write(t, "lib/modules", "modules", 0o644)
	a.write(t, "release", `JAVA_VERSION="17.0.1"`, 0o644)
	a.write(t, "jars/a.jar", "a jar", 0o644)
	a.write(t, "entry.jar", "the entry", 0o644)
	a.write(t, "bin/java", `#!/bin/sh
cd `+a.home+`
echo "$*" >>log
for option; do case $option in
-XX:SharedArchiveFile=*) file=${option#*=} ;;
-XX:SharedClassListFile=*) cp "${option#*=}" classes ;;
esac; done
case " $* " in
*" -Xshare:dump "*) `+dump+` ;;
*" -Xshare:on "*) `+look+` ;;
*) `+run+` ;;
esac
`, 0o755)
	var list bytes.Buffer
	w := gzip.NewWriter(&list)
	if _, err := w.Write([]byte("java/lang/Object\n")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	good := make(chan struct{})
	close(good)
	a.command = Command{
		Java: a.path("bin/java"), Jars: []string{a.path("jars/a.jar")}, Properties: &Properties{},
		CacheDir: filepath.Join(a.home, "cache"),
		Entry: &Entry{
			Class: "Main", Jar: a.path("entry.jar"), Dir: a.home, Args: func(string) []string { return nil },
			Classes: list.Bytes(), Ready: good,
		},
	}
	archiveDelay = 0
	t.Cleanup(func() { archiveDelay = 30 * time.Second })
	return a
}

func (a *archiving) path(name string) string { return filepath.Join(a.home, name) }

func (a *archiving) write(t *testing.T, name, text string, mode fs.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(a.path(name)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.path(name), []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func (a *archiving) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(a.path(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// kept returns the names of the files in the archives' folder, but for the lock and
// the entry's jar.
func (a *archiving) kept(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(a.command.CacheDir, archiveFolder))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != ".lock" && !strings.HasPrefix(e.Name(), "entry-") {
			names = append(names, e.Name())
		}
	}
	return names
}

func (a *archiving) open(t *testing.T, environ ...string) *archive {
	t.Helper()
	opened, err := a.command.openArchive(environ)
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

const (
	makes    = `printf classes >"$file"`
	accepts  = `exit 0`
	runsLong = `read end; exit 3`
)

// The first run makes an archive, and the second one takes it.
func TestArchive(t *testing.T) {
	a := newArchiving(t, makes, accepts, runsLong)
	// Java would run with options that are for the user's program in it.
	t.Setenv("JAVA_TOOL_OPTIONS", "-javaagent:none.jar")
	run := func(done func() bool) string {
		t.Helper()
		os.Remove(a.path("log"))
		stdin, end, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer stdin.Close()
		ran := make(chan error, 1)
		go func() { ran <- a.command.Run(t.Context(), &RunOptions{Stdin: stdin, Output: newTranscript()}) }()
		for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("no archive was made")
			}
		}
		end.Close()
		var exit *ExitError
		if err := <-ran; !errors.As(err, &exit) || exit.Code != 3 {
			t.Fatalf("error %v, want status 3", err)
		}
		return a.read(t, "log")
	}
	made := func() bool {
		names, _ := filepath.Glob(filepath.Join(a.command.CacheDir, archiveFolder, "*"+archiveSuffix))
		return len(names) == 1
	}
	if log := run(made); strings.Count(log, "\n") != 3 || strings.Count(log, "-XX:SharedArchiveFile=") != 2 {
		t.Errorf("the first run was\n%s", log)
	}
	if got := a.read(t, "classes"); got != "java/lang/Object\n" {
		t.Errorf("the classes were %q", got)
	}
	opened := a.open(t)
	if opened.file == "" || !slices.Equal(a.kept(t), []string{filepath.Base(opened.file)}) {
		t.Errorf("archive %q, in the folder are %q", opened.file, a.kept(t))
	}
	log := run(func() bool { return true })
	if strings.Count(log, "\n") != 1 || !strings.Contains(log, "-XX:SharedArchiveFile="+opened.file+" ") ||
		!strings.Contains(log, "-cp "+opened.classPath[0]+":") {
		t.Errorf("the second run was\n%s", log)
	}
}

// Only an archive that is whole and of this Java, these jars and these options is
// given to Java; else the run is one without.
func TestArchiveIsLeftOut(t *testing.T) {
	self := func(a *archiving, _ string) { _ = a }
	later := time.Now().Add(time.Hour)
	for name, tt := range map[string]struct {
		change func(a *archiving, file string)
		env    string
		taken  bool
	}{
		"nothing changed":   {change: self, taken: true},
		"another heap":      {change: func(a *archiving, _ string) { a.command.JavaOptions = []string{"-Xmx1g"} }, taken: true},
		"other jars behind": {change: func(a *archiving, _ string) { a.command.ClassPath = []string{"/x.jar"} }, taken: true},
		"cut short":         {change: func(_ *archiving, file string) { os.Truncate(file, 3) }},
		"altered":           {change: func(_ *archiving, file string) { os.WriteFile(file, []byte("Classes"), 0o644) }},
		"longer":            {change: func(_ *archiving, file string) { os.WriteFile(file, []byte("classes!"), 0o644) }},
		"a link": {change: func(a *archiving, file string) {
			os.Rename(file, a.path("elsewhere"))
			os.Symlink(a.path("elsewhere"), file)
		}},
		"a folder":     {change: func(_ *archiving, file string) { os.Remove(file); os.Mkdir(file, 0o755) }},
		"others write": {change: func(_ *archiving, file string) { os.Chmod(file, 0o666) }},
		"another build": {change: func(a *archiving, _ string) {
			os.WriteFile(a.path("release"), []byte("JAVA_VERSION=\"17.0.2\""), 0o644)
		}},
		"another library": {change: func(a *archiving, _ string) { os.Truncate(a.path("lib/server/libjvm.so"), 1) }},
		"a jar is newer":  {change: func(a *archiving, _ string) { os.Chtimes(a.path("jars/a.jar"), later, later) }},
		"another entry":   {change: func(a *archiving, _ string) { os.WriteFile(a.path("entry.jar"), []byte("The entry"), 0o644) }},
		"larger headers":  {change: func(a *archiving, _ string) { a.command.JavaOptions = []string{"-XX:-UseCompressedClassPointers"} }},
		"a collector":     {change: self, env: "JAVA_TOOL_OPTIONS=-Da=b -XX:+UseZGC"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newArchiving(t, makes, accepts, "")
			before := a.open(t)
			if err := before.make(t.Context()); err != nil || before.file == "" {
				t.Fatal(before.file, err)
			}
			tt.change(a, before.file)
			got := a.open(t, tt.env)
			if taken := got.file != ""; taken != tt.taken || taken != (len(got.javaOptions()) == 1) {
				t.Errorf("the archive is %q", got.file)
			}
			if err := got.make(t.Context()); err != nil || got.file == "" {
				t.Errorf("another one: %q, %v", got.file, err)
			}
		})
	}
}

// Where there can be no archive the run has the entry's jar that it was given.
func TestNoArchive(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(a *archiving)
		env    string
		want   string
	}{
		"the user's":      {func(a *archiving) { a.command.JavaOptions = []string{"-XX:SharedArchiveFile=mine"} }, "", "-XX:SharedArchiveFile=mine"},
		"none":            {func(a *archiving) { a.command.JavaOptions = []string{"-Xshare:off"} }, "", "-Xshare:off"},
		"the variable's":  {func(*archiving) {}, "JDK_JAVA_OPTIONS=-Da=b -Xshare:off", "-Xshare:off"},
		"a file":          {func(a *archiving) { a.command.JavaOptions = []string{"@options"} }, "", "@options"},
		"another file":    {func(*archiving) {}, "JAVA_TOOL_OPTIONS='-XX:VMOptionsFile=f'", "-XX:VMOptionsFile=f"},
		"Java 25's":       {func(a *archiving) { a.command.JavaOptions = []string{"-XX:AOTCache=mine"} }, "", "-XX:AOTCache=mine"},
		"no folder":       {func(a *archiving) { os.WriteFile(a.command.CacheDir, nil, 0o644) }, "", "not a directory"},
		"others write":    {func(a *archiving) { os.Mkdir(a.command.CacheDir, 0); os.Chmod(a.command.CacheDir, 0o777) }, "", "is writable by everybody"},
		"no installation": {func(a *archiving) { os.Remove(a.path("lib/server/libjvm.so")) }, "", "is not part of a Java installation"},
		"no jar":          {func(a *archiving) { os.Remove(a.path("jars/a.jar")) }, "", "a.jar"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newArchiving(t, makes, accepts, `exit 3`)
			tt.change(a)
			if _, err := a.command.openArchive([]string{tt.env}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
			var exit *ExitError
			err := a.command.Run(t.Context(), &RunOptions{Env: append(os.Environ(), tt.env), Output: newTranscript()})
			if !errors.As(err, &exit) || exit.Code != 3 {
				t.Fatalf("error %v, want status 3", err)
			}
			if log := a.read(t, "log"); strings.Count(log, "\n") != 1 || !strings.Contains(log, "-cp "+a.path("entry.jar")+":") {
				t.Errorf("the run was\n%s", log)
			}
		})
	}
}

// What fails or is ended leaves nothing.
func TestArchiveIsNotMade(t *testing.T) {
	const fails = `printf part >"$file"; exit 1`
	for name, tt := range map[string]struct{ dump, look, want string }{
		"Java fails":      {fails, accepts, "exit status 1"},
		"nothing written": {"exit 0", accepts, "no such file"},
		"it is refused":   {makes, "exit 1", "exit status 1"},
		"Java crashes":    {makes, "kill -SEGV $$", "segmentation fault"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newArchiving(t, tt.dump, tt.look, "")
			opened := a.open(t)
			if err := opened.make(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) || opened.file != "" {
				t.Errorf("%q, %v; want %s", opened.file, err, tt.want)
			}
			if kept := a.kept(t); len(kept) != 0 {
				t.Errorf("left: %q", kept)
			}
		})
	}
	t.Run("the disk is full", func(t *testing.T) {
		a := newArchiving(t, `head -c 1000000 /dev/zero >"$file" || exit 1`, accepts, "")
		opened := a.open(t)
		smallDisk(t, opened.dir)
		if err := opened.make(t.Context()); err == nil || len(a.kept(t)) != 0 {
			t.Error(err, a.kept(t))
		}
	})
	t.Run("it is ended", func(t *testing.T) {
		a := newArchiving(t, `printf part >"$file"; touch dumping; sleep 600`, accepts, "")
		ctx, cancel := context.WithCancel(t.Context())
		made := make(chan error)
		opened := a.open(t)
		go func() { made <- opened.make(ctx) }()
		for !isFile(a.path("dumping")) {
			time.Sleep(5 * time.Millisecond)
		}
		// Meanwhile no other process makes one.
		if err := a.open(t).make(t.Context()); !errors.Is(err, errArchiving) {
			t.Errorf("error %v, want that another process is making one", err)
		}
		cancel()
		if err := <-made; !errors.Is(err, context.Canceled) || len(a.kept(t)) != 0 {
			t.Error(err, a.kept(t))
		}
	})
}

// What a killed process has left goes, and so do the oldest archives.
func TestArchivesStayFew(t *testing.T) {
	a := newArchiving(t, makes, accepts, "")
	var keys []string
	for i := range mostArchives + 2 {
		a.write(t, "release", strings.Repeat("x", i), 0o644)
		opened := a.open(t)
		a.write(t, "cache/class-data/"+partPrefix+"X"+partSuffix, "", 0o644)
		if err := opened.make(t.Context()); err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(time.Duration(i-100) * time.Hour)
		if err := os.Chtimes(opened.file, old, old); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, filepath.Base(opened.file))
		if i == 1 { // it is used, now
			a.write(t, "release", "", 0o644)
			a.open(t)
		}
	}
	want := append([]string{keys[0]}, keys[3:]...)
	slices.Sort(want)
	if got := a.kept(t); !slices.Equal(got, want) {
		t.Errorf("left are %q, want %q of %q", got, want, keys)
	}
}

// An archive with which Java does not come up is taken once.
func TestArchiveThatCrashes(t *testing.T) {
	a := newArchiving(t, makes, accepts, `case $file in "") exit 3; esac; kill -SEGV $$`)
	a.command.Entry.Ready = make(chan struct{})
	if err := a.open(t).make(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{128 + 11, 3} {
		var exit *ExitError
		if err := a.command.Run(t.Context(), &RunOptions{Output: newTranscript()}); !errors.As(err, &exit) || exit.Code != want {
			t.Errorf("%v, want status %d", err, want)
		}
	}
}

func TestFreeMemory(t *testing.T) {
	if n, known := freeMemory(); known && (n <= 0 || n > 1<<50) {
		t.Errorf("%d bytes", n)
	}
}
