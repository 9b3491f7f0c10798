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
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"github.com/seed96110120/kinesis-client-go/infra/internal/activity"
)

// watchEvery is the pause between two reads of the counters.
const watchEvery = time.Second

// ErrRunning is the error if the application's workers are running, or were within the last
// minute.
var ErrRunning = errors.New("the application is running or was a moment ago")

// Deletion is a plan of what to delete.
type Deletion struct {
	app       *App
	tables    []string // to delete
	deleting  []string // being deleted already
	consumers []consumer
	streams   []stream
	force     bool
}

type consumer struct {
	stream stream
	arn    *string
}

// DeleteOptions are the optional settings of PlanDelete.
type DeleteOptions struct {
	// Streams deletes the streams too, except those that are named by their ARN.
	Streams bool
	// Force also deletes tables that are not KCL's, the tables of an application that
	// runs, and streams with other consumers.
	Force bool
}

// PlanDelete finds what to delete: the tables of every layout, the fan-out consumers that
// KCL registered, and the streams if opts says so. A nil opts means the defaults. If one
// of the tables cannot be deleted now, none is, because an application that migrates to
// one table has rows in all three.
func (a *App) PlanDelete(ctx context.Context, opts *DeleteOptions) (*Deletion, error) {
	if opts == nil {
		opts = &DeleteOptions{}
	}
	f, err := a.find(ctx)
	if err != nil {
		return nil, err
	}
	d := &Deletion{app: a, force: opts.Force}
	others := false
	for _, t := range a.tables().All() {
		table := f.tables[t.Name]
		if table == nil {
			continue
		}
		if table.TableStatus == ddb.TableStatusDeleting {
			d.deleting = append(d.deleting, t.Name)
			continue
		}
		if table.TableStatus != ddb.TableStatusActive { // DynamoDB would refuse it, after others
			return nil, fmt.Errorf("table %s is %s: nothing was deleted; wait until it is ACTIVE, then run again", t.Name, table.TableStatus)
		}
		if err := t.Check(table); err != nil {
			if !opts.Force {
				return nil, fmt.Errorf("%w: nothing was deleted; --force deletes it anyway", err)
			}
			others = true
		}
		if aws.ToBool(table.DeletionProtectionEnabled) {
			return nil, fmt.Errorf("table %s is protected from deletion: nothing was deleted; turn that off first", t.Name)
		}
		d.tables = append(d.tables, t.Name)
	}
	if len(d.tables) > 0 && !others {
		rows, err := a.rows(ctx)
		if err != nil {
			return nil, err
		}
		overview := a.overview(a.tables().DetectLayout(f.tables, rows), rows)
		a.logf("application %s has layout %s", a.Application, overview.layout())
		for _, m := range overview.Migrations {
			a.logf("%s: its tables are deleted together", m)
		}
	}
	for _, s := range f.streams {
		if s.ConsumerARN == "" { // otherwise KCL registered none
			c, err := a.consumer(ctx, s)
			if err != nil {
				return nil, err
			}
			if c != nil {
				d.consumers = append(d.consumers, consumer{s, c.ConsumerARN})
			}
		}
		switch {
		case !opts.Streams || s.description == nil:
		case s.ARN != "":
			a.logf("stream %s stays: it is named by its ARN and may belong to another account", s)
		default:
			d.streams = append(d.streams, s)
		}
	}
	return d, nil
}

// Items returns what would be deleted. It is empty if there is nothing to delete.
func (d *Deletion) Items() []string {
	var what []string
	for _, name := range slices.Concat(d.tables, d.deleting) {
		what = append(what, "table "+name)
	}
	for _, c := range d.consumers {
		what = append(what, "consumer "+d.app.Application+" of stream "+c.stream.String())
	}
	for _, s := range d.streams {
		what = append(what, "stream "+s.Name+" and its records")
	}
	return what
}

// CheckIdle returns an error that wraps ErrRunning if the application runs, or ran within
// the last minute. Package activity says how that is found out. It may take a minute.
func (d *Deletion) CheckIdle(ctx context.Context) error {
	if d.force || len(d.tables) == 0 {
		return nil
	}
	running := func(sign string) error {
		return fmt.Errorf("%w: %s; nothing was deleted: stop it and run again, or use --force", ErrRunning, sign)
	}
	first, err := d.app.snapshot(ctx)
	if err != nil {
		return err
	}
	if sign := first.RecentReport(time.Now()); sign != "" {
		return running(sign)
	}
	sign, err := d.app.watch(ctx, first, first.WatchTime(), watchOwners, d.app.snapshot)
	if sign != "" {
		return running(sign)
	}
	return err
}

