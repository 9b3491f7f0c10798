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

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

// KCL lists the shards three times, a second apart, before it gives up on a
// stream whose shards do not cover all hash keys.
const (
	listTries = 3
	listPause = time.Second
)

// Made says of one resource whether Create made it.
type Made struct {
	Made bool
	What string
}

// Create makes what is not there of the streams and the tables, waits until all
// is ready and, with seed, writes the first leases of each stream at its Position.
// With NoLayout the tables are those of the layout that is there, or else of
// DefaultLayout. What is there and differs is found before anything is made. It
// returns what it made so far with an error too.
func (a *App) Create(ctx context.Context, shards int, layout kcl.Layout, seed bool) ([]Made, error) {
	f, err := a.find(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := a.rows(ctx)
	if err != nil {
		return nil, err
	}
	if layout, err = a.chooseLayout(layout, a.tables().Layout(f.tables, rows)); err != nil {
		return nil, err
	}
	tables := a.tables().In(layout)
	if err := a.checkBeforeCreate(f, tables); err != nil {
		return nil, err
	}
	if seed {
		if err := a.checkBeforeSeed(ctx, f, rows.Leases, layout); err != nil {
			return nil, err
		}
	}
	made, err := a.request(ctx, f, tables, shards)
	if err != nil {
		return made, err
	}
	ready := func(ctx context.Context) (string, error) { return a.notReady(ctx, tables) }
	if err := a.poll(ctx, ready); err != nil {
		return made, err
	}
	if !seed {
		return made, nil
	}
	if f, err = a.find(ctx); err != nil {
		return made, err
	}
	for _, s := range f.streams {
		leases, err := a.seed(ctx, s, layout)
		made = append(made, leases...)
		if err != nil {
			return made, err
		}
	}
	return made, nil
}

// chooseLayout takes the layout that was asked for if what is there can become it as
// KCL's own versions do.
func (a *App) chooseLayout(asked, there kcl.Layout) (kcl.Layout, error) {
	switch {
	case asked == kcl.NoLayout && there == kcl.NoLayout:
		return kcl.DefaultLayout, nil
	case asked == kcl.NoLayout:
		return there, nil
	case there == kcl.NoLayout, there == kcl.KCL2, there == asked:
		return asked, nil
	}
	return there, fmt.Errorf("application %s has layout %s, %s: nothing was made; leave --layout %s out, or choose another --application",
		a.Application, there, there.About(), asked)
}

func (a *App) checkBeforeCreate(f found, tables []kcl.Table) error {
	for _, s := range f.streams {
		switch {
		case s.is == nil && s.ARN != "":
			return fmt.Errorf("stream %s is not there, and none is made by its ARN: make it in its own account, by its name", s)
		case s.is != nil && s.is.StreamStatus == kinesistypes.StreamStatusDeleting:
			return fmt.Errorf("stream %s is being deleted: wait until it is gone, then run again", s)
		}
	}
	for _, t := range tables {
		table := f.tables[t.Name]
		if table == nil {
			continue
		}
		if table.TableStatus == ddb.TableStatusDeleting {
			return fmt.Errorf("table %s is being deleted: wait until it is gone, then run again", t.Name)
		}
		if err := t.Check(table); err != nil {
			return fmt.Errorf("%w: choose another --application", err)
		}
	}
	return nil
}

func (a *App) checkBeforeSeed(ctx context.Context, f found, leases []kcl.Item, layout kcl.Layout) error {
	if len(leases) == 0 {
		return nil
	}
	if err := a.checkForm(leases); err != nil {
		return err
	}
	for _, s := range f.streams {
		var err error
		switch {
		case s.is != nil:
			_, err = a.planLeases(ctx, s, layout)
		case len(a.Streams) == 1:
			err = refused(&kcl.LeaseConflictError{Lease: kcl.KeyOf(leases[0]), Why: "is of a stream that is not there"})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// beginAnew is what to do where leases of the other form are in the way.
const beginAnew = "choose another --application, which begins anew: at AT_TIMESTAMP, a time at which this one was still at work"

// checkForm refuses leases that KCL would not take for those of this many streams.
func (a *App) checkForm(leases []kcl.Item) error {
	several := len(a.Streams) > 1
	for _, lease := range leases {
		switch stream := kcl.StreamOf(lease); {
		case several && stream == "":
			return fmt.Errorf("no leases were seeded: lease %s is of an application of one stream, and KCL does not go on from it with several: %s", kcl.KeyOf(lease), beginAnew)
		case !several && stream != "":
			return fmt.Errorf("no leases were seeded: lease %s is of an application of several streams: name all of them, or %s", kcl.KeyOf(lease), beginAnew)
		}
	}
	return nil
}

// request asks for all that is not there; it does not wait for it.
func (a *App) request(ctx context.Context, f found, tables []kcl.Table, shards int) (made []Made, err error) {
	for _, s := range f.streams {
		if s.is != nil {
			open := int(aws.ToInt32(s.is.OpenShardCount))
			what := fmt.Sprintf("stream %s with %d shards", s, open)
			if open != shards && s.ARN == "" {
				what += fmt.Sprintf(" (not %d: left as it is)", shards)
			}
			made = append(made, Made{false, what})
			continue
		}
		what := fmt.Sprintf("stream %s with %d shards", s, shards)
		a.Progress("creating %s", what)
		_, err := a.Kinesis.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: &s.Name, ShardCount: aws.Int32(int32(shards))})
		if inUse := (*kinesistypes.ResourceInUseException)(nil); err != nil && !errors.As(err, &inUse) {
			return made, a.kinesisError("create stream "+s.Name, err)
		}
		made = append(made, Made{err == nil, what})
	}
	of := make([]Made, len(tables))
	for i, t := range slices.Backward(tables) {
		what := "table " + t.Name
		if table := f.tables[t.Name]; table != nil {
			if t.Index && kcl.IndexStatus(table) == "" {
				what += " (without index " + kcl.OwnerIndex + ": KCL 3 adds it)"
			}
			of[i] = Made{false, what}
			continue
		}
		a.Progress("creating %s", what)
		_, err := a.DynamoDB.CreateTable(ctx, t.CreateInput())
		if inUse := (*ddb.ResourceInUseException)(nil); err != nil && !errors.As(err, &inUse) {
			return append(made, of[i+1:]...), a.dynamoDBError("create table "+t.Name, err)
		}
		of[i] = Made{err == nil, what}
	}
	return append(made, of...), nil
}

// notReady names what is not ACTIVE yet.
func (a *App) notReady(ctx context.Context, tables []kcl.Table) (string, error) {
	f, err := a.find(ctx)
	if err != nil {
		return "", err
	}
	var waits []string
	for _, s := range f.streams {
		switch {
		case s.is == nil:
			waits = append(waits, "stream "+s.String())
		case s.is.StreamStatus == kinesistypes.StreamStatusActive, s.is.StreamStatus == kinesistypes.StreamStatusUpdating:
		default:
			waits = append(waits, fmt.Sprintf("stream %s (%s)", s, s.is.StreamStatus))
		}
	}
	for _, t := range tables {
		table := f.tables[t.Name]
		switch {
		case table == nil:
			waits = append(waits, "table "+t.Name)
		case table.TableStatus != ddb.TableStatusActive && table.TableStatus != ddb.TableStatusUpdating:
			waits = append(waits, fmt.Sprintf("table %s (%s)", t.Name, table.TableStatus))
		case t.Index && kcl.IndexStatus(table) != "" && kcl.IndexStatus(table) != ddb.IndexStatusActive:
			waits = append(waits, fmt.Sprintf("index %s (%s)", kcl.OwnerIndex, kcl.IndexStatus(table)))
		}
	}
	return strings.Join(waits, ", "), nil
}

// seed writes the leases of a stream that are missing, each only if it is still
// not there: a worker of KCL may be making its own at the same time.
func (a *App) seed(ctx context.Context, s stream, layout kcl.Layout) ([]Made, error) {
	plan, err := a.planLeases(ctx, s, layout)
	if err != nil {
		return nil, err
	}
	var made []Made
	if plan.atWork > 0 {
		made = append(made, Made{false, fmt.Sprintf("%s of stream %s (at work: left as it is)", count(plan.atWork, "lease"), s)})
	}
	isMissing := map[string]bool{}
	for _, lease := range plan.missing {
		isMissing[kcl.KeyOf(lease)] = true
	}
	table := a.tables().Leases.Name
	contested := false
	for _, lease := range plan.all {
		what := fmt.Sprintf("lease %s at %s", kcl.KeyOf(lease), s.Position)
		if !isMissing[kcl.KeyOf(lease)] {
			made = append(made, Made{false, what})
			continue
		}
		_, err := a.DynamoDB.PutItem(ctx, &dynamodb.PutItemInput{
			TableName: &table, Item: lease,
			ConditionExpression: aws.String("attribute_not_exists(" + kcl.LeaseKey + ")"),
		})
		if exists := (*ddb.ConditionalCheckFailedException)(nil); errors.As(err, &exists) {
			contested = true
		} else if err != nil {
			return made, a.dynamoDBError(fmt.Sprintf("write lease %s (run again to write the rest)", kcl.KeyOf(lease)), err)
		}
		made = append(made, Made{err == nil, what})
	}
	if contested { // by whom, and are they what was asked for?
		if plan, err = a.planLeases(ctx, s, layout); err == nil && plan.atWork > 0 {
			err = fmt.Errorf("a worker began with stream %s at the same time: kcl-infra status shows where", s)
		}
	}
	return made, err
}

// leasePlan has the first leases of a stream and those that are not there, or how
// many leases the stream has that its workers have begun with.
type leasePlan struct {
	all, missing []kcl.Item
	atWork       int
}

// planLeases compares the leases of a stream that are there with those that KCL's
// first sync would make. When one of several streams is at work, the others get
// theirs all the same: so a stream is added.
func (a *App) planLeases(ctx context.Context, s stream, layout kcl.Layout) (plan leasePlan, err error) {
	rows, err := a.rows(ctx)
	if err != nil {
		return plan, err
	}
	there := rows.Leases
	if err := a.checkForm(there); err != nil {
		return plan, err
	}
	there = slices.DeleteFunc(there, func(lease kcl.Item) bool { return kcl.StreamOf(lease) != s.id })
	if len(a.Streams) > 1 && kcl.AtWork(there) {
		return leasePlan{atWork: len(there)}, nil
	}
	for try := 1; ; try++ {
		shards, err := a.listShards(ctx, s.Stream, s.Position.ShardFilter())
		if err != nil {
			return plan, err
		}
		if plan.all, err = kcl.FirstLeases(shards, s.Position, s.id, layout); err == nil {
			break
		}
		if try == listTries {
			return plan, fmt.Errorf("stream %s: %w; if it is being resharded, run again", s, err)
		}
		select {
		case <-ctx.Done():
			return plan, ctx.Err()
		case <-time.After(listPause):
		}
	}
	plan.missing, err = kcl.Missing(plan.all, there)
	return plan, refused(err)
}

func refused(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("no leases were seeded: %w; leave --seed-leases out, or delete the application's tables first", err)
}
