//go:build unix

package main

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

// The test binary runs the command when this variable is set.
const commandEnv = "KCL_LOCAL_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(commandEnv) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(testenv.Main(m.Run))
}

func command(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), commandEnv+"=1")
	return cmd
}

// kcl-local prints where the services are, runs until SIGTERM, and then stops in
// time although clients are connected.
func TestRunsUntilItIsStopped(t *testing.T) {
	dir := t.TempDir()
	sample := filepath.Join(dir, "my.properties")
	if err := os.WriteFile(sample, []byte("streamName = s\nkinesisEndpoint = elsewhere"), 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := command("-p", sample)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	// The last line is written when everything is ready.
	var printed strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(printed.String(), "AWS_EC2_METADATA_DISABLED=true\n") {
		n, err := stdout.Read(buf)
		if err != nil {
			t.Fatalf("read: %v, %v\n%s", err, cmd.Wait(), &stderr)
		}
		printed.Write(buf[:n])
	}

	if sh, err := exec.LookPath("sh"); err == nil { // a shell can run the lines
		cmd := exec.Command(sh, "-euc", printed.String()+`echo "$AWS_REGION ${AWS_PROFILE-none}"`)
		cmd.Env = append(os.Environ(), "AWS_PROFILE=mine")
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != "us-east-1 none\n" {
			t.Errorf("printed %q, error %v, want us-east-1 none", out, err)
		}
	}
	endpoints := regexp.MustCompile(`AWS_ENDPOINT_URL_\w+=http://(127\.0\.0\.1:\d+)\n`).FindAllStringSubmatch(printed.String(), -1)
	if len(endpoints) != 2 {
		t.Fatalf("%d endpoints, want 2:\n%s", len(endpoints), printed.String())
	}
	local := filepath.Join(dir, "my.local.properties")
	text, err := os.ReadFile(local)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(text); !strings.HasPrefix(s, "streamName = s\n# set below: kinesisEndpoint = elsewhere\n") || !strings.Contains(s, "\nkinesisEndpoint = http://"+endpoints[0][1]+"\n") {
		t.Errorf("local properties:\n%s\nwant a commented kinesisEndpoint and the local one", s)
	}
	for _, e := range endpoints {
		// An idle connection, and one with half a request.
		resp, err := http.Get("http://" + e[1])
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		c, err := net.Dial("tcp", e[1])
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"); err != nil {
			t.Fatal(err)
		}
	}

	began := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, &stderr)
	}
	if d := time.Since(began); d > 2*time.Second {
		t.Errorf("it took %s to stop, want at most 2s", d)
	}
	for _, e := range endpoints {
		if c, err := net.Dial("tcp", e[1]); err == nil {
			c.Close()
			t.Errorf("%s still listens", e[1])
		}
	}
	if _, err := os.Stat(local); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %s", local)
	}
	if !strings.HasPrefix(stderr.String(), "kcl-local: ready; ") {
		t.Errorf("standard error %q, want one that starts with kcl-local: ready; ", &stderr)
	}
}

func TestBadInput(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		exit int
		has  string
	}{
		"unknown flag":       {[]string{"--nonsense"}, 2, "unknown flag: --nonsense"},
		"an argument":        {[]string{"start"}, 2, `unexpected argument "start"`},
		"a port too high":    {[]string{"--kinesis-port", "65536"}, 2, "--kinesis-port 65536"},
		"no such properties": {[]string{"-p", "no-such.properties"}, 1, "no-such.properties"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := command(c.args...)
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			_ = cmd.Run()
			if cmd.ProcessState.ExitCode() != c.exit || stdout.Len() > 0 || !strings.HasPrefix(stderr.String(), "kcl-local: ") ||
				!strings.Contains(stderr.String(), c.has) || strings.Count(stderr.String(), "\n") != 1 {
				t.Errorf("exit status %d, stdout %q, stderr %q, want %d and one line with %q", cmd.ProcessState.ExitCode(), &stdout, &stderr, c.exit, c.has)
			}
		})
	}
}
