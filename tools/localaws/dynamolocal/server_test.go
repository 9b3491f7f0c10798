package dynamolocal_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// impatient returns a client that does not retry. It signs with the access key,
// unless that is "".
func impatient(t *testing.T, s *dynamolocal.Server, accessKey string) *dynamodb.Client {
	t.Helper()
	config := s.AWSConfig()
	t.Cleanup(config.HTTPClient.(*http.Client).CloseIdleConnections)
	return dynamodb.NewFromConfig(config, func(o *dynamodb.Options) {
		o.Retryer = aws.NopRetryer{}
		if accessKey != "" {
			o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: "x"}, nil
			})
		}
	})
}

type item = map[string]types.AttributeValue

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(i int) types.AttributeValue { return &types.AttributeValueMemberN{Value: fmt.Sprint(i)} }

// createTable creates a table with the keys id, a string, and n, a number.
func createTable(t *testing.T, c *dynamodb.Client, name string) {
	t.Helper()
	_, err := c.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: "HASH"}, {AttributeName: aws.String("n"), KeyType: "RANGE"}},
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("id"), AttributeType: "S"}, {AttributeName: aws.String("n"), AttributeType: "N"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, c *dynamodb.Client, table, condition string, it item) error {
	t.Helper()
	in := &dynamodb.PutItemInput{TableName: &table, Item: it}
	if condition != "" {
		in.ConditionExpression = &condition
	}
	_, err := c.PutItem(t.Context(), in)
	return err
}

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return fmt.Sprint(err)
}

// A scan in segments and a scan in pages of 1 MB return each item once.
func TestScansBringEachItemOnce(t *testing.T) {
	t.Parallel()
	s := dynamolocal.StartTest(t, nil)
	c := impatient(t, s, "")
	createTable(t, c, "table")
	const count = 300
	for i := range count {
		if err := put(t, c, "table", "", item{"id": text(fmt.Sprint(i)), "n": number(i), "x": text(strings.Repeat("x", 10<<10))}); err != nil {
			t.Fatal(err)
		}
	}
	for _, segments := range []int32{1, 7} {
		seen, pages := make(map[string]int), 0
		for segment := range segments {
			p := dynamodb.NewScanPaginator(c, &dynamodb.ScanInput{TableName: aws.String("table"), Segment: &segment, TotalSegments: &segments})
			for p.HasMorePages() {
				out, err := p.NextPage(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				pages++
				for _, it := range out.Items {
					seen[it["id"].(*types.AttributeValueMemberS).Value]++
				}
			}
		}
		if len(seen) != count {
			t.Errorf("%d segments: %d items, want %d", segments, len(seen), count)
		}
		for id, n := range seen {
			if n != 1 {
				t.Errorf("%d segments: item %s came %d times", segments, id, n)
			}
		}
		if segments == 1 && pages != 3 {
			t.Errorf("3 MB came in %d pages, want 3", pages)
		}
	}
}

func TestTransitionDelayShows(t *testing.T) {
	t.Parallel()
	s := dynamolocal.StartTest(t, &dynamolocal.Options{TransitionDelay: 200 * time.Millisecond})
	c := impatient(t, s, "")
	createTable(t, c, "table")
	if err := put(t, c, "table", "", item{"id": text("a"), "n": number(1)}); code(err) != "ResourceNotFoundException" {
		t.Errorf("put into a table that is being created: error %v, want ResourceNotFoundException", err)
	}
	in := &dynamodb.DescribeTableInput{TableName: aws.String("table")}
	out, err := c.DescribeTable(t.Context(), in)
	if err != nil || out.Table.TableStatus != types.TableStatusCreating {
		t.Fatalf("table %v, error %v, want CREATING", out, err)
	}
	if err := dynamodb.NewTableExistsWaiter(c, func(o *dynamodb.TableExistsWaiterOptions) { o.MinDelay = 10 * time.Millisecond }).Wait(t.Context(), in, time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, err := c.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: in.TableName}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: in.TableName}); code(err) != "ResourceInUseException" {
		t.Errorf("second delete: error %v, want ResourceInUseException", err)
	}
}

