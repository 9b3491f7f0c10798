package expr

import (
	"bytes"
	"slices"
	"strings"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/attr"
)

// Condition is a condition on an item. An item that does not exist is empty.
type Condition interface {
	Holds(item attr.Map) bool
}

// operand returns a value, or nil for none.
type operand interface {
	value(item attr.Map) attr.Value
}

type literal struct{ attr.Value }

func (l literal) value(attr.Map) attr.Value { return l.Value }

// size is the function size: the number of characters, bytes or elements.
type size struct{ of operand }

func (s size) value(item attr.Map) attr.Value {
	n := 0
	switch v := s.of.value(item).(type) {
	case attr.String:
		n = len([]rune(string(v)))
	case attr.Binary:
		n = len(v)
	case attr.List:
		n = len(v)
	case attr.Map:
		n = len(v)
	case attr.StringSet:
		n = len(v)
	case attr.NumberSet:
		n = len(v)
	case attr.BinarySet:
		n = len(v)
	default:
		return nil
	}
	return attr.Whole(n)
}

type (
	// and holds if all conditions hold, or if any holds, not if its condition
	// does not.
	and []Condition
	or  []Condition
	not struct{ Condition }
	// paren is a condition in parentheses.
	paren struct{ Condition }

	comparison struct {
		op   string
		l, r operand
	}
	between struct{ x, low, high operand }
	in      struct {
		x    operand
		list []operand
	}
	exists struct {
		path Path
		want bool
	}
	hasType struct {
		path Path
		want string
	}
	beginsWith struct{ x, prefix operand }
	contains   struct{ x, part operand }
)

func (c and) Holds(item attr.Map) bool {
	return !slices.ContainsFunc(c, func(c Condition) bool { return !c.Holds(item) })
}

func (c or) Holds(item attr.Map) bool {
	return slices.ContainsFunc(c, func(c Condition) bool { return c.Holds(item) })
}

func (c not) Holds(item attr.Map) bool { return !c.Condition.Holds(item) }

func (c comparison) Holds(item attr.Map) bool {
	return compare(c.l.value(item), c.op, c.r.value(item))
}

func compare(l attr.Value, op string, r attr.Value) bool {
	switch op {
	case "=":
		return l != nil && r != nil && attr.Equal(l, r)
	case "<>":
		return l == nil || r == nil || !attr.Equal(l, r)
	}
	c, ok := attr.Compare(l, r)
	if !ok {
		return false
	}
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	default:
		return c >= 0
	}
}

func (c between) Holds(item attr.Map) bool {
	x := c.x.value(item)
	return compare(x, ">=", c.low.value(item)) && compare(x, "<=", c.high.value(item))
}

func (c in) Holds(item attr.Map) bool {
	x := c.x.value(item)
	return slices.ContainsFunc(c.list, func(o operand) bool { return compare(x, "=", o.value(item)) })
}

func (c exists) Holds(item attr.Map) bool { return (c.path.value(item) != nil) == c.want }

func (c hasType) Holds(item attr.Map) bool {
	v := c.path.value(item)
	return v != nil && attr.Type(v) == c.want
}

func (c beginsWith) Holds(item attr.Map) bool {
	switch x := c.x.value(item).(type) {
	case attr.String:
		prefix, ok := c.prefix.value(item).(attr.String)
		return ok && strings.HasPrefix(string(x), string(prefix))
	case attr.Binary:
		prefix, ok := c.prefix.value(item).(attr.Binary)
		return ok && bytes.HasPrefix([]byte(x), []byte(prefix))
	}
	return false
}

func (c contains) Holds(item attr.Map) bool {
	part := c.part.value(item)
	switch x := c.x.value(item).(type) {
	case attr.String:
		p, ok := part.(attr.String)
		return ok && strings.Contains(string(x), string(p))
	case attr.Binary:
		p, ok := part.(attr.Binary)
		return ok && strings.Contains(string(x), string(p))
	case attr.StringSet:
		p, ok := part.(attr.String)
		return ok && slices.Contains(x, string(p))
	case attr.BinarySet:
		p, ok := part.(attr.Binary)
		return ok && slices.Contains(x, string(p))
	case attr.NumberSet:
		p, ok := part.(attr.Number)
		return ok && slices.Contains(x, p)
	case attr.List:
		return part != nil && slices.ContainsFunc(x, func(e attr.Value) bool { return attr.Equal(e, part) })
	}
	return false
}
