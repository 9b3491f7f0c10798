package resources

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
	"github.com/seed96110120/kinesis-client-go/infra/internal/rewind"
)

// RewindTo is the place from which records are read again. One of Word, Time and Sequence is
// set.
type RewindTo struct {
	Word     string // TRIM_HORIZON or LATEST
	Time     time.Time
	Sequence string // of a record of Shard
	// Shard is the key of a lease or the ID of its shard. Empty means all shards.
	Shard string
}

// LeaseChanges are changes to the lease table, in the order to make them.
type LeaseChanges struct {
	app *App
	All []rewind.Change
}

// PlanRewind finds the leases that must change.
func (a *App) PlanRewind(ctx context.Context, to RewindTo) (*LeaseChanges, error) {
	f, err := a.find(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := a.leaseRows(ctx, f)
	if err != nil {
		return nil, err
	}
	layout := a.tables().DetectLayout(f.tables, rows)
	plans, several := []streamPlan{}, false
	for _, s := range f.streams {
		if s.description == nil {
			return nil, fmt.Errorf("stream %s does not exist: nothing was changed", s)
		}
		p := streamPlan{stream: s, state: rewind.Stream{ID: s.id, Layout: layout, Initial: s.Position}}
		for _, lease := range rows.Leases {
			if kcl.StreamOf(lease) == s.id {
				p.state.Leases = append(p.state.Leases, lease)
			}
		}
		if len(p.state.Leases) == 0 {
			return nil, fmt.Errorf("application %s has no leases of stream %s%s: nothing was changed; name the streams as the application does, and see kcl-infra leases", a.Application, s, leaseKeyHint(s.id))
		}
		if p.state.Shards, err = a.listShards(ctx, s.Stream, nil); err != nil {
			return nil, err
		}
		for _, shard := range p.state.Shards {
			if to.Shard == "" || to.names(s.id, *shard.ShardId) {
				p.shards = append(p.shards, shard)
			}
		}
		for _, lease := range p.state.Leases {
			if len(p.shards) == 0 && to.names(s.id, kcl.ShardOf(lease)) && kcl.CheckpointProblem(lease, nil) != "" {
				p.goneLease = lease
			}
		}
		if len(p.shards) > 0 || p.goneLease != nil {
			several = to.Shard != "" && len(plans) > 0
			plans = append(plans, p)
		}
	}
	switch {
	case len(plans) == 0:
		return nil, fmt.Errorf("no stream has a shard %s: nothing was changed", to.Shard)
	case several:
		return nil, fmt.Errorf("several streams have a shard %s: nothing was changed; give the key of its lease, ACCOUNT:NAME:EPOCH:SHARD", to.Shard)
	}
	c := &LeaseChanges{app: a}
	for _, p := range plans {
		switch {
		case to.Word == kcl.TrimHorizon && p.goneLease != nil:
			c.All = append(c.All, p.state.DropLease(p.goneLease)...)
			continue
		case p.goneLease != nil:
			return nil, fmt.Errorf("stream %s does not have shard %s: nothing was changed; rewind --to %s drops its lease", p.stream, kcl.ShardOf(p.goneLease), kcl.TrimHorizon)
		case to.Word != kcl.TrimHorizon:
			if err := a.checkCheckpoints(ctx, p); err != nil {
				return nil, err
			}
		}
		targets, err := a.findTargets(ctx, p.stream, p.shards, to)
		if err != nil {
			return nil, err
		}
		changes, err := rewind.Plan(p.state, targets)
		if err != nil {
			return nil, fmt.Errorf("%w: nothing was changed", err)
		}
		c.All = append(c.All, changes...)
	}
	return c, nil
}

// streamPlan is a stream and its shards to rewind.
type streamPlan struct {
	stream    stream
	state     rewind.Stream
	shards    []kinesistypes.Shard
	goneLease kcl.Item // the lease of the shard to rewind if the stream no longer has it
}

// names reports whether to.Shard is this shard.
func (to RewindTo) names(stream, shard string) bool {
	return to.Shard == shard || to.Shard == stream+":"+shard
}

// checkCheckpoints returns an error if the stream cannot have had the checkpoint of a
// lease. The leases of an application with one stream do not say which stream it reads.
func (a *App) checkCheckpoints(ctx context.Context, p streamPlan) error {
	refuse := func(lease kcl.Item, why, flags string) error {
		return fmt.Errorf("lease %s is at %s, which stream %s does not have%s: nothing was changed; is --stream-name right? if the stream was deleted and created again, rewind --to %s%s",
			kcl.KeyOf(lease), kcl.Text(lease, kcl.Checkpoint), p.stream, why, kcl.TrimHorizon, flags)
	}
	listed := map[string]*kinesistypes.Shard{}
	for i, shard := range p.state.Shards {
		listed[*shard.ShardId] = &p.state.Shards[i]
	}
	var leases []kcl.Item // whose checkpoint is a record
	for _, lease := range p.state.Leases {
		shard := listed[kcl.ShardOf(lease)]
		if why := kcl.CheckpointProblem(lease, shard); why != "" {
			flags := ""
			if shard == nil {
				flags = " --shard " + kcl.KeyOf(lease)
			}
			return refuse(lease, " ("+why+")", flags)
		}
		if at := kcl.Text(lease, kcl.Checkpoint); shard != nil && at != "" && strings.Trim(at, "0123456789") == "" {
			leases = append(leases, lease)
		}
	}
	return forEach(ctx, len(leases), func(ctx context.Context, i int) error {
		lease := leases[i]
		r := &shardReader{app: a, stream: p.stream.Stream, shard: *listed[kcl.ShardOf(lease)]}
		if has, err := r.has(ctx, kcl.Text(lease, kcl.Checkpoint)); has || err != nil {
			return err
		}
		return refuse(lease, "", "")
	})
}

// leaseKeyHint shows how the lease keys of a stream begin in an application with several
// streams.
func leaseKeyHint(id string) string {
	if id == "" {
		return ""
	}
	return " (" + id + ":...)"
}

// leaseRows returns the rows of all tables. It returns an error if the lease table does not
// exist or is not KCL's.
func (a *App) leaseRows(ctx context.Context, f found) (rows kcl.Rows, err error) {
	t := a.tables().Leases
	table := f.tables[t.Name]
	if table == nil {
		return rows, fmt.Errorf("application %s has no lease table: nothing was changed", a.Application)
	}
	if err := t.Check(table); err != nil {
		return rows, fmt.Errorf("%w; nothing was changed", err)
	}
	return a.rows(ctx)
}

// findTargets returns the targets of shards.
func (a *App) findTargets(ctx context.Context, s stream, shards []kinesistypes.Shard, to RewindTo) (map[string]rewind.Target, error) {
	switch {
	case to.Word == kcl.Latest && to.Shard != "" && shards[0].SequenceNumberRange.EndingSequenceNumber != nil:
		return nil, fmt.Errorf("shard %s is closed, and KCL does not start a closed shard at %s: nothing was changed; rewind all shards to it, without --shard, or have the handler skip the records", *shards[0].ShardId, to.Word)
	case to.Word != "":
		return rewind.SameTarget(shards, to.Word), nil
	case to.Sequence != "":
		target, err := a.sequenceTarget(ctx, s, shards[0], to.Sequence)
		return map[string]rewind.Target{*shards[0].ShardId: target}, err
	}
	return a.timeTargets(ctx, s, shards, to.Time)
}

// CheckIdle waits until no worker can be running, for at most 90 seconds. It returns an
// error that wraps ErrRunning as soon as one is.
func (c *LeaseChanges) CheckIdle(ctx context.Context) error {
	first, err := c.app.snapshot(ctx)
	if err != nil {
		return err
	}
	watch := max(first.WatchTime(), first.TimeUntilQuiet(time.Now()))
	sign, err := c.app.watch(ctx, first, watch, "workers were running: watching for %v whether they still are", c.app.snapshot)
	if sign != "" {
		return fmt.Errorf("%w: %s; nothing was changed: stop all workers and run again", ErrRunning, sign)
	}
	return err
}

// Apply makes the changes, and calls done with each. It changes a lease only if that has
// not changed since it was read. After an interruption, plan again and apply the rest.
func (c *LeaseChanges) Apply(ctx context.Context, done func(rewind.Change)) error {
	for _, change := range c.All {
		if err := c.app.changeLease(ctx, change); err != nil {
			return err
		}
		done(change)
	}
	return nil
}

// changeLease writes one lease if it has not changed.
func (a *App) changeLease(ctx context.Context, c rewind.Change) error {
	table := a.tables().Leases.Name
	condition, names, values := unchanged(c.Before)
	key := kcl.Item{kcl.LeaseKey: &ddb.AttributeValueMemberS{Value: c.Key()}}
	var err error
	if c.After == nil {
		_, err = a.DynamoDB.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: &table, Key: key, ConditionExpression: &condition, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		})
	} else {
		_, err = a.DynamoDB.PutItem(ctx, &dynamodb.PutItemInput{
			TableName: &table, Item: c.After, ConditionExpression: &condition, ExpressionAttributeNames: names, ExpressionAttributeValues: values,
		})
	}
	if changed := (*ddb.ConditionalCheckFailedException)(nil); !errors.As(err, &changed) {
		return a.dynamoDBError("write lease "+c.Key()+" (run again for the rest)", err)
	}
	// It may have been written by this call, whose answer was lost.
	is, err := a.DynamoDB.GetItem(ctx, &dynamodb.GetItemInput{TableName: &table, Key: key, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return a.dynamoDBError("read lease "+c.Key()+" (run again for the rest)", err)
	}
	if !kcl.Equal(is.Item, c.After) {
		return fmt.Errorf("%w: lease %s has changed; stop all workers and run again for the rest", ErrRunning, c.Key())
	}
	return nil
}