const watchOwners = "leases or the leader lock have an owner: watching for %v whether they are renewed (--force skips this)"

// watch takes snapshots for a time. It returns a description of a worker's write between
// first and a later snapshot, and "" if there was none. It logs reason, with the time.
func (a *App) watch(ctx context.Context, first activity.Snapshot, watch time.Duration, reason string, read func(context.Context) (activity.Snapshot, error)) (sign string, err error) {
	if watch == 0 {
		return "", nil
	}
	a.logf(reason, watch.Round(time.Second))
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for began := time.Now(); time.Since(began) < watch; {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-ticker.C:
		}
		now, err := read(ctx)
		if err != nil {
			return "", err
		}
		if sign := activity.Change(first, now); sign != "" {
			return sign, nil
		}
	}
	return "", nil
}

// Apply deletes the items, waits until they are gone, and then calls done with each.
func (d *Deletion) Apply(ctx context.Context, done func(what string)) error {
	a := d.app
	for _, name := range d.tables {
		a.logf("deleting table %s", name)
		_, err := a.DynamoDB.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &name})
		if missing := (*ddb.ResourceNotFoundException)(nil); err != nil && !errors.As(err, &missing) {
			return a.dynamoDBError("delete table "+name, err)
		}
	}
	for _, c := range d.consumers {
		if err := d.deregister(ctx, c); err != nil {
			return err
		}
	}
	for _, s := range d.streams {
		if s.description.StreamStatus == kinesistypes.StreamStatusDeleting {
			continue
		}
		a.logf("deleting stream %s", s.Name)
		_, err := a.Kinesis.DeleteStream(ctx, &kinesis.DeleteStreamInput{
			StreamName: &s.Name, EnforceConsumerDeletion: aws.Bool(d.force),
		})
		if missing := (*kinesistypes.ResourceNotFoundException)(nil); err != nil && !errors.As(err, &missing) {
			return a.kinesisError("delete stream "+s.Name, err)
		}
	}
	if err := a.poll(ctx, d.remaining); err != nil {
		return err
	}
	for _, what := range d.Items() {
		done(what)
	}
	return nil
}

// deregister deregisters a consumer and waits until it is gone, because a stream with a
// consumer is not deleted.
func (d *Deletion) deregister(ctx context.Context, c consumer) error {
	a := d.app
	a.logf("deregistering consumer %s of stream %s", a.Application, c.stream)
	_, err := a.Kinesis.DeregisterStreamConsumer(ctx, &kinesis.DeregisterStreamConsumerInput{ConsumerARN: c.arn})
	if missing := (*kinesistypes.ResourceNotFoundException)(nil); err != nil && !errors.As(err, &missing) {
		err = a.kinesisError("deregister consumer "+a.Application+" of stream "+c.stream.String(), err)
		if c.stream.ARN != "" && denied(err) {
			err = fmt.Errorf("%w; if the stream's owner registered it, write consumerArn=%s after the stream in the property streams", err, *c.arn)
		}
		return err
	}
	return a.poll(ctx, func(ctx context.Context) (string, error) {
		description, err := a.describeStream(ctx, c.stream.Stream)
		if err != nil {
			return "", err
		}
		left, err := a.consumer(ctx, stream{Stream: c.stream.Stream, description: description})
		if left == nil {
			return "", err
		}
		return fmt.Sprintf("consumer %s to be deleted (%s)", a.Application, left.ConsumerStatus), err
	})
}

// remaining returns what is not deleted yet, and "" if all is.
func (d *Deletion) remaining(ctx context.Context) (string, error) {
	f, err := d.app.find(ctx)
	if err != nil {
		return "", err
	}
	var left []string
	for _, name := range slices.Concat(d.tables, d.deleting) {
		if f.tables[name] != nil {
			left = append(left, "table "+name)
		}
	}
	for _, now := range f.streams {
		if now.description != nil && slices.ContainsFunc(d.streams, func(s stream) bool { return s.String() == now.String() }) {
			left = append(left, "stream "+now.Name)
		}
	}
	if len(left) == 0 {
		return "", nil
	}
	return strings.Join(left, ", ") + " to be deleted", nil
}
