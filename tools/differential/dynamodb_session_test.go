package differential

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// A tableSession is a run of a script with one DynamoDB. Its answers are as received, not as
// the SDK parsed them.
type tableSession struct {
	*dynamodb.Client
	t     *testing.T
	ctx   context.Context
	steps []step
	last  bytes.Buffer // the body of the last answer
}

func newTableSession(t *testing.T, url string) *tableSession {
	s := &tableSession{t: t, ctx: t.Context()}
	s.Client = dynamodb.New(dynamodb.Options{
		BaseEndpoint: &url,
		Region:       "us-east-1",
		Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
		Retryer:      aws.NopRetryer{},
		HTTPClient:   doer(s.do),
	})
	return s
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// do sends a request and keeps the body of the answer. It reads the whole body first, because
// smithy-go 1.28.8 sometimes closes an HTTP/1.1 connection in the middle of a fast answer.
func (s *tableSession) do(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	s.last.Reset()
	if _, err := s.last.ReadFrom(resp.Body); err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(s.last.Bytes()))
	return resp, nil
}

// keep records the answer of the last call under a name that is unique in the script.
func (s *tableSession) keep(name string, err error) {
	s.t.Helper()
	var api smithy.APIError
	var broken *smithyhttp.ResponseError
	if err != nil && !errors.As(err, &api) {
		if !errors.As(err, &broken) {
			s.t.Fatalf("%s: %v", name, err)
		}
		s.steps = append(s.steps, step{name, fmt.Sprintf("error %d without a code", broken.HTTPStatusCode())})
		return
	}
	var tree map[string]any
	if err := json.Unmarshal(s.last.Bytes(), &tree); err != nil {
		s.t.Fatalf("%s: %v in %q", name, err, s.last.Bytes())
	}
	answer := ""
	if api != nil {
		answer = "error " + api.ErrorCode()
		for _, drop := range []string{"__type", "message", "Message"} {
			delete(tree, drop)
		}
		if len(tree) == 0 {
			s.steps = append(s.steps, step{name, answer})
			return
		}
		answer += " "
	}
	if _, asked := tree["ConsumedCapacity"]; asked && !strings.HasPrefix(name, "capacity") {
		delete(tree, "ConsumedCapacity")
	}
	text, err := json.Marshal(normaliseTable("", tree))
	if err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	s.steps = append(s.steps, step{name, answer + string(text)})
}

var dropped = []string{
	"Message", "TableId", "TableThroughputModeSummary", "IndexArn", "IndexSizeBytes", "ItemCount", "NumberOfDecreasesToday", "LastUpdateToPayPerRequestDateTime", "WarmThroughput",
}

var placeInARN = regexp.MustCompile(`^(arn:aws:dynamodb):[^:]*:\d{12}:`)

// normaliseTable replaces values that differ between services. Nothing and an empty list or
// object are equal unless they are attribute values. Elements of sets, items of a scan and
// other unordered lists are sorted.
//
// It also removes what another service lacks, or has too often, in so many answers that
// listing them would hide other differences: a table's ID
// (API_TableDescription), a deletion protection that is off,
// an index's ARN, sizes and NumberOfDecreasesToday
// (API_GlobalSecondaryIndexDescription), the time of the change to on demand
// (API_BillingModeSummary), a BillingModeSummary of a table that never was on demand (the
// same), and, in keep, a ConsumedCapacity that was not requested (API_UpdateItem:
// ReturnConsumedCapacity). dynamolocal lacks WarmThroughput, and the SDK
// TableThroughputModeSummary.
func normaliseTable(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			empty := false
			switch x := x.(type) {
			case map[string]any:
				empty = len(x) == 0 && k != "M"
			case []any:
				empty = len(x) == 0 && k != "L"
			case nil:
				empty = true
			}
			summary, _ := x.(map[string]any)
			if empty || k == "DeletionProtectionEnabled" && x == false || slices.Contains(dropped, k) || summary["BillingMode"] == "PROVISIONED" {
				delete(v, k)
				continue
			}
			v[k] = normaliseTable(k, x)
		}
	case []any:
		for i := range v {
			v[i] = normaliseTable(key, v[i])
		}
		if slices.Contains([]string{"SS", "NS", "BS", "AttributeDefinitions", "ConsumedCapacity", "Tags", "Unordered"}, key) {
			sortJSON(v)
		}
	case float64:
		if strings.HasSuffix(key, "DateTime") {
			return "time"
		}
	case string:
		switch {
		case strings.HasSuffix(key, "DateTime"):
			return "time"
		case v == "CREATING" || v == "UPDATING": // each service may take another time
			return "ACTIVE"
		case strings.HasSuffix(key, "Arn"):
			return placeInARN.ReplaceAllString(v, "$1:place:")
		}
	}
	return v
}

