// Package roundtrip runs the project's main job: kcl-infra makes a stream and
// tables, the producer puts records, the real MultiLangDaemon runs the sample
// consumer until each is in a shard's file. Where the services are is the
// caller's choice: the demo has local ones, the smoke test those of AWS.
package roundtrip

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/internal/child"
	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
)

const (
	// patience is how long the daemon may go without a new record, and Java
	// without being started, before Run gives up.
	patience = 3 * time.Minute
	// deletePatience is how long AWS may take to delete, which it refuses while
	// it still makes something; deletePause is between two tries.
	deletePatience = 5 * time.Minute
	deletePause    = 2 * time.Second
)

// Config says what is run, and where.
type Config struct {
	// Name is the stream's, the application's, and so that of its tables.
	Name string
	// Shards is how many the stream is made with.
	Shards int
	// Records is how many sensor records are put, unless Lines are.
	Records int
	// File is put line by line, where it is named.
	File string
	// Worker has consumer-sample run serve all shards in one process.
	Worker bool
	// Root is the workspace's folder, Folder where everything is written. The
	// commands are built already, in Folder.Bin.
	Root   string
	Folder *Folder
	// Environ leads the commands to the services, Properties the daemon: they
	// take the place of the sample's own.
	Environ    []string
	Properties []stack.Setting
	// Delete deletes the stream and the tables at the end, however it comes.
	// What was there before Run is refused, and left alone.
	Delete bool
	// Step is told what comes next.
	Step func(format string, args ...any)
}

// Result is what became of the records.
type Result struct {
	Sent, Received, Missing, Duplicates, Shards int
	// FirstRecord is the time from the start of Java to the first record.
	FirstRecord time.Duration
}

// Good reports whether each record came once.
func (r *Result) Good() bool { return r.Missing == 0 && r.Duplicates == 0 }

// Run runs the job. It returns a result as soon as there is one, also beside an
// error of what came later. When ctx ends it stops everything and, with Delete,
// still deletes what was made.
func Run(ctx context.Context, c Config) (r *Result, err error) {
	var lines []string
	if c.File != "" {
		if lines, err = ReadLines(c.File); err != nil {
			return nil, err
		}
	}
	command := func(ctx context.Context, name string, args ...string) (string, error) {
		return runCommand(ctx, exec.Command(sample.Command(c.Folder.Bin, name), args...), c.Environ)
	}
	app := []string{"--application", c.Name, "--stream-name", c.Name}
	if c.Delete {
		c.Step("looking whether %s is free with kcl-infra", c.Name)
		status, err := command(ctx, "kcl-infra", append([]string{"status", "--json"}, app...)...)
		if err != nil {
			return nil, err
		}
		if err := free(status); err != nil {
			return nil, err
		}
		defer func() {
			c.Step("deleting stream and tables with kcl-infra")
			err = errors.Join(err, deleteAll(context.WithoutCancel(ctx), func(ctx context.Context) error {
				_, err := command(ctx, "kcl-infra", append([]string{"delete", "--stream", "--yes", "--force"}, app...)...)
				return err
			}, deletePatience))
		}()
	}

	c.Step("making stream, tables and leases with kcl-infra")
	if _, err := command(ctx, "kcl-infra", append([]string{"create", "--shards", fmt.Sprint(c.Shards), "--seed-leases", "TRIM_HORIZON"}, app...)...); err != nil {
		return nil, err
	}

	args := []string{"--stream", c.Name}
	if c.File != "" {
		c.Step("putting the lines of %s with the producer", c.File)
		args = append(args, "--file", c.File)
	} else {
		c.Step("putting %d records with the producer", c.Records)
		args = append(args, "--records", fmt.Sprint(c.Records))
	}
	receipts, err := command(ctx, "producer", args...)
	if err != nil {
		return nil, err
	}
	sent, err := sample.Receipts(strings.NewReader(receipts))
	if err != nil {
		return nil, err
	}

	if c.Worker {
		c.Step("running the consumer, one process for all shards, under the MultiLangDaemon")
	} else {
		c.Step("running the consumer under the MultiLangDaemon with kcl-bootstrap")
	}
	names := []stack.Setting{{Name: "streamName", Value: c.Name}, {Name: "applicationName", Value: c.Name}}
	if err := sample.WriteProperties(c.Root, c.Folder.Properties, append(names, c.Properties...)); err != nil {
		return nil, err
	}
	daemon, err := sample.StartDaemon(sample.DaemonConfig{
		Bin: c.Folder.Bin, Dir: c.Folder.Dir, Environ: c.Environ, Properties: c.Folder.Properties, Log: c.Folder.Log, Worker: c.Worker,
	})
	if err != nil {
		return nil, err
	}
	defer daemon.Stop() // the second Stop does nothing

	files := sample.NewShardFiles(c.Folder.Data)
	r = &Result{Sent: len(sent)}
	err = receive(ctx, daemon, files, sent, r, c.Step)

	c.Step("stopping the daemon")
	if stopErr := daemon.Stop(); stopErr != nil && err == nil {
		err = fmt.Errorf("%w; its last lines:\n%s", stopErr, daemon.Tail())
	}
	err = errors.Join(err, files.Read())
	r.Received, r.Duplicates, r.Shards = len(files.Records), files.Duplicates, files.Shards
	r.Missing = files.Missing(sent)
	if c.File != "" {
		r.Missing = max(r.Missing, absent(lines, files))
	}
	return r, err
}

// free returns an error unless kcl-infra status says that nothing is there.
func free(status string) error {
	type resource struct{ Name, Status string }
	var s struct {
		Stream resource
		Tables []resource
	}
	if err := json.Unmarshal([]byte(status), &s); err != nil {
		return fmt.Errorf("the output of kcl-infra status: %w", err)
	}
	for _, r := range append(s.Tables, s.Stream) {
		if r.Status != "missing" {
			return fmt.Errorf("there is a stream or table %s already (%s): nothing was made or deleted; choose another name", r.Name, r.Status)
		}
	}
	return nil
}

// deleteAll deletes until that succeeds: what is still being made cannot be
// deleted yet.
func deleteAll(ctx context.Context, try func(context.Context) error, patience time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not done within %v", patience))
	defer cancel()
	tick := time.NewTicker(deletePause)
	defer tick.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrLeft, err)
		case <-tick.C:
		}
	}
}

// ErrLeft is the error of a stream or tables that could not be deleted.
var ErrLeft = errors.New("the stream and the tables are still there and cost money")

// receive waits until every record sent is in a shard's file.
func receive(ctx context.Context, daemon *sample.Daemon, files *sample.ShardFiles, sent []sample.Key, r *Result, step func(string, ...any)) error {
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
				return false, errors.New("records came before anybody said that Java was started: the time to the first cannot be told")
			}
			if seen == 0 {
				r.FirstRecord = time.Since(started)
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

// ReadLines returns a file's lines as the producer takes them: without the
// line feed, and without an empty one after the last. An empty file is an error.
func ReadLines(file string) ([]string, error) {
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
