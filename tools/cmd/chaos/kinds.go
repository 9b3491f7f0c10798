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
	// limit is the longest time without progress of a shard; 0 where there is none,
	// and it is only told.
	limit time.Duration
	// lasts says that nothing can go on while the fault lasts: that time does not count.
	lasts bool
	// slow says that it takes minutes, small that it is for a small disk.
	slow, small bool
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

var leaderLost = &kind{name: "leader-lost", what: "the leader is killed, stopped, cut off or asked to stop", slow: true, inject: loseLeader}

var kinds = []*kind{
	{name: "java-kill", what: "kill -9 of Java", limit: stays, inject: to(anyHost, java, kill)},
	{name: "java-term", what: "SIGTERM of Java, which heeds only the process that has started it", limit: alone, inject: to(anyHost, java, notice)},
	{name: "java-stop", what: "SIGSTOP of Java for longer than the failover time", limit: moves, inject: to(anyHost, java, stop)},
	{name: "worker-kill", what: "kill -9 of a worker, which its supervisor starts again", limit: moves, inject: to(aWorker, command, kill)},
	{name: "worker-term", what: "SIGTERM of a worker, which its supervisor starts again", limit: moves, inject: to(aWorker, command, term)},
	{name: "worker-stop", what: "SIGSTOP of a worker for longer than the failover time", limit: stays, lasts: true, inject: to(aWorker, command, stop)},
	{name: "bootstrap-kill", what: "kill -9 of kcl-bootstrap, which its supervisor starts again", limit: moves, inject: to(aBootstrap, command, kill)},
	{name: "bootstrap-term", what: "SIGTERM of kcl-bootstrap, which its supervisor starts again", limit: moves, inject: to(aBootstrap, command, term)},
	{name: "bootstrap-stop", what: "SIGSTOP of kcl-bootstrap for longer than the failover time", limit: stays, lasts: true, inject: to(aBootstrap, command, stop)},
	{name: "child-kill", what: "kill -9 of a child of kcl-bootstrap", limit: alone, inject: to(aBootstrap, child, kill)},
	{name: "child-term", what: "SIGTERM of a child of kcl-bootstrap, which takes it for a notice", limit: alone, inject: to(aBootstrap, child, notice)},
	{name: "child-stop", what: "SIGSTOP of a child of kcl-bootstrap for longer than timeoutInSeconds", limit: timeout + alone, inject: to(aBootstrap, child, stop)},
	{name: "host-dead", what: "kill -9 of a host with its Java, which stays away for half a minute", limit: moves, inject: to(anyHost, command, keepDown(30*time.Second))},
	{name: "host-cut-off", what: "a host cannot reach DynamoDB for longer than the failover time", limit: moves, inject: to(anyHost, command, cutOff)},
	leaderLost,
	{name: "rolling-restart", what: "all hosts one after the other, with new worker IDs", inject: rollingRestart},
	{name: "split", what: "SplitShard", limit: moves, inject: reshard(split)},
	{name: "merge", what: "MergeShards", limit: moves, inject: reshard(merge)},
	{name: "reshard", what: "UpdateShardCount", limit: moves, inject: reshard(updateShardCount)},
	{name: "kinesis-throttle", what: "Kinesis throttles three calls of four", limit: alone, lasts: true, inject: kinesisFails(fault.Rule{Kind: fault.Throttle, Rate: 0.75})},
	{name: "kinesis-error", what: "Kinesis answers three calls of four with status 500", limit: alone, lasts: true, inject: kinesisFails(fault.Rule{Kind: fault.Error, Rate: 0.75})},
	{name: "kinesis-drop", what: "Kinesis cuts the connection after each fifth call", limit: alone, lasts: true, inject: kinesisFails(fault.Rule{Kind: fault.Drop, Rate: 0.2})},
	{name: "kinesis-latency", what: "Kinesis answers 1.5 s later", limit: alone, lasts: true, inject: kinesisFails(fault.Rule{Kind: fault.Latency, Rate: 1, Latency: 1500 * time.Millisecond})},
	{name: "dynamodb-throttle", what: "DynamoDB throttles three calls of four", limit: alone, lasts: true, inject: dynamoDBFails(fault.Rule{Kind: fault.Throttle, Rate: 0.75})},
	{name: "dynamodb-error", what: "DynamoDB answers three calls of four with status 500", limit: alone, lasts: true, inject: dynamoDBFails(fault.Rule{Kind: fault.Error, Rate: 0.75})},
	{name: "dynamodb-drop", what: "DynamoDB cuts the connection after each fifth call", limit: alone, lasts: true, inject: dynamoDBFails(fault.Rule{Kind: fault.Drop, Rate: 0.2})},
	{name: "dynamodb-latency", what: "DynamoDB answers 1.5 s later", limit: alone, lasts: true, inject: dynamoDBFails(fault.Rule{Kind: fault.Latency, Rate: 1, Latency: 1500 * time.Millisecond})},
	{name: "disk-full", what: "the disk of a host's shard files is full", limit: alone, lasts: true, small: true, inject: fillDisk},
	{name: "handler-panic", what: "a record processor panics, once", limit: alone, inject: handlerFails(consumer.Panic, 5*time.Second)},
	{name: "handler-fail", what: "a record processor fails for some seconds", limit: alone, lasts: true, inject: handlerFails(consumer.Fail, 2*time.Second)},
	{name: "handler-hang", what: "a record processor hangs for longer than timeoutInSeconds", limit: alone, lasts: true, inject: handlerFails(consumer.Hang, timeout+time.Second)},
}

// planned is a fault of the schedule: all of it that is known before the run. Which
// host and which shard has the role that the kind asks for only the run can tell.
type planned struct {
	kind   *kind
	random uint64        // decides what the kind leaves open
	pause  time.Duration // after the fault before
}

