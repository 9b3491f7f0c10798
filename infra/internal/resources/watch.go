package resources

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/seed96110120/kinesis-client-go/infra/internal/activity"
	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

// Leases is the state of each shard of an application. Its JSON form is the output of
// kcl-infra leases --json.
type Leases struct {
	// At is when the tables had been read.
	At time.Time `json:"at"`
	About
	// Shards has a row for each shard of the streams and each of their leases, Others
	// one for each lease of other streams.
	Shards []Shard `json:"shards"`
	Others []Shard `json:"others,omitempty"`
}

// LeaseWatch looks at the leases of an application again and again: from the second
// look on it knows which of them are renewed.
type LeaseWatch struct {
	app      *App
	counters map[shardKey]counter
	// before is when the last look began.
	before time.Time
}

// counter is a lease's counter and when it was first seen.
type counter struct {
	value int64
	since time.Time
}

// WatchLeases begins a watch.
func (a *App) WatchLeases() *LeaseWatch { return &LeaseWatch{app: a, counters: map[shardKey]counter{}} }

// Look looks at everything once, and changes nothing.
func (w *LeaseWatch) Look(ctx context.Context) (*Leases, error) {
	before := time.Now()
	v, err := w.app.view(ctx)
	if err != nil {
		return nil, err
	}
	if v.notKCL != nil {
		return nil, v.notKCL
	}
	l := &Leases{At: time.Now(), About: v.About, Shards: v.shards, Others: v.others}
	w.addRenewals(l.Shards, before, l.At)
	w.addRenewals(l.Others, before, l.At)
	w.before = before
	return l, w.app.addLags(ctx, v.streams, l.Shards)
}

// addRenewals compares the counters with those of the last look. Both looks took some
// time, from before to after, in which the table was read.
func (w *LeaseWatch) addRenewals(shards []Shard, before, after time.Time) {
	for i := range shards {
		s := &shards[i]
		if s.Owner == "" || s.ended() {
			continue
		}
		key := shardKey{s.Stream, s.ShardID}
		was, seen := w.counters[key]
		switch {
		case !seen:
			w.counters[key] = counter{s.LeaseCounter, after}
		case was.value != s.LeaseCounter:
			w.counters[key] = counter{s.LeaseCounter, after}
			s.RenewedWithin = after.Sub(w.before).Seconds()
		default:
			s.NotRenewedFor = before.Sub(was.since).Seconds()
			if before.Sub(was.since) >= activity.WatchReported {
				s.BlockedBy = append(s.BlockedBy, fmt.Sprintf("its owner has not renewed it for over %d s", int(s.NotRenewedFor)))
			}
		}
	}
}

// Print writes the leases for people to read.
func (l *Leases) Print(w io.Writer) error {
	leader := ""
	if l.Leader != "" {
		leader = ", leader " + kcl.Plain(l.Leader)
	}
	fmt.Fprintf(w, "%s  application %s, layout %s%s\n", l.At.UTC().Format(time.RFC3339), l.Application, l.layout(), leader)
	for _, m := range l.Migrations {
		fmt.Fprintln(w, kcl.Plain(m.String()))
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	several := len(l.Others) > 0
	for _, s := range l.Shards {
		several = several || s.Stream != l.Shards[0].Stream
	}
	rows := func(heading string, shards []Shard) {
		fmt.Fprintln(table)
		if heading != "" {
			fmt.Fprintln(table, kcl.Plain(heading))
		}
		fmt.Fprintln(table, "SHARD\tSTATE\tOWNER\tREPORTED\tRENEWED\tLAG\tARRIVED\tCHECKPOINT\tPARENTS\tCHILDREN\tNOTE")
		for _, s := range shards {
			fmt.Fprintln(table, strings.Join(s.cells(l.At), "\t"))
		}
	}
	for stream, shards := range byStream(l.Shards) {
		heading := ""
		if several {
			heading = "Stream " + stream
		}
		rows(heading, shards)
	}
	for stream, shards := range byStream(l.Others) {
		heading := "Of a stream that was not named: " + stream
		if one := stream != ""; shards[0].OtherForm {
			heading = strings.TrimSuffix("Leases "+otherForm(one)+": "+stream, ": ")
		}
		rows(heading, shards)
	}
	if err := table.Flush(); err != nil || !slices.ContainsFunc(l.Others, func(s Shard) bool { return s.OtherForm }) {
		return err
	}
	_, err := io.WriteString(w, "\n"+otherFormAdvice)
	return err
}

// byStream gives the streams one after the other with their shards.
func byStream(shards []Shard) iter.Seq2[string, []Shard] {
	return func(yield func(string, []Shard) bool) {
		for len(shards) > 0 {
			n := slices.IndexFunc(shards, func(s Shard) bool { return s.Stream != shards[0].Stream })
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

// cells are a row of the table; - is what there is not, or nobody knows.
func (s Shard) cells(now time.Time) []string {
	reported, renewed, lag, arrived := "", "", "", ""
	if s.OwnerReported != nil {
		reported = roughly(now.Sub(*s.OwnerReported)) + " ago"
	}
	switch {
	case s.RenewedWithin > 0:
		renewed = "<" + roughly(seconds(s.RenewedWithin))
	case s.NotRenewedFor > 0:
		renewed = ">" + roughly(seconds(s.NotRenewedFor))
	}
	if s.LagSeconds != nil {
		lag = roughly(seconds(*s.LagSeconds))
	}
	if s.Arrival != nil {
		arrived = s.Arrival.UTC().Format(time.RFC3339)
	}
	checkpoint := s.Checkpoint
	if s.SubSequence != 0 {
		checkpoint += fmt.Sprintf("/%d", s.SubSequence)
	}
	if checkpoint == "" {
		checkpoint = "no lease"
	}
	cells := []string{
		s.ShardID, s.State, s.Owner, reported, renewed, lag, arrived, checkpoint,
		numbers(s.Parents), numbers(s.Children), s.note(),
	}
	for i := range cells {
		cells[i] = cmp.Or(kcl.Plain(cells[i]), "-")
	}
	return cells
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// roughly is a duration in whole seconds, below one in milliseconds.
func roughly(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// numbers are the numbers of shards, which their IDs end with.
func numbers(ids []string) string {
	var list []string
	for _, id := range ids {
		number := strings.TrimLeft(strings.TrimPrefix(id, "shardId-"), "0")
		if number == "" {
			number = "0"
		}
		list = append(list, number)
	}
	return strings.Join(list, ",")
}
