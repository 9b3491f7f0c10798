package resources

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/infra/internal/activity"
	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

// Shard joins a shard with its lease. A shard without a lease has no checkpoint, a
// lease without a shard is of one that is gone.
type Shard struct {
	// Stream is the name of the stream as in StreamStatus, or in an application of
	// several streams its identifier.
	Stream  string `json:"stream"`
	ShardID string `json:"shardId"`
	State   string `json:"state"` // open, closed, gone; empty in Others
	// Parents and Children are IDs of shards, of those that ListShards knows.
	Parents  []string `json:"parents,omitempty"`
	Children []string `json:"children,omitempty"`

	Owner string `json:"owner,omitempty"`
	// OwnerReported is when the owner wrote its metrics last, by its own clock.
	OwnerReported *time.Time `json:"ownerReported,omitempty"`
	// RenewedWithin and NotRenewedFor bound the time since the owner renewed the lease,
	// in seconds, from above and from below. A lease has a counter and no time, so only
	// a LeaseWatch knows one of them, from its second look on.
	RenewedWithin float64 `json:"renewedWithinSeconds,omitempty"`
	NotRenewedFor float64 `json:"notRenewedForSeconds,omitempty"`
	LeaseCounter  int64   `json:"leaseCounter"`
	OwnerSwitches int64   `json:"ownerSwitches"`

	Checkpoint  string `json:"checkpoint,omitempty"`
	SubSequence int64  `json:"subSequenceNumber"`
	// Arrival is when the record at the checkpoint arrived in the stream, at
	// TRIM_HORIZON the oldest one.
	Arrival *time.Time `json:"arrival,omitempty"`
	// LagSeconds is how far the checkpoint is behind the newest record, in time, as
	// GetRecords says it. It is nil where no read was made or LagUnknown says why none
	// succeeded.
	LagSeconds *float64 `json:"lagSeconds,omitempty"`
	LagUnknown string   `json:"lagUnknown,omitempty"`

	// Expired says that the stream does not have the record at the checkpoint any more,
	// but later ones. There may have been others between them.
	Expired bool `json:"expired,omitempty"`

	// BlockedBy says why nobody reads the shard now.
	BlockedBy []string `json:"blockedBy,omitempty"`
	// OtherForm says of one of Others that its lease is of an application of several
	// streams where one was named, or of one where several were.
	OtherForm bool `json:"otherForm,omitempty"`
	// Problem says why the stream cannot have this checkpoint: it was probably
	// deleted and made again, or the shard was not read before its records expired.
	Problem string `json:"problem,omitempty"`
}

// ended tells whether the shard was read to its end.
func (s Shard) ended() bool { return s.Checkpoint == kcl.ShardEnd }

// listed is a stream with its shards as ListShards gives them.
type listed struct {
	stream
	shards []kinesistypes.Shard
}

// shardKey tells shards of several streams apart; the stream is its identifier,
// empty in an application of a single stream.
type shardKey struct{ stream, id string }

// view is all that there is of an application.
type view struct {
	About
	found
	rows   kcl.Rows
	layout kcl.Layout
	// streams has the streams with their shards.
	streams []listed
	joined
	// notKCL is why a table is not KCL's: then the rows mean nothing, and are not read.
	notKCL error
}

// view looks at everything, and changes nothing.
func (a *App) view(ctx context.Context) (v view, err error) {
	if v.found, err = a.find(ctx); err != nil {
		return v, err
	}
	for _, s := range v.found.streams {
		of := listed{stream: s}
		if s.is != nil {
			if of.shards, err = a.listShards(ctx, s.Stream, nil); err != nil {
				return v, err
			}
		}
		v.streams = append(v.streams, of)
	}
	for _, t := range a.tables().All() {
		if table := v.tables[t.Name]; table != nil && v.notKCL == nil {
			v.notKCL = t.Check(table)
		}
	}
	if v.notKCL == nil {
		if v.rows, err = a.rows(ctx); err != nil {
			return v, err
		}
	}
	v.layout = a.tables().Layout(v.tables, v.rows)
	v.About = a.about(v.layout, v.rows)
	v.joined = join(v.streams, v.rows, v.layout, time.Now())
	return v, nil
}

func (a *App) about(layout kcl.Layout, rows kcl.Rows) About {
	return About{a.Application, layout.String(), rows.Migrations(), rows.LeaderOf()}
}

// joined are the shards of an application.
type joined struct {
	// shards has a row for each shard of the streams and each of their leases, in the
	// order of the streams and of the IDs; others one for each lease of other streams.
	shards, others []Shard
}

// join puts shards and leases together, and says what blocks a shard now.
func join(streams []listed, rows kcl.Rows, layout kcl.Layout, now time.Time) (j joined) {
	leases := map[shardKey]kcl.Item{}
	for _, lease := range rows.Leases {
		key := shardKey{kcl.StreamOf(lease), kcl.ShardOf(lease)}
		leases[key] = lease
		if !slices.ContainsFunc(streams, func(of listed) bool { return of.has(key.stream, len(streams)) }) {
			other := Shard{Stream: key.stream, ShardID: key.id, OtherForm: (key.stream == "") != (len(streams) == 1)}
			j.others = append(j.others, withLease(other, lease))
		}
	}
	for _, of := range streams {
		known := map[string]*kinesistypes.Shard{}
		children := map[string][]string{}
		for i, shard := range of.shards {
			id := aws.ToString(shard.ShardId)
			known[id] = &of.shards[i]
			for _, parent := range parents(shard) {
				children[parent] = append(children[parent], id)
			}
		}
		ids := slices.Collect(maps.Keys(known))
		for key := range leases {
			if known[key.id] == nil && of.has(key.stream, len(streams)) {
				ids = append(ids, key.id)
			}
		}
		slices.Sort(ids)
		for _, id := range ids {
			row := Shard{Stream: cmp.Or(of.id, of.String()), ShardID: id, State: "gone"}
			shard := known[id]
			if shard != nil {
				row.State = "open"
				if r := shard.SequenceNumberRange; r != nil && r.EndingSequenceNumber != nil {
					row.State = "closed"
				}
				row.Parents = slices.DeleteFunc(parents(*shard), func(p string) bool { return known[p] == nil })
				row.Children = children[id]
			}
			lease := leases[shardKey{of.id, id}]
			if lease != nil {
				row = withLease(row, lease)
				if of.is != nil {
					row.Problem = kcl.Stray(lease, shard)
				}
			}
			j.shards = append(j.shards, row)
		}
	}
	block(j.shards, rows, layout, now)
	return j
}

