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
// What is there and differs is found before anything is made. It returns what it
// made so far with an error too.
func (a *App) Create(ctx context.Context, shards int, seed bool) ([]Made, error) {
	f, err := a.find(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.checkBeforeCreate(ctx, f, seed); err != nil {
		return nil, err
	}
	made, err := a.request(ctx, f, shards)
	if err != nil {
		return made, err
	}
	if err := a.poll(ctx, a.notReady); err != nil {
		return made, err
	}
	if !seed {
		return made, nil
	}
	if f, err = a.find(ctx); err != nil {
		return made, err
	}
	for _, s := range f.streams {
		leases, err := a.seed(ctx, s)
		made = append(made, leases...)
		if err != nil {
			return made, err
		}
	}
	return made, nil
}

func (a *App) checkBeforeCreate(ctx context.Context, f found, seed bool) error {
	for _, s := range f.streams {
		switch {
		case s.is == nil && s.ARN != "":
			return fmt.Errorf("stream %s is not there, and none is made by its ARN: make it in its own account, by its name", s)
		case s.is != nil && s.is.StreamStatus == kinesistypes.StreamStatusDeleting:
			return fmt.Errorf("stream %s is being deleted: wait until it is gone, then run again", s)
		}
	}
	for _, t := range a.tables().All() {
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
	if !seed {
		return nil
	}
	leases, err := a.scan(ctx, a.tables().Leases.Name)
	if err != nil || len(leases) == 0 {
		return err
	}
	if err := a.checkForm(leases); err != nil {
		return err
	}
	for _, s := range f.streams {
		switch {
		case s.is != nil:
			_, err = a.planLeases(ctx, s)
		case len(a.Streams) == 1:
			err = refused(&kcl.LeaseConflictError{Lease: kcl.KeyOf(leases[0]), Why: "is of a stream that is not there"})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkForm refuses leases that KCL would not take for those of this many streams.
func (a *App) checkForm(leases []kcl.Item) error {
	several := len(a.Streams) > 1
	for _, lease := range leases {
		switch stream := kcl.StreamOf(lease); {
		case several && stream == "":
			return fmt.Errorf("no leases were seeded: lease %s is of an application of one stream, and KCL does not go on from it with several: choose another --application", kcl.KeyOf(lease))
		case !several && stream != "":
			return fmt.Errorf("no leases were seeded: lease %s is of an application of several streams: name all of them, or choose another --application", kcl.KeyOf(lease))
		}
	}
	return nil
}

// request asks for all that is not there; it does not wait for it.
func (a *App) request(ctx context.Context, f found, shards int) (made []Made, err error) {
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
	for _, t := range a.tables().All() {
		what := "table " + t.Name
		if table := f.tables[t.Name]; table != nil {
			if t.Index && kcl.IndexStatus(table) == "" {
				what += " (without index " + kcl.OwnerIndex + ": KCL 3 adds it)"
			}
			made = append(made, Made{false, what})
			continue
		}
		a.Progress("creating %s", what)
		_, err := a.DynamoDB.CreateTable(ctx, t.CreateInput())
		if inUse := (*ddb.ResourceInUseException)(nil); err != nil && !errors.As(err, &inUse) {
			return made, a.dynamoDBError("create table "+t.Name, err)
		}
		made = append(made, Made{err == nil, what})
	}
	return made, nil
}

// notReady names what is not ACTIVE yet.
func (a *App) notReady(ctx context.Context) (string, error) {
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
	for _, t := range a.tables().All() {
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
func (a *App) seed(ctx context.Context, s stream) ([]Made, error) {
	plan, err := a.planLeases(ctx, s)
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
		if plan, err = a.planLeases(ctx, s); err == nil && plan.atWork > 0 {
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
func (a *App) planLeases(ctx context.Context, s stream) (plan leasePlan, err error) {
	there, err := a.scan(ctx, a.tables().Leases.Name)
	if err != nil {
		return plan, err
	}
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
		if plan.all, err = kcl.FirstLeases(shards, s.Position, s.id); err == nil {
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
