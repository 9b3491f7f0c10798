//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/cluster"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/kinesislocal"
)

// A seed always has the same faults, with each kind among the first; another seed has
// others.
func TestSchedule(t *testing.T) {
	take := func(seed uint64, n int) (taken []plannedFault) {
		for p := range schedule(seed, kinds) {
			if len(taken) == n {
				break
			}
			taken = append(taken, p)
		}
		return taken
	}
	n := 3 * len(kinds)
	if !slices.Equal(take(7, n), take(7, n)) {
		t.Error("one seed has two schedules")
	}
	if slices.Equal(take(7, n), take(8, n)) {
		t.Error("two seeds have one schedule")
	}
	first := take(7, len(kinds))
	for _, k := range kinds {
		if !slices.ContainsFunc(first, func(p plannedFault) bool { return p.kind == k }) {
			t.Errorf("the first %d faults have no %s", len(kinds), k.name)
		}
	}
}

// A lock that is not renewed has no leader, whichever name it has.
func TestLeaderLock(t *testing.T) {
	begin := time.Now()
	var lock leaderLock
	for _, step := range []struct {
		after   time.Duration
		version string
		want    bool
	}{{0, "", false}, {time.Minute, "", false}, {61 * time.Second, "1", false}, {105 * time.Second, "1", false}, {107 * time.Second, "1", true}, {108 * time.Second, "2", false}} {
		now := begin.Add(step.after)
		lock.seen(step.version, now)
		if got := lock.stale(now); got != step.want {
			t.Errorf("after %v, with version %q: stale is %v, want %v", step.after, step.version, got, step.want)
		}
	}
}

