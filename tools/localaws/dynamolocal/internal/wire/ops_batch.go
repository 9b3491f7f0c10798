package wire

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/attr"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/core"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/expr"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/internal/httpserver"
)

// Limits of a call.
const (
	maxBatchGet   = 100
	maxBatchWrite = 25
	maxTransact   = 100
	maxAnswer     = 16 << 20 // bytes of items
)

func checkRequestItems[T any](items map[string]T) error {
	var broken constraints
	broken.required("requestItems", items != nil)
	if items != nil && len(items) == 0 {
		broken.violate("'{}'", "requestItems", "have length greater than or equal to 1")
	}
	return broken.err()
}

func batchGetItem(c *call, in *batchGetItemInput) (*batchGetItemOutput, error) {
	if err := checkRequestItems(in.RequestItems); err != nil {
		return nil, err
	}
	var (
		tables []string
		keys   []attr.Map
		only   = make(map[string]expr.Projection)
		wire   []map[string]attr.Wire
	)
	for _, table := range slices.Sorted(maps.Keys(in.RequestItems)) {
		request := in.RequestItems[table]
		if len(request.Keys) == 0 {
			return nil, invalid("1 validation error detected: Value '[]' at 'requestItems." + httpserver.Truncate(table) + ".member.keys' failed to satisfy constraint: Member must have length greater than or equal to 1")
		}
		e := readExpressions(request.ExpressionAttributeNames, nil)
		only[table] = e.projection(request.ProjectionExpression, request.AttributesToGet)
		if err := e.check(); err != nil {
			return nil, err
		}
		for _, w := range request.Keys {
			key, err := attr.ParseMap(w)
			if err != nil {
				return nil, err
			}
			tables, keys, wire = append(tables, table), append(keys, key), append(wire, w)
		}
	}
	if len(keys) > maxBatchGet {
		return nil, invalid("Too many items requested for the BatchGetItem call")
	}
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = core.TableOf(t)
	}
	items, err := c.service.GetAll(names, keys)
	if err != nil {
		return nil, err
	}
	out := &batchGetItemOutput{Responses: make(map[string][]map[string]attr.Wire), UnprocessedKeys: make(map[string]keysAndAttributes)}
	bytes, used := 0, make(usedUnits)
	for i, item := range items {
		table := tables[i]
		if out.Responses[table] == nil {
			out.Responses[table] = []map[string]attr.Wire{}
		}
		if bytes += item.ItemSize(); bytes > maxAnswer {
			left := out.UnprocessedKeys[table]
			keys := append(left.Keys, wire[i])
			left = in.RequestItems[table]
			left.Keys = keys
			out.UnprocessedKeys[table] = left
			continue
		}
		used.of(table).table += readUnits(item.ItemSize(), valueOr(in.RequestItems[table].ConsistentRead, false))
		if item != nil {
			out.Responses[table] = append(out.Responses[table], projected(item, only[table]))
		}
	}
	out.ConsumedCapacity = used.consumed(in.ReturnConsumedCapacity)
	return out, nil
}

// usedUnits has the capacity that a call consumes of each table.
type usedUnits map[string]*units

func (u usedUnits) of(table string) *units {
	if u[table] == nil {
		u[table] = &units{}
	}
	return u[table]
}

func (u usedUnits) consumed(asked *string) (all []consumedCapacity) {
	for _, table := range slices.Sorted(maps.Keys(u)) {
		if c := consumed(asked, table, *u[table]); c != nil {
			all = append(all, *c)
		}
	}
	return all
}

func batchWriteItem(c *call, in *batchWriteItemInput) (*batchWriteItemOutput, error) {
	if err := checkRequestItems(in.RequestItems); err != nil {
		return nil, err
	}
	var writes []core.Write
	for _, table := range slices.Sorted(maps.Keys(in.RequestItems)) {
		if len(in.RequestItems[table]) == 0 {
			return nil, invalid("1 validation error detected: Value '[]' at 'requestItems." + httpserver.Truncate(table) + ".member' failed to satisfy constraint: Member must have length greater than or equal to 1")
		}
		for _, r := range in.RequestItems[table] {
			w := writeInput{TableName: &table}
			switch {
			case (r.PutRequest == nil) == (r.DeleteRequest == nil):
				return nil, invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
			case r.PutRequest != nil:
				w.isPut, w.Item = true, r.PutRequest.Item
			default:
				w.Key = r.DeleteRequest.Key
			}
			write, err := c.read(w)
			if err != nil {
				return nil, err
			}
			writes = append(writes, write)
		}
	}
	if len(writes) > maxBatchWrite {
		return nil, invalid("1 validation error detected: Value at 'requestItems' failed to satisfy constraint: Member must have length less than or equal to 25: Too many items requested for the BatchWriteItem call")
	}
	done, err := c.service.Batch(writes)
	if err != nil {
		return nil, err
	}
	used := make(usedUnits)
	for i, w := range writes {
		used.of(w.Table).write(done[i], 1)
	}
	return &batchWriteItemOutput{
		UnprocessedItems: make(map[string][]writeRequest),
		ConsumedCapacity: used.consumed(in.ReturnConsumedCapacity),
	}, nil
}

// inOrder returns a request with the members of its objects sorted. SDKs write the
// members of a map in any order, which must not make requests differ.
func inOrder(body []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var request any
	if d.Decode(&request) != nil {
		return body // cannot happen: it has been decoded before
	}
	sorted, err := json.Marshal(request)
	if err != nil {
		return body
	}
	return sorted
}

