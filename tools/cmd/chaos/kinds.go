//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
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

	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/check"
	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/cluster"
	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/consumer"
	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/journal"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/fault"
)

// A kind is a kind of fault.
type kind struct {
	name, what string
	// limit is the longest allowed time without progress of a shard; 0 means none.
	limit time.Duration
	// blocks is whether the fault prevents progress. Its own time does not count then.
	blocks bool
	// slow is whether the fault takes minutes, smallDisk whether it needs a small disk.
	slow, smallDisk bool
	// inject injects the fault and returns when it is over.
	inject func(context.Context, *disturbance) error
}

const (
	// shardLimit is for faults of one shard, whose host works on.
	shardLimit = 4 * time.Second
	// restartLimit is for the end of Java or of a process, which its host starts again.
	restartLimit = 8 * time.Second
	// takeoverLimit is for faults after which another host takes over, if the leader
	// lives.
	takeoverLimit = 20 * time.Second

	failover = 10 * time.Second // failoverTimeMillis
	timeout  = 10 * time.Second // timeoutInSeconds
)

var leaderLost = &kind{name: "leader-lost", what: "the leader is killed, paused, cut off or asked to stop", slow: true, inject: loseLeader}

var kinds = []*kind{
	{name: "java-kill", what: "kill -9 of Java", limit: restartLimit, inject: on(anyHost, java, kill)},
	{name: "java-term", what: "SIGTERM to Java, which obeys only the process that started it", limit: shardLimit, inject: on(anyHost, java, warn)},
	{name: "java-stop", what: "SIGSTOP to Java for longer than the failover time", limit: takeoverLimit, inject: on(anyHost, java, pause)},
	{name: "worker-kill", what: "kill -9 of a worker, which its supervisor starts again", limit: takeoverLimit, inject: on(isWorker, command, kill)},
	{name: "worker-term", what: "SIGTERM to a worker, which its supervisor starts again", limit: takeoverLimit, inject: on(isWorker, command, term)},
	{name: "worker-stop", what: "SIGSTOP to a worker for longer than the failover time", limit: restartLimit, blocks: true, inject: on(isWorker, command, pause)},
	{name: "bootstrap-kill", what: "kill -9 of kcl-bootstrap, which its supervisor starts again", limit: takeoverLimit, inject: on(isBootstrap, command, kill)},
	{name: "bootstrap-term", what: "SIGTERM to kcl-bootstrap, which its supervisor starts again", limit: takeoverLimit, inject: on(isBootstrap, command, term)},
	{name: "bootstrap-stop", what: "SIGSTOP to kcl-bootstrap for longer than the failover time", limit: restartLimit, blocks: true, inject: on(isBootstrap, command, pause)},
	{name: "child-kill", what: "kill -9 of a child of kcl-bootstrap", limit: shardLimit, inject: on(isBootstrap, child, kill)},
	{name: "child-term", what: "SIGTERM to a child of kcl-bootstrap, which does not end", limit: shardLimit, inject: on(isBootstrap, child, warn)},
	{name: "child-stop", what: "SIGSTOP to a child of kcl-bootstrap for longer than timeoutInSeconds", limit: timeout + shardLimit, inject: on(isBootstrap, child, pause)},
	{name: "host-dead", what: "kill -9 of a host with its Java; it stays down for half a minute", limit: takeoverLimit, inject: on(anyHost, command, keepDown(30*time.Second))},
	{name: "host-cut-off", what: "a host cannot reach DynamoDB for longer than the failover time", limit: takeoverLimit, inject: on(anyHost, command, cutOff)},
	leaderLost,
	{name: "rolling-restart", what: "all hosts restart one after the other, with new worker IDs", inject: rollingRestart},
	{name: "split", what: "SplitShard", limit: takeoverLimit, inject: reshard(split)},
	{name: "merge", what: "MergeShards", limit: takeoverLimit, inject: reshard(merge)},
	{name: "reshard", what: "UpdateShardCount", limit: takeoverLimit, inject: reshard(updateShardCount)},
	{name: "kinesis-throttle", what: "Kinesis throttles three of four calls", limit: shardLimit, blocks: true, inject: kinesisFails(fault.Rule{Kind: fault.Throttle, Rate: 0.75})},
	{name: "kinesis-error", what: "Kinesis answers three of four calls with status 500", limit: shardLimit, blocks: true, inject: kinesisFails(fault.Rule{Kind: fault.InternalError, Rate: 0.75})},
	{name: "kinesis-drop", what: "Kinesis cuts the connection after one of five calls", limit: shardLimit, blocks: true, inject: kinesisFails(fault.Rule{Kind: fault.DropResponse, Rate: 0.2})},
	{name: "kinesis-latency", what: "Kinesis answers 1.5 s late", limit: shardLimit, blocks: true, inject: kinesisFails(fault.Rule{Kind: fault.Latency, Rate: 1, Latency: 1500 * time.Millisecond})},
	{name: "dynamodb-throttle", what: "DynamoDB throttles three of four calls", limit: shardLimit, blocks: true, inject: dynamoDBFails(fault.Rule{Kind: fault.Throttle, Rate: 0.75})},
	{name: "dynamodb-error", what: "DynamoDB answers three of four calls with status 500", limit: shardLimit, blocks: true, inject: dynamoDBFails(fault.Rule{Kind: fault.InternalError, Rate: 0.75})},
	{name: "dynamodb-drop", what: "DynamoDB cuts the connection after one of five calls", limit: shardLimit, blocks: true, inject: dynamoDBFails(fault.Rule{Kind: fault.DropResponse, Rate: 0.2})},
	{name: "dynamodb-latency", what: "DynamoDB answers 1.5 s late", limit: shardLimit, blocks: true, inject: dynamoDBFails(fault.Rule{Kind: fault.Latency, Rate: 1, Latency: 1500 * time.Millisecond})},
	{name: "disk-full", what: "the disk with a host's shard files is full", limit: shardLimit, blocks: true, smallDisk: true, inject: fillDisk},
	{name: "handler-panic", what: "a record processor panics once", limit: shardLimit, inject: handlerFails(consumer.Panic, 5*time.Second)},
	{name: "handler-fail", what: "a record processor fails for some seconds", limit: shardLimit, blocks: true, inject: handlerFails(consumer.Fail, 2*time.Second)},
	{name: "handler-hang", what: "a record processor hangs for longer than timeoutInSeconds", limit: shardLimit, blocks: true, inject: handlerFails(consumer.Hang, timeout+time.Second)},
}

