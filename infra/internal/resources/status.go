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

// missing is the status of what is not there.
const missing = "missing"

// unknown is the status of a consumer that its owner does not let us describe.
const unknown = "unknown"

// Status is what there is of an application. Its JSON form is the output of
// kcl-infra status --json.
type Status struct {
	About
	Streams []StreamStatus `json:"streams"`
	Tables  []TableStatus  `json:"tables"`
	Workers []WorkerStatus `json:"workers"`
	Leases  LeaseCounts    `json:"leases"`
	// Problems are the shards whose checkpoint the stream cannot have, with why.
	Problems []string `json:"problems,omitempty"`
}

// About says how an application keeps its rows, and who leads it.
type About struct {
	Application string `json:"application"`
	// Layout is empty without tables.
	Layout     string          `json:"layout,omitempty"`
	Migrations []kcl.Migration `json:"migrations,omitempty"`
	Leader     string          `json:"leader,omitempty"`
}

// LeaseCounts are numbers of leases, and of shards.
type LeaseCounts struct {
	Total int `json:"total"`
	// Owned and Ended are of the named streams: with an owner, and read to their end.
	Owned int `json:"owned"`
	Ended int `json:"ended"`
	// Blocked are the shards that nobody reads now, with a lease or without.
	Blocked int `json:"blocked"`
	// Others are leases of streams that were not named.
	Others int `json:"others"`
	// OtherForm are leases of an application of several streams where one was named,
	// of one where several were.
	OtherForm int `json:"otherForm"`
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
	// Consumer is the status of the fan-out consumer, "missing" when it is not there,
	// "unknown" where its owner does not let us look. ConsumerName is the application's
	// name, under which KCL registers it, or the ARN that is configured.
	Consumer     string `json:"consumer"`
	ConsumerName string `json:"consumerName"`
}

// TableStatus is the status of a table, "missing" when it is not there.
type TableStatus struct {
	Name   string `json:"name"`
	Status string `json:"status"`
	// Index is the status of the lease table's index, "missing" without it.
	Index string `json:"index,omitempty"`
	// Former says that the table is of an earlier version of KCL, and not used any more.
	Former bool `json:"former,omitempty"`
	// Problem says why the table is not KCL's.
	Problem string `json:"problem,omitempty"`
}

// WorkerStatus is a worker that wrote its metrics, and when.
type WorkerStatus struct {
	ID         string    `json:"id"`
	LastUpdate time.Time `json:"lastUpdate"`
	Leases     int       `json:"leases"`
}

// Status looks at everything, and changes nothing.
func (a *App) Status(ctx context.Context) (*Status, error) {
	v, err := a.view(ctx)
	if err != nil {
		return nil, err
	}
	s := &Status{About: v.About, Tables: a.tableStatus(v), Workers: workerStatus(v.rows), Leases: countLeases(v)}
	for _, named := range v.streams {
		row := StreamStatus{Name: named.String(), Status: missing, Identifier: named.id, Consumer: missing, ConsumerName: cmp.Or(named.ConsumerARN, a.Application)}
		if named.is != nil {
			row.Status = string(named.is.StreamStatus)
			row.OpenShards = int(aws.ToInt32(named.is.OpenShardCount))
			row.ARN = aws.ToString(named.is.StreamARN)
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

// tableStatus has the tables of the layout, and those that are there besides.
func (a *App) tableStatus(v view) (tables []TableStatus) {
	of := a.tables().In(cmp.Or(v.layout, kcl.DefaultLayout))
	for _, t := range a.tables().All() {
		former := !slices.ContainsFunc(of, func(in kcl.Table) bool { return in.Name == t.Name })
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

func countLeases(v view) LeaseCounts {
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

// Print writes the status for people to read.
func (s *Status) Print(w io.Writer, now time.Time) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(cells ...string) {
		for i := range cells {
			cells[i] = kcl.Plain(cells[i])
		}
		fmt.Fprintln(table, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
	}

	row("RESOURCE", "NAME", "STATUS", "")
	for _, stream := range s.Streams {
		about := ""
		if stream.Status != missing {
			about = count(stream.OpenShards, "open shard")
		}
		row("stream", stream.Name, stream.Status, about)
	}
	for i, t := range s.Tables {
		about := ""
		switch {
		case t.Problem != "":
			about = t.Problem
		case t.Former:
			about = "left of an earlier version"
			if s.Layout == kcl.KCL35.String() {
				about += "; until it is deleted the role needs kcl3 too"
			}
		case t.Status != missing:
			about = s.contents(i)
		}
		row("table", t.Name, t.Status, about)
	}
	for _, stream := range s.Streams {
		about := ""
		if len(s.Streams) > 1 && stream.ConsumerName == s.Application { // an ARN has it
			about = "of stream " + stream.Name
		}
		row("consumer", stream.ConsumerName, stream.Consumer, about)
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

// contents are those of the table at an index, in its layout.
func (s *Status) contents(i int) string {
	leases := count(s.Leases.Total, "lease")
	if s.Leases.Ended > 0 {
		leases += fmt.Sprintf(" (%d ended)", s.Leases.Ended)
	}
	leader, workers := "leader "+cmp.Or(s.Leader, "none"), count(len(s.Workers), "worker")
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

// printState writes in what layout the tables are, and what a user should know.
func (s *Status) printState(w io.Writer) error {
	text := ""
	if s.Layout != "" {
		text += "\nlayout " + s.layout() + "\n"
	}
	for _, m := range s.Migrations {
		text += kcl.Plain(m.String()) + "\n"
	}
	if s.Leases.Blocked > 0 {
		text += count(s.Leases.Blocked, "shard") + " not being read: kcl-infra leases says why\n"
	}
	if s.Leases.Others > 0 {
		text += count(s.Leases.Others, "lease") + " of streams that were not named: kcl-infra leases shows which\n"
	}
	if s.Leases.OtherForm > 0 {
		text += count(s.Leases.OtherForm, "lease") + " " + otherForm(len(s.Streams) == 1) + "\n" + otherFormAdvice
	}
	if len(s.Problems) > 0 {
		which := ""
		if len(s.Streams) > 1 {
			which = " --leases-of STREAM"
		}
		text += fmt.Sprintf("\nThese are not read. If the stream was deleted and made again, stop all workers, remove the\n"+
			"old leases with kcl-infra delete --application %s%s, and start again:\n", s.Application, which)
		for _, problem := range s.Problems {
			text += kcl.Plain(problem) + "\n"
		}
	}
	_, err := io.WriteString(w, text)
	return err
}

// layout names the layout and says what it is.
func (a About) layout() string {
	layout, err := kcl.ParseLayout(a.Layout)
	if err != nil {
		return kcl.NoLayout.About()
	}
	return fmt.Sprintf("%s (%s)", layout, layout.About())
}

// otherForm says of what application leases are that are not of the form that goes
// with the streams, one or several.
func otherForm(one bool) string {
	if one {
		return "of an application of several streams, and one was named"
	}
	return "of an application of one stream, and several were named"
}

const otherFormAdvice = "KCL does not read leases of the other form: name the streams of that application, or choose another --application\n"

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
