//go:build linux

// Package cluster runs the system that chaos disturbs: a local Kinesis and DynamoDB, and
// several hosts of one application.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/tools/cmd/chaos/internal/check"
	"github.com/seed96110120/kinesis-client-go/tools/internal/sample"
	"github.com/seed96110120/kinesis-client-go/tools/internal/stack"
	"github.com/seed96110120/kinesis-client-go/tools/internal/subprocess"
)

// Name is the name of the stream, of the application and of its lease table.
const Name = "chaos"

// ConsumerEnv is an environment variable of each consumer. It is the worker ID of a
// worker, and Child for a record processor of kcl-bootstrap.
const (
	ConsumerEnv = "CHAOS_CONSUMER"
	Child       = "child"
)

// PropertiesFile is the properties file in a host's folder, the working directory.
const PropertiesFile = "kcl.properties"

// JavaOptions make Java cheap to start and when it is idle.
var JavaOptions = []string{"-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"}

// A Cluster is a running cluster. Its methods may be called concurrently.
type Cluster struct {
	AWS     *stack.Stack
	Kinesis *kinesis.Client
	Hosts   []*Host

	dynamoDB *dynamodb.Client
	stop     context.CancelFunc
}

// Config configures a Cluster. All fields but Workers and Bootstraps must be set.
type Config struct {
	Dir    string // of the run, absolute; each host has a folder in it
	Bin    string // a temporary folder with kcl-bootstrap and kcl-infra
	Shards int    // initial number
	// Workers and Bootstraps are the numbers of hosts of each kind.
	Workers, Bootstraps int
	// Consumer is the executable of all consumers; ConsumerEnv says which one it runs.
	Consumer string
	// Properties are those of all hosts, without the endpoints.
	Properties []stack.Setting
}

