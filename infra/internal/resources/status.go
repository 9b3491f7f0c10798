package resources

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
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
	Application string         `json:"application"`
	Streams     []StreamStatus `json:"streams"`
	Tables      []TableStatus  `json:"tables"`
	Leader      string         `json:"leader,omitempty"`
	Workers     []WorkerStatus `json:"workers"`
	// Leases counts the leases; Shards has a row for each lease and each shard of
	// the streams, Others one for each lease of other streams.
	Leases int           `json:"leases"`
	Shards []ShardStatus `json:"shards"`
	Others []ShardStatus `json:"others,omitempty"`
}

// StreamStatus is the status of a stream, "missing" when it is not there.
type StreamStatus struct {
	// Name is the stream's name, or its ARN if it was named by that.
	Name       string `json:"name"`
	Status     string `json:"status"`
	OpenShards int    `json:"openShards"`
	ARN        string `json:"arn,omitempty"`
	// Identifier is what the leases of an application of several streams call it.
	Identifier string `json:"identifier,omitempty"`
	// Consumer is the status of the fan-out consumer that KCL registers, "missing"
	// without one.
	Consumer string `json:"consumer"`
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
	// Stream is the name of the stream as in StreamStatus, or in an application of
	// several streams its identifier.
	Stream        string `json:"stream"`
	ShardID       string `json:"shardId"`
	State         string `json:"state"` // open, closed, gone; empty in Others
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
	s := &Status{Application: a.Application, Workers: []WorkerStatus{}, Shards: []ShardStatus{}}
	rows := map[shardKey]*shardRow{}
	for _, named := range f.streams {
		row := StreamStatus{Name: named.String(), Status: missing, Identifier: named.id, Consumer: missing}
		if named.is != nil {
			row.Status = string(named.is.StreamStatus)
			row.OpenShards = int(aws.ToInt32(named.is.OpenShardCount))
			row.ARN = aws.ToString(named.is.StreamARN)
			shards, err := a.listShards(ctx, named.Stream, nil)
			if err != nil {
				return nil, err
			}
			for i, shard := range shards {
				state := "open"
				if r := shard.SequenceNumberRange; r != nil && r.EndingSequenceNumber != nil {
					state = "closed"
				}
				id := aws.ToString(shard.ShardId)
				rows[shardKey{named.id, id}] = &shardRow{ShardStatus{Stream: cmp.Or(named.id, named.String()), ShardID: id, State: state}, &shards[i]}
			}
		}
		c, err := a.consumer(ctx, named)
		if err != nil {
			return nil, err
		}
		if c != nil {
			row.Consumer = string(c.ConsumerStatus)
		}
		s.Streams = append(s.Streams, row)
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
		if err := a.addLeases(ctx, s, f.streams, rows); err != nil {
			return nil, err
		}
	}
	for _, named := range f.streams {
		for _, key := range slices.SortedFunc(maps.Keys(rows), func(x, y shardKey) int { return strings.Compare(x.id, y.id) }) {
			if key.stream == named.id {
				s.Shards = append(s.Shards, rows[key].ShardStatus)
			}
		}
	}
	return s, nil
}

// shardKey tells shards of several streams apart; the stream is its identifier,
// empty in an application of a single stream.
type shardKey struct{ stream, id string }

type shardRow struct {
	ShardStatus
	shard *kinesistypes.Shard // nil: gone
}

