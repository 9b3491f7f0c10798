package resources

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

// missing is the status of what is not there.
const missing = "missing"

// Status is what there is of an application. Its JSON form is the output of
// kcl-infra status --json.
type Status struct {
	Application string        `json:"application"`
	Stream      StreamStatus  `json:"stream"`
	Tables      []TableStatus `json:"tables"`
	// Consumer is the status of the fan-out consumer, "missing" without one.
	Consumer string         `json:"consumer"`
	Leader   string         `json:"leader,omitempty"`
	Workers  []WorkerStatus `json:"workers"`
	// Leases counts the leases; Shards has a row for each lease and each shard.
	Leases int           `json:"leases"`
	Shards []ShardStatus `json:"shards"`
}

// StreamStatus is the status of the stream, "missing" when it is not there.
type StreamStatus struct {
	Name       string `json:"name"`
	Status     string `json:"status"`
	OpenShards int    `json:"openShards"`
	ARN        string `json:"arn,omitempty"`
}

// TableStatus is the status of a table, "missing" when it is not there.
type TableStatus struct {
	Name   string `json:"name"`
	Status string `json:"status"`
	// Index is the status of the lease table's index, "missing" without it.
	Index string `json:"index,omitempty"`
	// Problem says why the table is not KCL's.
	Problem string `json:"problem,omitempty"`
}

// WorkerStatus is a worker that wrote its metrics, and when.
type WorkerStatus struct {
	ID         string    `json:"id"`
	LastUpdate time.Time `json:"lastUpdate"`
	Leases     int       `json:"leases"`
}

// ShardStatus joins a shard with its lease. A shard without a lease has no
// checkpoint, a lease without a shard is Gone.
type ShardStatus struct {
	ShardID       string `json:"shardId"`
	State         string `json:"state"` // open, closed, gone
	Owner         string `json:"owner,omitempty"`
	Checkpoint    string `json:"checkpoint,omitempty"`
	SubSequence   int64  `json:"subSequenceNumber"`
	LeaseCounter  int64  `json:"leaseCounter"`
	OwnerSwitches int64  `json:"ownerSwitches"`
	// Problem says why the stream cannot have this checkpoint: it was probably
	// deleted and made again, or the shard was not read before its records expired.
	Problem string `json:"problem,omitempty"`
}

