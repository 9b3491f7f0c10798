package wire

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/attr"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/expr"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/internal/httpserver"
)

// expressions parses the expressions of a request, or its legacy parameters.
type expressions struct {
	params *expr.Params
	// given has the names of the members of expressions in the request, and
	// legacy the names of legacy parameters.
	given, legacy []string
	err           error
}

func readExpressions(names map[string]string, values map[string]attr.Wire) *expressions {
	e := &expressions{}
	parsed, err := attr.ParseMap(values)
	e.err = err
	for _, k := range slices.Sorted(maps.Keys(names)) {
		if !strings.HasPrefix(k, "#") || len(k) < 2 {
			e.fail(invalid(fmt.Sprintf("ExpressionAttributeNames contains invalid key: Syntax error; key: %q", httpserver.Truncate(k))))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(values)) {
		if !strings.HasPrefix(k, ":") || len(k) < 2 {
			e.fail(invalid(fmt.Sprintf("ExpressionAttributeValues contains invalid key: Syntax error; key: %q", httpserver.Truncate(k))))
		}
	}
	if names != nil && len(names) == 0 {
		e.fail(invalid("ExpressionAttributeNames must not be empty"))
	}
	if values != nil && len(values) == 0 {
		e.fail(invalid("ExpressionAttributeValues must not be empty"))
	}
	e.params = expr.NewParams(names, parsed)
	if names != nil {
		e.given = append(e.given, "ExpressionAttributeNames")
	}
	if values != nil {
		e.given = append(e.given, "ExpressionAttributeValues")
	}
	return e
}

func (e *expressions) fail(err error) {
	if e.err == nil {
		e.err = err
	}
}

// check returns the first error. It must be called after the last expression.
func (e *expressions) check() error {
	isExpression := func(member string) bool { return !strings.HasPrefix(member, "ExpressionAttribute") }
	switch {
	case len(e.legacy) > 0 && len(e.given) > 0:
		return invalid(fmt.Sprintf("Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {%s} Expression parameters: {%s}",
			strings.Join(e.legacy, ", "), strings.Join(slices.DeleteFunc(slices.Clone(e.given), func(m string) bool { return !isExpression(m) }), ", ")))
	case len(e.given) > 0 && !slices.ContainsFunc(e.given, isExpression):
		return invalid(e.given[0] + " can only be specified when using expressions")
	case e.err != nil:
		return e.err
	}
	return e.params.CheckUsed()
}

// condition parses a condition, nil for none. It also returns the attributes that
// the condition names.
func (e *expressions) condition(member string, text *string) (c expr.Condition, names []string) {
	if text == nil {
		return nil, nil
	}
	e.given = append(e.given, member)
	c, names, err := expr.ParseCondition(member, *text, e.params)
	if err != nil {
		e.fail(err)
	}
	return c, names
}

// update parses an UpdateExpression or AttributeUpdates.
func (e *expressions) update(text *string, updates map[string]attributeValueUpdate) *expr.Update {
	u := &expr.Update{}
	if updates != nil {
		e.legacy = append(e.legacy, "AttributeUpdates")
	}
	for _, name := range slices.Sorted(maps.Keys(updates)) {
		x := updates[name]
		var v attr.Value
		if x.Value != nil {
			var err error
			if v, err = x.Value.Value(); err != nil {
				e.fail(err)
			}
		}
		action := valueOr(x.Action, "PUT")
		if !slices.Contains([]string{"PUT", "ADD", "DELETE"}, action) {
			e.fail(invalid("1 validation error detected: Value '" + httpserver.Truncate(action) + "' at 'attributeUpdates." + httpserver.Truncate(name) + ".member.action' failed to satisfy constraint: Member must satisfy enum value set: [ADD, DELETE, PUT]"))
		} else if err := u.LegacyAction(name, action, v); err != nil {
			e.fail(err)
		}
	}
	if text != nil {
		e.given = append(e.given, "UpdateExpression")
		parsed, err := expr.ParseUpdate(*text, e.params)
		if err != nil {
			e.fail(err)
		}
		return parsed
	}
	return u
}

// projection parses a ProjectionExpression or AttributesToGet; nil means all
// attributes.
func (e *expressions) projection(text *string, attributes []string) expr.Projection {
	var p expr.Projection
	if attributes != nil {
		e.legacy = append(e.legacy, "AttributesToGet")
		for _, name := range attributes {
			p = append(p, expr.Top(name))
		}
		if len(p) == 0 {
			e.fail(invalid("1 validation error detected: Value '[]' at 'attributesToGet' failed to satisfy constraint: Member must have length greater than or equal to 1"))
		}
	}
	if text != nil {
		e.given = append(e.given, "ProjectionExpression")
		var err error
		if p, err = expr.ParseProjection(*text, e.params); err != nil {
			e.fail(err)
		}
	}
	return p
}

// expected parses the legacy condition of a write.
func (e *expressions) expected(all map[string]expectedAttributeValue, operator *string) expr.Condition {
	var conditions []expr.Condition
	if all != nil {
		e.legacy = append(e.legacy, "Expected")
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		x := all[name]
		c := condition{ComparisonOperator: x.ComparisonOperator, AttributeValueList: x.AttributeValueList}
		wrong := func(what string) {
			e.fail(invalid("One or more parameter values were invalid: " + what + " for Attribute: " + httpserver.Truncate(name)))
		}
		switch {
		case x.AttributeValueList != nil && x.ComparisonOperator == nil:
			wrong("AttributeValueList can only be used with a ComparisonOperator")
			continue
		case x.AttributeValueList != nil && x.Value != nil:
			wrong("Value and AttributeValueList cannot be used together")
		case x.ComparisonOperator != nil && x.Exists != nil:
			wrong("Exists and ComparisonOperator cannot be used together")
		case x.ComparisonOperator != nil && x.Value != nil:
			// The documentation forbids this, but AWS accepts it.
			c.AttributeValueList = []attr.Wire{*x.Value}
		case x.ComparisonOperator != nil:
		case x.Exists != nil && !*x.Exists:
			if x.Value != nil {
				wrong("Value cannot be used when Exists is false")
			}
			c = condition{ComparisonOperator: ptr("NULL")}
		case x.Value == nil:
			wrong(fmt.Sprintf("Value must be provided when Exists is %t", valueOr(x.Exists, true)))
			continue
		default:
			c = condition{ComparisonOperator: ptr("EQ"), AttributeValueList: []attr.Wire{*x.Value}}
		}
		conditions = append(conditions, e.legacyCondition(name, c))
	}
	return e.join(conditions, operator)
}

// conditions parses the conditions of KeyConditions, QueryFilter or ScanFilter.
func (e *expressions) conditions(member string, all map[string]condition) (conditions []expr.Condition) {
	if all != nil {
		e.legacy = append(e.legacy, member)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		conditions = append(conditions, e.legacyCondition(name, all[name]))
	}
	return conditions
}

func (e *expressions) join(conditions []expr.Condition, operator *string) expr.Condition {
	if operator != nil {
		e.legacy = append(e.legacy, "ConditionalOperator")
		if *operator != "AND" && *operator != "OR" {
			e.fail(invalid("1 validation error detected: Value '" + httpserver.Truncate(*operator) + "' at 'conditionalOperator' failed to satisfy constraint: Member must satisfy enum value set: [OR, AND]"))
		}
	}
	return expr.Join(conditions, valueOr(operator, "AND") == "OR")
}

var comparisonOperators = []string{"IN", "NULL", "BETWEEN", "LT", "NOT_CONTAINS", "EQ", "GT", "NOT_NULL", "NE", "LE", "BEGINS_WITH", "GE", "CONTAINS"}

func (e *expressions) legacyCondition(name string, c condition) expr.Condition {
	operator := valueOr(c.ComparisonOperator, "")
	if !slices.Contains(comparisonOperators, operator) {
		e.fail(invalid("1 validation error detected: Value '" + httpserver.Truncate(operator) + "' at 'comparisonOperator' failed to satisfy constraint: Member must satisfy enum value set: [" + strings.Join(comparisonOperators, ", ") + "]"))
		return nil
	}
	var values []attr.Value
	for _, w := range c.AttributeValueList {
		v, err := w.Value()
		if err != nil {
			e.fail(err)
			return nil
		}
		values = append(values, v)
	}
	parsed, err := expr.Legacy(name, operator, values)
	if err != nil {
		e.fail(err)
	}
	return parsed
}
