//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/cluster"
	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/consumer"
	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/journal"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/fault"
)

// A kind is a kind of fault.
type kind struct {
	name, what string
	// limit is the longest time without progress of a shard; 0 where there is none,
	// and it is only told.
	limit time.Duration
	// lasts says that nothing can go on while the fault lasts: that time does not count.
	lasts bool
	// slow says that it takes minutes, root that only root can do it.
	slow, root bool
	// inject does it, and returns when it is over.
	inject func(context.Context, *disturbance) error
}

const (
	// alone is the limit where one shard fails and its host goes on.
	alone = 4 * time.Second
	// stays is that where Java or the process ends, and the host lives.
	stays = 8 * time.Second
	// moves is that where another host takes over, and the leader lives.
	moves = 20 * time.Second

	failover = 10 * time.Second // failoverTimeMillis
	timeout  = 10 * time.Second // timeoutInSeconds
)

var kinds = []*kind{
	{name: "java-kill", what: "kill -9 of Java", limit: stays, inject: end(java(anyHost), syscall.SIGKILL)},
	{name: "java-term", what: "SIGTERM of Java, which heeds only the process that has started it", limit: alone, inject: notice(java(anyHost))},
	{name: "java-stop", what: "SIGSTOP of Java for longer than the failover time", limit: moves, inject: stop(java(anyHost))},
	{name: "worker-kill", what: "kill -9 of a worker, which its supervisor starts again", limit: moves, inject: end(command(aWorker), syscall.SIGKILL)},
	{name: "worker-term", what: "SIGTERM of a worker, which its supervisor starts again", limit: moves, inject: end(command(aWorker), syscall.SIGTERM)},
	{name: "worker-stop", what: "SIGSTOP of a worker for longer than the failover time", limit: stays, lasts: true, inject: stop(command(aWorker))},
	{name: "bootstrap-kill", what: "kill -9 of kcl-bootstrap, which its supervisor starts again", limit: moves, inject: end(command(aBootstrap), syscall.SIGKILL)},
	{name: "bootstrap-term", what: "SIGTERM of kcl-bootstrap, which its supervisor starts again", limit: moves, inject: end(command(aBootstrap), syscall.SIGTERM)},
	{name: "bootstrap-stop", what: "SIGSTOP of kcl-bootstrap for longer than the failover time", limit: stays, lasts: true, inject: stop(command(aBootstrap))},
	{name: "child-kill", what: "kill -9 of a child of kcl-bootstrap", limit: alone, inject: end(child, syscall.SIGKILL)},
	{name: "child-term", what: "SIGTERM of a child of kcl-bootstrap, which takes it for a notice", limit: alone, inject: notice(child)},
	{name: "child-stop", what: "SIGSTOP of a child of kcl-bootstrap for longer than timeoutInSeconds", limit: timeout + alone, inject: stop(child)},
	{name: "host-dead", what: "kill -9 of a host with its Java, which stays away for half a minute", limit: moves, inject: killHost},
	{name: "host-cut-off", what: "a host cannot reach DynamoDB for longer than the failover time", limit: moves, inject: cutOff},
	{name: "leader-lost", what: "the leader is killed, stopped, cut off or asked to stop", slow: true, inject: loseLeader},
	{name: "rolling-restart", what: "all hosts one after the other, with new worker IDs", inject: rollingRestart},
	{name: "split", what: "SplitShard", limit: moves, inject: split},
	{name: "merge", what: "MergeShards", limit: moves, inject: merge},
	{name: "reshard", what: "UpdateShardCount", limit: moves, inject: updateShardCount},
	{name: "kinesis-throttle", what: "Kinesis throttles three calls of four", limit: alone, lasts: true, inject: kinesisFails(fault.Throttle, 0.75)},
	{name: "kinesis-error", what: "Kinesis answers three calls of four with status 500", limit: alone, lasts: true, inject: kinesisFails(fault.Error, 0.75)},
	{name: "kinesis-drop", what: "Kinesis cuts the connection after each fifth call", limit: alone, lasts: true, inject: kinesisFails(fault.Drop, 0.2)},
	{name: "kinesis-latency", what: "Kinesis answers 1.5 s later", limit: alone, lasts: true, inject: kinesisFails(fault.Latency, 1)},
	{name: "dynamodb-throttle", what: "DynamoDB throttles three calls of four", limit: alone, lasts: true, inject: dynamoDBFails(fault.Throttle, 0.75)},
	{name: "dynamodb-error", what: "DynamoDB answers three calls of four with status 500", limit: alone, lasts: true, inject: dynamoDBFails(fault.Error, 0.75)},
	{name: "dynamodb-drop", what: "DynamoDB cuts the connection after each fifth call", limit: alone, lasts: true, inject: dynamoDBFails(fault.Drop, 0.2)},
	{name: "dynamodb-latency", what: "DynamoDB answers 1.5 s later", limit: alone, lasts: true, inject: dynamoDBFails(fault.Latency, 1)},
	{name: "disk-full", what: "the disk of a host's shard files is full", limit: alone, lasts: true, root: true, inject: fillDisk},
	{name: "handler-panic", what: "a record processor panics, once", limit: alone, inject: handlerFails(consumer.Panic, 5*time.Second)},
	{name: "handler-fail", what: "a record processor fails for some seconds", limit: alone, lasts: true, inject: handlerFails(consumer.Fail, 2*time.Second)},
	{name: "handler-hang", what: "a record processor hangs for longer than timeoutInSeconds", limit: alone, lasts: true, inject: handlerFails(consumer.Hang, timeout+time.Second)},
}

