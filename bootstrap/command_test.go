package bootstrap

import (
	"os"
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
		Properties:       &Properties{file: filepath.Join(dir, "conf", "s.properties")},
		LogConfiguration: "logback.xml",
	}.Args()
	if err != nil {
		t.Fatal(err)
	}
	sep := string(filepath.ListSeparator)
	want := append([]string{"/java", "-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "-Dstderr.encoding=UTF-8"},
		defaultJavaOptions(availableMemory(), runtime.GOMAXPROCS(0), namedOptions(os.Environ(), nil))...)
	want = append(want,
		"-cp", jar("a.jar")+sep+jar("b.jar")+sep+filepath.Join(dir, "conf"),
		"software.amazon.kinesis.multilang.MultiLangDaemon",
		"--properties-file", filepath.Join(dir, "conf", "s.properties"),
		"--log-configuration", filepath.Join(dir, "logback.xml"))
	if !slices.Equal(args, want) {
		t.Errorf("got  %q\nwant %q", args, want)
	}
	if _, err := (Command{}).Args(); err == nil || strings.Count(err.Error(), "bootstrap: Command.") != 3 {
		t.Errorf("error %v, want one for each of three fields", err)
	}
	for _, bad := range []Command{
		{Java: "/java", Properties: &Properties{file: "/p"}},
		{Java: "/java", Jars: []string{"/a.jar"}},
		{Java: "/java", Jars: []string{"/a.jar"}, Properties: &Properties{}},
		{Java: "/java", Properties: &Properties{file: "/p"}, Jars: []string{"/a" + sep + "b/c.jar"}},
		{Java: "/java", Properties: &Properties{file: "/all/*/p"}, Jars: []string{"/a.jar"}},
	} {
		if args, err := bad.Args(); err == nil {
			t.Errorf("%+v: %q, want an error", bad, args)
		}
	}
}

// The region of the properties reaches all of Java's clients, unless another one is
// named where the SDK looks, or among Java's options.
func TestCommandRegion(t *testing.T) {
	for name, tt := range map[string]struct {
		properties, variable, value string
		want                        string // the -Daws.region that holds
	}{
		"regionName":               {"regionName = us-east-1 ", "", "", "us-east-1"},
		"the clients'":             {"kinesisClient.region = us-east-1", "", "", "us-east-1"},
		"none":                     {"streamName = s", "", "", ""},
		"AWS_REGION too":           {"regionName = us-east-1", "AWS_REGION", "eu-west-1", ""},
		"Java's options too":       {"regionName = us-east-1", "JAVA_TOOL_OPTIONS", "-Daws.region=eu-west-1", ""},
		"the profile too":          {"regionName = us-east-1", "AWS_CONFIG_FILE", "[default]\nregion = eu-west-1\n", ""},
		"a profile without region": {"regionName = us-east-1", "AWS_CONFIG_FILE", "[default]\n", "us-east-1"},
	} {
		t.Run(name, func(t *testing.T) {
			bare(t)
			if strings.HasPrefix(tt.value, "[") {
				file := filepath.Join(t.TempDir(), "config")
				if err := os.WriteFile(file, []byte(tt.value), 0o600); err != nil {
					t.Fatal(err)
				}
				tt.value = file
			}
			if tt.variable != "" {
				t.Setenv(tt.variable, tt.value)
			}
			args, err := Command{Java: "/java", Jars: []string{"/a.jar"}, Properties: readProperties(t, tt.properties), JavaOptions: []string{"-Xmx1g"}}.Args()
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, arg := range args[:slices.Index(args, "-Xmx1g")] { // what stands later holds
				if region, ok := strings.CutPrefix(arg, "-Daws.region="); ok {
					got = region
				}
			}
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// An entry takes the place of the daemon's main class, and of its log.
func TestCommandEntryArgs(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	args, err := Command{
		Java: "/java", Jars: []string{in("a.jar")}, Properties: &Properties{file: in("p")}, LogConfiguration: in("l"), JavaOptions: []string{"-Xmx1g"},
		Entry: &Entry{Class: "example.Main", Jar: in("z.jar"), Args: func(properties string) []string { return []string{"first", properties} }},
	}.Args()
	if err != nil {
		t.Fatal(err)
	}
	sep := string(filepath.ListSeparator)
	want := []string{"-Xmx1g", "-cp", in("z.jar") + sep + in("a.jar") + sep + dir, "example.Main", "first", in("p")}
	if got := args[slices.Index(args, "-Xmx1g"):]; !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
