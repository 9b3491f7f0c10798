package dynamodblocal

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/seed96110120/kinesis-client-go/bootstrap"
	"github.com/seed96110120/kinesis-client-go/tools/internal/testenv"
)

func TestLock(t *testing.T) {
	if l := lock(); len(l.Artifacts) != 59 || l.Size() != 36967781 {
		t.Fatalf("%d files, %d bytes: correct the comments that say so", len(l.Artifacts), l.Size())
	}
}

func client(s *Server, region, key string) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region:       region,
		BaseEndpoint: aws.String(s.URL()),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: key, SecretAccessKey: "x"}, nil
		}),
	})
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// What KCL and this project's tools ask of DynamoDB, to prove that the lock
// leaves out nothing that these need.
func TestOperations(t *testing.T) {
	testenv.Java(t)
	ctx := t.Context()
	port, err := freePort(0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Start(ctx, Config{Port: port})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if want := "http://127.0.0.1:" + strconv.Itoa(port); s.URL() != want {
		t.Errorf("URL %s, want %s", s.URL(), want)
	}
	db := client(s, "us-east-1", "one")
	table := aws.String("app")
	str := func(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }
	key := map[string]types.AttributeValue{"leaseKey": str("shard-0")}

	must[*dynamodb.CreateTableOutput](t)(db.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName:            table,
		BillingMode:          types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("leaseKey"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("leaseKey"), KeyType: types.KeyTypeHash}},
	}))
	must[*dynamodb.UpdateTableOutput](t)(db.UpdateTable(ctx, &dynamodb.UpdateTableInput{
		TableName:            table,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("leaseOwner"), AttributeType: types.ScalarAttributeTypeS}},
		GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{Create: &types.CreateGlobalSecondaryIndexAction{
			IndexName:  aws.String("index"),
			KeySchema:  []types.KeySchemaElement{{AttributeName: aws.String("leaseOwner"), KeyType: types.KeyTypeHash}},
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		}}},
	}))
	put := &dynamodb.PutItemInput{
		TableName:           table,
		Item:                map[string]types.AttributeValue{"leaseKey": str("shard-0"), "leaseOwner": str("w"), "n": &types.AttributeValueMemberN{Value: "1"}},
		ConditionExpression: aws.String("attribute_not_exists(leaseKey)"),
	}
	must[*dynamodb.PutItemOutput](t)(db.PutItem(ctx, put))
	var refused *types.ConditionalCheckFailedException
	if _, err := db.PutItem(ctx, put); !errors.As(err, &refused) {
		t.Fatalf("the second conditional put: %v", err)
	}
	must[*dynamodb.UpdateItemOutput](t)(db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName:                 table,
		Key:                       key,
		UpdateExpression:          aws.String("SET n = n + :one REMOVE gone"),
		ConditionExpression:       aws.String("leaseOwner = :w AND size(leaseKey) > :one"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":one": &types.AttributeValueMemberN{Value: "1"}, ":w": str("w")},
	}))
	must[*dynamodb.TransactWriteItemsOutput](t)(db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
		TransactItems: []types.TransactWriteItem{{Put: &types.Put{TableName: table, Item: map[string]types.AttributeValue{"leaseKey": str("shard-1"), "leaseOwner": str("w")}}}},
	}))
	must[*dynamodb.UpdateTimeToLiveOutput](t)(db.UpdateTimeToLive(ctx, &dynamodb.UpdateTimeToLiveInput{
		TableName: table, TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("ttl"), Enabled: aws.Bool(true)},
	}))
	must[*dynamodb.DescribeTableOutput](t)(db.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: table}))
	must[*dynamodb.BatchWriteItemOutput](t)(db.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{
		RequestItems: map[string][]types.WriteRequest{"app": {{DeleteRequest: &types.DeleteRequest{Key: map[string]types.AttributeValue{"leaseKey": str("shard-1")}}}}},
	}))

	// Another client's region and key lead to the same database.
	db = client(s, "eu-west-1", "two")
	item := must[*dynamodb.GetItemOutput](t)(db.GetItem(ctx, &dynamodb.GetItemInput{TableName: table, Key: key, ConsistentRead: aws.Bool(true)})).Item
	if n, ok := item["n"].(*types.AttributeValueMemberN); !ok || n.Value != "2" {
		t.Fatalf("item %v", item)
	}
	if scan := must[*dynamodb.ScanOutput](t)(db.Scan(ctx, &dynamodb.ScanInput{TableName: table})); scan.Count != 1 {
		t.Fatalf("scan found %d items", scan.Count)
	}
	if q := must[*dynamodb.QueryOutput](t)(db.Query(ctx, &dynamodb.QueryInput{
		TableName: table, IndexName: aws.String("index"), KeyConditionExpression: aws.String("leaseOwner = :w"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":w": str("w")},
	})); q.Count != 1 {
		t.Fatalf("query found %d items", q.Count)
	}
	must[*dynamodb.DeleteItemOutput](t)(db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: table, Key: key}))
	must[*dynamodb.DeleteTableOutput](t)(db.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: table}))
	if tables := must[*dynamodb.ListTablesOutput](t)(db.ListTables(ctx, nil)).TableNames; len(tables) != 0 {
		t.Fatalf("tables %v", tables)
	}

	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	if err := s.Close(); err != nil || s.Err() != nil {
		t.Fatal(err, s.Err())
	}
	if _, err := os.Stat(s.tempDir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %s: %v", s.tempDir, err)
	}
}

// jars fetches what is needed to call start without Start.
func jars(t *testing.T) []string {
	t.Helper()
	fetched, err := bootstrap.Fetch(t.Context(), lock(), bootstrap.FetchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return fetched.Files
}

// A program that takes the port between its choice and the JVM's bind, and
// that answers as DynamoDB would, is not taken for our server.
func TestPortTakenByAnother(t *testing.T) {
	testenv.Long(t) // it starts another JVM
	java := testenv.Java(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	other := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		_, _ = io.WriteString(w, `{"TableNames":[]}`)
	})}
	go other.Serve(l)
	defer other.Close()
	port := l.Addr().(*net.TCPAddr).Port
	_, err = start(t.Context(), java, jars(t), port, slog.New(slog.DiscardHandler))
	if !errors.Is(err, ErrPortInUse) {
		t.Fatal(err)
	}
}

// A port that the caller has chosen is refused before a JVM starts.
func TestPortInUse(t *testing.T) {
	java := testenv.Java(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	if _, err := Start(t.Context(), Config{Java: java, Port: port}); !errors.Is(err, ErrPortInUse) || !strings.Contains(err.Error(), strconv.Itoa(port)) {
		t.Fatal(err)
	}
}

func TestUnexpectedEnd(t *testing.T) {
	testenv.Long(t) // it starts another JVM
	testenv.Java(t)
	s, err := Start(t.Context(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	process, err := os.FindProcess(s.process.PID())
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	if s.Err() == nil || !strings.Contains(s.Err().Error(), "ended by itself") {
		t.Fatal(s.Err())
	}
	if err := s.Close(); err != s.Err() {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.tempDir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %s: %v", s.tempDir, err)
	}
}

func TestNoJava(t *testing.T) {
	_, err := Start(t.Context(), Config{Java: filepath.Join(t.TempDir(), "java")})
	if !errors.Is(err, bootstrap.ErrNoJava) {
		t.Fatal(err)
	}
}
