package resources

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

// missing is the status of something that does not exist.
const missing = "missing"

// unknown is the status of a consumer whose owner does not allow the call.
const unknown = "unknown"

// Status is the state of an application. kcl-infra status --json prints it.
type Status struct {
	Overview
	Streams []StreamStatus `json:"streams"`
	Tables  []TableStatus  `json:"tables"`
	Workers []WorkerStatus `json:"workers"`
	Leases  LeaseCounts    `json:"leases"`
	// Problems are the shards whose checkpoint the stream cannot have, and the reasons.
	Problems []string `json:"problems,omitempty"`
}

// Overview is the layout of an application, its unfinished migrations, and its leader.
type Overview struct {
	Application string `json:"application"`
	// Layout is empty if there are no tables.
	Layout     string          `json:"layout,omitempty"`
	Migrations []kcl.Migration `json:"migrations,omitempty"`
	Leader     string          `json:"leader,omitempty"`
}

// LeaseCounts are numbers of leases and of shards.
type LeaseCounts struct {
	Total int `json:"total"`
	// Owned and Ended are leases of the named streams: with an owner, and read to the end.
	Owned int `json:"owned"`
	Ended int `json:"ended"`
	// Blocked are the shards that no worker reads now, with or without a lease.
	Blocked int `json:"blocked"`
	// Others are leases of streams that were not named.
	Others int `json:"others"`
	// OtherForm are leases of an application with several streams if one stream was
	// named, or the other way round.
	OtherForm int `json:"otherForm"`
}

// StreamStatus is the status of a stream, "missing" if it does not exist.
type StreamStatus struct {
	// Name is the stream's name, or its ARN if the user named it so.
	Name       string `json:"name"`
	Status     string `json:"status"`
	OpenShards int    `json:"openShards"`
	ARN        string `json:"arn,omitempty"`
	// Identifier names the stream in the leases of an application with several streams.
	Identifier string `json:"identifier,omitempty"`
	// Consumer is the status of the fan-out consumer, "missing" if it does not exist,
	// "unknown" if its owner does not allow the call. ConsumerName is the application's
	// name, under which KCL registers it, or the configured ARN.
	Consumer     string `json:"consumer"`
	ConsumerName string `json:"consumerName"`
}

// TableStatus is the status of a table, "missing" if it does not exist.
type TableStatus struct {
	Name   string `json:"name"`
	Status string `json:"status"`
	// Index is the status of the lease table's index, "missing" if it does not exist.
	Index string `json:"index,omitempty"`
	// Former is whether the table belongs to an earlier version of KCL and is no longer
	// used.
	Former bool `json:"former,omitempty"`
	// Problem says why the table is not KCL's, or is empty.
	Problem string `json:"problem,omitempty"`
}

// WorkerStatus is a worker and its last report.
type WorkerStatus struct {
	ID         string    `json:"id"`
	LastUpdate time.Time `json:"lastUpdate"`
	Leases     int       `json:"leases"`
}

// Status reads everything, and changes nothing.
func (a *App) Status(ctx context.Context) (*Status, error) {
	v, err := a.inventory(ctx)
	if err != nil {
		return nil, err
	}
	s := &Status{Overview: v.Overview, Tables: a.tableStatus(v), Workers: workerStatus(v.rows), Leases: countLeases(v)}
	for _, named := range v.streams {
		row := StreamStatus{Name: named.String(), Status: missing, Identifier: named.id, Consumer: missing, ConsumerName: cmp.Or(named.ConsumerARN, a.Application)}
		if named.description != nil {
			row.Status = string(named.description.StreamStatus)
			row.OpenShards = int(aws.ToInt32(named.description.OpenShardCount))
			row.ARN = aws.ToString(named.description.StreamARN)
		}
		c, err := a.consumer(ctx, named.stream)
		if err != nil {
			return nil, err
		}
		if c != nil {
			row.Consumer = string(c.ConsumerStatus)
		}
		s.Streams = append(s.Streams, row)
	}
	for _, shard := range v.shards {
		if shard.Problem == "" {
			continue
		}
		id := shard.ShardID
		if len(v.streams) > 1 {
			id = shard.Stream + ":" + id
		}
		s.Problems = append(s.Problems, id+": "+shard.Problem)
	}
	return s, nil
}

// tableStatus returns the tables of the layout, and others that exist.
func (a *App) tableStatus(v inventory) (tables []TableStatus) {
	used := a.tables().InLayout(cmp.Or(v.layout, kcl.DefaultLayout))
	for _, t := range a.tables().All() {
		former := !slices.ContainsFunc(used, func(in kcl.Table) bool { return in.Name == t.Name })
		table := v.tables[t.Name]
		if former && table == nil {
			continue
		}
		row := TableStatus{Name: t.Name, Status: missing, Former: former}
		if table != nil {
			row.Status = string(table.TableStatus)
			if t.Index {
				row.Index = cmp.Or(string(kcl.IndexStatus(table)), missing)
			}
			if err := t.Check(table); err != nil {
				row.Problem = err.Error()
			}
		}
		tables = append(tables, row)
	}
	return tables
}

