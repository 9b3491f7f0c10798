package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/tools/cmd/bench/internal/children/counter"
	commands "github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
)

// batchLimit is the longest time between two batches.
const batchLimit = time.Minute

// A stream is the stream of a job in a local Kinesis.
type stream struct {
	job
	stack   *stack.Stack
	kinesis *kinesis.Client
	name    string
}

// measure runs a job with all contenders in turns.
func (b *programBench) measure(ctx context.Context, j job, rounds int) ([]figures, error) {
	fmt.Fprintln(b.progress, j.name)
	local, err := stack.Start(nil)
	if err != nil {
		return nil, err
	}
	defer local.Close()
	s := &stream{job: j, stack: local, kinesis: kinesis.NewFromConfig(local.AWSConfig())}
	all := make([]figures, len(b.contenders))
	err = inTurns(ctx, rounds, len(all), func(round, i int) error {
		application := fmt.Sprintf("bench-%d-%d", round, i)
		if s.name == "" || j.turns > 0 { // turns add records
			s.name = application
			shards := int32(j.shards)
			if _, err := s.kinesis.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: &s.name, ShardCount: &shards}); err != nil {
				return err
			}
			if err := s.put(ctx, j.records); err != nil {
				return err
			}
		}
		if err := b.run(ctx, s, application, b.contenders[i], &all[i]); err != nil {
			return fmt.Errorf("%s, %s: %w", j.name, b.contenders[i].name, err)
		}
		return nil
	})
	return all, err
}

// put puts n records in each shard.
func (s *stream) put(ctx context.Context, n int) error {
	data := make([]byte, s.size)
	rand.NewChaCha8([32]byte{1}).Read(data)
	var entries []types.PutRecordsRequestEntry
	for i := range n * s.shards {
		// The middle of the shard's hash keys.
		middle := new(big.Int).Lsh(big.NewInt(int64(2*(i%s.shards)+1)), 127)
		key := middle.Div(middle, big.NewInt(int64(s.shards))).String()
		entries = append(entries, types.PutRecordsRequestEntry{Data: data, PartitionKey: aws.String("key"), ExplicitHashKey: &key})
		if len(entries) < 500 && i < n*s.shards-1 {
			continue
		}
		if _, err := s.kinesis.PutRecords(ctx, &kinesis.PutRecordsInput{StreamName: &s.name, Records: entries}); err != nil {
			return err
		}
		entries = entries[:0]
	}
	return nil
}

