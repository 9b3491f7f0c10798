package wire

import (
	"math"
	"slices"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/attr"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/core"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/expr"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/internal/httpserver"
)

// writeInput has the members of requests that write an item.
type writeInput struct {
	TableName                           *string
	Item, Key                           map[string]attr.Wire
	ConditionExpression                 *string
	ExpressionAttributeNames            map[string]string
	ExpressionAttributeValues           map[string]attr.Wire
	ReturnValuesOnConditionCheckFailure *string
	Expected                            map[string]expectedAttributeValue
	ConditionalOperator                 *string

	isPut, isUpdate  bool
	UpdateExpression *string
	AttributeUpdates map[string]attributeValueUpdate
}

// read parses a write.
func (c *call) read(in writeInput) (w core.Write, err error) {
	var broken constraints
	broken.table(in.TableName)
	if in.isPut {
		broken.required("item", in.Item != nil)
	} else {
		broken.required("key", in.Key != nil)
	}
	broken.oneOf("returnValuesOnConditionCheckFailure", in.ReturnValuesOnConditionCheckFailure, "ALL_OLD", "NONE")
	if err := broken.err(); err != nil {
		return w, err
	}
	w.Table = core.TableOf(*in.TableName)
	w.OldOnFailure = valueOr(in.ReturnValuesOnConditionCheckFailure, "NONE") == "ALL_OLD"
	e := readExpressions(in.ExpressionAttributeNames, in.ExpressionAttributeValues)
	if in.isUpdate {
		w.Update = e.update(in.UpdateExpression, in.AttributeUpdates)
	}
	w.Condition, _ = e.condition("ConditionExpression", in.ConditionExpression)
	if legacy := e.expected(in.Expected, in.ConditionalOperator); legacy != nil {
		w.Condition = legacy
	}
	if err := e.check(); err != nil {
		return w, err
	}
	if in.isPut {
		w.Item, err = attr.ParseMap(in.Item)
	} else {
		w.Key, err = attr.ParseMap(in.Key)
	}
	w.FailCondition = w.Condition != nil && c.failCondition()
	return w, err
}

func (c *constraints) table(name *string) {
	c.required("tableName", name != nil)
	if name == nil {
		return
	}
	switch n := len(core.TableOf(*name)); {
	case n < 1:
		c.violate("'"+httpserver.Truncate(*name)+"'", "tableName", "have length greater than or equal to 1")
	case n > 255:
		c.violate("'"+httpserver.Truncate(*name)+"'", "tableName", "have length less than or equal to 1024")
	}
}

func (c *constraints) oneOf(member string, value *string, values ...string) {
	if value != nil && !slices.Contains(values, *value) {
		c.violate("'"+httpserver.Truncate(*value)+"'", member, "satisfy enum value set: ["+join(values)+"]")
	}
}

// returnedAttributes returns the attributes in the response of a write.
func returnedAttributes(values *string, w core.Write, done core.Written) map[string]attr.Wire {
	switch valueOr(values, "NONE") {
	case "ALL_OLD":
		return attr.MapToWire(done.Old)
	case "ALL_NEW":
		return attr.MapToWire(done.New)
	case "UPDATED_OLD":
		return updated(w.Update, done.Old)
	case "UPDATED_NEW":
		return updated(w.Update, done.New)
	}
	return nil
}

func updated(u *expr.Update, item attr.Map) map[string]attr.Wire {
	m := expr.Projection(u.Paths()).Of(item)
	if len(m) == 0 {
		return nil
	}
	return attr.MapToWire(m)
}

var returnValues = []string{"ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"}

// write does one write. allowed has the ReturnValues that it supports.
func (c *call) write(in writeInput, returns, capacity *string, allowed ...string) (map[string]attr.Wire, *consumedCapacity, error) {
	var broken constraints
	broken.oneOf("returnValues", returns, returnValues...)
	broken.oneOf("returnConsumedCapacity", capacity, "INDEXES", "TOTAL", "NONE")
	if err := broken.err(); err != nil {
		return nil, nil, err
	}
	if !slices.Contains(allowed, valueOr(returns, "NONE")) {
		return nil, nil, invalid("Return values set to invalid value")
	}
	w, err := c.read(in)
	if err != nil {
		return nil, nil, err
	}
	done, err := c.service.Write(w)
	if err != nil {
		return nil, nil, err
	}
	var u units
	u.write(done, 1)
	return returnedAttributes(returns, w, done), consumed(capacity, w.Table, u), nil
}

func putItem(c *call, in *putItemInput) (out *putItemOutput, err error) {
	out = &putItemOutput{}
	out.Attributes, out.ConsumedCapacity, err = c.write(writeInput{
		TableName: in.TableName, Item: in.Item, ConditionExpression: in.ConditionExpression,
		ExpressionAttributeNames: in.ExpressionAttributeNames, ExpressionAttributeValues: in.ExpressionAttributeValues,
		ReturnValuesOnConditionCheckFailure: in.ReturnValuesOnConditionCheckFailure,
		Expected:                            in.Expected, ConditionalOperator: in.ConditionalOperator, isPut: true,
	}, in.ReturnValues, in.ReturnConsumedCapacity, "NONE", "ALL_OLD")
	return out, err
}

