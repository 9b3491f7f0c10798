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

// LeaseDeletion is a plan to delete the leases of a stream that an application with several
// streams no longer reads.
type LeaseDeletion struct {
	app    *App
	stream string // identifier
	leases []kcl.Item
	force  bool
}

// LeaseDeletionOptions are the optional settings of PlanLeaseDeletion.
type LeaseDeletionOptions struct {
	// RefuseAppStreams refuses to delete the leases of one of App.Streams.
	RefuseAppStreams bool
	// Force also deletes leases that a worker renews or has changed.
	Force bool
}

// PlanLeaseDeletion finds the leases of a stream, which is named by its identifier, its
// name or its ARN. It returns an error if there are none. A nil opts means the defaults.
func (a *App) PlanLeaseDeletion(ctx context.Context, stream string, opts *LeaseDeletionOptions) (*LeaseDeletion, error) {
	if opts == nil {
		opts = &LeaseDeletionOptions{}
	}
	rows, err := a.rows(ctx)
	if err != nil {
		return nil, err
	}
	byStream := map[string][]kcl.Item{} // of streams that match
	all := map[string]bool{}            // identifiers of all streams
	for _, lease := range rows.Leases {
		id := kcl.StreamOf(lease)
		if id != "" && kcl.MatchesIdentifier(stream, id) {
			byStream[id] = append(byStream[id], lease)
		}
		all[cmp.Or(id, "an application of one stream")] = true
	}
	d := &LeaseDeletion{app: a, force: opts.Force}
	ids := slices.Sorted(maps.Keys(byStream))
	switch len(ids) {
	case 0:
		existing := cmp.Or(strings.Join(slices.Sorted(maps.Keys(all)), ", "), "none")
		return nil, fmt.Errorf("application %s has no leases of stream %s, nothing was deleted; its leases are of: %s", a.Application, stream, existing)
	case 1:
		d.stream, d.leases = ids[0], byStream[ids[0]]
	default:
		return nil, fmt.Errorf("%s matches %s: nothing was deleted; name one of them", stream, strings.Join(ids, ", "))
	}
	if !opts.RefuseAppStreams {
		return d, nil
	}
	f, err := a.find(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range f.streams {
		if s.description == nil {
			continue
		}
		if id, _ := kcl.Identifier(aws.ToString(s.description.StreamARN), aws.ToTime(s.description.StreamCreationTimestamp)); id == d.stream {
			return nil, fmt.Errorf("%s is stream %s, which the application reads: nothing was deleted; remove it from the configuration first", d.stream, s)
		}
	}
	return d, nil
}

// Items returns the leases that would be deleted.
func (d *LeaseDeletion) Items() []string {
	var what []string
	for _, lease := range d.leases {
		what = append(what, "lease "+kcl.KeyOf(lease))
	}
	return what
}

// CheckIdle returns an error that wraps ErrRunning if a worker renews one of the leases.
// Workers may read the other streams. KCL assigns all leases of a table, so a worker that
// does not read the stream may renew its leases.
func (d *LeaseDeletion) CheckIdle(ctx context.Context) error {
	if d.force {
		return nil
	}
	read := func(ctx context.Context) (activity.Snapshot, error) {
		s, err := d.app.snapshot(ctx)
		s.Leases = slices.DeleteFunc(s.Leases, func(lease kcl.Item) bool { return kcl.StreamOf(lease) != d.stream })
		s.Leader = nil
		return s, err
	}
	first, err := read(ctx)
	if err != nil {
		return err
	}
	sign, err := d.app.watch(ctx, first, first.WatchTime(), watchOwners, func(ctx context.Context) (activity.Snapshot, error) {
		s, err := read(ctx)
		s.Workers = nil // their reports are not about this stream
		return s, err
	})
	if sign != "" {
		return fmt.Errorf("%w: %s; nothing was deleted: stop the workers, or use --force if none of them reads the stream", ErrRunning, sign)
	}
	return err
}

// Apply deletes the leases, and calls done with each. It deletes a lease only if it still
// belongs to the stream and, without Force, has not changed.
func (d *LeaseDeletion) Apply(ctx context.Context, done func(what string)) error {
	table := d.app.tables().Leases.Name
	for i, what := range d.Items() {
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