func sortJSON(list []any) {
	slices.SortFunc(list, func(a, b any) int {
		x, _ := json.Marshal(a)
		y, _ := json.Marshal(b)
		return bytes.Compare(x, y)
	})
}

// keepUnordered is keep for an answer with unordered items.
func (s *tableSession) keepUnordered(name string, err error) {
	s.t.Helper()
	s.last = *bytes.NewBuffer(bytes.Replace(s.last.Bytes(), []byte(`"Items"`), []byte(`"Unordered"`), 1))
	s.keep(name, err)
}

// table makes a table with a hash key "id" and optionally a range key "seq", a number.
func (s *tableSession) table(name string, ranged bool) *string {
	s.t.Helper()
	in := &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: ddb.BillingModePayPerRequest,
		KeySchema:            []ddb.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: ddb.KeyTypeHash}},
		AttributeDefinitions: []ddb.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: ddb.ScalarAttributeTypeS}},
	}
	if ranged {
		in.KeySchema = append(in.KeySchema, ddb.KeySchemaElement{AttributeName: aws.String("seq"), KeyType: ddb.KeyTypeRange})
		in.AttributeDefinitions = append(in.AttributeDefinitions, ddb.AttributeDefinition{AttributeName: aws.String("seq"), AttributeType: ddb.ScalarAttributeTypeN})
	}
	if _, err := s.CreateTable(s.ctx, in); err != nil {
		s.t.Fatalf("create %s: %v", name, err)
	}
	s.settled(name)
	return &name
}

// settled waits until a table and its indexes are active.
func (s *tableSession) settled(name string) {
	s.t.Helper()
	for {
		out, err := s.DescribeTable(s.ctx, &dynamodb.DescribeTableInput{TableName: &name})
		if err != nil {
			s.t.Fatal(err)
		}
		active := out.Table.TableStatus == ddb.TableStatusActive
		for _, x := range out.Table.GlobalSecondaryIndexes {
			active = active && x.IndexStatus == ddb.IndexStatusActive
		}
		if active {
			return
		}
		select {
		case <-s.ctx.Done():
			s.t.Fatal(context.Cause(s.ctx))
		case <-time.After(5 * time.Millisecond):
		}
	}
}

type item = map[string]ddb.AttributeValue

func str(v string) ddb.AttributeValue     { return &ddb.AttributeValueMemberS{Value: v} }
func num(v string) ddb.AttributeValue     { return &ddb.AttributeValueMemberN{Value: v} }
func set(v ...string) ddb.AttributeValue  { return &ddb.AttributeValueMemberSS{Value: v} }
func nums(v ...string) ddb.AttributeValue { return &ddb.AttributeValueMemberNS{Value: v} }
func lst(v ...ddb.AttributeValue) ddb.AttributeValue {
	return &ddb.AttributeValueMemberL{Value: v}
}
func mp(v item) ddb.AttributeValue { return &ddb.AttributeValueMemberM{Value: v} }

// put puts an item that the script needs.
func (s *tableSession) put(table *string, it item) {
	s.t.Helper()
	if _, err := s.PutItem(s.ctx, &dynamodb.PutItemInput{TableName: table, Item: it}); err != nil {
		s.t.Fatal(err)
	}
}