// run starts a program for a new application, waits until it has done the job, and
// stops it.
func (b *programBench) run(ctx context.Context, s *stream, application string, c contender, f *figures) error {
	environ := commands.Environ(s.stack.Environ(os.Environ()), b.bin)
	if _, err := output(ctx, b.dir, environ, commands.Command(b.bin, "kcl-infra"), "create",
		"--application", application, "--stream-name", s.name, "--seed-leases", "TRIM_HORIZON"); err != nil {
		return err
	}
	properties := filepath.Join(b.dir, "properties")
	settings := append(s.stack.Properties(), []stack.Setting{
		{Name: "applicationName", Value: application},
		{Name: "streamName", Value: s.name},
		{Name: "executableName", Value: "ours"},
		{Name: "retrievalMode", Value: s.mode},
		{Name: "fanoutConfig.consumerName", Value: "bench"}, // a stream has at most 20
		{Name: "callProcessRecordsEvenForEmptyRecordList", Value: "false"},
	}...)
	if err := os.WriteFile(properties, []byte(stack.PropertiesText(settings)), 0o600); err != nil {
		return err
	}
	l, err := net.Listen("unix", filepath.Join(b.dir, "socket"))
	if err != nil {
		return err
	}
	defer l.Close()
	batches, done := make(chan batch), make(chan struct{})
	defer close(done)
	go listen(l, batches, done)
	log, err := os.Create(filepath.Join(b.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(c.command[0], append(slices.Clone(c.command[1:]), properties)...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = b.dir, slices.Concat(environ, c.environ, []string{counter.Socket + "=" + l.Addr().String()}), log, log
	program, err := subprocess.Start(cmd)
	if err != nil {
		return err
	}
	defer program.Stop(30 * time.Second)

	var taken []batch
	var quarter resources
	total := 0
	cpu := cpuMillis(os.Getpid())
	for turn := range 1 + s.turns {
		missing := s.shards * s.records
		if turn > 0 {
			missing = s.shards
			if err := s.put(ctx, 1); err != nil {
				return err
			}
		}
		for missing > 0 {
			select {
			case b := <-batches:
				taken = append(taken, b)
				missing -= b.records
				total += b.records
				if len(taken) == 1 {
					first := resourcesOf(program.PID())
					f.startCPU, f.first = append(f.startCPU, first.javaCPU), append(f.first, pss(first.java))
				}
				if quarter.records == 0 && total >= s.shards*s.records/4 {
					quarter = resourcesOf(program.PID())
					quarter.records = total
				}
				continue
			case <-program.Done():
				err = fmt.Errorf("the program has ended: %w", program.Err())
			case <-time.After(batchLimit):
				err = fmt.Errorf("no batch for %v", batchLimit)
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			text, _ := os.ReadFile(log.Name())
			return fmt.Errorf("%w; its last log: %s", err, text[max(0, len(text)-2000):])
		}
	}
	cpu = cpuMillis(os.Getpid()) - cpu
	first, last := taken[0], taken[len(taken)-1]
	f.shares = append(f.shares, cpu*1e6/float64(last.success-first.arrival)/float64(runtime.NumCPU()))
	f.rates = append(f.rates, rate(taken))
	end, boot := resourcesOf(program.PID()), float64(time.Now().UnixNano())/1e9-uptime()
	f.starts = append(f.starts, float64(first.arrival)/1e9-boot-end.start)
	f.memory = append(f.memory, end.memory)
	f.peak, f.last = append(f.peak, peak(end.java)), append(f.last, pss(end.java))
	millions := float64(total-quarter.records) / 1e6
	f.javaCPU = append(f.javaCPU, (end.javaCPU-quarter.javaCPU)/millions)
	f.programsCPU = append(f.programsCPU, (end.programsCPU-quarter.programsCPU)/millions)
	return nil
}

// resources are those that a program has used so far.
type resources struct {
	records              int
	java                 int     // the process ID of its Java
	start                float64 // of Java, in seconds since the machine's start
	javaCPU, programsCPU float64 // seconds of Java, and of the program's other processes
	memory               float64 // MB of the program's other processes
}

func resourcesOf(pid int) (r resources) {
	for _, p := range family(pid) {
		if p.name == "java" {
			r.java, r.start, r.javaCPU = p.pid, p.start, p.cpu
		} else {
			r.programsCPU += p.cpu
			r.memory += pss(p.pid)
		}
	}
	return r
}

// A batch is a processor's report of one batch, see counter.Socket.
type batch struct {
	records          int
	arrival, success int64
}

// listen passes on the reports of processors, until l or done is closed.
func listen(l net.Listener, batches chan<- batch, done <-chan struct{}) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			for lines := bufio.NewScanner(conn); lines.Scan(); {
				var b batch
				_, _ = fmt.Sscan(lines.Text(), &b.records, &b.arrival, &b.success)
				select {
				case batches <- b:
				case <-done:
					return
				}
			}
		}()
	}
}

// rate returns records per second after the first quarter, in which Java compiles most.
func rate(batches []batch) float64 {
	slices.SortFunc(batches, func(a, b batch) int { return cmp.Compare(a.success, b.success) })
	total := 0
	for _, b := range batches {
		total += b.records
	}
	rest, last := total, batches[len(batches)-1].success
	for _, b := range batches {
		if rest -= b.records; rest <= total-total/4 {
			return float64(rest) / (float64(last-b.success) / 1e9)
		}
	}
	return 0
}
