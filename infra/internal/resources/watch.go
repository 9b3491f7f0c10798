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

// Leases is the state of each shard of an application. kcl-infra leases --json prints it.
type Leases struct {
	// At is the time at which the tables had been read.
	At time.Time `json:"at"`
	Overview
	// Shards has a row for each shard of the streams and for each of their leases.
	// Others has a row for each lease of another stream.
	Shards []Shard `json:"shards"`
	Others []Shard `json:"others,omitempty"`
}

// LeaseWatcher reads the leases of an application repeatedly. From the second read on it
// knows which of them are renewed.
type LeaseWatcher struct {
	app      *App
	counters map[shardKey]counter
	// before is when the last read began.
	before time.Time
}

// counter is a lease's counter and when that value was first seen.
type counter struct {
	value int64
	since time.Time
}

// WatchLeases returns a LeaseWatcher.
func (a *App) WatchLeases() *LeaseWatcher {
	return &LeaseWatcher{app: a, counters: map[shardKey]counter{}}
}

// Read reads everything once, and changes nothing.
func (w *LeaseWatcher) Read(ctx context.Context) (*Leases, error) {
	before := time.Now()
	v, err := w.app.inventory(ctx)
	if err != nil {
		return nil, err
	}
	if v.notKCL != nil {
		return nil, v.notKCL
	}
	l := &Leases{At: time.Now(), Overview: v.Overview, Shards: v.shards, Others: v.others}
	w.addRenewals(l.Shards, before, l.At)
	w.addRenewals(l.Others, before, l.At)
	w.before = before
	return l, w.app.addLags(ctx, v.streams, l.Shards)
}

// addRenewals compares the counters with those of the last read. This read took from before
// to after.
func (w *LeaseWatcher) addRenewals(shards []Shard, before, after time.Time) {
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

// Print writes the leases as text.
func (l *Leases) Print(w io.Writer) error {
	leader := ""
	if l.Leader != "" {
		leader = ", leader " + kcl.Printable(l.Leader)
	}
	fmt.Fprintf(w, "%s  application %s, layout %s%s\n", l.At.UTC().Format(time.RFC3339), l.Application, l.layout(), leader)
	for _, m := range l.Migrations {
		fmt.Fprintln(w, kcl.Printable(m.String()))
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	several := len(l.Others) > 0
	for _, s := range l.Shards {
		several = several || s.Stream != l.Shards[0].Stream
	}
	rows := func(heading string, shards []Shard) {
		fmt.Fprintln(table)
		if heading != "" {
			fmt.Fprintln(table, kcl.Printable(heading))
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
		switch {
		case shards[0].OtherForm && stream == "":
			heading = "Leases " + otherForm(2)
		case shards[0].OtherForm:
			heading = "Leases " + otherForm(1) + ": " + stream
		}
		rows(heading, shards)
	}
	if err := table.Flush(); err != nil || !slices.ContainsFunc(l.Others, func(s Shard) bool { return s.OtherForm }) {
		return err
	}
	_, err := io.WriteString(w, "\n"+otherFormAdvice)
	return err
}

// byStream iterates over the streams with their shards.
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

// cells returns a row of the table. - means none or unknown.
func (s Shard) cells(now time.Time) []string {
	reported, renewed, lag, arrived := "", "", "", ""
	if s.OwnerReported != nil {
		reported = roundDuration(now.Sub(*s.OwnerReported)) + " ago"
	}
	switch {
	case s.RenewedWithin > 0:
		renewed = "<" + roundDuration(seconds(s.RenewedWithin))
	case s.NotRenewedFor > 0:
		renewed = ">" + roundDuration(seconds(s.NotRenewedFor))
	}
	if s.LagSeconds != nil {
		lag = roundDuration(seconds(*s.LagSeconds))
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
		shardNumbers(s.Parents), shardNumbers(s.Children), s.note(),
	}
	for i := range cells {
		cells[i] = cmp.Or(kcl.Printable(cells[i]), "-")
	}
	return cells
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// roundDuration returns a duration in whole seconds, or in milliseconds below a second.
func roundDuration(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// shardNumbers returns the numbers at the end of shard IDs.
func shardNumbers(ids []string) string {
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
