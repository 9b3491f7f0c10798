package resources

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/seed96110120/kinesis-client-go/infra/internal/activity"
	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

// LeaseDeletion is the leases of one stream, which an application of several does
// not read any more.
type LeaseDeletion struct {
	app    *App
	stream string // its identifier
	leases []kcl.Item
	force  bool
}

// PlanLeaseDeletion looks for the leases of a stream, which is named by its
// identifier in them, its name or its ARN. Without such leases it is an error. With
// reads it refuses one of App.Streams.
func (a *App) PlanLeaseDeletion(ctx context.Context, stream string, reads, force bool) (*LeaseDeletion, error) {
	rows, err := a.rows(ctx)
	if err != nil {
		return nil, err
	}
	of := map[string][]kcl.Item{}
	has := map[string]bool{} // by identifier, or what stands for it
	for _, lease := range rows.Leases {
		id := kcl.StreamOf(lease)
		if id != "" && kcl.Names(stream, id) {
			of[id] = append(of[id], lease)
		}
		has[cmp.Or(id, "an application of one stream")] = true
	}
	d := &LeaseDeletion{app: a, force: force}
	ids := slices.Sorted(maps.Keys(of))
	switch len(ids) {
	case 0:
		there := cmp.Or(strings.Join(slices.Sorted(maps.Keys(has)), ", "), "none")
		return nil, fmt.Errorf("application %s has no leases of stream %s, nothing was deleted; those that it has are of: %s", a.Application, stream, there)
	case 1:
		d.stream, d.leases = ids[0], of[ids[0]]
	default:
		return nil, fmt.Errorf("%s may be each of %s: say which; nothing was deleted", stream, strings.Join(ids, ", "))
	}
	if !reads {
		return d, nil
	}
	f, err := a.find(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range f.streams {
		if s.is == nil {
			continue
		}
		if id, _ := kcl.Identifier(aws.ToString(s.is.StreamARN), aws.ToTime(s.is.StreamCreationTimestamp)); id == d.stream {
			return nil, fmt.Errorf("%s is stream %s, which the application reads: nothing was deleted; take it out of the configuration first", d.stream, s)
		}
	}
	return d, nil
}

// What lists the leases that would be deleted.
func (d *LeaseDeletion) What() []string {
	var what []string
	for _, lease := range d.leases {
		what = append(what, "lease "+kcl.KeyOf(lease))
	}
	return what
}

// CheckIdle returns an error that wraps ErrRunning when a worker renews one of the
// leases. The workers of the other streams may be at work. KCL deals out all leases
// of a table, so this may be a worker that does not read the stream.
func (d *LeaseDeletion) CheckIdle(ctx context.Context) error {
	if d.force {
		return nil
	}
	look := func(ctx context.Context) (activity.Snapshot, error) {
		s, err := d.app.snapshot(ctx)
		s.Leases = slices.DeleteFunc(s.Leases, func(lease kcl.Item) bool { return kcl.StreamOf(lease) != d.stream })
		s.Leader = nil
		return s, err
	}
	first, err := look(ctx)
	if err != nil {
		return err
	}
	sign, err := d.app.watch(ctx, first, first.Watch(), watchOwners, func(ctx context.Context) (activity.Snapshot, error) {
		s, err := look(ctx)
		s.Workers = nil // what they report is not of this stream
		return s, err
	})
	if sign != "" {
		return fmt.Errorf("%w: %s; nothing was deleted: stop the workers, or use --force if none of them reads the stream", ErrRunning, sign)
	}
	return err
}

// Do deletes the leases, each only if it is still of the stream and, unless forced,
// as it was when it was planned. It tells done of each.
func (d *LeaseDeletion) Do(ctx context.Context, done func(what string)) error {
	table := d.app.tables().Leases.Name
	for i, what := range d.What() {
		lease := d.leases[i]
		in := &dynamodb.DeleteItemInput{
			TableName:                 &table,
			Key:                       kcl.Item{kcl.LeaseKey: lease[kcl.LeaseKey]},
			ConditionExpression:       aws.String("attribute_not_exists(#key) OR #stream = :stream"),
			ExpressionAttributeNames:  map[string]string{"#key": kcl.LeaseKey, "#stream": kcl.StreamID},
			ExpressionAttributeValues: kcl.Item{":stream": lease[kcl.StreamID]},
		}
		if !d.force {
			*in.ConditionExpression += " AND #counter = :counter"
			in.ExpressionAttributeNames["#counter"] = kcl.LeaseCounter
			in.ExpressionAttributeValues[":counter"] = lease[kcl.LeaseCounter]
		}
		_, err := d.app.DynamoDB.DeleteItem(ctx, in)
		if changed := (*ddb.ConditionalCheckFailedException)(nil); errors.As(err, &changed) {
			return fmt.Errorf("%w: %s has changed; stop the workers and run again for the rest", ErrRunning, what)
		}
		if err != nil {
			return d.app.dynamoDBError("delete "+what+" (run again for the rest)", err)
		}
		done(what)
	}
	return nil
}