// schedule returns the faults of a seed, without end. Each round has every kind once;
// those that take minutes come last in the first, and in every second one.
func schedule(seed uint64, kinds []*kind) iter.Seq[planned] {
	return func(yield func(planned) bool) {
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
				if !yield(planned{k, random.Uint64(), time.Duration(random.Int64N(int64(longestPause)))}) {
					return
				}
			}
		}
	}
}

const longestPause = 3 * time.Second

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

// A victim is a host, or a process of it.
type victim struct {
	*cluster.Host
	pid int
}

// to does something to a host or a process: of one that is not the leader and has leases,
// if there is one.
func to(role func(*cluster.Host) bool, process func(context.Context, *disturbance, *cluster.Host) (pid int, err error),
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
		d.target, d.ofLeader, d.lock = h.Name, h == leader, lock
		pid, err := process(ctx, d, h)
		if err != nil {
			return err
		}
		return do(ctx, d, victim{h, pid})
	}
}

func java(_ context.Context, _ *disturbance, h *cluster.Host) (int, error) { return h.Java(), nil }

// command is a worker, or kcl-bootstrap.
func command(_ context.Context, _ *disturbance, h *cluster.Host) (int, error) { return h.PID(), nil }

// errNobody says that there is nothing to disturb.
var errNobody = errors.New("no process to disturb")

// child is a child of a kcl-bootstrap. There is none where other hosts have all open
// shards: KCL counts the leases of ended ones too, and may leave it at that.
func child(_ context.Context, d *disturbance, h *cluster.Host) (int, error) {
	d.ofLeader = false // it does not notice
	children := h.Children()
	if len(children) == 0 {
		return 0, errNobody
	}
	slices.Sort(children)
	return children[d.random.IntN(len(children))], nil
}

// notice sends a SIGTERM to a process that goes on.
func notice(_ context.Context, d *disturbance, v victim) error {
	d.ofLeader = false
	return cluster.Signal(v.pid, syscall.SIGTERM)
}

func kill(ctx context.Context, d *disturbance, v victim) error {
	return d.end(ctx, v.pid, syscall.SIGKILL)
}

func term(ctx context.Context, d *disturbance, v victim) error {
	return d.end(ctx, v.pid, syscall.SIGTERM)
}

// end sends a signal to a process, and waits for its end.
func (d *disturbance) end(ctx context.Context, pid int, s syscall.Signal) error {
	if err := cluster.Signal(pid, s); err != nil {
		return err
	}
	return d.await(ctx, "the process has ended", func() (bool, error) { return !cluster.Lives(pid), nil })
}

// stop stops a process for a time. One that is stopped would outlive this program: a
// shell lets it go on when that ends. It may have been killed by then.
func stop(ctx context.Context, d *disturbance, v victim) error {
	shell := exec.Command("/bin/sh", "-c", `kill -STOP "$0"; read -r _; kill -CONT "$0" 2>/dev/null || :`, strconv.Itoa(v.pid))
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is not for it
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

// keepDown kills all of a host, and has it stay away for a time.
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
	return follow(ctx, d.cluster.AWS.DynamoDB.SetFaults, d.longerThanFailover(), fault.Rule{Kind: fault.Cut, Rate: 1, AccessKey: v.Name})
}

// follow has a service follow rules for a time.
func follow(ctx context.Context, set func(...fault.Rule) error, lasts time.Duration, rules ...fault.Rule) error {
	if err := set(rules...); err != nil {
		return err
	}
	journal.Sleep(ctx, lasts)
	return set()
}

func kinesisFails(rule fault.Rule) func(context.Context, *disturbance) error {
	return func(ctx context.Context, d *disturbance) error {
		return follow(ctx, d.cluster.AWS.Kinesis.SetFaults, d.between(6*time.Second), rule)
	}
}

func dynamoDBFails(rule fault.Rule) func(context.Context, *disturbance) error {
	return func(ctx context.Context, d *disturbance) error {
		var rules []fault.Rule
		for _, h := range d.cluster.Hosts { // and not what looks at the lease table
			rule.AccessKey = h.Name
			rules = append(rules, rule)
		}
		return follow(ctx, d.cluster.AWS.DynamoDB.SetFaults, d.between(6*time.Second), rules...)
	}
}

// loseLeader takes the leader away in one of four ways.
func loseLeader(ctx context.Context, d *disturbance) error {
	h, lock, err := d.leader(ctx)
	if h == nil {
		return errors.Join(errors.New("there is no leader"), err)
	}
	d.ofLeader, d.lock = true, lock
	way := d.random.IntN(4)
	d.target = h.Name + []string{", killed", ", its Java stopped", ", cut off", ", asked to stop"}[way]
	switch way {
	case 0:
		return keepDown(3*time.Minute)(ctx, d, victim{Host: h})
	case 1:
		return stop(ctx, d, victim{h, h.Java()})
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

// fillDisk writes a file until there is no room.
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
	// To the last byte: a line of a shard file is torn then.
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

// reshard does something to the open shards, in the order of their hash keys.
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

// split leaves no shard that is too small to have a partition key of the producer's.
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

// updateShardCount goes back to the first number of shards, or on to more. Kinesis at most
// doubles or halves it at once.
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

// handlerFails has the consumer of a shard fail until a file is removed: here, or by the
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
		told := consumer.Fault(h.Dir, how, l.Shard)
		if err := os.WriteFile(told, nil, 0o644); err != nil {
			return err
		}
		until := time.Now().Add(d.between(least))
		for there := true; there && time.Now().Before(until) && journal.Sleep(ctx, 20*time.Millisecond); {
			_, err := os.Stat(told)
			there = err == nil
		}
		if err := os.Remove(told); !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
}
