package resources

import (
	"context"
	"errors"
	"fmt"
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

// Create makes what is not there of the stream and the tables, waits until all
// is ready and, with a position, writes the first leases. What is there and
// differs is found before anything is made. It returns what it made so far with
// an error too.
func (a *App) Create(ctx context.Context, shards int, seed *kcl.Position) ([]Made, error) {
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
	if seed == nil {
		return made, nil
	}
	leases, err := a.seed(ctx, *seed)
	return append(made, leases...), err
}

func (a *App) checkBeforeCreate(ctx context.Context, f found, seed *kcl.Position) error {
	if f.stream != nil && f.stream.StreamStatus == kinesistypes.StreamStatusDeleting {
		return fmt.Errorf("stream %s is being deleted: wait until it is gone, then run again", a.StreamName)
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
	if seed == nil {
		return nil
	}
	leases, err := a.scan(ctx, a.tables().Leases.Name)
	if err != nil || len(leases) == 0 {
		return err
	}
	if f.stream == nil {
		return refused(&kcl.LeaseConflictError{Lease: kcl.KeyOf(leases[0]), Why: "is of a stream that is not there"})
	}
	_, err = a.missingLeases(ctx, *seed)
	return err
}

// request asks for all that is not there; it does not wait for it.
func (a *App) request(ctx context.Context, f found, shards int) (made []Made, err error) {
	what := fmt.Sprintf("stream %s with %d shards", a.StreamName, shards)
	if f.stream == nil {
		a.Progress("creating %s", what)
		_, err := a.Kinesis.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: &a.StreamName, ShardCount: aws.Int32(int32(shards))})
		if inUse := (*kinesistypes.ResourceInUseException)(nil); err != nil && !errors.As(err, &inUse) {
			return made, a.kinesisError("create stream "+a.StreamName, err)
		}
		made = append(made, Made{err == nil, what})
	} else {
		open := int(aws.ToInt32(f.stream.OpenShardCount))
		what := fmt.Sprintf("stream %s with %d shards", a.StreamName, open)
		if open != shards {
			what += fmt.Sprintf(" (not %d: left as it is)", shards)
		}
		made = append(made, Made{false, what})
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
	switch {
	case f.stream == nil:
		waits = append(waits, "stream "+a.StreamName)
	case f.stream.StreamStatus == kinesistypes.StreamStatusActive, f.stream.StreamStatus == kinesistypes.StreamStatusUpdating:
	default:
		waits = append(waits, fmt.Sprintf("stream %s (%s)", a.StreamName, f.stream.StreamStatus))
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

// seed writes the leases that are missing, each only if it is still not there:
// a worker of KCL may be making its own at the same time.
func (a *App) seed(ctx context.Context, at kcl.Position) ([]Made, error) {
	plan, err := a.missingLeases(ctx, at)
	if err != nil {
		return nil, err
	}
	var made []Made
	isMissing := map[string]bool{}
	for _, lease := range plan.missing {
		isMissing[kcl.KeyOf(lease)] = true
	}
	table := a.tables().Leases.Name
	contested := false
	for _, lease := range plan.all {
		what := fmt.Sprintf("lease %s at %s", kcl.KeyOf(lease), at)
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
		_, err = a.missingLeases(ctx, at)
	}
	return made, err
}

type leasePlan struct{ all, missing []kcl.Item }

// missingLeases compares the leases that are there with those that KCL's first
// sync would make.
func (a *App) missingLeases(ctx context.Context, at kcl.Position) (plan leasePlan, err error) {
	for try := 1; ; try++ {
		shards, err := a.listShards(ctx, at.ShardFilter())
		if err != nil {
			return plan, err
		}
		if plan.all, err = kcl.FirstLeases(shards, at); err == nil {
			break
		}
		if try == listTries {
			return plan, fmt.Errorf("stream %s: %w; if it is being resharded, run again", a.StreamName, err)
		}
		select {
		case <-ctx.Done():
			return plan, ctx.Err()
		case <-time.After(listPause):
		}
	}
	there, err := a.scan(ctx, a.tables().Leases.Name)
	if err != nil {
		return plan, err
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
