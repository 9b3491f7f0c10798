// Package attr has the values of DynamoDB's items: what they are, how they
// compare, how large they are, and their form in requests.
package attr

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Value is an attribute's: one of the types below. Values are never changed
// once they are made, but by those who made them.
type Value interface {
	// Type is the name of the value's type in requests, such as "S".
	Type() string
	// Size is what the service counts for the value, in bytes.
	Size() int
}

// The types of values.
type (
	String    string
	Binary    string
	Bool      bool
	Null      struct{}
	List      []Value
	Map       map[string]Value
	StringSet []string
	NumberSet []Number
	BinarySet []string
)

func (String) Type() string    { return "S" }
func (Number) Type() string    { return "N" }
func (Binary) Type() string    { return "B" }
func (Bool) Type() string      { return "BOOL" }
func (Null) Type() string      { return "NULL" }
func (List) Type() string      { return "L" }
func (Map) Type() string       { return "M" }
func (StringSet) Type() string { return "SS" }
func (NumberSet) Type() string { return "NS" }
func (BinarySet) Type() string { return "BS" }

func (v String) Size() int { return len(v) }
func (n Number) Size() int { return n.size() }
func (v Binary) Size() int { return len(v) }
func (Bool) Size() int     { return 1 }
func (Null) Size() int     { return 1 }

func (v List) Size() int {
	n := 3
	for _, e := range v {
		n += 1 + e.Size()
	}
	return n
}

func (v Map) Size() int { return 3 + len(v) + v.ItemSize() }

func (v StringSet) Size() int { return sizes(v) }
func (v BinarySet) Size() int { return sizes(v) }

func sizes(set []string) (n int) {
	for _, e := range set {
		n += len(e)
	}
	return n
}

func (v NumberSet) Size() (n int) {
	for _, e := range v {
		n += e.size()
	}
	return n
}

// ItemSize is what the service counts for the map as an item.
func (v Map) ItemSize() (n int) {
	for name, e := range v {
		n += len(name) + e.Size()
	}
	return n
}

// Error says that a value cannot be one. The message is the service's.
type Error struct{ Message string }

func (e *Error) Error() string { return e.Message }

func invalidf(format string, args ...any) error {
	return &Error{fmt.Sprintf(format, args...)}
}

// Equal tells whether two values are the same. Sets have no order.
func Equal(a, b Value) bool {
	switch a := a.(type) {
	case List:
		b, ok := b.(List)
		return ok && slices.EqualFunc(a, b, Equal)
	case Map:
		b, ok := b.(Map)
		return ok && maps.EqualFunc(a, b, Equal)
	case StringSet:
		b, ok := b.(StringSet)
		return ok && sameSet(a, b)
	case NumberSet:
		b, ok := b.(NumberSet)
		return ok && sameSet(a, b)
	case BinarySet:
		b, ok := b.(BinarySet)
		return ok && sameSet(a, b)
	}
	return a == b
}

func sameSet[T comparable](a, b []T) bool {
	return len(a) == len(b) && len(Difference(a, b)) == 0
}

// Union returns a with what b has beside it.
func Union[T comparable](a, b []T) []T {
	return append(slices.Clone(a), Difference(b, a)...)
}

// Difference returns a without what b has.
func Difference[T comparable](a, b []T) []T {
	drop := make(map[T]bool, len(b))
	for _, e := range b {
		drop[e] = true
	}
	return slices.DeleteFunc(slices.Clone(a), func(e T) bool { return drop[e] })
}

// Compare orders two values of the same type; ok is false where there is no
// order.
func Compare(a, b Value) (c int, ok bool) {
	switch a := a.(type) {
	case String:
		if b, ok := b.(String); ok {
			return strings.Compare(string(a), string(b)), true
		}
	case Binary:
		if b, ok := b.(Binary); ok {
			return strings.Compare(string(a), string(b)), true
		}
	case Number:
		if b, ok := b.(Number); ok {
			return strings.Compare(string(a.appendKey(nil)), string(b.appendKey(nil))), true
		}
	}
	return 0, false
}

// AppendKey appends bytes to b that sort as values of one type do, and of which
// none begins with another's. It is for the types that a key can have: S, N and
// B.
func AppendKey(b []byte, v Value) []byte {
	switch v := v.(type) {
	case String:
		return append(AppendPrefix(b, string(v)), 0, 1)
	case Binary:
		return append(AppendPrefix(b, string(v)), 0, 1)
	case Number:
		return v.appendKey(b)
	}
	panic("attr: a key of type " + v.Type())
}

// AppendPrefix appends what the keys of all strings with a prefix begin with.
func AppendPrefix(b []byte, prefix string) []byte {
	for i := range len(prefix) {
		b = append(b, prefix[i])
		if prefix[i] == 0 {
			b = append(b, 0xFF)
		}
	}
	return b
}
