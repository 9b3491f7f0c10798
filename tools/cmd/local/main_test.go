package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/needs"
)

// The test binary plays the command.
const commandEnv = "LOCAL_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(commandEnv) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestRunsUntilItIsStopped(t *testing.T) {
	needs.Java(t)
	dir := t.TempDir()
	sample := filepath.Join(dir, "my.properties")
	if err := os.WriteFile(sample, []byte("streamName = s\nkinesisEndpoint = elsewhere"), 0o666); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stdout, w := io.Pipe()
	var stderr bytes.Buffer
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-p", sample}, w, &stderr)
		w.Close()
	}()
	// The last line is written when everything is up.
	var printed strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(printed.String(), "AWS_EC2_METADATA_DISABLED=true\n") {
		n, err := stdout.Read(buf)
		if err != nil {
			t.Fatal(err, <-ended)
		}
		printed.Write(buf[:n])
	}

	if sh, err := exec.LookPath("sh"); err == nil { // a shell understands it
		cmd := exec.Command(sh, "-euc", printed.String()+`echo "$AWS_REGION ${AWS_PROFILE-none}"`)
		cmd.Env = append(os.Environ(), "AWS_PROFILE=mine")
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != "us-east-1 none\n" {
			t.Errorf("%s%v", out, err)
		}
	}
	endpoints := regexp.MustCompile(`AWS_ENDPOINT_URL_\w+=(http://127\.0\.0\.1:\d+)\n`).FindAllStringSubmatch(printed.String(), -1)
	if len(endpoints) != 2 {
		t.Fatalf("%s", printed.String())
	}
	text, err := os.ReadFile(filepath.Join(dir, "my.local.properties"))
	if err != nil {
		t.Fatal(err)
	}
	if s := string(text); !strings.HasPrefix(s, "streamName = s\n# set below: kinesisEndpoint = elsewhere\n") || !strings.Contains(s, "\nkinesisEndpoint = "+endpoints[0][1]+"\n") {
		t.Errorf("%s", s)
	}
	if resp, err := http.Get(endpoints[1][1]); err != nil {
		t.Error(err)
	} else {
		resp.Body.Close()
	}

	began := time.Now()
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if d := time.Since(began); d > 2*time.Second {
		t.Errorf("it took %s to stop", d)
	}
	for _, e := range endpoints {
		if resp, err := http.Get(e[1]); err == nil {
			resp.Body.Close()
			t.Errorf("%s still answers", e[1])
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "my.local.properties")); !errors.Is(err, os.ErrNotExist) {
		t.Error("left behind: my.local.properties")
	}
	if !strings.Contains(stderr.String(), "local: ready in ") {
		t.Error(stderr.String())
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
		"no shards":          {[]string{"--seed", "orders"}, 2, `"orders" is not NAME=SHARDS`},
		"too few shards":     {[]string{"--seed", "orders=0"}, 2, `stream orders cannot have "0" shards`},
		"too many shards":    {[]string{"--seed", "orders=10001"}, 2, "1 to 10000"},
		"no stream name":     {[]string{"--seed", "my orders=1"}, 2, `"my orders" is not the name of a stream`},
		"a stream twice":     {[]string{"--seed", "a=1,b=1", "--seed", "a=2"}, 2, "stream a is there twice"},
		"no size":            {[]string{"--max-bytes", "much"}, 2, `"much" is not a size`},
		"a negative size":    {[]string{"--max-bytes", "-1GB"}, 2, `"-1GB" is not a size`},
		"too small a size":   {[]string{"--max-bytes", "15MiB"}, 2, "15MiB is not 16 MiB or more"},
		"an empty folder":    {[]string{"--data", ""}, 2, "--data is empty"},
		"a file as a folder": {[]string{"--data", "main.go"}, 1, "main.go"},
		"no such properties": {[]string{"-p", "no-such.properties"}, 1, "no-such.properties"},
		"no Java":            {[]string{"-j", "no-such-java"}, 1, "no Java"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], c.args...)
			cmd.Env = append(os.Environ(), commandEnv+"=1")
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			_ = cmd.Run()
			if cmd.ProcessState.ExitCode() != c.exit || stdout.Len() > 0 ||
				!strings.Contains(stderr.String(), c.has) || strings.Count(stderr.String(), "\n") != 1 {
				t.Errorf("exit status %d, %q, %q", cmd.ProcessState.ExitCode(), stdout.String(), stderr.String())
			}
		})
	}
}
