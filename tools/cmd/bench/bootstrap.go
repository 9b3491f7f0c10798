package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/child"
	"github.com/seed96110120/kinesis-client-go/tools/internal/measure"
	"github.com/seed96110120/kinesis-client-go/tools/internal/rivals"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

const bootstrapHelp = `Usage: go run ./tools/cmd/bench bootstrap [flags]

Compares kcl-bootstrap with the bootstrap of KCL for Node.js (aws-kcl from npm):
fetching the daemon's jars, finding them there, and the memory that takes. Java
is not started. Needs node, npm and java, and downloads 33 MB three times in a
round from the Maven repository that Node's bootstrap knows.

Flags:
%s
Example:
  go run ./tools/cmd/bench bootstrap --rounds 5
`

// awsKCLVersion is of npm's aws-kcl.
const awsKCLVersion = "2.3.2"

// lookupOnce makes Node.js ask for the address of a host once: its bootstrap
// asks for each of its 79 files, from a pool of four threads, which a slow name
// server or many search domains turn into most of its time.
const lookupOnce = `'use strict';
const dns = require('dns');
const lookup = dns.lookup;
const known = new Map();
dns.lookup = (host, options, callback) => {
  const key = host + JSON.stringify(options);
  if (!known.has(key)) {
    known.set(key, new Promise(done => lookup(host, options, (...answer) => done(answer))));
  }
  known.get(key).then(answer => callback(...answer));
};
`

// A bootstrapContender is one bootstrap with what was measured of it.
type bootstrapContender struct {
	name string
	// command prints Java's command line, with the jars in a folder.
	command func(jars string) *exec.Cmd

	cold, warm, coldMemory, warmMemory measure.Sample
}

