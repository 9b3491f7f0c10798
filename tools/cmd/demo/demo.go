package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// patience is the longest time until Java's start, and between two new records.
const patience = 3 * time.Minute

// result has the counts of records.
type result struct {
	sent, received, missing, duplicates, shards int
	// firstRecord is the time from Java's start to the first record, total the time from
	// the start of the local services to the end.
	firstRecord, total time.Duration
}

func (r *result) String() string {
	return fmt.Sprintf("demo: sent=%d received=%d missing=%d duplicates=%d shards=%d first_record_s=%.1f total_s=%.1f",
		r.sent, r.received, r.missing, r.duplicates, r.shards, r.firstRecord.Seconds(), r.total.Seconds())
}

// demo runs the demo. It may return a result together with an error.
func demo(ctx context.Context, o options, stderr io.Writer) (r *result, err error) {
	begin := time.Now()
	step := func(format string, args ...any) {
		fmt.Fprintf(stderr, "demo: %5.1f s  %s\n", time.Since(begin).Seconds(), fmt.Sprintf(format, args...))
	}
	if err := checkFile(o.file); err != nil {
		return nil, err
	}
	root, err := workspace.Find(ctx, ".")
	if err != nil {
		return nil, err
	}
	fetch := []string{"fetch"}
	switch _, err := bootstrap.FindJava("", 17); {
	case err != nil && os.Getenv("JAVA_HOME") == "":
		fetch = append(fetch, "--java")
	case errors.Is(err, bootstrap.ErrNoJava):
		return nil, err
	}
	temp, err := os.MkdirTemp("", "kcl-demo-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	bin, dir := filepath.Join(temp, "bin"), filepath.Join(temp, "out")
	if o.dir != "" {
		if dir, err = filepath.Abs(o.dir); err != nil {
			return nil, err
		}
	}
	if err := makeEmpty(dir); err != nil {
		return nil, err
	}
	if o.jarPath != "" {
		if o.jarPath, err = filepath.Abs(o.jarPath); err != nil { // the command has another working directory
			return nil, err
		}
		fetch = append(fetch, "--jar-path", o.jarPath)
	}

	step("building the commands")
	if err := sample.Build(ctx, root, bin); err != nil {
		return nil, err
	}

	// The consumer would fetch too, but report progress only in its log.
	fetcher := exec.Command(sample.Command(bin, "kcl-bootstrap"), fetch...)
	fetcher.Stderr = stderr
	if err := subprocess.Run(ctx, fetcher, 2*time.Second); err != nil {
		return nil, fmt.Errorf("kcl-bootstrap fetch: %w", err)
	}

	step("starting the local Kinesis and DynamoDB")
	stackBegin := time.Now()
	local, err := stack.Start(nil)
	if err != nil {
		return nil, err
	}
	r, err = roundtrip(ctx, o, folders{root: root, bin: bin, dir: dir, environ: sample.Environ(local.Environ(os.Environ()), bin)}, local.Properties(), step)
	err = errors.Join(err, local.Close())
	if r != nil {
		r.total = time.Since(stackBegin)
		if o.dir != "" {
			step("the shard files are in %s", filepath.Join(dir, "data"))
		} else {
			step("removing the files; --dir keeps them")
		}
	}
	return r, err
}

// checkFile returns an error for a file that is empty or cannot be read. An empty name means
// no file.
func checkFile(name string) error {
	if name == "" {
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Read(make([]byte, 1)); err == io.EOF {
		return fmt.Errorf("%s is empty: there is nothing to put", name)
	} else if err != nil {
		return err
	}
	return nil
}

// makeEmpty makes a folder, or checks that it is empty.
func makeEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return os.MkdirAll(dir, 0o755)
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty: name a new folder", dir)
	}
	return err
}

// folders are those of the demo, with the environment of its commands.
type folders struct {
	root    string // of the workspace
	bin     string // with the commands
	dir     string // for the files that the commands write
	environ []string
}

// run runs a command until it or ctx ends, and returns its standard output.
func (p folders) run(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.Command(sample.Command(p.bin, name), args...)
	cmd.Dir, cmd.Env = p.dir, p.environ
	return subprocess.Output(ctx, cmd, 2*time.Second)
}

// roundtrip creates the stream, puts the records and runs the consumer.
func roundtrip(ctx context.Context, o options, p folders, properties []stack.Setting, step func(string, ...any)) (r *result, err error) {
	step("creating stream, tables and leases with kcl-infra")
	if _, err := p.run(ctx, "kcl-infra", "create", "--shards", fmt.Sprint(o.shards), "--seed-leases", "TRIM_HORIZON"); err != nil {
		return nil, err
	}
	put := []string{"--records", fmt.Sprint(o.records)}
	if o.file == "" {
		step("putting %d records with the producer", o.records)
	} else {
		step("putting the lines of %s with the producer", o.file)
		file, err := filepath.Abs(o.file)
		if err != nil {
			return nil, err
		}
		put = []string{"--file", file}
	}
	receipts, err := p.run(ctx, "producer", put...)
	if err != nil {
		return nil, err
	}
	sent, err := sample.Receipts(strings.NewReader(receipts))
	if err != nil {
		return nil, err
	}

	if o.worker {
		step("running the consumer, one process for all shards, under the MultiLangDaemon")
	} else {
		step("running the consumer under the MultiLangDaemon with kcl-bootstrap")
	}
	file := filepath.Join(p.dir, "demo.properties")
	if err := sample.WriteProperties(p.root, file, properties); err != nil {
		return nil, err
	}
	var jars []string
	if o.jarPath != "" {
		jars = []string{"--jar-path", o.jarPath}
	}
	daemon, err := sample.StartDaemon(sample.DaemonConfig{
		Bin: p.bin, Dir: p.dir, Environ: p.environ, Properties: file, Log: filepath.Join(p.dir, "daemon.log"), Worker: o.worker, Args: jars,
	})
	if err != nil {
		return nil, err
	}
	files := sample.NewShardFiles(filepath.Join(p.dir, "data"))
	r = &result{sent: len(sent)}
	r.firstRecord, err = receive(ctx, daemon, files, sent, step)

	step("stopping the daemon")
	if stopErr := daemon.Stop(); stopErr != nil && err == nil {
		err = fmt.Errorf("%w; its last lines:\n%s", stopErr, daemon.Tail())
	}
	err = errors.Join(err, files.Read())
	r.received, r.duplicates, r.shards, r.missing = len(files.Records), files.Duplicates, files.Shards, files.Missing(sent)
	return r, err
}

// receive waits until each sent record is in a shard's file. It returns the time from
// Java's start to the first record.
func receive(ctx context.Context, daemon *sample.Daemon, files *sample.ShardFiles, sent []sample.Key, step func(string, ...any)) (first time.Duration, err error) {
	begin, started := time.Now(), daemon.Started()
	news, seen := begin, 0
	err = sample.Await(ctx, daemon, func() (bool, error) {
		select {
		case <-started:
			begin, started = time.Now(), nil
			news = begin
		default:
		}
		if err := files.Read(); err != nil {
			return false, err
		}
		if n := len(files.Records); n > seen {
			if seen == 0 {
				first = time.Since(begin)
				step("received the first record")
			}
			news, seen = time.Now(), n
		}
		if time.Since(news) > patience {
			return false, fmt.Errorf("no new record for %v, received %d of %d; the daemon's last lines:\n%s", patience, seen, len(sent), daemon.Tail())
		}
		// Look each record up only when the number is right.
		return seen >= len(sent) && files.Missing(sent) == 0, nil
	})
	return first, err
}
