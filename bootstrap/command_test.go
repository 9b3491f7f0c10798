package bootstrap

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestCommandArgs(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	jar := func(name string) string { return filepath.Join(dir, "jars", name) }
	args, err := Command{
		Java:             "/java",
		Jars:             []string{jar("b.jar"), jar("a.jar")},
		Properties:       filepath.Join("conf", "s.properties"),
		LogConfiguration: "logback.xml",
	}.Args()
	if err != nil {
		t.Fatal(err)
	}
	sep := string(filepath.ListSeparator)
	want := []string{
		"/java", "-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "-Dstderr.encoding=UTF-8",
		"-cp", jar("a.jar") + sep + jar("b.jar") + sep + filepath.Join(dir, "conf"),
		"software.amazon.kinesis.multilang.MultiLangDaemon",
		"--properties-file", filepath.Join(dir, "conf", "s.properties"),
		"--log-configuration", filepath.Join(dir, "logback.xml"),
	}
	if !slices.Equal(args, want) {
		t.Errorf("got  %q\nwant %q", args, want)
	}
	for _, bad := range []Command{
		{},
		{Java: "/java", Properties: "p"},
		{Java: "/java", Properties: "p", Jars: []string{"/a" + sep + "b/c.jar"}},
		{Java: "/java", Properties: "/all/*/p", Jars: []string{"/a.jar"}},
	} {
		if args, err := bad.Args(); err == nil {
			t.Errorf("%+v: %q, want an error", bad, args)
		}
	}
}

// What Quote prints must come out of a shell as it went in.
func TestQuote(t *testing.T) {
	if got := Quote([]string{"/usr/bin/java", "-Dx=1", "a:b", ""}); runtime.GOOS != "windows" && got != "/usr/bin/java -Dx=1 a:b ''" {
		t.Errorf("more quotes than needed: %s", got)
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		if runtime.GOOS != "windows" {
			t.Fatal(err)
		}
		t.Skip("no POSIX shell on this system")
	}
	args := []string{"plain", "", "two words", "it's", `"quoted"`, `back\slash`, "$HOME `id` $(id)", "*", "~", "#x", "a;b&c|d<e>f", "new\nline", "naïve", "!x", "{a,b}"}
	out, err := exec.Command(sh, "-c", "printf '%s\\0' "+Quote(args)).Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); !slices.Equal(got, args) {
		t.Errorf("got  %q\nwant %q", got, args)
	}
}