// has tells whether leases with this stream identifier are of the stream.
func (l listed) has(identifier string, streams int) bool {
	return l.id == identifier && (identifier != "" || streams == 1)
}

func parents(s kinesistypes.Shard) (ids []string) {
	for _, p := range []*string{s.ParentShardId, s.AdjacentParentShardId} {
		if p != nil {
			ids = append(ids, *p)
		}
	}
	return ids
}

func withLease(row Shard, lease kcl.Item) Shard {
	row.Owner = kcl.Text(lease, kcl.LeaseOwner)
	row.Checkpoint = kcl.Text(lease, kcl.Checkpoint)
	row.SubSequence = kcl.Int(lease, kcl.CheckpointSub)
	row.LeaseCounter = kcl.Int(lease, kcl.LeaseCounter)
	row.OwnerSwitches = kcl.Int(lease, kcl.LeaseSwitches)
	if from := kcl.Text(lease, kcl.CheckpointOwner); from != "" {
		row.BlockedBy = append(row.BlockedBy, "worker "+from+" is handing it over")
	}
	return row
}

// block says of each shard that is to be read why nobody does.
func block(shards []Shard, rows kcl.Rows, layout kcl.Layout, now time.Time) {
	type key = shardKey
	by := map[key]*Shard{}
	for i := range shards {
		by[key{shards[i].Stream, shards[i].ShardID}] = &shards[i]
	}
	// begun tells whether a shard or one after it has a lease: then one without a lease
	// has been read, or is older than where the application began.
	begun := map[key]bool{}
	var hasBegun func(s *Shard) bool
	hasBegun = func(s *Shard) bool {
		k := key{s.Stream, s.ShardID}
		if done, ok := begun[k]; ok {
			return done
		}
		begun[k] = s.Checkpoint != "" || slices.ContainsFunc(s.Children, func(child string) bool { return hasBegun(by[key{s.Stream, child}]) })
		return begun[k]
	}
	reported := map[string]time.Time{}
	for _, worker := range rows.Workers {
		reported[kcl.WorkerOf(worker)] = time.Unix(kcl.Int(worker, kcl.LastUpdate), 0).UTC()
	}
	silent := func(worker string) string {
		at, ok := reported[worker]
		switch {
		case rows.AsKCL2(): // then not every worker reports
		case !ok && len(reported) > 0:
			return "has never reported"
		case ok && now.Sub(at) >= activity.Recent:
			return fmt.Sprintf("has not reported for %v", now.Sub(at).Round(time.Second))
		}
		return ""
	}
	leader := missingLeader(rows, layout, silent)
	for i := range shards {
		s := &shards[i]
		at, ok := reported[s.Owner]
		if ok {
			s.OwnerReported = &at
		}
		if s.ended() || s.Checkpoint == "" && hasBegun(s) {
			continue
		}
		var why []string
		for _, parent := range s.Parents {
			if p := by[key{s.Stream, parent}]; p.Checkpoint != "" && !p.ended() {
				why = append(why, "parent "+parent+" is not read to its end")
			}
		}
		switch {
		case s.Checkpoint == "" && len(why) > 0: // the lease comes at the parent's end
		case s.Checkpoint == "":
			why = append(why, "it has no lease")
		case s.Owner == "":
			why = append(why, "no worker has it")
		case silent(s.Owner) != "":
			why = append(why, "its owner "+silent(s.Owner))
		}
		if leader != "" && s.Owner == "" && s.State != "gone" {
			why = append(why, leader)
		}
		s.BlockedBy = append(why, s.BlockedBy...)
	}
}

// missingLeader says why nobody makes leases and deals them out, "" if somebody does.
// Before KCL 3 no row says who does it.
func missingLeader(rows kcl.Rows, layout kcl.Layout, silent func(worker string) string) string {
	leader := rows.LeaderOf()
	switch {
	case layout == kcl.KCL2, layout == kcl.NoLayout, rows.AsKCL2():
		return ""
	case leader == "":
		return "there is no leader"
	case silent(leader) != "":
		return "the leader " + silent(leader)
	}
	return ""
}

// note is what is to be said of a shard, in a line.
func (s Shard) note() string {
	notes := s.BlockedBy
	if s.Problem != "" {
		notes = append([]string{"not read: " + s.Problem}, notes...)
	}
	if s.Expired {
		notes = append(slices.Clone(notes), "the record at its checkpoint has expired, and those after it may have")
	}
	if s.LagUnknown != "" {
		notes = append(slices.Clone(notes), "lag unknown: "+s.LagUnknown)
	}
	return strings.Join(notes, "; ")
}