// unchanged returns the condition that a lease has not changed since it was read, in its
// checkpoint, counter and owners, or still does not exist if it is nil.
func unchanged(lease kcl.Item) (condition string, names map[string]string, values kcl.Item) {
	if lease == nil {
		return "attribute_not_exists(#key)", map[string]string{"#key": kcl.LeaseKey}, nil
	}
	var parts []string
	names, values = map[string]string{}, kcl.Item{}
	for i, attribute := range []string{kcl.LeaseCounter, kcl.Checkpoint, kcl.CheckpointSub, kcl.LeaseOwner, kcl.CheckpointOwner} {
		name, value := fmt.Sprintf("#a%d", i), fmt.Sprintf(":v%d", i)
		names[name] = attribute
		if was := lease[attribute]; was != nil {
			values[value] = was
			parts = append(parts, name+" = "+value)
		} else {
			parts = append(parts, "attribute_not_exists("+name+")")
		}
	}
	return strings.Join(parts, " AND "), names, values
}

// RestoreOptions are the optional settings of PlanRestore.
type RestoreOptions struct {
	// Force also restores leases that have changed since the rewind.
	Force bool
}

// PlanRestore returns the changes that undo changes. It returns an error if a lease has
// changed since, unless Force is set. A nil opts means the defaults.
func (a *App) PlanRestore(ctx context.Context, changes []rewind.Change, opts *RestoreOptions) (*LeaseChanges, error) {
	force := opts != nil && opts.Force
	f, err := a.find(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := a.leaseRows(ctx, f)
	if err != nil {
		return nil, err
	}
	existing := map[string]kcl.Item{}
	for _, lease := range rows.Leases {
		existing[kcl.KeyOf(lease)] = lease
	}
	c := &LeaseChanges{app: a}
	for _, change := range slices.Backward(changes) {
		now := existing[change.Key()]
		switch {
		case kcl.Equal(now, change.Before):
			continue
		case !kcl.Equal(now, change.After) && !force:
			return nil, fmt.Errorf("lease %s has changed since the rewind: nothing was changed; --force restores it anyway, and discards what was read since then", change.Key())
		}
		c.All = append(c.All, rewind.Change{Before: now, After: change.Before})
	}
	return c, nil
}
