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

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/tools/internal/child"
	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/workspace"
)

// name is the sample's stream, application and lease table.
const name = "kclgosample"

// patience is how long the daemon may go without a new record, and Java
// without being started, before the demo gives up.
const patience = 3 * time.Minute

// result is what the last line says.
type result struct {
	sent, received, missing, duplicates, shards int
	firstRecord, total                          time.Duration
}

func (r *result) String() string {
	return fmt.Sprintf("demo: sent=%d received=%d missing=%d duplicates=%d shards=%d first_record_s=%.1f total_s=%.1f",
		r.sent, r.received, r.missing, r.duplicates, r.shards, r.firstRecord.Seconds(), r.total.Seconds())
}

// demo runs the main job. It returns a result as soon as there is one, also
// beside an error of what came later.
func demo(ctx context.Context, o options, stderr io.Writer) (r *result, err error) {
	begin := time.Now()
	step := func(format string, args ...any) {
		fmt.Fprintf(stderr, "demo: %5.1f s  %s\n", time.Since(begin).Seconds(), fmt.Sprintf(format, args...))
	}
	var lines []string
	if o.file != "" {
		if lines, err = readLines(o.file); err != nil {
			return nil, err
		}
	}
	root, err := workspace.Find(ctx, ".")
	if err != nil {
		return nil, err
	}
	if _, err := bootstrap.FindJava(""); err != nil {
		return nil, err
	}
	out, err := makeFolder(o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if removed, rmErr := out.remove(o); rmErr != nil {
			err = errors.Join(err, fmt.Errorf("cannot remove the temporary folder: %w", rmErr))
		} else if removed {
			step("removed what was made; --keep or --dir keeps the files")
		}
	}()

	step("building the commands")
	if err := sample.Build(ctx, root, out.bin); err != nil {
		return nil, err
	}

	step("starting the local Kinesis and DynamoDB Local")
	stackBegin := time.Now()
	local, err := stack.Start(ctx, stack.Config{Progress: func(p bootstrap.Progress) {
		if p.Files == p.TotalFiles {
			step("fetched DynamoDB Local: %d files, %.1f MB", p.TotalFiles, float64(p.TotalBytes)/1e6)
		}
	}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, local.Close()) }()
	environ := sample.Environ(local.Environ(os.Environ()), out.bin)
	command := func(name string, args ...string) (string, error) {
		return runCommand(ctx, exec.Command(sample.Command(out.bin, name), args...), environ)
	}

	step("making stream, tables and leases with kcl-infra")
	if _, err := command("kcl-infra", "create", "--application", name, "--stream-name", name,
		"--shards", fmt.Sprint(o.shards), "--seed-leases", "TRIM_HORIZON"); err != nil {
		return nil, err
	}

	args := []string{"--stream", name}
	if o.file != "" {
		step("putting the lines of %s with the producer", o.file)
		args = append(args, "--file", o.file)
	} else {
		step("putting %d records with the producer", o.records)
		args = append(args, "--records", fmt.Sprint(o.records))
	}
	receipts, err := command("producer", args...)
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
	if err := sample.WriteProperties(root, out.properties, local.Properties()); err != nil {
		return nil, err
	}
	daemon, err := sample.StartDaemon(sample.DaemonConfig{
		Bin: out.bin, Dir: out.dir, Environ: environ, Properties: out.properties, Log: out.log, Worker: o.worker,
	})
	if err != nil {
		return nil, err
	}
	defer daemon.Stop() // the second Stop does nothing

	files := sample.NewShardFiles(out.data)
	r = &result{sent: len(sent)}
	err = receive(ctx, daemon, files, sent, r, step)

	step("stopping the daemon")
	if stopErr := daemon.Stop(); stopErr != nil && err == nil {
		err = fmt.Errorf("%w; its last lines:\n%s", stopErr, daemon.Tail())
	}
	err = errors.Join(err, files.Read(), local.Close())
	r.received, r.duplicates, r.shards = len(files.Records), files.Duplicates, files.Shards
	r.missing = files.Missing(sent)
	if o.file != "" {
		r.missing = max(r.missing, absent(lines, files))
	}
	r.total = time.Since(stackBegin)
	step("the shard files are in %s", out.data)
	return r, err
}

// receive waits until every record sent is in a shard's file.
func receive(ctx context.Context, daemon *sample.Daemon, files *sample.ShardFiles, sent []sample.Key, r *result, step func(string, ...any)) error {
	var started time.Time
	news, seen := time.Now(), 0
	return sample.Await(ctx, daemon, func() (bool, error) {
		if started.IsZero() {
			select {
			case <-daemon.Started():
				started, news = time.Now(), time.Now()
			default:
			}
		}
		if err := files.Read(); err != nil {
			return false, err
		}
		if n := len(files.Records); n > seen {
			if started.IsZero() {
				return false, errors.New("records came before anybody said that Java was started: first_record_s cannot be told")
			}
			if seen == 0 {
				r.firstRecord = time.Since(started)
				step("the first record is there")
			}
			news, seen = time.Now(), n
		}
		if time.Since(news) > patience {
			return false, fmt.Errorf("no new record for %v, %d of %d are there; the daemon's last lines:\n%s", patience, seen, len(sent), daemon.Tail())
		}
		// Most calls are far from the end: look each record up only near it.
		return seen >= len(sent) && files.Missing(sent) == 0, nil
	})
}

// absent counts the lines that no record holds, as often as they stand there.
func absent(lines []string, files *sample.ShardFiles) int {
	count := map[string]int{}
	for _, data := range files.Records {
		count[data]++
	}
	n := 0
	for _, line := range lines {
		if count[line]--; count[line] < 0 {
			n++
		}
	}
	return n
}

// readLines returns a file's lines as the producer takes them: without the
// line feed, and without an empty one after the last.
func readLines(file string) ([]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if len(text) == 0 {
		return nil, fmt.Errorf("%s is empty: there is nothing to put", file)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"), nil
}

// runCommand runs a command to its end and returns its standard output. When
// ctx ends, so does the command.
func runCommand(ctx context.Context, cmd *exec.Cmd, environ []string) (stdout string, err error) {
	var out, errOut bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = environ, &out, &errOut
	if err := child.Run(ctx, cmd, 2*time.Second); err != nil {
		return "", fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, strings.TrimSpace(errOut.String()))
	}
	return out.String(), nil
}