// A plannedFault is a fault of the schedule. Which host or shard it hits is decided when
// it is injected.
type plannedFault struct {
	kind   *kind
	random uint64        // the seed of what the kind leaves open
	pause  time.Duration // before the fault
}

// schedule returns the faults of a seed, endlessly. Each round has each kind once, but the
// slow ones only in every second round, at its end, beginning with the first round.
func schedule(seed uint64, kinds []*kind) iter.Seq[plannedFault] {
	return func(yield func(plannedFault) bool) {
		random := rand.New(rand.NewPCG(seed, 0))
		for round := 0; ; round++ {
			var order, slow []*kind
			for _, k := range kinds {
				if k.slow {
					slow = append(slow, k)
				} else {
					order = append(order, k)
				}
			}
			random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			if round%2 == 0 || len(order) == 0 {
				order = append(order, slow...)
			}
			for _, k := range order {
				if !yield(plannedFault{k, random.Uint64(), time.Duration(random.Int64N(int64(longestPause)))}) {
					return
				}
			}
		}
	}
}

const longestPause = 3 * time.Second

// A disturbance is a fault while it is injected.
type disturbance struct {
	*chaos
	occurrence
	random *rand.Rand
}

// between returns a random time from least to 1.5 times least.
func (d *disturbance) between(least time.Duration) time.Duration {
	return least + time.Duration(d.random.Int64N(int64(least)))/2
}

// longerThanFailover returns how long a process is paused or a host is cut off.
func (d *disturbance) longerThanFailover() time.Duration { return d.between(failover + 2*time.Second) }

