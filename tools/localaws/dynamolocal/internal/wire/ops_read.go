package wire

import (
	"maps"
	"slices"
	"strings"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/attr"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/core"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/expr"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/internal/httpserver"
)

func join(values []string) string { return strings.Join(values, ", ") }

// readInput has the members that Query and Scan share.
type readInput struct {
	tableName, indexName *string
	limit                *int32
	selects, capacity    *string
	consistent           *bool
	start                map[string]attr.Wire
}

func (in readInput) check() error {
	var broken constraints
	broken.table(in.tableName)
	broken.oneOf("returnConsumedCapacity", in.capacity, "INDEXES", "TOTAL", "NONE")
	broken.oneOf("select", in.selects, "SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES")
	if in.limit != nil && *in.limit < 1 {
		broken.violate("'"+itoa(int(*in.limit))+"'", "limit", "have value greater than or equal to 1")
	}
	return broken.err()
}

// page reads a page and returns its items as in the response.
func (c *call) page(in readInput, r core.Read, only expr.Projection) (p *core.Page, items []map[string]attr.Wire, used *consumedCapacity, err error) {
	r.Table, r.Index = core.TableOf(*in.tableName), valueOr(in.indexName, "")
	r.Consistent, r.Limit = valueOr(in.consistent, false), int(valueOr(in.limit, 0))
	selects := valueOr(in.selects, "")
	switch {
	case only != nil && selects != "" && selects != "SPECIFIC_ATTRIBUTES":
		return nil, nil, nil, invalid("Cannot specify the AttributesToGet or ProjectionExpression when choosing to get " + selects)
	case only == nil && selects == "SPECIFIC_ATTRIBUTES":
		return nil, nil, nil, invalid("Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
	case selects == "ALL_PROJECTED_ATTRIBUTES" && r.Index == "":
		return nil, nil, nil, invalid("One or more parameter values were invalid: Select type ALL_PROJECTED_ATTRIBUTES is supported only when an index is specified")
	}
	if in.start != nil {
		if r.Start, err = attr.ParseMap(in.start); err != nil {
			return nil, nil, nil, err
		}
	}
	if p, err = c.service.Read(r); err != nil {
		return nil, nil, nil, err
	}
	if selects != "COUNT" {
		items = make([]map[string]attr.Wire, len(p.Items))
		for i, item := range p.Items {
			items[i] = projected(item, only)
		}
	}
	var u units
	switch n := readUnits(p.Bytes, r.Consistent); {
	case r.Index == "":
		u.table = n
	default:
		u.index(r.Index, p.Global, n)
	}
	return p, items, consumed(in.capacity, r.Table, u), nil
}

func query(c *call, in *queryInput) (*queryOutput, error) {
	r := readInput{in.TableName, in.IndexName, in.Limit, in.Select, in.ReturnConsumedCapacity, in.ConsistentRead, in.ExclusiveStartKey}
	if err := r.check(); err != nil {
		return nil, err
	}
	e := readExpressions(in.ExpressionAttributeNames, in.ExpressionAttributeValues)
	var key func(core.Keys) (expr.KeyCondition, error)
	if e.condition("KeyConditionExpression", in.KeyConditionExpression); in.KeyConditionExpression != nil {
		key = func(k core.Keys) (expr.KeyCondition, error) {
			return expr.ParseKeyCondition(*in.KeyConditionExpression, e.params, k.Hash.Name, k.Range.Name)
		}
	}
	if in.KeyConditions != nil {
		conditions := e.conditions("KeyConditions", in.KeyConditions)
		key = func(k core.Keys) (expr.KeyCondition, error) {
			return expr.LegacyKeyCondition(conditions, k.Hash.Name, k.Range.Name)
		}
	}
	filter, filtered := e.condition("FilterExpression", in.FilterExpression)
	member := "Filter Expression" // as AWS names it
	if in.QueryFilter != nil {
		filter = e.join(e.conditions("QueryFilter", in.QueryFilter), in.ConditionalOperator)
		member, filtered = "QueryFilter", slices.Sorted(maps.Keys(in.QueryFilter))
	}
	only := e.projection(in.ProjectionExpression, in.AttributesToGet)
	if err := e.check(); err != nil {
		return nil, err
	}
	if key == nil {
		return nil, invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	unfiltered := func(k core.Keys) (expr.KeyCondition, error) {
		for _, name := range filtered {
			if name == k.Hash.Name || name == k.Range.Name {
				return expr.KeyCondition{}, invalid(member + " can only contain non-primary key attributes: Primary key attribute: " + httpserver.Truncate(name))
			}
		}
		return key(k)
	}
	p, items, used, err := c.page(r, core.Read{Key: unfiltered, Reverse: !valueOr(in.ScanIndexForward, true), Filter: filter}, only)
	if err != nil {
		return nil, err
	}
	return &queryOutput{
		Items: items, Count: ptr(int32(len(p.Items))), ScannedCount: ptr(int32(p.Scanned)),
		LastEvaluatedKey: attr.MapToWire(p.Last), ConsumedCapacity: used,
	}, nil
}

func scan(c *call, in *scanInput) (*scanOutput, error) {
	r := readInput{in.TableName, in.IndexName, in.Limit, in.Select, in.ReturnConsumedCapacity, in.ConsistentRead, in.ExclusiveStartKey}
	if err := r.check(); err != nil {
		return nil, err
	}
	segment, segments := valueOr(in.Segment, 0), valueOr(in.TotalSegments, 0)
	switch {
	case in.Segment != nil && in.TotalSegments == nil:
		return nil, invalid("The TotalSegments parameter is required but was not present in the request when Segment parameter is present")
	case in.Segment == nil && in.TotalSegments != nil:
		return nil, invalid("The Segment parameter is required but was not present in the request when parameter TotalSegments is present")
	case in.TotalSegments != nil && (segments < 1 || segments > 1_000_000):
		return nil, invalid("1 validation error detected: Value '" + itoa(int(segments)) + "' at 'totalSegments' failed to satisfy constraint: Member must have value between 1 and 1000000")
	case segment < 0 || in.Segment != nil && segment >= segments:
		return nil, invalid("The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: " + itoa(int(segment)) + " is not less than TotalSegments: " + itoa(int(segments)))
	}
	e := readExpressions(in.ExpressionAttributeNames, in.ExpressionAttributeValues)
	filter, _ := e.condition("FilterExpression", in.FilterExpression)
	if in.ScanFilter != nil {
		filter = e.join(e.conditions("ScanFilter", in.ScanFilter), in.ConditionalOperator)
	}
	only := e.projection(in.ProjectionExpression, in.AttributesToGet)
	if err := e.check(); err != nil {
		return nil, err
	}
	p, items, used, err := c.page(r, core.Read{Segment: int(segment), Segments: int(segments), Filter: filter}, only)
	if err != nil {
		return nil, err
	}
	return &scanOutput{
		Items: items, Count: ptr(int32(len(p.Items))), ScannedCount: ptr(int32(p.Scanned)),
		LastEvaluatedKey: attr.MapToWire(p.Last), ConsumedCapacity: used,
	}, nil
}