func TestAddedIndexIsCreating(t *testing.T) {
	t.Parallel()
	s := dynamolocal.StartTest(t, &dynamolocal.Options{TransitionDelay: 200 * time.Millisecond})
	c := impatient(t, s, "")
	createTable(t, c, "table")
	in := &dynamodb.DescribeTableInput{TableName: aws.String("table")}
	active := func() {
		t.Helper()
		if err := dynamodb.NewTableExistsWaiter(c, func(o *dynamodb.TableExistsWaiterOptions) { o.MinDelay = 10 * time.Millisecond }).Wait(t.Context(), in, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	active()
	_, err := c.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{
		TableName:            in.TableName,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("owner"), AttributeType: "S"}},
		GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{Create: &types.CreateGlobalSecondaryIndexAction{
			IndexName: aws.String("owners"), Projection: &types.Projection{ProjectionType: "ALL"},
			KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("owner"), KeyType: "HASH"}},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []types.IndexStatus{types.IndexStatusCreating, types.IndexStatusActive} {
		out, err := c.DescribeTable(t.Context(), in)
		if err != nil || out.Table.GlobalSecondaryIndexes[0].IndexStatus != want {
			t.Fatalf("table %v, error %v, want index status %s", out, err, want)
		}
		active()
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	s := dynamolocal.StartTest(t, nil)
	c := impatient(t, s, "")
	createTable(t, c, "table")
	createTable(t, c, "other")
	n := 0
	write := func(table, condition string) error {
		n++
		return put(t, c, table, condition, item{"id": text("a"), "n": number(n)})
	}
	count := func() int {
		out, err := c.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("table"), Select: types.SelectCount})
		if err != nil {
			t.Fatal(err)
		}
		return int(out.Count)
	}
	set := func(r ...fault.Rule) {
		t.Helper()
		if err := s.SetFaults(r...); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []struct {
		rule            fault.Rule
		condition, want string
		stored          bool
	}{
		{fault.Rule{Kind: fault.Throttle}, "", "ProvisionedThroughputExceededException", false},
		{fault.Rule{Kind: fault.InternalError}, "", "InternalServerError", false},
		{fault.Rule{Kind: fault.FailCondition}, "attribute_not_exists(id)", "ConditionalCheckFailedException", false},
		{fault.Rule{Kind: fault.FailCondition}, "", "<nil>", true},
		{fault.Rule{Kind: fault.Latency, Latency: time.Millisecond}, "", "<nil>", true},
		{fault.Rule{Kind: fault.Disconnect}, "", "cut", false},
		{fault.Rule{Kind: fault.DropResponse}, "", "cut", true},
	} {
		f.rule.Rate, f.rule.Operation, f.rule.Table = 1, "PutItem", "table"
		before := count()
		set(f.rule)
		err := write("table", f.condition)
		if got := code(err); got != f.want && (f.want != "cut" || err == nil || errors.As(err, new(smithy.APIError))) {
			t.Errorf("%s: %s, want %s", f.rule.Kind, got, f.want)
		}
		if err := write("other", f.condition); err != nil {
			t.Errorf("%s: write to another table: %v", f.rule.Kind, err)
		}
		if stored := count() > before; stored != f.stored {
			t.Errorf("%s: stored %t, want %t", f.rule.Kind, stored, f.stored)
		}
		set()
	}

	set(fault.Rule{Kind: fault.Throttle, Rate: 1})
	if _, err := c.ListTables(t.Context(), nil); code(err) != "ThrottlingException" {
		t.Errorf("ListTables: error %v, want ThrottlingException", err)
	}
	set(fault.Rule{Kind: fault.FailCondition, Rate: 1})
	_, err := c.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Put: &types.Put{TableName: aws.String("table"), Item: item{"id": text("t"), "n": number(1)}, ConditionExpression: aws.String("attribute_not_exists(id)")}},
	}})
	var cancelled *types.TransactionCanceledException
	if !errors.As(err, &cancelled) || *cancelled.CancellationReasons[0].Code != "ConditionalCheckFailed" {
		t.Errorf("transaction: error %v, want ConditionalCheckFailed", err)
	}
	for name, r := range map[string]fault.Rule{
		"a kind of Kinesis": {Kind: fault.ExpireIterator, Rate: 1}, "an unknown operation": {Kind: fault.InternalError, Rate: 1, Operation: "PutRecord"},
	} {
		if err := s.SetFaults(r); err == nil {
			t.Errorf("%s: the rule is accepted, want an error", name)
		}
	}
}