func (a *App) addLeases(ctx context.Context, s *Status, streams []stream, rows map[shardKey]*shardRow) error {
	snapshot, err := a.snapshot(ctx)
	if err != nil {
		return err
	}
	s.Leases = len(snapshot.Leases)
	owned := map[string]int{}
	slices.SortFunc(snapshot.Leases, func(x, y kcl.Item) int { return strings.Compare(kcl.KeyOf(x), kcl.KeyOf(y)) })
	for _, lease := range snapshot.Leases {
		id := kcl.StreamOf(lease)
		row := &shardRow{ShardStatus: ShardStatus{Stream: id, ShardID: kcl.ShardOf(lease)}}
		i := slices.IndexFunc(streams, func(of stream) bool { return of.id == id && (id != "" || len(streams) == 1) })
		if i >= 0 {
			key := shardKey{id, row.ShardID}
			if rows[key] == nil {
				row.Stream, row.State = cmp.Or(id, streams[i].String()), "gone"
				rows[key] = row
			}
			row = rows[key]
			if streams[i].is != nil {
				row.Problem = kcl.Stray(lease, row.shard)
			}
		}
		row.Owner = kcl.Text(lease, kcl.LeaseOwner)
		row.Checkpoint = kcl.Text(lease, kcl.Checkpoint)
		row.SubSequence = kcl.Int(lease, kcl.CheckpointSub)
		row.LeaseCounter = kcl.Int(lease, kcl.LeaseCounter)
		row.OwnerSwitches = kcl.Int(lease, kcl.LeaseSwitches)
		owned[row.Owner]++
		if i < 0 {
			s.Others = append(s.Others, row.ShardStatus)
		}
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
	for _, stream := range s.Streams {
		about = ""
		if stream.Status != missing {
			about = count(stream.OpenShards, "open shard")
		}
		row("stream", stream.Name, stream.Status, about)
	}
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
	for _, stream := range s.Streams {
		about = ""
		if len(s.Streams) > 1 {
			about = "of stream " + stream.Name
		}
		row("consumer", s.Application, stream.Consumer, about)
	}

	if len(s.Workers) > 0 {
		row("")
		row("WORKER", "LEASES", "LAST REPORT")
		for _, worker := range s.Workers {
			row(worker.ID, fmt.Sprint(worker.Leases), now.Sub(worker.LastUpdate).Round(time.Second).String()+" ago")
		}
	}
	leases := func(heading string, shards []ShardStatus) {
		if len(shards) == 0 {
			return
		}
		row("")
		if heading != "" {
			row(heading)
		}
		row("SHARD", "STATE", "CHECKPOINT", "COUNTER", "OWNER")
		for _, shard := range shards {
			if shard.Checkpoint == "" {
				row(shard.ShardID, shard.State, "no lease")
				continue
			}
			at := shard.Checkpoint
			if shard.SubSequence != 0 {
				at += fmt.Sprintf("/%d", shard.SubSequence)
			}
			row(shard.ShardID, cmp.Or(shard.State, "-"), at, fmt.Sprint(shard.LeaseCounter), orNone(shard.Owner))
		}
	}
	for stream, shards := range byStream(s.Shards) {
		heading := ""
		if len(s.Streams) > 1 {
			heading = "Stream " + stream
		}
		leases(heading, shards)
	}
	for stream, shards := range byStream(s.Others) {
		leases("Of a stream that was not named: "+cmp.Or(stream, "the only one of an earlier application"), shards)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return s.printProblems(w)
}

// byStream gives the streams one after the other with their shards.
func byStream(shards []ShardStatus) iter.Seq2[string, []ShardStatus] {
	return func(yield func(string, []ShardStatus) bool) {
		for len(shards) > 0 {
			n := slices.IndexFunc(shards, func(s ShardStatus) bool { return s.Stream != shards[0].Stream })
			if n < 0 {
				n = len(shards)
			}
			if !yield(shards[0].Stream, shards[:n]) {
				return
			}
			shards = shards[n:]
		}
	}
}

// printProblems writes what a stream cannot have, and what to do then.
func (s *Status) printProblems(w io.Writer) error {
	text := ""
	for _, shard := range s.Shards {
		if shard.Problem != "" {
			id := shard.ShardID
			if len(s.Streams) > 1 {
				id = shard.Stream + ":" + id
			}
			text += fmt.Sprintf("%s: %s\n", id, shard.Problem)
		}
	}
	if text == "" {
		return nil
	}
	which := ""
	if len(s.Streams) > 1 {
		which = " --leases-of STREAM"
	}
	_, err := fmt.Fprintf(w, "\nThese are not read. If the stream was deleted and made again, stop all workers, remove the\n"+
		"old leases with kcl-infra delete --application %s%s, and start again:\n%s", s.Application, which, text)
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