// A disturbance is a fault that happens.
type disturbance struct {
	*chaos
	done
	random *rand.Rand
}

// between returns a time from least to half as much more.
func (d *disturbance) between(least time.Duration) time.Duration {
	return least + time.Duration(d.random.Int64N(int64(least)))/2
}

// longerThanFailover is how long a process is stopped, or a host is cut off.
func (d *disturbance) longerThanFailover() time.Duration { return d.between(failover + 2*time.Second) }

func aWorker(h *cluster.Host) bool    { return !h.Bootstrap }
func aBootstrap(h *cluster.Host) bool { return h.Bootstrap }
func anyHost(*cluster.Host) bool      { return true }

// aHost takes a host that is not the leader and has leases, if there is one.
func (d *disturbance) aHost(ctx context.Context, role func(*cluster.Host) bool) (*cluster.Host, error) {
	leases, err := d.cluster.Leases(ctx)
	if err != nil {
		return nil, err
	}
	leader, lock, err := d.leader(ctx)
	if err != nil {
		return nil, err
	}
	var best []*cluster.Host
	most := -1
	for _, h := range d.cluster.Hosts {
		if !role(h) {
			continue
		}
		rank := 0
		if h != leader {
			rank += 2
		}
		if slices.ContainsFunc(leases, func(l journal.Lease) bool { return d.cluster.HostOf(l.Owner) == h }) {
			rank++
		}
		if rank > most {
			best, most = nil, rank
		}
		if rank == most {
			best = append(best, h)
		}
	}
	h := best[d.random.IntN(len(best))]
	d.target, d.ofLeader, d.lock = h.Name, h == leader, lock
	return h, nil
}

// A victim finds the process that a signal goes to.
type victim func(context.Context, *disturbance) (pid int, err error)

func java(role func(*cluster.Host) bool) victim {
	return func(ctx context.Context, d *disturbance) (int, error) {
		h, err := d.aHost(ctx, role)
		if err != nil {
			return 0, err
		}
		return h.Java(), nil
	}
}

// command is a worker, or kcl-bootstrap.
func command(role func(*cluster.Host) bool) victim {
	return func(ctx context.Context, d *disturbance) (int, error) {
		h, err := d.aHost(ctx, role)
		if err != nil {
			return 0, err
		}
		return h.PID(), nil
	}
}

// child waits for a child of a kcl-bootstrap: there is none where other hosts have all
// the leases.
func child(ctx context.Context, d *disturbance) (int, error) {
	h, err := d.aHost(ctx, aBootstrap)
	if err != nil {
		return 0, err
	}
	d.ofLeader = false // it does not notice
	var children []int
	err = d.await(ctx, "kcl-bootstrap has a child", func() (bool, error) { children = h.Children(); return len(children) > 0, nil })
	if err != nil {
		return 0, err
	}
	slices.Sort(children)
	return children[d.random.IntN(len(children))], nil
}

// notice sends a SIGTERM to a process that goes on.
func notice(who victim) func(context.Context, *disturbance) error {
	return func(ctx context.Context, d *disturbance) error {
		pid, err := who(ctx, d)
		if err != nil {
			return err
		}
		d.ofLeader = false
		return cluster.Signal(pid, syscall.SIGTERM)
	}
}

// end sends a signal to a process, and waits for its end.
func end(who victim, s syscall.Signal) func(context.Context, *disturbance) error {
	return func(ctx context.Context, d *disturbance) error {
		pid, err := who(ctx, d)
		if err != nil {
			return err
		}
		return d.end(ctx, pid, s)
	}
}

func (d *disturbance) end(ctx context.Context, pid int, s syscall.Signal) error {
	if err := cluster.Signal(pid, s); err != nil {
		return err
	}
	return d.await(ctx, "the process has ended", func() (bool, error) { return !cluster.Lives(pid), nil })
}

