package wire

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/core"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/internal/front"
)

//go:generate go run ../../../internal/shapegen dynamodb

// call is what an operation works with.
type call struct {
	service       *core.Service
	region        string
	front         front.Call
	body          []byte
	failCondition func() bool // tells whether an injected fault hits the next condition
}

// operation decodes its input and runs.
type operation func(c *call, body []byte) (any, error)

// operations are those that this service has.
var operations = map[string]operation{
	"BatchGetItem":              with(batchGetItem),
	"BatchWriteItem":            with(batchWriteItem),
	"CreateTable":               with(createTable),
	"DeleteItem":                with(deleteItem),
	"DeleteTable":               with(deleteTable),
	"DescribeContinuousBackups": with(describeContinuousBackups),
	"DescribeTable":             with(describeTable),
	"DescribeTimeToLive":        with(describeTimeToLive),
	"GetItem":                   with(getItem),
	"ListTables":                with(listTables),
	"ListTagsOfResource":        with(listTagsOfResource),
	"PutItem":                   with(putItem),
	"Query":                     with(query),
	"Scan":                      with(scan),
	"TagResource":               with(tagResource),
	"TransactGetItems":          with(transactGetItems),
	"TransactWriteItems":        with(transactWriteItems),
	"UntagResource":             with(untagResource),
	"UpdateContinuousBackups":   with(updateContinuousBackups),
	"UpdateItem":                with(updateItem),
	"UpdateTable":               with(updateTable),
	"UpdateTimeToLive":          with(updateTimeToLive),
}

type none struct{}

func with[In, Out any](f func(*call, *In) (*Out, error)) operation {
	return func(c *call, body []byte) (any, error) {
		c.body = body
		var in In
		if err := front.BodyError(json.Unmarshal(body, &in), len(body)); err != nil {
			return nil, failure(serializationException, err.Error())
		}
		out, err := f(c, &in)
		if err != nil {
			return nil, err
		}
		return out, nil
	}
}

// timestamp is a moment in an answer: seconds since 1970.
type timestamp struct{ time.Time }

// MarshalJSON implements json.Marshaler.
func (t timestamp) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(t.UnixMilli())/1000, 'f', -1, 64), nil
}

func ptr[T any](v T) *T { return &v }

// given is nil for "".
func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func value[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

func itoa(n int) string { return strconv.Itoa(n) }
