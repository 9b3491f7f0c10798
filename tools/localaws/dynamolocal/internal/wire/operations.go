package wire

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/core"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/internal/httpserver"
)

//go:generate go run ../../../internal/shapegen dynamodb

// call is one call of an operation.
type call struct {
	service       *core.Service
	region        string
	faultCall     httpserver.Call
	body          []byte
	failCondition func() bool // counts a condition and reports whether an injected fault hits it
}

// operation decodes its input, then runs.
type operation func(c *call, body []byte) (any, error)

// operations are the operations of this service.
var operations = map[string]operation{
	"BatchGetItem":              handle(batchGetItem),
	"BatchWriteItem":            handle(batchWriteItem),
	"CreateTable":               handle(createTable),
	"DeleteItem":                handle(deleteItem),
	"DeleteTable":               handle(deleteTable),
	"DescribeContinuousBackups": handle(describeContinuousBackups),
	"DescribeTable":             handle(describeTable),
	"DescribeTimeToLive":        handle(describeTimeToLive),
	"GetItem":                   handle(getItem),
	"ListTables":                handle(listTables),
	"ListTagsOfResource":        handle(listTagsOfResource),
	"PutItem":                   handle(putItem),
	"Query":                     handle(query),
	"Scan":                      handle(scan),
	"TagResource":               handle(tagResource),
	"TransactGetItems":          handle(transactGetItems),
	"TransactWriteItems":        handle(transactWriteItems),
	"UntagResource":             handle(untagResource),
	"UpdateContinuousBackups":   handle(updateContinuousBackups),
	"UpdateItem":                handle(updateItem),
	"UpdateTable":               handle(updateTable),
	"UpdateTimeToLive":          handle(updateTimeToLive),
}

// empty is the output of operations without one.
type empty struct{}

// handle returns the operation that f implements.
func handle[In, Out any](f func(*call, *In) (*Out, error)) operation {
	return func(c *call, body []byte) (any, error) {
		c.body = body
		var in In
		if err := httpserver.BodyError(json.Unmarshal(body, &in), len(body)); err != nil {
			return nil, failure(serializationException, err.Error())
		}
		out, err := f(c, &in)
		if err != nil {
			return nil, err
		}
		return out, nil
	}
}

// timestamp is a time in a response, in seconds since 1970.
type timestamp struct{ time.Time }

// MarshalJSON implements json.Marshaler.
func (t timestamp) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(t.UnixMilli())/1000, 'f', -1, 64), nil
}

func ptr[T any](v T) *T { return &v }

// nilIfEmpty is nil for "".
func nilIfEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func valueOr[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

func itoa(n int) string { return strconv.Itoa(n) }
