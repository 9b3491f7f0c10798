package resources

import (
	"cmp"
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

// KCL lists the shards three times, a second apart, before it gives up on a stream whose
// shards do not cover all hash keys.
const (
	listTries = 3
	listPause = time.Second
)

// DefaultShards is the default number of shards of a stream that is created.
const DefaultShards = 2

// CreateOptions are the optional settings of Create.
type CreateOptions struct {
	// Shards is the number of shards of a stream that is created. Defaults to DefaultShards.
	Shards int
	// Layout is the layout of the tables. Defaults to the layout that exists, else
	// kcl.DefaultLayout.
	Layout kcl.Layout
	// SeedLeases writes the first leases of each stream at its Position.
	SeedLeases bool
}

// CreateResult is a resource that Create found or created.
type CreateResult struct {
	Created  bool // false if it existed
	Resource string
}

// Create creates the missing streams and tables, and waits until they are ready. If an
// existing resource does not fit, it returns an error before it creates anything. A nil
// opts means the defaults. Create returns its results so far with an error too.
func (a *App) Create(ctx context.Context, opts *CreateOptions) ([]CreateResult, error) {
	if opts == nil {
		opts = &CreateOptions{}
	}
	f, err := a.find(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := a.rows(ctx)
	if err != nil {
		return nil, err
	}
	layout, err := a.chooseLayout(opts.Layout, a.tables().DetectLayout(f.tables, rows))
	if err != nil {
		return nil, err
	}
	tables := a.tables().InLayout(layout)
	if err := a.checkBeforeCreate(f, tables); err != nil {
		return nil, err
	}
	if opts.SeedLeases {
		if err := a.checkBeforeSeed(ctx, f, rows.Leases, layout); err != nil {
			return nil, err
		}
	}
	made, err := a.requestMissing(ctx, f, tables, cmp.Or(opts.Shards, DefaultShards))
	if err != nil {
		return made, err
	}
	ready := func(ctx context.Context) (string, error) { return a.notReady(ctx, tables) }
	if err := a.poll(ctx, ready); err != nil {
		return made, err
	}
	if !opts.SeedLeases {
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

// chooseLayout returns the requested layout, or the default. It returns an error if the
// existing layout cannot become the requested one as with KCL itself.
func (a *App) chooseLayout(requested, existing kcl.Layout) (kcl.Layout, error) {
	switch {
	case requested == kcl.NoLayout && existing == kcl.NoLayout:
		return kcl.DefaultLayout, nil
	case requested == kcl.NoLayout:
		return existing, nil
	case existing == kcl.NoLayout, existing == kcl.KCL2, existing == requested:
		return requested, nil
	}
	return existing, fmt.Errorf("application %s has layout %s, %s: nothing was created; remove --layout %s, or choose another --application",
		a.Application, existing, existing.Description(), requested)
}

func (a *App) checkBeforeCreate(f found, tables []kcl.Table) error {
	for _, s := range f.streams {
		switch {
		case s.description == nil && s.ARN != "":
			return fmt.Errorf("stream %s does not exist, and is not created because it is named by its ARN: create it in its own account, by its name", s)
		case s.description != nil && s.description.StreamStatus == kinesistypes.StreamStatusDeleting:
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
		case s.description != nil:
			_, err = a.planLeases(ctx, s, layout)
		case len(a.Streams) == 1:
			err = seedRefused(&kcl.LeaseConflictError{Lease: kcl.KeyOf(leases[0]), Why: "is of a stream that does not exist"})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// startOver is what to do if leases of the other form exist.
const startOver = "choose another --application, which starts over: start it AT_TIMESTAMP, at a time when this one was still running"

// checkForm returns an error if the leases have the form for one stream and there are
// several, or the other way round.
func (a *App) checkForm(leases []kcl.Item) error {
	several := len(a.Streams) > 1
	for _, lease := range leases {
		switch stream := kcl.StreamOf(lease); {
		case several && stream == "":
			return fmt.Errorf("no leases were seeded: lease %s is of an application of one stream, which KCL cannot continue with several: %s", kcl.KeyOf(lease), startOver)
		case !several && stream != "":
			return fmt.Errorf("no leases were seeded: lease %s is of an application of several streams: name all of them, or %s", kcl.KeyOf(lease), startOver)
		}
	}
	return nil
}

// requestMissing starts the creation of what does not exist. It does not wait for it.
func (a *App) requestMissing(ctx context.Context, f found, tables []kcl.Table, shards int) (made []CreateResult, err error) {
	for _, s := range f.streams {
		if s.description != nil {
			open := int(aws.ToInt32(s.description.OpenShardCount))
			what := fmt.Sprintf("stream %s with %d shards", s, open)
			if open != shards && s.ARN == "" {
				what += fmt.Sprintf(" (not %d: left as it is)", shards)
			}
			made = append(made, CreateResult{false, what})
			continue
		}
		what := fmt.Sprintf("stream %s with %d shards", s, shards)
		a.logf("creating %s", what)
		_, err := a.Kinesis.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: &s.Name, ShardCount: aws.Int32(int32(shards))})
		if inUse := (*kinesistypes.ResourceInUseException)(nil); err != nil && !errors.As(err, &inUse) {
			return made, a.kinesisError("create stream "+s.Name, err)
		}
		made = append(made, CreateResult{err == nil, what})
	}
	results := make([]CreateResult, len(tables))
	for i, t := range slices.Backward(tables) {
		what := "table " + t.Name
		if table := f.tables[t.Name]; table != nil {
			if t.Index && kcl.IndexStatus(table) == "" {
				what += " (without index " + kcl.OwnerIndex + ": KCL 3 adds it)"
			}
			results[i] = CreateResult{false, what}
			continue
		}
		a.logf("creating %s", what)
		_, err := a.DynamoDB.CreateTable(ctx, t.CreateInput())
		if inUse := (*ddb.ResourceInUseException)(nil); err != nil && !errors.As(err, &inUse) {
			return append(made, results[i+1:]...), a.dynamoDBError("create table "+t.Name, err)
		}
		results[i] = CreateResult{err == nil, what}
	}
	return append(made, results...), nil
}

// notReady returns what is not ACTIVE yet, and "" if all is.
func (a *App) notReady(ctx context.Context, tables []kcl.Table) (string, error) {
	f, err := a.find(ctx)
	if err != nil {
		return "", err
	}
	var waits []string
	for _, s := range f.streams {
		switch {
		case s.description == nil:
			waits = append(waits, "stream "+s.String())
		case s.description.StreamStatus == kinesistypes.StreamStatusActive, s.description.StreamStatus == kinesistypes.StreamStatusUpdating:
		default:
			waits = append(waits, fmt.Sprintf("stream %s (%s)", s, s.description.StreamStatus))
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

// seed writes the missing leases of a stream, each only if it still does not exist: a
// worker of KCL may be creating its own at the same time.
func (a *App) seed(ctx context.Context, s stream, layout kcl.Layout) ([]CreateResult, error) {
	plan, err := a.planLeases(ctx, s, layout)
	if err != nil {
		return nil, err
	}
	var made []CreateResult
	if plan.begun > 0 {
		made = append(made, CreateResult{false, fmt.Sprintf("%s of stream %s (already read: left as it is)", plural(plan.begun, "lease"), s)})
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
			made = append(made, CreateResult{false, what})
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
		made = append(made, CreateResult{err == nil, what})
	}
	if contested { // are they as requested?
		if plan, err = a.planLeases(ctx, s, layout); err == nil && plan.begun > 0 {
			err = fmt.Errorf("a worker started to read stream %s at the same time: kcl-infra status shows its position", s)
		}
	}
	return made, err
}

// leasePlan has the first leases of a stream and which of them are missing. If workers
// have begun to read the stream, it has only the number of its leases.
type leasePlan struct {
	all, missing []kcl.Item
	begun        int
}

// planLeases compares the existing leases of a stream with those that KCL would create in
// an empty table. If workers have begun to read one of several streams, the others still
// get their leases. So a stream can be added.
func (a *App) planLeases(ctx context.Context, s stream, layout kcl.Layout) (plan leasePlan, err error) {
	rows, err := a.rows(ctx)
	if err != nil {
		return plan, err
	}
	existing := rows.Leases
	if err := a.checkForm(existing); err != nil {
		return plan, err
	}
	existing = slices.DeleteFunc(existing, func(lease kcl.Item) bool { return kcl.StreamOf(lease) != s.id })
	if len(a.Streams) > 1 && kcl.EverOwned(existing) {
		return leasePlan{begun: len(existing)}, nil
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
	plan.missing, err = kcl.MissingLeases(plan.all, existing)
	return plan, seedRefused(err)
}

func seedRefused(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("no leases were seeded: %w; remove --seed-leases, or delete the application's tables first", err)
}
