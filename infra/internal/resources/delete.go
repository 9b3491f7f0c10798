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
	app      *App
	tables   []string // those to delete
	deleting []string // those that are being deleted already
	consumer *kinesistypes.ConsumerDescription
	stream   *kinesistypes.StreamDescriptionSummary // nil: it stays, or is not there
	force    bool
}

// PlanDelete looks for what to delete: the tables and the fan-out consumer, and
// the stream when withStream is set. Unless forced it refuses a table that is
// not KCL's.
func (a *App) PlanDelete(ctx context.Context, withStream, force bool) (*Deletion, error) {
	f, err := a.find(ctx)
	if err != nil {
		return nil, err
	}
	d := &Deletion{app: a, force: force}
	for _, t := range a.tables().All() {
		table := f.tables[t.Name]
		if table == nil {
			continue
		}
		if table.TableStatus == ddb.TableStatusDeleting {
			d.deleting = append(d.deleting, t.Name)
			continue
		}
		if err := t.Check(table); err != nil && !force {
			return nil, fmt.Errorf("%w; nothing was deleted, --force deletes it all the same", err)
		}
		if aws.ToBool(table.DeletionProtectionEnabled) {
			return nil, fmt.Errorf("table %s is protected from deletion: nothing was deleted; turn that off first", t.Name)
		}
		d.tables = append(d.tables, t.Name)
	}
	if d.consumer, err = a.consumer(ctx, f.stream); err != nil {
		return nil, err
	}
	if withStream {
		d.stream = f.stream
	}
	return d, nil
}

// What lists what would be deleted; it is empty when there is nothing.
func (d *Deletion) What() []string {
	var what []string
	for _, name := range slices.Concat(d.tables, d.deleting) {
		what = append(what, "table "+name)
	}
	if d.consumer != nil {
		what = append(what, "consumer "+d.app.Application+" of stream "+d.app.StreamName)
	}
	if d.stream != nil {
		what = append(what, "stream "+d.app.StreamName+" and its records")
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
	watch := first.Watch()
	if watch == 0 {
		return nil
	}
	d.app.Progress("leases or the leader lock have an owner: watching for %v whether they are renewed (--force skips this)", watch)
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for began := time.Now(); time.Since(began) < watch; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		now, err := d.app.snapshot(ctx)
		if err != nil {
			return err
		}
		if sign := activity.Change(first, now); sign != "" {
			return running(sign)
		}
	}
	return nil
}

// Do deletes, and waits until all is gone.
func (d *Deletion) Do(ctx context.Context) error {
	a := d.app
	for _, name := range d.tables {
		a.Progress("deleting table %s", name)
		_, err := a.DynamoDB.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &name})
		if missing := (*ddb.ResourceNotFoundException)(nil); err != nil && !errors.As(err, &missing) {
			return a.dynamoDBError("delete table "+name, err)
		}
	}
	if d.consumer != nil {
		if err := d.deregister(ctx); err != nil {
			return err
		}
	}
	if d.stream != nil && d.stream.StreamStatus != kinesistypes.StreamStatusDeleting {
		a.Progress("deleting stream %s", a.StreamName)
		_, err := a.Kinesis.DeleteStream(ctx, &kinesis.DeleteStreamInput{
			StreamName: &a.StreamName, EnforceConsumerDeletion: aws.Bool(d.force),
		})
		if missing := (*kinesistypes.ResourceNotFoundException)(nil); err != nil && !errors.As(err, &missing) {
			return a.kinesisError("delete stream "+a.StreamName, err)
		}
	}
	return a.poll(ctx, d.left)
}

// deregister ends with the consumer gone: a stream that has one is not deleted.
func (d *Deletion) deregister(ctx context.Context) error {
	a := d.app
	a.Progress("deregistering consumer %s", a.Application)
	_, err := a.Kinesis.DeregisterStreamConsumer(ctx, &kinesis.DeregisterStreamConsumerInput{ConsumerARN: d.consumer.ConsumerARN})
	if missing := (*kinesistypes.ResourceNotFoundException)(nil); err != nil && !errors.As(err, &missing) {
		return a.kinesisError("deregister consumer "+a.Application, err)
	}
	return a.poll(ctx, func(ctx context.Context) (string, error) {
		stream, err := a.describeStream(ctx)
		if err != nil {
			return "", err
		}
		c, err := a.consumer(ctx, stream)
		if c == nil {
			return "", err
		}
		return fmt.Sprintf("consumer %s to go (%s)", a.Application, c.ConsumerStatus), err
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
	if d.stream != nil && f.stream != nil {
		left = append(left, "stream "+d.app.StreamName)
	}
	if len(left) == 0 {
		return "", nil
	}
	return strings.Join(left, ", ") + " to go", nil
}
