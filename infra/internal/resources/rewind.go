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

// RewindTo is where records begin to come again. One of Word, Time and Sequence is set.
type RewindTo struct {
	Word     string // TRIM_HORIZON or LATEST
	Time     time.Time
	Sequence string // of a record of Shard
	// Shard is the key of a lease or the ID of its shard; empty means all shards.
	Shard string
}

// LeaseChanges are changes of the lease table, in their order.
type LeaseChanges struct {
	app *App
	All []rewind.Change
}

// PlanRewind looks for the leases that have to change.
func (a *App) PlanRewind(ctx context.Context, to RewindTo) (*LeaseChanges, error) {
	f, err := a.find(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := a.leaseRows(ctx, f)
	if err != nil {
		return nil, err
	}
	layout := a.tables().Layout(f.tables, rows)
	plans, several := []planned{}, false
	for _, s := range f.streams {
		if s.is == nil {
			return nil, fmt.Errorf("stream %s is not there: nothing was changed", s)
		}
		p := planned{stream: s, of: rewind.Stream{ID: s.id, Layout: layout, Initial: s.Position}}
		for _, lease := range rows.Leases {
			if kcl.StreamOf(lease) == s.id {
				p.of.Leases = append(p.of.Leases, lease)
			}
		}
		if len(p.of.Leases) == 0 {
			return nil, fmt.Errorf("application %s has no leases of stream %s%s: nothing was changed; name the streams as the application does, and see kcl-infra leases", a.Application, s, as(s.id))
		}
		if p.of.Shards, err = a.listShards(ctx, s.Stream, nil); err != nil {
			return nil, err
		}
		for _, shard := range p.of.Shards {
			if to.Shard == "" || to.names(s.id, *shard.ShardId) {
				p.picked = append(p.picked, shard)
			}
		}
		for _, lease := range p.of.Leases {
			if len(p.picked) == 0 && to.names(s.id, kcl.ShardOf(lease)) && kcl.Stray(lease, nil) != "" {
				p.gone = lease
			}
		}
		if len(p.picked) > 0 || p.gone != nil {
			several = to.Shard != "" && len(plans) > 0
			plans = append(plans, p)
		}
	}
	switch {
	case len(plans) == 0:
		return nil, fmt.Errorf("no stream lists a shard %s: nothing was changed", to.Shard)
	case several:
		return nil, fmt.Errorf("several streams have a shard %s: nothing was changed; give the key of its lease, ACCOUNT:NAME:EPOCH:SHARD", to.Shard)
	}
	c := &LeaseChanges{app: a}
	for _, p := range plans {
		switch {
		case to.Word == kcl.TrimHorizon && p.gone != nil:
			c.All = append(c.All, p.of.Forget(p.gone)...)
			continue
		case p.gone != nil:
			return nil, fmt.Errorf("stream %s does not have shard %s: nothing was changed; rewind --to %s gives its lease up", p.stream, kcl.ShardOf(p.gone), kcl.TrimHorizon)
		case to.Word != kcl.TrimHorizon:
			if err := a.checkPlaces(ctx, p); err != nil {
				return nil, err
			}
		}
		targets, err := a.look(ctx, p.stream, p.picked, to)
		if err != nil {
			return nil, err
		}
		changes, err := rewind.Plan(p.of, targets)
		if err != nil {
			return nil, fmt.Errorf("%w: nothing was changed", err)
		}
		c.All = append(c.All, changes...)
	}
	return c, nil
}

// planned is a stream and which of its shards to rewind.
type planned struct {
	stream stream
	of     rewind.Stream
	picked []kinesistypes.Shard
	gone   kcl.Item // the lease of the one to rewind, which the stream does not list
}

// names tells whether to is of this shard alone.
func (to RewindTo) names(stream, shard string) bool {
	return to.Shard == shard || to.Shard == stream+":"+shard
}

// checkPlaces refuses leases that are not of the stream: a single-stream application's
// leases do not say which it reads.
func (a *App) checkPlaces(ctx context.Context, p planned) error {
	foreign := func(lease kcl.Item, why, remedy string) error {
		return fmt.Errorf("lease %s is at %s, which stream %s does not have%s: nothing was changed; is --stream-name right? if the stream was made anew, rewind --to %s%s",
			kcl.KeyOf(lease), kcl.Text(lease, kcl.Checkpoint), p.stream, why, kcl.TrimHorizon, remedy)
	}
	listed := map[string]*kinesistypes.Shard{}
	for i, shard := range p.of.Shards {
		listed[*shard.ShardId] = &p.of.Shards[i]
	}
	var leases []kcl.Item // at records
	for _, lease := range p.of.Leases {
		shard := listed[kcl.ShardOf(lease)]
		if why := kcl.Stray(lease, shard); why != "" {
			remedy := ""
			if shard == nil {
				remedy = " --shard " + kcl.KeyOf(lease)
			}
			return foreign(lease, " ("+why+")", remedy)
		}
		if at := kcl.Text(lease, kcl.Checkpoint); shard != nil && at != "" && strings.Trim(at, "0123456789") == "" {
			leases = append(leases, lease)
		}
	}
	return each(ctx, len(leases), func(ctx context.Context, i int) error {
		lease := leases[i]
		r := &shardReader{app: a, stream: p.stream.Stream, shard: *listed[kcl.ShardOf(lease)]}
		if has, err := r.has(ctx, kcl.Text(lease, kcl.Checkpoint)); has || err != nil {
			return err
		}
		return foreign(lease, "", "")
	})
}

// as says how leases of a stream look like in an application of several.
func as(id string) string {
	if id == "" {
		return ""
	}
	return " (" + id + ":...)"
}

// leaseRows reads the rows of a table that is KCL's.
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

// look finds the targets of shards.
func (a *App) look(ctx context.Context, s stream, shards []kinesistypes.Shard, to RewindTo) (map[string]rewind.Target, error) {
	switch {
	case to.Word == kcl.Latest && to.Shard != "" && shards[0].SequenceNumberRange.EndingSequenceNumber != nil:
		return nil, fmt.Errorf("shard %s is closed, and KCL begins such a shard at no %s: nothing was changed; rewind all shards to it, without --shard, or have the handler pass the records over", *shards[0].ShardId, to.Word)
	case to.Word != "":
		return rewind.Everywhere(shards, to.Word), nil
	case to.Sequence != "":
		target, err := a.sequenceTarget(ctx, s, shards[0], to.Sequence)
		return map[string]rewind.Target{*shards[0].ShardId: target}, err
	}
	return a.targets(ctx, s, shards, to.Time)
}

// CheckIdle waits until no worker can be at work, for at most 90 seconds. It returns
// an error that wraps ErrRunning as soon as one is.
func (c *LeaseChanges) CheckIdle(ctx context.Context) error {
	first, err := c.app.snapshot(ctx)
	if err != nil {
		return err
	}
	watch := max(first.Watch(), first.Quiet(time.Now()))
	sign, err := c.app.watch(ctx, first, watch, "workers were at work: watching for %v whether they are", c.app.snapshot)
	if sign != "" {
		return fmt.Errorf("%w: %s; nothing was changed: stop all workers and run again", ErrRunning, sign)
	}
	return err
}

// Do makes the changes, each only if the lease is as it was when it was read, and tells
// done of each. What was interrupted can be planned again and goes on.
func (c *LeaseChanges) Do(ctx context.Context, done func(rewind.Change)) error {
	for _, change := range c.All {
		if err := c.app.changeLease(ctx, change); err != nil {
			return err
		}
		done(change)
	}
	return nil
}

// changeLease writes one lease if it still is as it was.
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
	// Unless it was written, and the answer was lost.
	is, err := a.DynamoDB.GetItem(ctx, &dynamodb.GetItemInput{TableName: &table, Key: key, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return a.dynamoDBError("read lease "+c.Key()+" (run again for the rest)", err)
	}
	if !kcl.Equal(is.Item, c.After) {
		return fmt.Errorf("%w: lease %s has changed; stop all workers and run again for the rest", ErrRunning, c.Key())
	}
	return nil
}

// unchanged is the condition that a lease is as it was read: its checkpoint, its counter
// and its owners; or is not there.
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

// PlanRestore returns the changes that take changes back. It refuses a lease that is
// neither as it was before nor as it was after, unless forced.
func (a *App) PlanRestore(ctx context.Context, changes []rewind.Change, force bool) (*LeaseChanges, error) {
	f, err := a.find(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := a.leaseRows(ctx, f)
	if err != nil {
		return nil, err
	}
	there := map[string]kcl.Item{}
	for _, lease := range rows.Leases {
		there[kcl.KeyOf(lease)] = lease
	}
	c := &LeaseChanges{app: a}
	for _, change := range slices.Backward(changes) {
		is := there[change.Key()]
		switch {
		case kcl.Equal(is, change.Before):
			continue
		case !kcl.Equal(is, change.After) && !force:
			return nil, fmt.Errorf("lease %s has changed since the rewind: nothing was changed; --force puts it back all the same, and what was read since then does not count", change.Key())
		}
		c.All = append(c.All, rewind.Change{Before: is, After: change.Before})
	}
	return c, nil
}