func TestUsage(t *testing.T) {
	occupied := t.TempDir()
	if err := os.WriteFile(filepath.Join(occupied, "mine"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]struct {
		status int
		text   string
	}{
		"--help":              {0, "go run ./tools/cmd/chaos --for 30m"},
		"--list":              {0, "java-kill          kill -9 of Java\n"},
		"--for 0s":            {2, "--for 0s must be above 0"},
		"--kinds x":           {2, `unknown kind "x"`},
		"--seed -1":           {2, "invalid argument"},
		"x":                   {2, `unexpected argument "x"`},
		"--fly":               {2, "unknown flag"},
		"--dir " + occupied:   {1, "is not empty"},
		"--dir /dev/null/sub": {1, "not a directory"},
	} {
		var stdout, stderr bytes.Buffer
		status := execute(t.Context(), strings.Fields(args), &stdout, &stderr)
		if text := stdout.String() + stderr.String(); status != want.status || !strings.Contains(text, want.text) || (status == 0) != (stderr.Len() == 0) {
			t.Errorf("%s: status %d, want %d with %q: %s", args, status, want.status, want.text, text)
		}
	}
}

// The files grow while they are followed, and an incomplete last line is replaced.
func TestProgress(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "worker-1", "data")
	if err := os.MkdirAll(data, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p := &progress{dir: dir, read: map[string]int64{}, shards: map[string]*shard{}}
	begin := time.Now()
	ack := func(n int, at time.Time) string {
		return fmt.Sprintf(`{"put":%d,"key":"k"}`+"\n"+`{"ack":%d,"shard":"s","seq":"%d","at":%d}`+"\n", n, n, n, at.UnixMilli())
	}
	line := func(n int, at time.Time) string {
		return fmt.Sprintf(`{"n":%d,"key":"k","seq":"%d","at":%d}`+"\n", n, n, at.UnixMilli())
	}
	old := begin.Add(-10 * time.Second)
	for _, step := range []struct {
		journal, file           string
		acked, written, waiting int
		longest                 time.Duration
		caughtUp                bool
	}{
		{"", "", 0, 0, 0, 0, false},
		{ack(9, old), "", 1, 0, 1, 10 * time.Second, false},
		{ack(9, old) + ack(10, begin), `{"n":9,"key`, 2, 0, 2, 10 * time.Second, false},
		{ack(9, old) + ack(10, begin), line(9, begin.Add(-5*time.Second)), 2, 1, 1, 0, false},
		{ack(9, old) + ack(10, begin), line(9, begin.Add(-5*time.Second)) + line(10, begin.Add(time.Second)), 2, 2, 0, 0, true},
	} {
		write(filepath.Join(dir, "journal.jsonl"), step.journal)
		write(filepath.Join(data, "s.jsonl"), step.file)
		if err := p.update(); err != nil {
			t.Fatal(err)
		}
		acked, written, waiting, longest := p.figures()
		if acked != step.acked || written != step.written || waiting != step.waiting || (longest < step.longest || longest > step.longest+5*time.Second) {
			t.Errorf("%+v: %d put, %d written, %d wait, the longest for %v", step, acked, written, waiting, longest)
		}
		if got := p.caughtUp([]string{"s"}, begin); got != step.caughtUp {
			t.Errorf("%+v: caught up: %v", step, got)
		}
	}
}

// The time of a fault that prevents progress does not count. A time without progress
// belongs to the last fault that began before its end.
func TestRows(t *testing.T) {
	dir := t.TempDir()
	ack := func(n, at int) string {
		return fmt.Sprintf(`{"put":%d,"key":"k"}`+"\n"+`{"ack":%d,"shard":"s","seq":"%d","at":%d}`+"\n", n, n, n, at)
	}
	line := func(n, at int) string { return fmt.Sprintf(`{"n":%d,"key":"k","seq":"%d","at":%d}`+"\n", n, n, at) }
	for name, text := range map[string]string{
		"journal.jsonl":         ack(1, 13_000) + ack(2, 31_000) + ack(3, 51_000) + ack(4, 71_000),
		"leases.jsonl":          "",
		"worker-1/data/s.jsonl": line(1, 20_000) + line(2, 34_000) + line(3, 56_000) + line(4, 76_000),
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	one := func(name string, ofLeader bool, begin, over int64) occurrence {
		i := slices.IndexFunc(kinds, func(k *kind) bool { return k.name == name })
		return occurrence{kind: kinds[i], ofLeader: ofLeader, begin: time.UnixMilli(begin), over: time.UnixMilli(over)}
	}
	r := &report{chaos: &chaos{dir: dir, faults: []occurrence{
		one("disk-full", false, 10_000, 15_000), // 2 of 7 s are of the fault
		one("java-kill", true, 30_000, 32_000),
		one("split", true, 50_000, 50_500),
		one("split", false, 70_000, 70_500),
	}}}
	if err := r.check(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range r.rows {
		got = append(got, fmt.Sprint(row.name, " ", row.gaps, " ", row.overLimit()))
	}
	if want := []string{"java-kill [3s] false", "leader-lost [5s] false", "split [5s] false", "disk-full [5s] true"}; !slices.Equal(got, want) {
		t.Errorf("rows %v, want %v", got, want)
	}
}

// A fault without a process to hit is skipped, and the run continues.
func TestNoProcessToDisturb(t *testing.T) {
	s := kinesislocal.StartTest(t, nil)
	client := kinesis.NewFromConfig(s.AWSConfig())
	if _, err := client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String(cluster.Name), ShardCount: aws.Int32(1)}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	calls := 0
	all := []*kind{{name: "none", inject: func(context.Context, *disturbance) error {
		if calls++; calls == 2 {
			cancel()
		}
		return errNoProcess
	}}}
	c := &chaos{
		options: options{duration: time.Hour, kinds: all}, logf: t.Logf, cluster: &cluster.Cluster{Kinesis: client},
		progress: &progress{dir: t.TempDir(), shards: map[string]*shard{"shardId-000000000000": {last: time.Now().Add(time.Hour)}}},
		final:    true, // no snapshots
	}
	for ; ; c.seed++ { // the first one with short pauses
		var pauses []time.Duration
		for p := range schedule(c.seed, all) {
			if pauses = append(pauses, p.pause); len(pauses) == 2 {
				break
			}
		}
		if pauses[0]+pauses[1] < 100*time.Millisecond {
			break
		}
	}
	if err := c.disturb(ctx); !errors.Is(err, context.Canceled) || calls != 2 || len(c.faults) > 0 {
		t.Errorf("error %v, %d calls, faults %v; want that the test ends it at the second call, and no fault", err, calls, c.faults)
	}
}

// Splits alone and merges alone can be repeated, and there are never many shards.
func TestReshard(t *testing.T) {
	s := kinesislocal.StartTest(t, nil)
	client := kinesis.NewFromConfig(s.AWSConfig())
	if _, err := client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: aws.String(cluster.Name), ShardCount: aws.Int32(3)}); err != nil {
		t.Fatal(err)
	}
	for _, do := range []func(context.Context, *disturbance, []types.Shard) error{merge, split} {
		d := &disturbance{chaos: &chaos{cluster: &cluster.Cluster{Kinesis: client}}, random: rand.New(rand.NewPCG(1, 1))}
		for range 20 {
			if err := reshard(do)(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			if open, err := d.cluster.OpenShards(t.Context()); err != nil || len(open) > 16 {
				t.Fatalf("%d open shards, error %v; want at most 16", len(open), err)
			}
		}
	}
}

// A small disk is small, is detached, and its files are kept.
func TestSmallDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	keep, err := mountSmallDisk(dir)
	if errors.Is(err, syscall.EPERM) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kept"), []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	var is syscall.Statfs_t
	if err := syscall.Statfs(dir, &is); err != nil || is.Blocks*uint64(is.Bsize) != 256<<20 {
		t.Errorf("%d blocks of %d bytes: %v", is.Blocks, is.Bsize, err)
	}
	if mounts, err := os.ReadFile("/proc/self/mounts"); err != nil || strings.Contains(string(mounts), dir) {
		t.Errorf("it is mounted: %v", err)
	}
	if err := keep(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "kept"))
	if left, _ := os.Lstat(dir); !left.IsDir() || string(text) != "text" {
		t.Errorf("it leaves %v with %q: %v", left.Mode(), text, err)
	}
}

// A run of one minute for each change, by a fixed seed, and two more each night. Limits are
// not checked, because other tests run at the same time.
func TestChaos(t *testing.T) {
	testenv.Long(t)
	testenv.Java(t)
	testenv.Workspace(t)
	for _, seed := range []string{"1", "2", "3"} {
		t.Run(seed, func(t *testing.T) {
			if seed != "1" {
				testenv.Nightly(t)
			}
			var stdout, stderr bytes.Buffer
			status := execute(t.Context(), []string{"--for", "1m", "--seed", seed}, &stdout, &stderr)
			t.Logf("%s%s", &stderr, &stdout)
			if status != 0 {
				t.Errorf("status %d", status)
			}
			if left, err := filepath.Glob(filepath.Join(os.TempDir(), "kcl-*")); status == 0 && (err != nil || len(left) > 0) {
				t.Errorf("it has left %v: %v", left, err)
			}
		})
	}
}
