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

// Shard is a shard with its lease. Without a lease it has no Checkpoint. A lease without a
// shard has the State gone.
type Shard struct {
	// Stream is the name of the stream as in StreamStatus, or its identifier in an
	// application with several streams.
	Stream  string `json:"stream"`
	ShardID string `json:"shardId"`
	State   string `json:"state"` // open, closed, gone; empty in Others
	// Parents and Children are the IDs of those shards that ListShards returns.
	Parents  []string `json:"parents,omitempty"`
	Children []string `json:"children,omitempty"`

	Owner string `json:"owner,omitempty"`
	// OwnerReported is the time of the owner's last report, by its own clock.
	OwnerReported *time.Time `json:"ownerReported,omitempty"`
	// RenewedWithin and NotRenewedFor are upper and lower bounds of the time since the
	// owner renewed the lease, in seconds. A lease has a counter and no time, so only a
	// LeaseWatcher knows one of them, from its second read on.
	RenewedWithin float64 `json:"renewedWithinSeconds,omitempty"`
	NotRenewedFor float64 `json:"notRenewedForSeconds,omitempty"`
	LeaseCounter  int64   `json:"leaseCounter"`
	OwnerSwitches int64   `json:"ownerSwitches"`

	Checkpoint  string `json:"checkpoint,omitempty"`
	SubSequence int64  `json:"subSequenceNumber"`
	// Arrival is when the record at the checkpoint arrived in the stream. At
	// TRIM_HORIZON it is the oldest record.
	Arrival *time.Time `json:"arrival,omitempty"`
	// LagSeconds is how far the checkpoint is behind the newest record in time, as
	// GetRecords returns it. It is nil if no record was read. If the read failed,
	// LagUnknown is the error.
	LagSeconds *float64 `json:"lagSeconds,omitempty"`
	LagUnknown string   `json:"lagUnknown,omitempty"`

	// Expired is whether the record at the checkpoint has expired while later ones have
	// not. Records between them may have expired too.
	Expired bool `json:"expired,omitempty"`

	// BlockedBy lists why no worker reads the shard now.
	BlockedBy []string `json:"blockedBy,omitempty"`
	// OtherForm is set in Others if the lease belongs to an application with several
	// streams and one stream was named, or the other way round.
	OtherForm bool `json:"otherForm,omitempty"`
	// Problem says why the stream cannot have this checkpoint. Probably the stream was
	// deleted and created again, or the shard was not read before its records expired.
	Problem string `json:"problem,omitempty"`
}

// ended reports whether the shard was read to its end.
func (s Shard) ended() bool { return s.Checkpoint == kcl.ShardEnd }

// streamShards is a stream with its shards as ListShards returns them.
type streamShards struct {
	stream
	shards []kinesistypes.Shard
}

// shardKey identifies a shard. stream is the stream's identifier, and empty in an
// application with one stream.
type shardKey struct{ stream, id string }

// inventory is everything that exists of an application.
type inventory struct {
	Overview
	found
	rows   kcl.Rows
	layout kcl.Layout
	// streams are the streams with their shards.
	streams []streamShards
	shardTable
	// notKCL is set if a table is not KCL's. Then rows are not read.
	notKCL error
}

// inventory reads everything, and changes nothing.
func (a *App) inventory(ctx context.Context) (v inventory, err error) {
	if v.found, err = a.find(ctx); err != nil {
		return v, err
	}
	for _, s := range v.found.streams {
		with := streamShards{stream: s}
		if s.description != nil {
			if with.shards, err = a.listShards(ctx, s.Stream, nil); err != nil {
				return v, err
			}
		}
		v.streams = append(v.streams, with)
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
	v.layout = a.tables().DetectLayout(v.tables, v.rows)
	v.Overview = a.overview(v.layout, v.rows)
	v.shardTable = joinShards(v.streams, v.rows, v.layout, time.Now())
	return v, nil
}

func (a *App) overview(layout kcl.Layout, rows kcl.Rows) Overview {
	return Overview{a.Application, layout.String(), rows.Migrations(), rows.LeaderOf()}
}

// shardTable are the shards of an application.
type shardTable struct {
	// shards has a row for each shard of the streams and for each of their leases, in
	// the order of the streams and of the IDs. others has a row for each lease of
	// another stream.
	shards, others []Shard
}

// joinShards joins shards with their leases, and finds what blocks each shard now.
func joinShards(streams []streamShards, rows kcl.Rows, layout kcl.Layout, now time.Time) (j shardTable) {
	leases := map[shardKey]kcl.Item{}
	for _, lease := range rows.Leases {
		key := shardKey{kcl.StreamOf(lease), kcl.ShardOf(lease)}
		leases[key] = lease
		if !slices.ContainsFunc(streams, func(of streamShards) bool { return of.has(key.stream, len(streams)) }) {
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
				if of.description != nil {
					row.Problem = kcl.CheckpointProblem(lease, shard)
				}
			}
			j.shards = append(j.shards, row)
		}
	}
	findBlockers(j.shards, rows, layout, now)
	return j
}

// has reports whether leases with this stream identifier belong to the stream.
func (l streamShards) has(identifier string, streams int) bool {
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

// findBlockers sets BlockedBy of each shard that should be read.
func findBlockers(shards []Shard, rows kcl.Rows, layout kcl.Layout, now time.Time) {
	type key = shardKey
	by := map[key]*Shard{}
	for i := range shards {
		by[key{shards[i].Stream, shards[i].ShardID}] = &shards[i]
	}
	// begun has the shards that have a lease or a descendant with a lease. Such a shard
	// without a lease was read, or is older than where the application started.
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
		case rows.AssignsAsKCL2(): // then not all workers report
		case !ok && len(reported) > 0:
			return "has never reported"
		case ok && now.Sub(at) >= activity.MaxReportAge:
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
		case s.Checkpoint == "" && len(why) > 0: // the parent's end creates the lease
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

// missingLeader says why nobody creates and assigns leases, and returns "" if a leader does.
// Before KCL 3 no row has the leader.
func missingLeader(rows kcl.Rows, layout kcl.Layout, silent func(worker string) string) string {
	leader := rows.LeaderOf()
	switch {
	case layout == kcl.KCL2, layout == kcl.NoLayout, rows.AssignsAsKCL2():
		return ""
	case leader == "":
		return "there is no leader"
	case silent(leader) != "":
		return "the leader " + silent(leader)
	}
	return ""
}

// note returns what blocks a shard and what is unusual about it, in one line.
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
