package expr

import (
	"strings"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/attr"
)

// KeyCondition is the condition of a query on the keys.
type KeyCondition struct {
	Hash attr.Value
	// Op is the operator on the range key: one of = < <= > >= BETWEEN and
	// begins_with, or "" for none. Values has its operands, one or two.
	Op     string
	Values []attr.Value
}

// ParseKeyCondition parses a KeyConditionExpression for a table or index with these
// keys; rangeKey may be "".
func ParseKeyCondition(source string, params *Params, hashKey, rangeKey string) (KeyCondition, error) {
	c, _, err := ParseCondition("KeyConditionExpression", source, params)
	if err != nil {
		return KeyCondition{}, err
	}
	return keyCondition(c, hashKey, rangeKey)
}

// LegacyKeyCondition returns the KeyCondition for the parameter KeyConditions.
func LegacyKeyCondition(conditions []Condition, hashKey, rangeKey string) (KeyCondition, error) {
	return keyCondition(and(conditions), hashKey, rangeKey)
}

func keyCondition(c Condition, hashKey, rangeKey string) (k KeyCondition, err error) {
	var all []Condition
	flatten(c, &all)
	if len(all) > 2 {
		return k, &Error{"Conditions can be of length 1 or 2 only"}
	}
	for _, c := range all {
		name, op, values, ok := keyPart(c)
		switch {
		case !ok:
			return k, &Error{"Invalid operator used in KeyConditionExpression, or a condition that is not on a key"}
		case name == hashKey && op == "=" && k.Hash == nil:
			k.Hash = values[0]
		case name == hashKey:
			return k, &Error{"Query key condition not supported"}
		case name == rangeKey && op != "<>" && k.Op == "":
			k.Op, k.Values = op, values
		default:
			missed := hashKey
			if rangeKey != "" && k.Hash != nil {
				missed = rangeKey
			}
			return k, &Error{"Query condition missed key schema element: " + missed}
		}
	}
	if k.Hash == nil {
		return k, &Error{"Query condition missed key schema element: " + hashKey}
	}
	return k, nil
}

func flatten(c Condition, all *[]Condition) {
	switch c := c.(type) {
	case and:
		for _, inner := range c {
			flatten(inner, all)
		}
	case paren:
		flatten(c.Condition, all)
	default:
		*all = append(*all, c)
	}
}

// keyPart returns the parts of a condition on a key.
func keyPart(c Condition) (name, op string, values []attr.Value, ok bool) {
	var operands []operand
	switch c := c.(type) {
	case comparison:
		op, operands = c.op, []operand{c.l, c.r}
		if _, swapped := c.l.(literal); swapped {
			op = strings.NewReplacer("<", ">", ">", "<").Replace(c.op)
			operands = []operand{c.r, c.l}
		}
	case between:
		op, operands = "BETWEEN", []operand{c.x, c.low, c.high}
	case beginsWith:
		op, operands = "begins_with", []operand{c.x, c.prefix}
	default:
		return "", "", nil, false
	}
	path, ok := operands[0].(Path)
	if !ok || len(path) != 1 {
		return "", "", nil, false
	}
	for _, o := range operands[1:] {
		l, ok := o.(literal)
		if !ok {
			return "", "", nil, false
		}
		values = append(values, l.Value)
	}
	return path.Root(), op, values, true
}