func isWorker(h *cluster.Host) bool    { return !h.Bootstrap }
func isBootstrap(h *cluster.Host) bool { return h.Bootstrap }
func anyHost(*cluster.Host) bool       { return true }

// A victim is a host, and one of its processes.
type victim struct {
	*cluster.Host
	pid int
}

// on returns a function that does something to a process of a host. It prefers hosts that
// are not the leader, and among them hosts with leases.
func on(role func(*cluster.Host) bool, process func(context.Context, *disturbance, *cluster.Host) (pid int, err error),
	do func(context.Context, *disturbance, victim) error,
) func(context.Context, *disturbance) error {
	return func(ctx context.Context, d *disturbance) error {
		leases, err := d.cluster.Leases(ctx)
		if err != nil {
			return err
		}
		leader, lock, err := d.leader(ctx)
		if err != nil {
			return err
		}
		rank := func(h *cluster.Host) (n int) {
			if h != leader {
				n = 2
			}
			if slices.ContainsFunc(leases, func(l check.Lease) bool { return d.cluster.HostOf(l.Owner) == h }) {
				n++
			}
			return n
		}
		hosts := slices.DeleteFunc(slices.Clone(d.cluster.Hosts), func(h *cluster.Host) bool { return !role(h) })
		most := rank(slices.MaxFunc(hosts, func(a, b *cluster.Host) int { return rank(a) - rank(b) }))
		hosts = slices.DeleteFunc(hosts, func(h *cluster.Host) bool { return rank(h) < most })
		h := hosts[d.random.IntN(len(hosts))]
		d.target, d.ofLeader, d.lock = h.Name, h == leader || d.unled(), lock
		pid, err := process(ctx, d, h)
		if err != nil {
			return err
		}
		return do(ctx, d, victim{h, pid})
	}
}

func java(_ context.Context, _ *disturbance, h *cluster.Host) (int, error) { return h.Java(), nil }

// command returns the process of the worker or kcl-bootstrap.
func command(_ context.Context, _ *disturbance, h *cluster.Host) (int, error) { return h.PID(), nil }

// errNoProcess means that the fault has no process to hit; the run continues.
var errNoProcess = errors.New("there is no such process now")

// child returns a child of a kcl-bootstrap. There is none if other hosts have all open
// shards: KCL balances the leases of ended shards too.
func child(_ context.Context, d *disturbance, h *cluster.Host) (int, error) {
	d.ofLeader = false // the leader is in Java
	children := h.Children()
	if len(children) == 0 {
		return 0, errNoProcess
	}
	slices.Sort(children)
	return children[d.random.IntN(len(children))], nil
}

// warn sends a SIGTERM to a process that does not end then.
func warn(_ context.Context, d *disturbance, v victim) error {
	d.ofLeader = false
	return cluster.Signal(v.pid, syscall.SIGTERM)
}

func kill(ctx context.Context, d *disturbance, v victim) error {
	return d.end(ctx, v.pid, syscall.SIGKILL)
}

func term(ctx context.Context, d *disturbance, v victim) error {
	return d.end(ctx, v.pid, syscall.SIGTERM)
}

// end sends a signal to a process and waits for its end.
func (d *disturbance) end(ctx context.Context, pid int, s syscall.Signal) error {
	if err := cluster.Signal(pid, s); err != nil {
		return err
	}
	return d.await(ctx, "the process has ended", func() (bool, error) { return !cluster.Lives(pid), nil })
}

// pause pauses a process. A shell continues it, also when this program ends, because a
// paused process would outlive it. The process may have been killed meanwhile.
func pause(ctx context.Context, d *disturbance, v victim) error {
	shell := exec.Command("/bin/sh", "-c", `kill -STOP "$0"; read -r _; kill -CONT "$0" 2>/dev/null || :`, strconv.Itoa(v.pid))
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C does not reach it
	end, err := shell.StdinPipe()
	if err == nil {
		err = shell.Start()
	}
	if err != nil {
		return err
	}
	journal.Sleep(ctx, d.longerThanFailover())
	return errors.Join(end.Close(), shell.Wait())
}

