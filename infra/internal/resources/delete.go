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

// watchEvery is the pause between two looks at the counters.
const watchEvery = time.Second

// ErrRunning says that the application's workers are at work, or were within the
// last minute.
var ErrRunning = errors.New("the application is running or was a moment ago")

// Deletion is what there is to delete.
type Deletion struct {
	app       *App
	tables    []string // those to delete
	deleting  []string // those that are being deleted already
	consumers []consumer
	streams   []stream
	force     bool
}

type consumer struct {
	stream stream
	arn    *string
}

// PlanDelete looks for what to delete: the tables of every layout, the fan-out consumers
// that KCL registered and, when withStreams is set, the streams that are named by their
// names. Unless forced it refuses a table that is not KCL's. If one of the tables cannot
// be deleted now none is: an application on its way to one table has rows in all three.
func (a *App) PlanDelete(ctx context.Context, withStreams, force bool) (*Deletion, error) {
	f, err := a.find(ctx)
	if err != nil {
		return nil, err
	}
	d := &Deletion{app: a, force: force}
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
			if !force {
				return nil, fmt.Errorf("%w; nothing was deleted, --force deletes it all the same", err)
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
		about := a.about(a.tables().Layout(f.tables, rows), rows)
		a.Progress("application %s has layout %s", a.Application, about.layout())
		for _, m := range about.Migrations {
			a.Progress("%s: its tables go together", m)
		}
	}
	for _, s := range f.streams {
		if s.ConsumerARN == "" { // else KCL has registered none
			c, err := a.consumer(ctx, s)
			if err != nil {
				return nil, err
			}
			if c != nil {
				d.consumers = append(d.consumers, consumer{s, c.ConsumerARN})
			}
		}
		switch {
		case !withStreams || s.is == nil:
		case s.ARN != "":
			a.Progress("stream %s stays: one that is named by its ARN may be of another account", s)
		default:
			d.streams = append(d.streams, s)
		}
	}
	return d, nil
}

// What lists what would be deleted; it is empty when there is nothing.
func (d *Deletion) What() []string {
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

// CheckIdle returns an error that wraps ErrRunning when the application runs, or
// did within the last minute; see package activity for how it is told. It may
// take a minute.
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
	if sign := first.Reported(time.Now()); sign != "" {
		return running(sign)
	}
	sign, err := d.app.watch(ctx, first, first.Watch(), watchOwners, d.app.snapshot)
	if sign != "" {
		return running(sign)
	}
	return err
}

const watchOwners = "leases or the leader lock have an owner: watching for %v whether they are renewed (--force skips this)"

// watch looks again and again, for some time, and returns the sign of a worker that is
// at work. why, with the time, is shown as progress.
func (a *App) watch(ctx context.Context, first activity.Snapshot, watch time.Duration, why string, look func(context.Context) (activity.Snapshot, error)) (sign string, err error) {
	if watch == 0 {
		return "", nil
	}
	a.Progress(why, watch.Round(time.Second))
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for began := time.Now(); time.Since(began) < watch; {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-ticker.C:
		}
		now, err := look(ctx)
		if err != nil {
			return "", err
		}
		if sign := activity.Change(first, now); sign != "" {
			return sign, nil
		}
	}
	return "", nil
}

// Do deletes, waits until all is gone, and then tells done what that was.
func (d *Deletion) Do(ctx context.Context, done func(what string)) error {
	a := d.app
	for _, name := range d.tables {
		a.Progress("deleting table %s", name)
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
		if s.is.StreamStatus == kinesistypes.StreamStatusDeleting {
			continue
		}
		a.Progress("deleting stream %s", s.Name)
		_, err := a.Kinesis.DeleteStream(ctx, &kinesis.DeleteStreamInput{
			StreamName: &s.Name, EnforceConsumerDeletion: aws.Bool(d.force),
		})
		if missing := (*kinesistypes.ResourceNotFoundException)(nil); err != nil && !errors.As(err, &missing) {
			return a.kinesisError("delete stream "+s.Name, err)
		}
	}
	if err := a.poll(ctx, d.left); err != nil {
		return err
	}
	for _, what := range d.What() {
		done(what)
	}
	return nil
}

// deregister ends with the consumer gone: a stream that has one is not deleted.
func (d *Deletion) deregister(ctx context.Context, c consumer) error {
	a := d.app
	a.Progress("deregistering consumer %s of stream %s", a.Application, c.stream)
	_, err := a.Kinesis.DeregisterStreamConsumer(ctx, &kinesis.DeregisterStreamConsumerInput{ConsumerARN: c.arn})
	if missing := (*kinesistypes.ResourceNotFoundException)(nil); err != nil && !errors.As(err, &missing) {
		err = a.kinesisError("deregister consumer "+a.Application+" of stream "+c.stream.String(), err)
		if c.stream.ARN != "" && denied(err) {
			err = fmt.Errorf("%w; if the stream's owner registered it, write consumerArn=%s behind the stream in the property streams", err, *c.arn)
		}
		return err
	}
	return a.poll(ctx, func(ctx context.Context) (string, error) {
		is, err := a.describeStream(ctx, c.stream.Stream)
		if err != nil {
			return "", err
		}
		left, err := a.consumer(ctx, stream{Stream: c.stream.Stream, is: is})
		if left == nil {
			return "", err
		}
		return fmt.Sprintf("consumer %s to go (%s)", a.Application, left.ConsumerStatus), err
	})
}

// left names what is not gone yet.
func (d *Deletion) left(ctx context.Context) (string, error) {
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
		if now.is != nil && slices.ContainsFunc(d.streams, func(s stream) bool { return s.String() == now.String() }) {
			left = append(left, "stream "+now.Name)
		}
	}
	if len(left) == 0 {
		return "", nil
	}
	return strings.Join(left, ", ") + " to go", nil
}