// A table stays CREATING as long as the fault lasts.
func TestTableStaysCreating(t *testing.T) {
	t.Parallel()
	s := dynamolocal.StartTest(t, nil)
	c := impatient(t, s, "")
	if err := s.SetFaults(fault.Rule{Kind: fault.StayCreating, Rate: 1, Table: "stuck"}); err != nil {
		t.Fatal(err)
	}
	createTable(t, c, "stuck")
	createTable(t, c, "other")
	for table, want := range map[string]types.TableStatus{"stuck": "CREATING", "other": "ACTIVE"} {
		out, err := c.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
		if err != nil || out.Table.TableStatus != want {
			t.Errorf("%s: table %v, error %v, want %s", table, out, err, want)
		}
	}
	if err := s.SetFaults(); err != nil {
		t.Fatal(err)
	}
	if err := put(t, c, "stuck", "", item{"id": text("a"), "n": number(1)}); err != nil {
		t.Error(err)
	}
}

// Only the client with the access key is cut off.
func TestOneClientIsCutOff(t *testing.T) {
	t.Parallel()
	s := dynamolocal.StartTest(t, nil)
	one, other := impatient(t, s, "one"), impatient(t, s, "other")
	if err := s.SetFaults(fault.Rule{Kind: fault.Disconnect, Rate: 1, AccessKey: "one"}); err != nil {
		t.Fatal(err)
	}
	if _, err := one.ListTables(t.Context(), nil); err == nil || errors.As(err, new(smithy.APIError)) {
		t.Errorf("client one: error %v, want a cut connection", err)
	}
	if _, err := other.ListTables(t.Context(), nil); err != nil {
		t.Errorf("client other: %v", err)
	}
}

// Malformed requests get an error of the service, and the service continues.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	s := dynamolocal.StartTest(t, nil)
	c := impatient(t, s, "")
	createTable(t, c, "table")
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	item := func(value string) string {
		return `{"TableName": "table", "Item": {"id": {"S": "a"}, "n": {"N": "1"}, "x": ` + value + `}}`
	}
	for name, r := range map[string]struct{ operation, body, want string }{
		"deep lists":            {"PutItem", item(strings.Repeat(`{"L": [`, 2000) + `{"S": "x"}` + strings.Repeat(`]}`, 2000)), "ValidationException"},
		"lists beyond all":      {"PutItem", item(strings.Repeat(`{"L": [`, 100_000)), "SerializationException"},
		"a huge number":         {"PutItem", item(`{"N": "` + strings.Repeat("9", 1<<20) + `"}`), "ValidationException"},
		"a huge exponent":       {"PutItem", item(`{"N": "1e999999999999999999999"}`), "ValidationException"},
		"a cut body":            {"PutItem", item(`{"S": "x"}`)[:40], "SerializationException"},
		"no body":               {"PutItem", "", "SerializationException"},
		"another type":          {"PutItem", `{"TableName": 1}`, "SerializationException"},
		"no base64":             {"PutItem", item(`{"B": "?"}`), "SerializationException"},
		"null":                  {"PutItem", "null", "ValidationException"},
		"an unknown operation":  {"ExecuteStatement", "{}", "UnknownOperationException"},
		"a long expression":     {"PutItem", strings.Replace(item(`{"S": "x"}`), "{", `{"ConditionExpression": "`+strings.Repeat("(", 5000)+`",`, 1), "ValidationException"},
		"a deep expression":     {"PutItem", strings.Replace(item(`{"S": "x"}`), "{", `{"ConditionExpression": "`+strings.Repeat("NOT ", 1000)+`n",`, 1), "ValidationException"},
		"an index far away":     {"UpdateItem", `{"TableName": "table", "Key": {"id": {"S": "a"}, "n": {"N": "1"}}, "UpdateExpression": "REMOVE x[99999999999999999999]"}`, "ValidationException"},
		"an item that is large": {"PutItem", item(`{"S": "` + strings.Repeat("x", 17<<20) + `"}`), "RequestEntityTooLarge"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL(), strings.NewReader(r.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Amz-Target", "DynamoDB_20120810."+r.operation)
		req.Header.Set("Content-Type", "application/x-amz-json-1.0")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		var answer struct {
			Type string `json:"__type"`
		}
		if err != nil || json.Unmarshal(body, &answer) != nil || !strings.HasSuffix(answer.Type, "#"+r.want) || resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: status %d, %.200s, error %v, want %s", name, resp.StatusCode, body, err, r.want)
		}
	}
	if err := put(t, c, "table", "", map[string]types.AttributeValue{"id": text("a"), "n": number(1)}); err != nil {
		t.Error(err)
	}
}