// keepDown kills all processes of a host and does not let it start again until away has
// passed.
func keepDown(away time.Duration) func(context.Context, *disturbance, victim) error {
	return func(ctx context.Context, _ *disturbance, v victim) error {
		v.Hold()
		defer v.Release()
		v.Kill()
		journal.Sleep(ctx, away)
		return nil
	}
}

func cutOff(ctx context.Context, d *disturbance, v victim) error {
	return withFaults(ctx, d.cluster.AWS.DynamoDB.SetFaults, d.longerThanFailover(), fault.Rule{Kind: fault.Disconnect, Rate: 1, AccessKey: v.Name})
}

// withFaults makes a service fail by rules for a time.
func withFaults(ctx context.Context, set func(...fault.Rule) error, lasts time.Duration, rules ...fault.Rule) error {
	if err := set(rules...); err != nil {
		return err
	}
	journal.Sleep(ctx, lasts)
	return set()
}

func kinesisFails(rule fault.Rule) func(context.Context, *disturbance) error {
	return func(ctx context.Context, d *disturbance) error {
		return withFaults(ctx, d.cluster.AWS.Kinesis.SetFaults, d.between(6*time.Second), rule)
	}
}

func dynamoDBFails(rule fault.Rule) func(context.Context, *disturbance) error {
	return func(ctx context.Context, d *disturbance) error {
		var rules []fault.Rule
		for _, h := range d.cluster.Hosts { // not for chaos itself, which reads the lease table
			rule.AccessKey = h.Name
			rules = append(rules, rule)
		}
		return withFaults(ctx, d.cluster.AWS.DynamoDB.SetFaults, d.between(6*time.Second), rules...)
	}
}

// loseLeader disturbs the leader in one of four ways.
func loseLeader(ctx context.Context, d *disturbance) error {
	h, lock, err := d.leader(ctx)
	if h == nil {
		return errors.Join(errors.New("there is no leader"), err)
	}
	d.ofLeader, d.lock = true, lock
	way := d.random.IntN(4)
	d.target = h.Name + []string{", killed", ", its Java paused", ", cut off", ", asked to stop"}[way]
	switch way {
	case 0:
		return keepDown(3*time.Minute)(ctx, d, victim{Host: h})
	case 1:
		return pause(ctx, d, victim{h, h.Java()})
	case 2:
		return cutOff(ctx, d, victim{Host: h})
	default:
		return term(ctx, d, victim{h, h.PID()})
	}
}

func rollingRestart(ctx context.Context, d *disturbance) error {
	for _, h := range d.cluster.Hosts {
		leader, lock, err := d.leader(ctx)
		if err != nil {
			return err
		}
		h.Renew()
		if err := term(ctx, d, victim{h, h.PID()}); err != nil {
			return err
		}
		if err := d.awaitRecovery(ctx, time.Now().Add(time.Second)); err != nil {
			return err
		}
		if h != leader {
			continue
		}
		if err := d.awaitLeader(ctx, lock); err != nil {
			return err
		}
	}
	return nil
}

// fillDisk fills the disk of a host's shard files.
func fillDisk(ctx context.Context, d *disturbance) error {
	h := d.cluster.Hosts[0]
	d.target = h.Name
	ballast := filepath.Join(h.Dir, "data", "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		return err
	}
	defer os.Remove(ballast)
	defer f.Close()
	// To the last byte, so that a line of a shard file is torn.
	for _, size := range []int{1 << 20, 1} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("cannot fill the disk: %w", err)
	}
	journal.Sleep(ctx, d.between(3*time.Second))
	return nil
}

// reshard returns a function that does something to the open shards, in the order of
// their hash keys.
func reshard(do func(context.Context, *disturbance, []types.Shard) error) func(context.Context, *disturbance) error {
	return func(ctx context.Context, d *disturbance) error {
		open, err := d.cluster.OpenShards(ctx)
		if err != nil {
			return err
		}
		slices.SortFunc(open, func(a, b types.Shard) int {
			return hashKey(a.HashKeyRange.StartingHashKey).Cmp(hashKey(b.HashKeyRange.StartingHashKey))
		})
		return do(ctx, d, open)
	}
}