// Start starts the services, creates stream, tables and leases, and starts the hosts.
func Start(ctx context.Context, config Config) (_ *Cluster, err error) {
	local, err := stack.Start(nil)
	if err != nil {
		return nil, err
	}
	hosts, stop := context.WithCancel(context.WithoutCancel(ctx))
	c := &Cluster{
		AWS: local, stop: stop,
		Kinesis:  kinesis.NewFromConfig(local.AWSConfig()),
		dynamoDB: dynamodb.NewFromConfig(local.AWSConfig()),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	environ := sample.Environ(local.Environ(os.Environ()), config.Bin)
	create := exec.Command(sample.Command(config.Bin, "kcl-infra"), "create",
		"--application", Name, "--stream-name", Name, "--shards", strconv.Itoa(config.Shards), "--seed-leases", "TRIM_HORIZON")
	create.Env = environ
	if _, err := subprocess.Output(ctx, create, 0); err != nil {
		return nil, err
	}
	for n := range config.Workers + config.Bootstraps {
		h := &Host{Name: fmt.Sprintf("worker-%d", n+1), Bootstrap: n >= config.Workers, gate: make(chan struct{}, 1), done: make(chan struct{})}
		if h.Bootstrap {
			h.Name = fmt.Sprintf("bootstrap-%d", n-config.Workers+1)
		}
		if err := h.prepare(config, environ, local.Endpoints); err != nil {
			return nil, err
		}
		if h.restart(); h.err != nil {
			return nil, h.err
		}
		h.Release()
		c.Hosts = append(c.Hosts, h)
		go h.supervise(hosts)
	}
	return c, nil
}

// prepare makes the host's folder and sets start.
func (h *Host) prepare(config Config, environ []string, endpoints stack.Endpoints) error {
	h.Dir = filepath.Join(config.Dir, h.Name)
	for _, folder := range []string{"data", "faults"} {
		if err := os.MkdirAll(filepath.Join(h.Dir, folder), 0o755); err != nil {
			return err
		}
	}
	// Killed processes leave temporary files, which are removed with the commands.
	environ = append(slices.Clone(environ), "AWS_ACCESS_KEY_ID="+h.Name, "TMPDIR="+config.Bin, mark(h.Dir))
	h.start = func(workerID string) (*sample.Daemon, error) {
		c := sample.DaemonConfig{Bin: config.Bin, Dir: h.Dir, Properties: PropertiesFile, Log: filepath.Join(h.Dir, "host.log")}
		if h.Bootstrap {
			c.Environ = append(environ, ConsumerEnv+"="+Child)
			c.Args = []string{"--restart", "--worker-id", "auto", "--state-dir", "state-" + workerID, "--log-level", "info"}
			for _, option := range JavaOptions {
				c.Args = append(c.Args, "--java-opt", option)
			}
		} else {
			c.Environ = append(environ, ConsumerEnv+"="+workerID)
			c.Command = config.Consumer
		}
		return sample.StartDaemon(c)
	}
	text := stack.PropertiesText(append([]stack.Setting{
		{Name: "kinesisEndpoint", Value: endpoints.KinesisURL}, {Name: "dynamoDBEndpoint", Value: endpoints.DynamoDBURL},
	}, config.Properties...))
	return os.WriteFile(filepath.Join(h.Dir, PropertiesFile), []byte(text), 0o644)
}

// Stop stops all hosts gracefully and returns when they have ended.
func (c *Cluster) Stop() {
	c.stop()
	for _, h := range c.Hosts {
		<-h.done
	}
}

// Close kills all hosts and closes the services.
func (c *Cluster) Close() error {
	c.stop()
	for _, h := range c.Hosts {
		for ended := false; !ended; {
			h.Kill() // again, because others may have started meanwhile
			select {
			case <-h.done:
				ended = true
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	return c.AWS.Close()
}

// HostOf returns the host with a worker ID, nil if there is none.
func (c *Cluster) HostOf(workerID string) *Host {
	for _, h := range c.Hosts {
		claimed := h.Bootstrap && workerID != "" && !strings.HasPrefix(workerID, "worker-")
		if claimed || h.WorkerID() == workerID {
			return h
		}
	}
	return nil // the ID may be older than a rolling restart
}

// Leases returns the lease table.
func (c *Cluster) Leases(ctx context.Context) (leases []check.Lease, err error) {
	out, err := c.dynamoDB.Scan(ctx, &dynamodb.ScanInput{TableName: aws.String(Name), ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, fmt.Errorf("cannot read the lease table: %w", err)
	}
	for _, item := range out.Items {
		leases = append(leases, check.Lease{
			Shard: text(item["leaseKey"]), Owner: text(item["leaseOwner"]),
			Checkpoint: text(item["checkpoint"]), Sub: number(item["checkpointSubSequenceNumber"]), Counter: number(item["leaseCounter"]),
		})
	}
	return leases, nil
}

// Leader returns the worker ID of the leader, which assigns the leases, and the version of
// its lock. Both are empty without a leader. A live leader changes the version every 30 s.
func (c *Cluster) Leader(ctx context.Context) (id, version string, err error) {
	out, err := c.dynamoDB.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: aws.String(Name + "-CoordinatorState"), ConsistentRead: aws.Bool(true),
		Key: map[string]types.AttributeValue{"key": &types.AttributeValueMemberS{Value: "Leader"}},
	})
	if err != nil {
		return "", "", fmt.Errorf("cannot read the leader's lock: %w", err)
	}
	if out.Item["isReleased"] != nil {
		return "", "", nil
	}
	return text(out.Item["ownerName"]), text(out.Item["recordVersionNumber"]), nil
}

// OpenShards returns the open shards.
func (c *Cluster) OpenShards(ctx context.Context) (open []kinesistypes.Shard, err error) {
	out, err := c.Kinesis.ListShards(ctx, &kinesis.ListShardsInput{StreamName: aws.String(Name)})
	if err != nil {
		return nil, fmt.Errorf("cannot list the shards: %w", err)
	}
	for _, shard := range out.Shards {
		if shard.SequenceNumberRange.EndingSequenceNumber == nil {
			open = append(open, shard)
		}
	}
	return open, nil
}

func text(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

func number(v types.AttributeValue) int64 {
	if v, ok := v.(*types.AttributeValueMemberN); ok {
		n, _ := strconv.ParseInt(v.Value, 10, 64)
		return n
	}
	return 0
}