func benchBootstrap(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	flags := newFlags("bootstrap", bootstrapHelp, 3, 20)
	warmRuns := flags.Int("warm", 5, "`number` of warm runs in a round, 1 to 100; the median counts")
	if helped, err := flags.parse(args, stdout); helped || err != nil {
		return err
	}
	if err := within("warm", *warmRuns, 1, 100); err != nil {
		return err
	}

	dir, err := os.MkdirTemp("", "bench-bootstrap-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	contenders, err := bootstrapContenders(ctx, dir)
	if err != nil {
		return err
	}
	err = measure.Rounds(ctx, flags.rounds, len(contenders), func(round, i int) error {
		fmt.Fprintf(stderr, "bench bootstrap: round %d of %d, %s\n", round+1, flags.rounds, contenders[i].name)
		if err := contenders[i].measure(ctx, filepath.Join(dir, "jars"), *warmRuns); err != nil {
			return fmt.Errorf("%s: %w", contenders[i].name, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flags.write(bootstrapReport(contenders, flags.rounds, *warmRuns), stdout)
}

// bootstrapContenders builds and installs what is measured, and writes what it
// needs to a folder.
func bootstrapContenders(ctx context.Context, dir string) ([]*bootstrapContender, error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, fmt.Errorf("both bootstraps look for Java first: %w", err)
	}
	npm, err := rivals.NPM(ctx, "aws-kcl", awsKCLVersion)
	if err != nil {
		return nil, err
	}
	root, err := workspace.Find(ctx, ".")
	if err != nil {
		return nil, err
	}
	ours := filepath.Join(dir, "kcl-bootstrap")
	build := exec.Command("go", "build", "-o", ours, "./bootstrap/cmd/kcl-bootstrap")
	build.Dir, build.Stderr = root, os.Stderr
	if err := child.Run(ctx, build, time.Second); err != nil {
		return nil, fmt.Errorf("go build: %w", err)
	}
	self, err := os.Executable() // nothing starts it
	if err != nil {
		return nil, err
	}
	properties, preload := filepath.Join(dir, "bench.properties"), filepath.Join(dir, "lookup-once.js")
	for name, text := range map[string]string{
		properties: "executableName = " + filepath.ToSlash(self) + "\napplicationName = bench\nstreamName = bench\n" +
			"AwsCredentialsProvider = DefaultCredentialsProvider\nregionName = us-east-1\ninitialPositionInStream = TRIM_HORIZON\nshutdownGraceMillis = 20000\nmetricsLevel = NONE\n",
		preload: lookupOnce,
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	node := func(options ...string) func(string) *exec.Cmd {
		return func(jars string) *exec.Cmd {
			args := append(options, filepath.Join(npm, "node_modules", "aws-kcl", "bin", "kcl-bootstrap"))
			return exec.Command("node", append(args, "-p", properties, "-j", java, "-c", jars)...)
		}
	}
	return []*bootstrapContender{
		{name: "kcl-bootstrap", command: func(jars string) *exec.Cmd {
			cmd := exec.Command(ours, "-p", properties, "-j", java, "-c", jars)
			// The repository that Node's bootstrap knows.
			cmd.Env = append(os.Environ(), "KCL_MAVEN_REPO=", "KCL_MVN_REPO_SEARCH_URL=", "KCL_MAVEN_USERNAME=", "KCL_MAVEN_PASSWORD=", "KCL_MAVEN_TOKEN=")
			return cmd
		}},
		{name: "aws-kcl " + awsKCLVersion, command: node()},
		{name: "aws-kcl " + awsKCLVersion + ", one name look-up", command: node("--require", preload)},
	}, nil
}

// measure fetches into an empty folder, and then finds all there.
func (c *bootstrapContender) measure(ctx context.Context, jars string, warmRuns int) error {
	if err := os.Mkdir(jars, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(jars)
	took, memory, err := c.once(ctx, jars)
	if err != nil {
		return fmt.Errorf("cold: %w", err)
	}
	c.cold, c.coldMemory = append(c.cold, took.Seconds()), append(c.coldMemory, memory)
	var times, memories measure.Sample
	for range warmRuns {
		took, memory, err := c.once(ctx, jars)
		if err != nil {
			return fmt.Errorf("warm: %w", err)
		}
		times, memories = append(times, took.Seconds()*1000), append(memories, memory)
	}
	c.warm, c.warmMemory = append(c.warm, times.Median()), append(c.warmMemory, memories.Median())
	return nil
}

// once runs the bootstrap to its end and returns the time and the peak of its
// memory in MB.
func (c *bootstrapContender) once(ctx context.Context, jars string) (time.Duration, float64, error) {
	cmd := c.command(jars)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	begin := time.Now()
	err := child.Run(ctx, cmd, 0)
	took := time.Since(begin)
	if err != nil {
		return 0, 0, fmt.Errorf("%w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	// The bootstrap for Node.js ends with 0 after half a download too.
	if !strings.Contains(stdout.String(), "software.amazon.kinesis.multilang.MultiLangDaemon") {
		return 0, 0, errors.New("it printed no command")
	}
	peak, err := maxRSS(cmd.ProcessState)
	return took, float64(peak) / 1e6, err
}

func bootstrapReport(contenders []*bootstrapContender, rounds, warmRuns int) *measure.Report {
	r := &measure.Report{Title: "Bootstraps", Machine: measure.ThisMachine()}
	t := &measure.Table{
		Title:  "What each takes until the daemon's command is printed, medians of the rounds with their range:",
		Header: []string{"bootstrap", "cold, s", "ours to it, cold", "warm, ms", "ours to it, warm", "peak memory cold, MB", "peak memory warm, MB"},
	}
	ours := contenders[0]
	for _, c := range contenders {
		t.Add(measure.Text("%s", c.name), measure.Range("%.2f", c.cold), measure.Range("%.2f", measure.Ratio(ours.cold, c.cold)),
			measure.Range("%.0f", c.warm), measure.Range("%.2f", measure.Ratio(ours.warm, c.warm)),
			measure.Range("%.0f", c.coldMemory), measure.Range("%.0f", c.warmMemory))
	}
	r.Tables = []*measure.Table{t}
	r.Notes = []string{
		fmt.Sprintf("%d rounds in turns, each with an empty folder and then %d runs with a full one, all from the same Maven repository over the network. "+
			"kcl-bootstrap fetches 76 jars and checks the SHA-256 of each at every run; aws-kcl fetches 79 and checks none. Java is not started.", rounds, warmRuns),
	}
	return r
}