func hashKey(text *string) *big.Int {
	n, _ := new(big.Int).SetString(*text, 10)
	return n
}

// split splits a shard that is large enough that each half has a partition key of the
// producer.
func split(ctx context.Context, d *disturbance, open []types.Shard) error {
	bounds := func(s types.Shard) (from, to *big.Int) {
		return hashKey(s.HashKeyRange.StartingHashKey), hashKey(s.HashKeyRange.EndingHashKey)
	}
	wide := slices.DeleteFunc(slices.Clone(open), func(s types.Shard) bool {
		from, to := bounds(s)
		return to.Sub(to, from).BitLen() < 126 // an eighth of all, or less
	})
	if len(wide) == 0 {
		return updateShardCount(ctx, d, open)
	}
	s := wide[d.random.IntN(len(wide))]
	from, to := bounds(s)
	middle := from.Add(from, to)
	d.target = *s.ShardId
	_, err := d.cluster.Kinesis.SplitShard(ctx, &kinesis.SplitShardInput{
		StreamName: aws.String(cluster.Name), ShardToSplit: s.ShardId, NewStartingHashKey: aws.String(middle.Rsh(middle, 1).String()),
	})
	return err
}

func merge(ctx context.Context, d *disturbance, open []types.Shard) error {
	if len(open) < 2 {
		return updateShardCount(ctx, d, open)
	}
	i := d.random.IntN(len(open) - 1)
	d.target = *open[i].ShardId + " with " + *open[i+1].ShardId
	_, err := d.cluster.Kinesis.MergeShards(ctx, &kinesis.MergeShardsInput{
		StreamName: aws.String(cluster.Name), ShardToMerge: open[i].ShardId, AdjacentShardToMerge: open[i+1].ShardId,
	})
	return err
}

// updateShardCount changes the number of shards to the initial one, or from that to two
// more. Kinesis at most doubles or halves it at once.
func updateShardCount(ctx context.Context, d *disturbance, open []types.Shard) error {
	to := int32(shards + 2)
	if n := len(open); n != shards {
		to = int32(min(max(shards, (n+1)/2), 2*n))
	}
	d.target = fmt.Sprintf("to %d", to)
	_, err := d.cluster.Kinesis.UpdateShardCount(ctx, &kinesis.UpdateShardCountInput{
		StreamName: aws.String(cluster.Name), TargetShardCount: &to, ScalingType: types.ScalingTypeUniformScaling,
	})
	return err
}

// handlerFails makes the consumer of a shard fail until a file is removed, here or by the
// consumer itself.
func handlerFails(how string, least time.Duration) func(context.Context, *disturbance) error {
	return func(ctx context.Context, d *disturbance) error {
		var leases []check.Lease // of open shards that a host reads
		err := d.await(ctx, "a host reads a shard", func() (bool, error) {
			open, err := d.cluster.OpenShards(ctx)
			if err != nil {
				return false, err
			}
			leases, err = d.cluster.Leases(ctx)
			leases = slices.DeleteFunc(leases, func(l check.Lease) bool {
				return d.cluster.HostOf(l.Owner) == nil || !slices.ContainsFunc(open, func(s types.Shard) bool { return *s.ShardId == l.Shard })
			})
			return len(leases) > 0, err
		})
		if err != nil {
			return err
		}
		slices.SortFunc(leases, func(a, b check.Lease) int { return compare(a.Shard, b.Shard) })
		l := leases[d.random.IntN(len(leases))]
		h := d.cluster.HostOf(l.Owner)
		d.target = l.Shard + " at " + h.Name
		file := consumer.Fault(h.Dir, how, l.Shard)
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			return err
		}
		until := time.Now().Add(d.between(least))
		for there := true; there && time.Now().Before(until) && journal.Sleep(ctx, 20*time.Millisecond); {
			_, err := os.Stat(file)
			there = err == nil
		}
		if err := os.Remove(file); !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
}
