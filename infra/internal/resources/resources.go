// Package resources creates, shows, repairs and deletes the AWS resources of an
// application: its streams, the tables of KCL with their leases, and its fan-out
// consumers.
//
//	app := &resources.App{Kinesis: k, DynamoDB: d, Application: "orders", Streams: streams}
//	status, err := app.Status(ctx)
package resources

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"

	"github.com/seed96110120/kinesis-client-go/infra/connect"
	"github.com/seed96110120/kinesis-client-go/infra/internal/activity"
	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

// readyTimeout bounds each wait for something to be created or deleted. AWS needs about
// half a minute.
const readyTimeout = 10 * time.Minute

// App is an application and the streams that it reads. With several streams its leases
// have another form than with one.
type App struct {
	Kinesis     *kinesis.Client
	DynamoDB    *dynamodb.Client
	Application string
	Streams     []kcl.Stream
	// Logger logs progress at Info. Nil means that nothing is logged.
	Logger *slog.Logger
}

func (a *App) logf(format string, args ...any) {
	if a.Logger != nil {
		a.Logger.Info(kcl.Printable(fmt.Sprintf(format, args...)))
	}
}

// KinesisName returns where calls to Kinesis go.
func (a *App) KinesisName() string {
	o := a.Kinesis.Options()
	return connect.Location("kinesis", o.BaseEndpoint, o.Region)
}

// DynamoDBName returns where calls to DynamoDB go.
func (a *App) DynamoDBName() string {
	o := a.DynamoDB.Options()
	return connect.Location("dynamodb", o.BaseEndpoint, o.Region)
}

func (a *App) tables() kcl.Tables { return kcl.TablesOf(a.Application) }

// kinesisError and dynamoDBError return an error of one line, and nil for nil.
func (a *App) kinesisError(did string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", did, connect.Explain(err, a.KinesisName()))
}

func (a *App) dynamoDBError(did string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", did, connect.Explain(err, a.DynamoDBName()))
}

// stream is one of the application's streams.
type stream struct {
	kcl.Stream
	// description is nil if the stream does not exist.
	description *kinesistypes.StreamDescriptionSummary
	// id is the stream's identifier in the leases, and empty in an application with
	// one stream.
	id string
}

// nameOrARN returns the parameters that name the stream in a call: the ARN if the user
// named it so.
func nameOrARN(s kcl.Stream) (name, arn *string) {
	if s.ARN != "" {
		return nil, &s.ARN
	}
	return &s.Name, nil
}

// found are the existing resources of an application.
type found struct {
	streams []stream                         // one for each of App.Streams
	tables  map[string]*ddb.TableDescription // by name, nil if the table does not exist
}

// CheckReachable calls each service once, so that one that does not answer is known soon.
// Each has the time answer.
func (a *App) CheckReachable(ctx context.Context, answer time.Duration) error {
	const attempts = 2
	if len(a.Streams) > 0 {
		first, cancel := context.WithTimeout(ctx, answer)
		defer cancel()
		if _, err := a.describeStream(first, a.Streams[0], func(o *kinesis.Options) { o.RetryMaxAttempts = attempts }); err != nil {
			return err
		}
	}
	second, cancel := context.WithTimeout(ctx, answer)
	defer cancel()
	_, err := a.describeTable(second, a.tables().Leases.Name, func(o *dynamodb.Options) { o.RetryMaxAttempts = attempts })
	return err
}

// find describes the streams and the tables.
func (a *App) find(ctx context.Context) (found, error) {
	f := found{tables: map[string]*ddb.TableDescription{}}
	byARN := map[string]kcl.Stream{}
	for _, named := range a.Streams {
		is, err := a.describeStream(ctx, named)
		if err != nil {
			return f, err
		}
		s := stream{Stream: named, description: is}
		if is != nil && len(a.Streams) > 1 {
			arn := aws.ToString(is.StreamARN)
			if other, twice := byARN[arn]; twice {
				return f, fmt.Errorf("%s and %s are the same stream: name it once", other, named)
			}
			byARN[arn] = named
			if s.id, err = kcl.Identifier(arn, aws.ToTime(is.StreamCreationTimestamp)); err != nil {
				return f, err
			}
		}
		f.streams = append(f.streams, s)
	}
	for _, t := range a.tables().All() {
		var err error
		if f.tables[t.Name], err = a.describeTable(ctx, t.Name); err != nil {
			return f, err
		}
	}
	return f, nil
}

func (a *App) describeStream(ctx context.Context, s kcl.Stream, options ...func(*kinesis.Options)) (*kinesistypes.StreamDescriptionSummary, error) {
	name, arn := nameOrARN(s)
	out, err := a.Kinesis.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: name, StreamARN: arn}, options...)
	if missing := (*kinesistypes.ResourceNotFoundException)(nil); errors.As(err, &missing) {
		return nil, nil
	}
	err = a.kinesisError("describe stream "+s.String(), err)
	if s.ARN != "" && denied(err) {
		err = fmt.Errorf("%w; if the stream belongs to another account, its owner must allow this: kcl-infra iam-policy --account NUMBER --resource-policies, with your own account, prints the policies", err)
	}
	if err != nil {
		return nil, err
	}
	return out.StreamDescriptionSummary, nil
}