func updateItem(c *call, in *updateItemInput) (out *updateItemOutput, err error) {
	out = &updateItemOutput{}
	out.Attributes, out.ConsumedCapacity, err = c.write(writeInput{
		TableName: in.TableName, Key: in.Key, ConditionExpression: in.ConditionExpression,
		ExpressionAttributeNames: in.ExpressionAttributeNames, ExpressionAttributeValues: in.ExpressionAttributeValues,
		ReturnValuesOnConditionCheckFailure: in.ReturnValuesOnConditionCheckFailure,
		Expected:                            in.Expected, ConditionalOperator: in.ConditionalOperator,
		isUpdate: true, UpdateExpression: in.UpdateExpression, AttributeUpdates: in.AttributeUpdates,
	}, in.ReturnValues, in.ReturnConsumedCapacity, returnValues...)
	return out, err
}

func deleteItem(c *call, in *deleteItemInput) (out *deleteItemOutput, err error) {
	out = &deleteItemOutput{}
	out.Attributes, out.ConsumedCapacity, err = c.write(writeInput{
		TableName: in.TableName, Key: in.Key, ConditionExpression: in.ConditionExpression,
		ExpressionAttributeNames: in.ExpressionAttributeNames, ExpressionAttributeValues: in.ExpressionAttributeValues,
		ReturnValuesOnConditionCheckFailure: in.ReturnValuesOnConditionCheckFailure,
		Expected:                            in.Expected, ConditionalOperator: in.ConditionalOperator,
	}, in.ReturnValues, in.ReturnConsumedCapacity, "NONE", "ALL_OLD")
	return out, err
}

func getItem(c *call, in *getItemInput) (*getItemOutput, error) {
	var broken constraints
	broken.table(in.TableName)
	broken.required("key", in.Key != nil)
	broken.oneOf("returnConsumedCapacity", in.ReturnConsumedCapacity, "INDEXES", "TOTAL", "NONE")
	if err := broken.err(); err != nil {
		return nil, err
	}
	e := readExpressions(in.ExpressionAttributeNames, nil)
	only := e.projection(in.ProjectionExpression, in.AttributesToGet)
	if err := e.check(); err != nil {
		return nil, err
	}
	key, err := attr.ParseMap(in.Key)
	if err != nil {
		return nil, err
	}
	table := core.TableOf(*in.TableName)
	item, err := c.service.Get(table, key)
	if err != nil {
		return nil, err
	}
	return &getItemOutput{
		Item:             projected(item, only),
		ConsumedCapacity: consumed(in.ReturnConsumedCapacity, table, units{table: readUnits(item.ItemSize(), valueOr(in.ConsistentRead, false))}),
	}, nil
}

// projected returns an item as in a response, nil for none.
func projected(item attr.Map, only expr.Projection) map[string]attr.Wire {
	if item != nil && only != nil {
		item = only.Of(item)
	}
	return attr.MapToWire(item)
}

// units is the capacity that a call consumes of a table and of its indexes.
type units struct {
	table         float64
	global, local map[string]float64 // by index
	reads, writes bool               // a transaction's response says which units they are
}

// index adds the capacity that is consumed of an index.
func (u *units) index(name string, global bool, n float64) {
	of := &u.local
	if global {
		of = &u.global
	}
	if *of == nil {
		*of = make(map[string]float64)
	}
	(*of)[name] += n
}

// write adds the capacity that a write consumes: times of the table, and once of
// each index that it changes.
func (u *units) write(w core.Written, times float64) {
	u.table += times * writeUnits(w.Size())
	for _, x := range w.Indexes {
		for _, bytes := range x.Bytes {
			u.index(x.Name, x.Global, writeUnits(bytes))
		}
	}
}

func readUnits(bytes int, consistent bool) float64 {
	units := max(1, math.Ceil(float64(bytes)/4096))
	if !consistent {
		units /= 2
	}
	return units
}

func writeUnits(bytes int) float64 { return max(1, math.Ceil(float64(bytes)/1024)) }

// consumed returns the consumed capacity, nil unless the request asked for it.
func consumed(asked *string, table string, u units) *consumedCapacity {
	if valueOr(asked, "NONE") == "NONE" {
		return nil
	}
	of := func(n float64) (c capacity) {
		c.CapacityUnits = &n
		if u.reads {
			c.ReadCapacityUnits = &n
		}
		if u.writes {
			c.WriteCapacityUnits = &n
		}
		return c
	}
	sum := u.table
	all := func(indexes map[string]float64) (all map[string]capacity) {
		for name, n := range indexes {
			if all == nil {
				all = make(map[string]capacity)
			}
			sum += n
			all[name] = of(n)
		}
		return all
	}
	global, local := all(u.global), all(u.local)
	total := of(sum)
	c := &consumedCapacity{TableName: &table, CapacityUnits: total.CapacityUnits, ReadCapacityUnits: total.ReadCapacityUnits, WriteCapacityUnits: total.WriteCapacityUnits}
	if *asked == "INDEXES" {
		c.Table, c.GlobalSecondaryIndexes, c.LocalSecondaryIndexes = ptr(of(u.table)), global, local
	}
	return c
}