func workerStatus(rows kcl.Rows) []WorkerStatus {
	owned := map[string]int{}
	for _, lease := range rows.Leases {
		owned[kcl.Text(lease, kcl.LeaseOwner)]++
	}
	workers := []WorkerStatus{}
	for _, worker := range rows.Workers {
		id := kcl.WorkerOf(worker)
		workers = append(workers, WorkerStatus{
			ID: id, LastUpdate: time.Unix(kcl.Int(worker, kcl.LastUpdate), 0).UTC(), Leases: owned[id],
		})
	}
	return workers
}

func countLeases(v inventory) LeaseCounts {
	n := LeaseCounts{Total: len(v.rows.Leases)}
	for _, s := range v.others {
		if s.OtherForm {
			n.OtherForm++
		} else {
			n.Others++
		}
	}
	for _, s := range v.shards {
		switch {
		case s.ended():
			n.Ended++
		case s.Owner != "":
			n.Owned++
		}
		if len(s.BlockedBy) > 0 || s.Problem != "" {
			n.Blocked++
		}
	}
	return n
}

// Print writes the status as text.
func (s *Status) Print(w io.Writer, now time.Time) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(cells ...string) {
		for i := range cells {
			cells[i] = kcl.Printable(cells[i])
		}
		fmt.Fprintln(table, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
	}

	row("RESOURCE", "NAME", "STATUS", "")
	for _, stream := range s.Streams {
		note := ""
		if stream.Status != missing {
			note = plural(stream.OpenShards, "open shard")
		}
		row("stream", stream.Name, stream.Status, note)
	}
	for i, t := range s.Tables {
		note := ""
		switch {
		case t.Problem != "":
			note = t.Problem
		case t.Former:
			note = "left over from an earlier version"
			if s.Layout == kcl.KCL35.String() {
				note += "; until it is deleted, the role needs kcl3 too"
			}
		case t.Status != missing:
			note = s.contents(i)
		}
		row("table", t.Name, t.Status, note)
	}
	for _, stream := range s.Streams {
		note := ""
		if len(s.Streams) > 1 && stream.ConsumerName == s.Application { // an ARN contains the stream
			note = "of stream " + stream.Name
		}
		row("consumer", stream.ConsumerName, stream.Consumer, note)
	}

	if len(s.Workers) > 0 {
		row("")
		row("WORKER", "LEASES", "LAST REPORT")
		for _, worker := range s.Workers {
			row(worker.ID, fmt.Sprint(worker.Leases), now.Sub(worker.LastUpdate).Round(time.Second).String()+" ago")
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	return s.printState(w)
}

// contents describes the rows of the i-th table, which depend on the layout.
func (s *Status) contents(i int) string {
	leases := plural(s.Leases.Total, "lease")
	if s.Leases.Ended > 0 {
		leases += fmt.Sprintf(" (%d ended)", s.Leases.Ended)
	}
	leader, workers := "leader "+cmp.Or(s.Leader, "none"), plural(len(s.Workers), "worker")
	layout, _ := kcl.ParseLayout(s.Layout)
	switch {
	case layout == kcl.KCL2:
		return leases
	case layout == kcl.KCL35:
		return strings.Join([]string{leases, "index " + s.Tables[0].Index, leader, workers}, ", ")
	case i == 0:
		return leases + ", index " + s.Tables[0].Index
	case i == 1:
		return leader
	}
	return workers
}

// printState writes the layout of the tables, and what the user should know.
func (s *Status) printState(w io.Writer) error {
	text := ""
	if s.Layout != "" {
		text += "\nlayout " + s.layout() + "\n"
	}
	for _, m := range s.Migrations {
		text += kcl.Printable(m.String()) + "\n"
	}
	if s.Leases.Blocked > 0 {
		text += plural(s.Leases.Blocked, "shard") + " not being read: kcl-infra leases says why\n"
	}
	if s.Leases.Others > 0 {
		text += plural(s.Leases.Others, "lease") + " of streams that were not named: kcl-infra leases shows which\n"
	}
	if s.Leases.OtherForm > 0 {
		text += plural(s.Leases.OtherForm, "lease") + " " + otherForm(len(s.Streams)) + "\n" + otherFormAdvice
	}
	if len(s.Problems) > 0 {
		which := ""
		if len(s.Streams) > 1 {
			which = " --leases-of STREAM"
		}
		text += fmt.Sprintf("\nThese are not read. If the stream was deleted and created again, stop all workers, delete the\n"+
			"old leases with kcl-infra delete --application %s%s, and start again:\n", s.Application, which)
		for _, problem := range s.Problems {
			text += kcl.Printable(problem) + "\n"
		}
	}
	_, err := io.WriteString(w, text)
	return err
}

// layout returns the name and the description of the layout.
func (o Overview) layout() string {
	layout, err := kcl.ParseLayout(o.Layout)
	if err != nil {
		return kcl.NoLayout.Description()
	}
	return fmt.Sprintf("%s (%s)", layout, layout.Description())
}

// otherForm describes leases of the other form, by the number of streams that were named.
func otherForm(streams int) string {
	if streams == 1 {
		return "of an application of several streams, and one was named"
	}
	return "of an application of one stream, and several were named"
}

const otherFormAdvice = "KCL does not read those leases: name the streams of that application, or choose another --application\n"

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