// A write consumes capacity of an index for what it changes there: in a global index
// with the attribute x, and in a local index with all attributes.
func TestIndexWritesAreCounted(t *testing.T) {
	t.Parallel()
	c := impatient(t, dynamolocal.StartTest(t, nil), "")
	name := aws.String("table")
	key := func(hash, sort string) []types.KeySchemaElement {
		return []types.KeySchemaElement{{AttributeName: &hash, KeyType: "HASH"}, {AttributeName: &sort, KeyType: "RANGE"}}
	}
	if _, err := c.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: name, BillingMode: "PAY_PER_REQUEST", KeySchema: key("id", "n"),
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("id"), AttributeType: "S"}, {AttributeName: aws.String("n"), AttributeType: "N"}, {AttributeName: aws.String("own"), AttributeType: "S"},
		},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName: aws.String("global"), KeySchema: key("own", "n"), Projection: &types.Projection{ProjectionType: "INCLUDE", NonKeyAttributes: []string{"x"}},
		}},
		LocalSecondaryIndexes: []types.LocalSecondaryIndex{{
			IndexName: aws.String("local"), KeySchema: key("id", "own"), Projection: &types.Projection{ProjectionType: "ALL"},
		}},
	}); err != nil {
		t.Fatal(err)
	}
	at := item{"id": text("a"), "n": number(1)}
	check := func(what string, used *types.ConsumedCapacity, table, global, local float64) {
		t.Helper()
		of := func(indexes map[string]types.Capacity, name string) float64 {
			if indexes == nil { // absent, not 0
				return 0
			}
			return *indexes[name].CapacityUnits
		}
		g, l := of(used.GlobalSecondaryIndexes, "global"), of(used.LocalSecondaryIndexes, "local")
		if *used.Table.CapacityUnits != table || g != global || l != local || *used.CapacityUnits != table+global+local {
			t.Errorf("%s: %g of the table, %g and %g of the indexes, %g together, want %g, %g, %g", what, *used.Table.CapacityUnits, g, l, *used.CapacityUnits, table, global, local)
		}
	}
	for _, w := range []struct {
		update, value        string
		table, global, local float64
	}{
		{"SET y = :v", "y", 1, 0, 0}, // in no index
		{"SET own = :v", "me", 1, 1, 1},
		{"SET own = :v", "me", 1, 0, 0},
		{"SET x = :v", strings.Repeat("x", 3000), 3, 3, 3},
		{"SET y = :v", "other", 3, 0, 3},
		{"SET own = :v", "you", 3, 6, 6},
		{"REMOVE own, x", "", 3, 3, 3},
		{"SET own = :v", "me", 1, 1, 1},
	} {
		in := &dynamodb.UpdateItemInput{TableName: name, Key: at, UpdateExpression: &w.update, ReturnConsumedCapacity: "INDEXES"}
		if w.value != "" {
			in.ExpressionAttributeValues = item{":v": text(w.value)}
		}
		out, err := c.UpdateItem(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		check(fmt.Sprintf("%s %.5s", w.update, w.value), out.ConsumedCapacity, w.table, w.global, w.local)
	}
	// A transaction consumes twice a write's capacity of the table. Repeated, it
	// consumes twice a read's.
	in := &dynamodb.TransactWriteItemsInput{
		TransactItems:      []types.TransactWriteItem{{Delete: &types.Delete{TableName: name, Key: at}}},
		ClientRequestToken: aws.String("token"), ReturnConsumedCapacity: "INDEXES",
	}
	for _, w := range []struct{ global, local float64 }{{1, 1}, {0, 0}} {
		out, err := c.TransactWriteItems(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		check("a transaction", &out.ConsumedCapacity[0], 2, w.global, w.local)
	}
}

// The filter of a query must not name a key of the table.
func TestFiltersOfKeys(t *testing.T) {
	t.Parallel()
	c := impatient(t, dynamolocal.StartTest(t, nil), "")
	createTable(t, c, "table")
	for filter, want := range map[string]string{"n = :v": "ValidationException", "x = :v OR size(id) = :v": "ValidationException", "x.n = :v": "<nil>", "x = :v": "<nil>"} {
		_, err := c.Query(t.Context(), &dynamodb.QueryInput{
			TableName: aws.String("table"), KeyConditionExpression: aws.String("id = :id"), FilterExpression: &filter,
			ExpressionAttributeValues: item{":id": text("a"), ":v": number(1)},
		})
		if code(err) != want {
			t.Errorf("%s: error %v, want %s", filter, err, want)
		}
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	s := dynamolocal.StartTest(t, nil)
	for _, c := range []dynamolocal.Options{{Addr: strings.TrimPrefix(s.URL(), "http://")}, {TransitionDelay: -1}} {
		if s, err := dynamolocal.Start(&c); err == nil {
			s.Close()
			t.Errorf("started with %+v, want an error", c)
		}
	}
}