// Status looks at everything, and changes nothing.
func (a *App) Status(ctx context.Context) (*Status, error) {
	f, err := a.find(ctx)
	if err != nil {
		return nil, err
	}
	s := &Status{
		Application: a.Application,
		Stream:      StreamStatus{Name: a.StreamName, Status: missing},
		Consumer:    missing,
		Workers:     []WorkerStatus{},
		Shards:      []ShardStatus{},
	}
	shards, inStream := map[string]*ShardStatus{}, map[string]*kinesistypes.Shard{}
	if f.stream != nil {
		s.Stream.Status = string(f.stream.StreamStatus)
		s.Stream.OpenShards = int(aws.ToInt32(f.stream.OpenShardCount))
		s.Stream.ARN = aws.ToString(f.stream.StreamARN)
		list, err := a.listShards(ctx, nil)
		if err != nil {
			return nil, err
		}
		for i, shard := range list {
			inStream[aws.ToString(shard.ShardId)] = &list[i]
			state := "open"
			if r := shard.SequenceNumberRange; r != nil && r.EndingSequenceNumber != nil {
				state = "closed"
			}
			shards[aws.ToString(shard.ShardId)] = &ShardStatus{ShardID: aws.ToString(shard.ShardId), State: state}
		}
	}
	consumer, err := a.consumer(ctx, f.stream)
	if err != nil {
		return nil, err
	}
	if consumer != nil {
		s.Consumer = string(consumer.ConsumerStatus)
	}
	ours := true
	for _, t := range a.tables().All() {
		row := TableStatus{Name: t.Name, Status: missing}
		if table := f.tables[t.Name]; table != nil {
			row.Status = string(table.TableStatus)
			if t.Index {
				row.Index = missing
				if status := kcl.IndexStatus(table); status != "" {
					row.Index = string(status)
				}
			}
			if err := t.Check(table); err != nil {
				row.Problem, ours = err.Error(), false
			}
		}
		s.Tables = append(s.Tables, row)
	}
	if ours { // the items of others' tables mean nothing here
		if err := a.addLeases(ctx, s, shards, inStream); err != nil {
			return nil, err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(shards)) {
		s.Shards = append(s.Shards, *shards[id])
	}
	return s, nil
}

func (a *App) addLeases(ctx context.Context, s *Status, shards map[string]*ShardStatus, inStream map[string]*kinesistypes.Shard) error {
	snapshot, err := a.snapshot(ctx)
	if err != nil {
		return err
	}
	s.Leases = len(snapshot.Leases)
	owned := map[string]int{}
	for _, lease := range snapshot.Leases {
		key := kcl.KeyOf(lease)
		row := shards[key]
		if row == nil {
			row = &ShardStatus{ShardID: key, State: "gone"}
			shards[key] = row
		}
		row.Owner = kcl.Text(lease, kcl.LeaseOwner)
		row.Checkpoint = kcl.Text(lease, kcl.Checkpoint)
		row.SubSequence = kcl.Int(lease, kcl.CheckpointSub)
		row.LeaseCounter = kcl.Int(lease, kcl.LeaseCounter)
		row.OwnerSwitches = kcl.Int(lease, kcl.LeaseSwitches)
		if s.Stream.Status != missing {
			row.Problem = kcl.Stray(lease, inStream[key])
		}
		owned[row.Owner]++
	}
	for _, worker := range snapshot.Workers {
		id := kcl.Text(worker, kcl.WorkerID)
		s.Workers = append(s.Workers, WorkerStatus{
			ID: id, LastUpdate: time.Unix(kcl.Int(worker, kcl.LastUpdate), 0).UTC(), Leases: owned[id],
		})
	}
	slices.SortFunc(s.Workers, func(a, b WorkerStatus) int { return strings.Compare(a.ID, b.ID) })
	if _, released := snapshot.Leader[kcl.LockReleased]; !released {
		s.Leader = kcl.Text(snapshot.Leader, kcl.LockOwner)
	}
	return nil
}

// Print writes the status for people to read.
func (s *Status) Print(w io.Writer, now time.Time) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { fmt.Fprintln(table, strings.TrimRight(strings.Join(cells, "\t"), "\t")) }

	row("RESOURCE", "NAME", "STATUS", "")
	about := ""
	if s.Stream.Status != missing {
		about = count(s.Stream.OpenShards, "open shard")
	}
	row("stream", s.Stream.Name, s.Stream.Status, about)
	for i, t := range s.Tables {
		switch {
		case t.Problem != "":
			about = t.Problem
		case t.Status == missing:
			about = ""
		case i == 0:
			about = fmt.Sprintf("%s, index %s", count(s.Leases, "lease"), t.Index)
		case i == 1:
			about = "leader " + orNone(s.Leader)
		default:
			about = count(len(s.Workers), "worker")
		}
		row("table", t.Name, t.Status, about)
	}
	row("consumer", s.Application, s.Consumer, "")

	if len(s.Workers) > 0 {
		row("")
		row("WORKER", "LEASES", "LAST REPORT")
		for _, worker := range s.Workers {
			row(worker.ID, fmt.Sprint(worker.Leases), now.Sub(worker.LastUpdate).Round(time.Second).String()+" ago")
		}
	}
	if len(s.Shards) > 0 {
		row("")
		row("SHARD", "STATE", "CHECKPOINT", "COUNTER", "OWNER")
		for _, shard := range s.Shards {
			if shard.Checkpoint == "" {
				row(shard.ShardID, shard.State, "no lease")
				continue
			}
			at := shard.Checkpoint
			if shard.SubSequence != 0 {
				at += fmt.Sprintf("/%d", shard.SubSequence)
			}
			row(shard.ShardID, shard.State, at, fmt.Sprint(shard.LeaseCounter), orNone(shard.Owner))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return s.printProblems(w)
}

// printProblems writes what the stream cannot have, and what to do then.
func (s *Status) printProblems(w io.Writer) error {
	text := ""
	for _, shard := range s.Shards {
		if shard.Problem != "" {
			text += fmt.Sprintf("%s: %s\n", shard.ShardID, shard.Problem)
		}
	}
	if text == "" {
		return nil
	}
	_, err := fmt.Fprintf(w, "\nThese are not read. If the stream was deleted and made again, stop all workers, remove the\n"+
		"old leases with kcl-infra delete --application %s, and start again:\n%s", s.Application, text)
	return err
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