func stop(who victim) func(context.Context, *disturbance) error {
	return func(ctx context.Context, d *disturbance) error {
		pid, err := who(ctx, d)
		if err != nil {
			return err
		}
		return d.stop(ctx, pid)
	}
}

// stop stops a process for a time. One that is stopped would outlive this program: a
// shell lets it go on when that ends. It may have been killed by then.
func (d *disturbance) stop(ctx context.Context, pid int) error {
	shell := exec.Command("/bin/sh", "-c", `kill -STOP "$0"; read -r _; kill -CONT "$0" 2>/dev/null || :`, strconv.Itoa(pid))
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is not for it
	end, err := shell.StdinPipe()
	if err == nil {
		err = shell.Start()
	}
	if err != nil {
		return err
	}
	d.sleep(ctx, d.longerThanFailover())
	return errors.Join(end.Close(), shell.Wait())
}

func killHost(ctx context.Context, d *disturbance) error {
	h, err := d.aHost(ctx, anyHost)
	if err != nil {
		return err
	}
	return d.keepDown(ctx, h, 30*time.Second)
}

// keepDown kills all of a host, and has it stay away for a time.
func (d *disturbance) keepDown(ctx context.Context, h *cluster.Host, away time.Duration) error {
	h.Hold()
	defer h.Release()
	h.Kill()
	d.sleep(ctx, away)
	return nil
}

func cutOff(ctx context.Context, d *disturbance) error {
	h, err := d.aHost(ctx, anyHost)
	if err != nil {
		return err
	}
	return d.cut(ctx, h)
}

func (d *disturbance) cut(ctx context.Context, h *cluster.Host) error {
	return d.follow(ctx, d.cluster.AWS.DynamoDB.SetFaults, d.longerThanFailover(), fault.Rule{Kind: fault.Cut, Rate: 1, AccessKey: h.Name})
}

// follow has a service follow rules for a time.
func (d *disturbance) follow(ctx context.Context, set func(...fault.Rule) error, lasts time.Duration, rules ...fault.Rule) error {
	for i := range rules {
		if rules[i].Kind == fault.Latency {
			rules[i].Latency = 1500 * time.Millisecond
		}
	}
	if err := set(rules...); err != nil {
		return err
	}
	d.sleep(ctx, lasts)
	return set()
}

// loseLeader takes the leader away in one of four ways.
func loseLeader(ctx context.Context, d *disturbance) error {
	h, lock, err := d.leader(ctx)
	if h == nil {
		return errors.Join(errors.New("there is no leader"), err)
	}
	d.ofLeader, d.lock = true, lock
	switch d.random.IntN(4) {
	case 0:
		d.target = h.Name + ", killed"
		return d.keepDown(ctx, h, 3*time.Minute)
	case 1:
		d.target = h.Name + ", its Java stopped"
		return d.stop(ctx, h.Java())
	case 2:
		d.target = h.Name + ", cut off"
		return d.cut(ctx, h)
	default:
		d.target = h.Name + ", asked to stop"
		return d.end(ctx, h.PID(), syscall.SIGTERM)
	}
}

func rollingRestart(ctx context.Context, d *disturbance) error {
	for _, h := range d.cluster.Hosts {
		leader, lock, err := d.leader(ctx)
		if err != nil {
			return err
		}
		h.Renew()
		if err := d.end(ctx, h.PID(), syscall.SIGTERM); err != nil {
			return err
		}
		if err := d.recovered(ctx, time.Now().Add(time.Second)); err != nil {
			return err
		}
		if h != leader {
			continue
		}
		if err := d.led(ctx, lock); err != nil {
			return err
		}
	}
	return nil
}

func kinesisFails(how fault.Kind, rate float64) func(context.Context, *disturbance) error {
	return func(ctx context.Context, d *disturbance) error {
		return d.follow(ctx, d.cluster.AWS.Kinesis.SetFaults, d.between(6*time.Second), fault.Rule{Kind: how, Rate: rate})
	}
}

func dynamoDBFails(how fault.Kind, rate float64) func(context.Context, *disturbance) error {
	return func(ctx context.Context, d *disturbance) error {
		var rules []fault.Rule
		for _, h := range d.cluster.Hosts { // and not what looks at the lease table
			rules = append(rules, fault.Rule{Kind: how, Rate: rate, AccessKey: h.Name})
		}
		return d.follow(ctx, d.cluster.AWS.DynamoDB.SetFaults, d.between(6*time.Second), rules...)
	}
}

