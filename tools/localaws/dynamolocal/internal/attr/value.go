// Package attr implements the values of DynamoDB's attributes: their types, how
// they compare, their sizes, and their form in requests and responses.
package attr

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Value is the value of an attribute, of one of the types below. Only the code that
// creates a value may change it.
type Value interface{ isValue() }

// String is a string.
type String string

// Binary is bytes.
type Binary string

// Bool is true or false.
type Bool bool

// Null is null.
type Null struct{}

// List is a list of values.
type List []Value

// Map has values by name. An item is a Map.
type Map map[string]Value

// StringSet is a set of strings.
type StringSet []string

// NumberSet is a set of numbers.
type NumberSet []Number

// BinarySet is a set of byte strings.
type BinarySet []string

func (String) isValue()    {}
func (Number) isValue()    {}
func (Binary) isValue()    {}
func (Bool) isValue()      {}
func (Null) isValue()      {}
func (List) isValue()      {}
func (Map) isValue()       {}
func (StringSet) isValue() {}
func (NumberSet) isValue() {}
func (BinarySet) isValue() {}

// Type returns the name of a value's type in requests, such as "S".
func Type(v Value) string {
	switch v.(type) {
	case String:
		return "S"
	case Number:
		return "N"
	case Binary:
		return "B"
	case Bool:
		return "BOOL"
	case Null:
		return "NULL"
	case List:
		return "L"
	case Map:
		return "M"
	case StringSet:
		return "SS"
	case NumberSet:
		return "NS"
	default:
		return "BS"
	}
}

// Size returns the size of a value in bytes, as AWS counts it.
func Size(v Value) int {
	n := 0
	switch v := v.(type) {
	case String:
		n = len(v)
	case Number:
		n = v.size()
	case Binary:
		n = len(v)
	case Bool, Null:
		n = 1
	case List:
		n = 3
		for _, e := range v {
			n += 1 + Size(e)
		}
	case Map:
		n = 3 + len(v) + v.ItemSize()
	case StringSet:
		n = sizes(v)
	case NumberSet:
		for _, e := range v {
			n += e.size()
		}
	case BinarySet:
		n = sizes(v)
	}
	return n
}

func sizes(set []string) (n int) {
	for _, e := range set {
		n += len(e)
	}
	return n
}

// ItemSize returns the size of an item in bytes, as AWS counts it.
func (v Map) ItemSize() (n int) {
	for name, e := range v {
		n += len(name) + Size(e)
	}
	return n
}

// Error says that a value is invalid. The message is AWS's.
type Error struct{ Message string }

func (e *Error) Error() string { return e.Message }

func invalidf(format string, args ...any) error {
	return &Error{fmt.Sprintf(format, args...)}
}

// Equal reports whether two values are equal. Sets have no order.
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

// Union returns the elements of a and b.
func Union[T comparable](a, b []T) []T {
	return append(slices.Clone(a), Difference(b, a)...)
}

// Difference returns the elements of a that are not in b.
func Difference[T comparable](a, b []T) []T {
	drop := make(map[T]bool, len(b))
	for _, e := range b {
		drop[e] = true
	}
	return slices.DeleteFunc(slices.Clone(a), func(e T) bool { return drop[e] })
}

// Compare compares two values of the same type. ok is false if they have no order.
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

// AppendKey appends bytes to b that sort like values of the type. The bytes of no
// value are a prefix of those of another one. The type must be one that a key can
// have: S, N or B.
func AppendKey(b []byte, v Value) []byte {
	switch v := v.(type) {
	case String:
		return append(AppendPrefix(b, string(v)), 0, 1)
	case Binary:
		return append(AppendPrefix(b, string(v)), 0, 1)
	case Number:
		return v.appendKey(b)
	}
	panic("attr: a key of type " + Type(v))
}

// AppendPrefix appends the common prefix of the keys of all strings with a prefix.
func AppendPrefix(b []byte, prefix string) []byte {
	for i := range len(prefix) {
		b = append(b, prefix[i])
		if prefix[i] == 0 {
			b = append(b, 0xFF)
		}
	}
	return b
}