func denied(err error) bool {
	var d *kinesistypes.AccessDeniedException
	return errors.As(err, &d)
}

func (a *App) describeTable(ctx context.Context, name string, options ...func(*dynamodb.Options)) (*ddb.TableDescription, error) {
	out, err := a.DynamoDB.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name}, options...)
	if missing := (*ddb.ResourceNotFoundException)(nil); errors.As(err, &missing) {
		return nil, nil
	}
	if err != nil {
		return nil, a.dynamoDBError("describe table "+name, err)
	}
	return out.Table, nil
}

// consumer returns the stream's fan-out consumer: the configured one, or else the one that
// KCL registers under the application's name. It returns nil if there is none. It also
// returns nil if no consumer is configured and the owner of another account's stream does
// not allow the call.
func (a *App) consumer(ctx context.Context, s stream) (*kinesistypes.ConsumerDescription, error) {
	if s.description == nil || s.description.StreamARN == nil {
		return nil, nil
	}
	name := cmp.Or(s.ConsumerARN, a.Application)
	in := &kinesis.DescribeStreamConsumerInput{StreamARN: s.description.StreamARN, ConsumerName: &name}
	if s.ConsumerARN != "" {
		in = &kinesis.DescribeStreamConsumerInput{ConsumerARN: &name}
	}
	out, err := a.Kinesis.DescribeStreamConsumer(ctx, in)
	if s.ConsumerARN != "" && denied(err) {
		return &kinesistypes.ConsumerDescription{ConsumerStatus: unknown}, nil
	}
	if missing := (*kinesistypes.ResourceNotFoundException)(nil); errors.As(err, &missing) || noSuchOperation(err) || s.ARN != "" && denied(err) {
		return nil, nil
	}
	if err != nil {
		return nil, a.kinesisError("describe consumer "+name+" of stream "+s.String(), err)
	}
	return out.ConsumerDescription, nil
}

// noSuchOperation reports whether err is the answer of a local Kinesis without fan-out.
func noSuchOperation(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode() {
	case "UnknownOperationException", "UnknownOperation", "InvalidAction", "NotImplemented":
		return true
	}
	return false
}

func (a *App) listShards(ctx context.Context, s kcl.Stream, filter *kinesistypes.ShardFilter) ([]kinesistypes.Shard, error) {
	name, arn := nameOrARN(s)
	in := &kinesis.ListShardsInput{StreamName: name, StreamARN: arn, ShardFilter: filter}
	var shards []kinesistypes.Shard
	for {
		out, err := a.Kinesis.ListShards(ctx, in)
		if err != nil {
			return nil, a.kinesisError("list the shards of stream "+s.String(), err)
		}
		shards = append(shards, out.Shards...)
		if aws.ToString(out.NextToken) == "" {
			return shards, nil
		}
		in = &kinesis.ListShardsInput{NextToken: out.NextToken} // no other parameter is allowed with it
	}
}

// scan returns all rows of a table, and none if the table does not exist.
func (a *App) scan(ctx context.Context, table string) ([]kcl.Item, error) {
	in := &dynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true)}
	var items []kcl.Item
	pages := dynamodb.NewScanPaginator(a.DynamoDB, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if missing := (*ddb.ResourceNotFoundException)(nil); errors.As(err, &missing) {
			return nil, nil
		}
		if err != nil {
			return nil, a.dynamoDBError("read table "+table, err)
		}
		items = append(items, page.Items...)
	}
	return items, nil
}

// rows returns the rows of all tables.
func (a *App) rows(ctx context.Context) (kcl.Rows, error) {
	var all []kcl.Item
	for _, t := range a.tables().All() {
		rows, err := a.scan(ctx, t.Name)
		if err != nil {
			return kcl.Rows{}, err
		}
		all = append(all, rows...)
	}
	return kcl.SortRows(all), nil
}

// snapshot returns what package activity needs to find out whether the application runs.
func (a *App) snapshot(ctx context.Context) (activity.Snapshot, error) {
	rows, err := a.rows(ctx)
	return snapshotOf(rows), err
}

func snapshotOf(rows kcl.Rows) activity.Snapshot {
	return activity.Snapshot{Leases: rows.Leases, Workers: rows.Workers, Leader: rows.Leader}
}

// poll calls done, with growing pauses, until it returns "". Otherwise done returns what it
// still waits for, which poll logs.
func (a *App) poll(ctx context.Context, done func(context.Context) (waitsFor string, err error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyTimeout, fmt.Errorf("gave up after %v", readyTimeout))
	defer cancel()
	began := time.Now()
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		waitsFor, err := done(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil || waitsFor == "" {
			return err
		}
		if pause >= time.Second {
			a.logf("waiting for %s, %.0f s so far", waitsFor, time.Since(began).Seconds())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", waitsFor, context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}