// fillDisk writes a file until there is no room.
func fillDisk(ctx context.Context, d *disturbance) error {
	d.target = d.small.Name
	ballast := filepath.Join(d.small.Dir(), "data", "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		return err
	}
	defer os.Remove(ballast)
	defer f.Close()
	// To the last byte: a line of a shard file is torn then.
	for _, size := range []int{1 << 20, 1} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("cannot fill the disk: %w", err)
	}
	d.sleep(ctx, d.between(3*time.Second))
	return nil
}

// byHash are the open shards in the order of their hash keys. There are never many: each
// round of faults has a split, a merge, and one that goes back to the first number.
func (d *disturbance) byHash(ctx context.Context) ([]types.Shard, error) {
	open, err := d.cluster.OpenShards(ctx)
	slices.SortFunc(open, func(a, b types.Shard) int {
		return hashKey(a.HashKeyRange.StartingHashKey).Cmp(hashKey(b.HashKeyRange.StartingHashKey))
	})
	return open, err
}

func hashKey(text *string) *big.Int {
	n, _ := new(big.Int).SetString(*text, 10)
	return n
}

func split(ctx context.Context, d *disturbance) error {
	open, err := d.byHash(ctx)
	if err != nil {
		return err
	}
	s := open[d.random.IntN(len(open))]
	middle := new(big.Int).Add(hashKey(s.HashKeyRange.StartingHashKey), hashKey(s.HashKeyRange.EndingHashKey))
	middle.Rsh(middle, 1)
	d.target = *s.ShardId
	_, err = d.cluster.Kinesis.SplitShard(ctx, &kinesis.SplitShardInput{
		StreamName: aws.String(cluster.Name), ShardToSplit: s.ShardId, NewStartingHashKey: aws.String(middle.String()),
	})
	return err
}

func merge(ctx context.Context, d *disturbance) error {
	open, err := d.byHash(ctx)
	if err != nil {
		return err
	}
	i := d.random.IntN(len(open) - 1)
	d.target = *open[i].ShardId + " with " + *open[i+1].ShardId
	_, err = d.cluster.Kinesis.MergeShards(ctx, &kinesis.MergeShardsInput{
		StreamName: aws.String(cluster.Name), ShardToMerge: open[i].ShardId, AdjacentShardToMerge: open[i+1].ShardId,
	})
	return err
}

func updateShardCount(ctx context.Context, d *disturbance) error {
	open, err := d.cluster.OpenShards(ctx)
	if err != nil {
		return err
	}
	to := int32(shards)
	if len(open) == shards {
		to += 2
	}
	d.target = fmt.Sprintf("to %d", to)
	_, err = d.cluster.Kinesis.UpdateShardCount(ctx, &kinesis.UpdateShardCountInput{
		StreamName: aws.String(cluster.Name), TargetShardCount: &to, ScalingType: types.ScalingTypeUniformScaling,
	})
	return err
}

// aShard takes a shard that a host reads.
func (d *disturbance) aShard(ctx context.Context) (*cluster.Host, string, error) {
	for {
		leases, err := d.cluster.Leases(ctx)
		if err != nil {
			return nil, "", err
		}
		open, err := d.cluster.OpenShards(ctx)
		if err != nil {
			return nil, "", err
		}
		isOpen := func(id string) bool {
			return slices.ContainsFunc(open, func(s types.Shard) bool { return *s.ShardId == id })
		}
		leases = slices.DeleteFunc(leases, func(l journal.Lease) bool { return d.cluster.HostOf(l.Owner) == nil || !isOpen(l.Shard) })
		if len(leases) > 0 {
			slices.SortFunc(leases, func(a, b journal.Lease) int { return compare(a.Shard, b.Shard) })
			l := leases[d.random.IntN(len(leases))]
			h := d.cluster.HostOf(l.Owner)
			d.target = l.Shard + " at " + h.Name
			return h, l.Shard, nil
		}
		if !d.sleep(ctx, time.Second) {
			return nil, "", context.Cause(ctx)
		}
	}
}

// handlerFails has the consumer of a shard fail until a file is removed: here, or by the
// consumer itself.
func handlerFails(how string, least time.Duration) func(context.Context, *disturbance) error {
	return func(ctx context.Context, d *disturbance) error {
		h, shard, err := d.aShard(ctx)
		if err != nil {
			return err
		}
		told := consumer.Fault(h.Dir(), how, shard)
		if err := os.WriteFile(told, nil, 0o644); err != nil {
			return err
		}
		until := time.Now().Add(d.between(least))
		for there := true; there && time.Now().Before(until) && d.sleep(ctx, 20*time.Millisecond); {
			_, err := os.Stat(told)
			there = err == nil
		}
		if err := os.Remove(told); !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
}