func transactWriteItems(c *call, in *transactWriteItemsInput) (*transactWriteItemsOutput, error) {
	if err := checkActions("transactItems", len(in.TransactItems)); err != nil {
		return nil, err
	}
	if n := len(valueOr(in.ClientRequestToken, "token")); n < 1 || n > 36 {
		return nil, invalid("1 validation error detected: Value at 'clientRequestToken' failed to satisfy constraint: Member must have length between 1 and 36")
	}
	var writes []core.Write
	for _, item := range in.TransactItems {
		w, n := writeInput{}, 0
		if a := item.ConditionCheck; a != nil {
			n++
			if a.ConditionExpression == nil {
				return nil, invalid("1 validation error detected: Value null at 'transactItems.member.conditionCheck.conditionExpression' failed to satisfy constraint: Member must not be null")
			}
			w = writeInput{
				TableName: a.TableName, Key: a.Key, ConditionExpression: a.ConditionExpression, ExpressionAttributeNames: a.ExpressionAttributeNames,
				ExpressionAttributeValues: a.ExpressionAttributeValues, ReturnValuesOnConditionCheckFailure: a.ReturnValuesOnConditionCheckFailure,
			}
		}
		if a := item.Put; a != nil {
			n++
			w = writeInput{
				TableName: a.TableName, Item: a.Item, ConditionExpression: a.ConditionExpression, ExpressionAttributeNames: a.ExpressionAttributeNames,
				ExpressionAttributeValues: a.ExpressionAttributeValues, ReturnValuesOnConditionCheckFailure: a.ReturnValuesOnConditionCheckFailure, isPut: true,
			}
		}
		if a := item.Delete; a != nil {
			n++
			w = writeInput{
				TableName: a.TableName, Key: a.Key, ConditionExpression: a.ConditionExpression, ExpressionAttributeNames: a.ExpressionAttributeNames,
				ExpressionAttributeValues: a.ExpressionAttributeValues, ReturnValuesOnConditionCheckFailure: a.ReturnValuesOnConditionCheckFailure,
			}
		}
		if a := item.Update; a != nil {
			n++
			if a.UpdateExpression == nil {
				return nil, invalid("1 validation error detected: Value null at 'transactItems.member.update.updateExpression' failed to satisfy constraint: Member must not be null")
			}
			w = writeInput{
				TableName: a.TableName, Key: a.Key, ConditionExpression: a.ConditionExpression, ExpressionAttributeNames: a.ExpressionAttributeNames,
				ExpressionAttributeValues: a.ExpressionAttributeValues, ReturnValuesOnConditionCheckFailure: a.ReturnValuesOnConditionCheckFailure,
				isUpdate: true, UpdateExpression: a.UpdateExpression,
			}
		}
		if n != 1 {
			return nil, invalid("TransactItems can only contain one of Check, Put, Update or Delete")
		}
		write, err := c.read(w)
		if err != nil {
			return nil, err
		}
		write.CheckOnly = item.ConditionCheck != nil
		writes = append(writes, write)
	}
	done, again, err := c.service.Transact(writes, valueOr(in.ClientRequestToken, ""), inOrder(c.body))
	if err != nil {
		return nil, err
	}
	used := make(usedUnits)
	for i, w := range writes {
		u := used.of(w.Table)
		if u.reads, u.writes = again, !again; again {
			u.table += 2 * readUnits(done[i].Size(), true)
		} else {
			u.write(done[i], 2)
		}
	}
	return &transactWriteItemsOutput{ConsumedCapacity: used.consumed(in.ReturnConsumedCapacity)}, nil
}

func checkActions(member string, n int) error {
	if n < 1 || n > maxTransact {
		return invalid("1 validation error detected: Value at '" + member + "' failed to satisfy constraint: Member must have length between 1 and 100")
	}
	return nil
}

func transactGetItems(c *call, in *transactGetItemsInput) (*transactGetItemsOutput, error) {
	if err := checkActions("transactItems", len(in.TransactItems)); err != nil {
		return nil, err
	}
	var (
		tables []string
		keys   []attr.Map
		only   []expr.Projection
	)
	for _, item := range in.TransactItems {
		var broken constraints
		if broken.required("transactItems.member.get", item.Get != nil); item.Get != nil {
			broken.table(item.Get.TableName)
			broken.required("transactItems.member.get.key", item.Get.Key != nil)
		}
		if err := broken.err(); err != nil {
			return nil, err
		}
		e := readExpressions(item.Get.ExpressionAttributeNames, nil)
		only = append(only, e.projection(item.Get.ProjectionExpression, nil))
		if err := e.check(); err != nil {
			return nil, err
		}
		key, err := attr.ParseMap(item.Get.Key)
		if err != nil {
			return nil, err
		}
		tables, keys = append(tables, core.TableOf(*item.Get.TableName)), append(keys, key)
	}
	items, err := c.service.TransactGet(tables, keys)
	if err != nil {
		return nil, err
	}
	out := &transactGetItemsOutput{}
	used := make(usedUnits)
	for i, item := range items {
		out.Responses = append(out.Responses, itemResponse{Item: projected(item, only[i])})
		u := used.of(tables[i])
		u.reads = true
		u.table += 2 * readUnits(item.ItemSize(), true)
	}
	out.ConsumedCapacity = used.consumed(in.ReturnConsumedCapacity)
	return out, nil
}
