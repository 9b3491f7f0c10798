package expr

import (
	"fmt"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/attr"
)

// Conditions and updates without expressions, which KCL still sends.

// Legacy returns the condition for a ComparisonOperator.
func Legacy(name, operator string, values []attr.Value) (Condition, error) {
	path := Top(name)
	count := 1
	switch operator {
	case "NULL", "NOT_NULL":
		count = 0
	case "BETWEEN":
		count = 2
	case "IN":
		count = max(len(values), 1)
	}
	if len(values) != count {
		return nil, &Error{fmt.Sprintf("One or more parameter values were invalid: Invalid number of argument(s) for the %s ComparisonOperator", operator)}
	}
	var operands []operand
	for _, v := range values {
		switch operator {
		case "LT", "LE", "GT", "GE", "BETWEEN", "BEGINS_WITH":
			if _, ordered := attr.Compare(v, v); !ordered || operator == "BEGINS_WITH" && attr.Type(v) == "N" {
				return nil, &Error{fmt.Sprintf("One or more parameter values were invalid: ComparisonOperator %s is not valid for %s AttributeValue type", operator, attr.Type(v))}
			}
		}
		operands = append(operands, literal{v})
	}
	if op, ok := map[string]string{"EQ": "=", "NE": "<>", "LT": "<", "LE": "<=", "GT": ">", "GE": ">="}[operator]; ok {
		return comparison{op, path, operands[0]}, nil
	}
	switch operator {
	case "NULL", "NOT_NULL":
		return exists{path, operator == "NOT_NULL"}, nil
	case "BETWEEN":
		return between{path, operands[0], operands[1]}, checkBetween(operands[0], operands[1])
	case "IN":
		return in{path, operands}, nil
	case "BEGINS_WITH":
		return beginsWith{path, operands[0]}, nil
	case "CONTAINS":
		return contains{path, operands[0]}, nil
	default: // NOT_CONTAINS
		return and{exists{path, true}, not{contains{path, operands[0]}}}, nil
	}
}

// Join returns the condition that all conditions hold or, with any, that at least
// one holds. Without conditions it returns nil.
func Join(conditions []Condition, any bool) Condition {
	switch {
	case len(conditions) == 0:
		return nil
	case any:
		return or(conditions)
	}
	return and(conditions)
}

// LegacyAction adds an AttributeValueUpdate to the update. Its value may be nil.
func (u *Update) LegacyAction(name, action string, v attr.Value) error {
	path := Top(name)
	c := change{path, plain{literal{v}}}
	switch {
	case action == "DELETE" && v == nil:
		u.removes = append(u.removes, path)
		return nil
	case v == nil:
		return &Error{"One or more parameter values were invalid: Only DELETE action is allowed when no attribute value is specified"}
	case action == "PUT":
		u.sets = append(u.sets, c)
		return nil
	case action == "ADD" && wantType("ADD", literal{v}, "N", "SS", "NS", "BS", "L") == nil:
		u.adds = append(u.adds, c)
		return nil
	case action == "DELETE" && wantType("DELETE", literal{v}, "SS", "NS", "BS") == nil:
		u.deletes = append(u.deletes, c)
		return nil
	}
	return &Error{fmt.Sprintf("One or more parameter values were invalid: Action %s is not supported for the type %s", action, attr.Type(v))}
}
