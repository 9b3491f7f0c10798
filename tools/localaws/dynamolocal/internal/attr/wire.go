package attr

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// Wire is a value in a request or response: an object with one member.
type Wire struct {
	S    *string         `json:",omitzero"`
	N    *string         `json:",omitzero"`
	B    []byte          `json:",omitzero"`
	SS   []string        `json:",omitzero"`
	NS   []string        `json:",omitzero"`
	BS   [][]byte        `json:",omitzero"`
	M    map[string]Wire `json:",omitzero"`
	L    []Wire          `json:",omitzero"`
	NULL *bool           `json:",omitzero"`
	BOOL *bool           `json:",omitzero"`
}

// maxDepth is how deep lists and maps may be nested.
const maxDepth = 32

// Value returns the value of w.
func (w Wire) Value() (Value, error) { return w.value(0) }

func (w Wire) value(depth int) (Value, error) {
	var (
		v     Value
		err   error
		types int
	)
	is := func(present bool) bool {
		if present {
			types++
		}
		return present && types == 1
	}
	if depth > maxDepth {
		return nil, invalidf("Nesting Levels have exceeded supported limits")
	}
	if is(w.S != nil) {
		v = String(*w.S)
		if !utf8.ValidString(*w.S) {
			err = invalidf("One or more parameter values were invalid: a string is not UTF-8")
		}
	}
	if is(w.N != nil) {
		v, err = ParseNumber(*w.N)
	}
	if is(w.B != nil) {
		v = Binary(w.B)
	}
	if is(w.SS != nil) {
		v, err = StringSet(w.SS), checkSet("string", w.SS)
	}
	if is(w.NS != nil) {
		v, err = numberSet(w.NS)
	}
	if is(w.BS != nil) {
		var set BinarySet
		for _, b := range w.BS {
			set = append(set, string(b))
		}
		v, err = set, checkSet("binary", set)
	}
	if is(w.M != nil) {
		v, err = valueMap(w.M, depth)
	}
	if is(w.L != nil) {
		list := make(List, len(w.L))
		for i, e := range w.L {
			if list[i], err = e.value(depth + 1); err != nil {
				return nil, err
			}
		}
		v = list
	}
	if is(w.NULL != nil) {
		v = Null{}
		if !*w.NULL {
			err = invalidf("One or more parameter values were invalid: Null attribute value types must have the value of true")
		}
	}
	if is(w.BOOL != nil) {
		v = Bool(*w.BOOL)
	}
	switch {
	case types == 0:
		return nil, invalidf("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
	case types > 1:
		return nil, invalidf("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
	}
	return v, err
}

func numberSet(texts []string) (NumberSet, error) {
	set := make(NumberSet, len(texts))
	for i, text := range texts {
		var err error
		if set[i], err = ParseNumber(text); err != nil {
			return nil, err
		}
	}
	return set, checkSet("number", set)
}

func checkSet[T comparable](what string, set []T) error {
	if len(set) == 0 {
		return invalidf("One or more parameter values were invalid: An %s set  may not be empty", what)
	}
	seen := make(map[T]bool, len(set))
	for _, e := range set {
		if seen[e] {
			return invalidf("One or more parameter values were invalid: Input collection contains duplicates.")
		}
		seen[e] = true
	}
	return nil
}

// ParseMap returns the values of an item or key.
func ParseMap(w map[string]Wire) (Map, error) { return valueMap(w, 0) }

func valueMap(w map[string]Wire, depth int) (Map, error) {
	m := make(Map, len(w))
	for name, e := range w {
		v, err := e.value(depth + 1)
		if err != nil {
			return nil, err
		}
		m[name] = v
	}
	return m, nil
}

// ToWire returns a value as in a response.
func ToWire(v Value) Wire {
	switch v := v.(type) {
	case String:
		return Wire{S: ptr(string(v))}
	case Number:
		return Wire{N: ptr(v.String())}
	case Binary:
		return Wire{B: []byte(v)}
	case Bool:
		return Wire{BOOL: ptr(bool(v))}
	case Null:
		return Wire{NULL: ptr(true)}
	case StringSet:
		return Wire{SS: v}
	case NumberSet:
		w := Wire{NS: make([]string, len(v))}
		for i, n := range v {
			w.NS[i] = n.String()
		}
		return w
	case BinarySet:
		w := Wire{BS: make([][]byte, len(v))}
		for i, b := range v {
			w.BS[i] = []byte(b)
		}
		return w
	case List:
		w := Wire{L: make([]Wire, len(v))}
		for i, e := range v {
			w.L[i] = ToWire(e)
		}
		return w
	case Map:
		return Wire{M: MapToWire(v)}
	}
	panic(fmt.Sprintf("attr: no wire form of %T", v))
}

// MapToWire returns an item as in a response; nil stays nil.
func MapToWire(m Map) map[string]Wire {
	if m == nil {
		return nil
	}
	w := make(map[string]Wire, len(m))
	for name, v := range m {
		w[name] = ToWire(v)
	}
	return w
}

// Sorted returns a set sorted as AWS returns it, and other values unchanged.
func Sorted(v Value) Value {
	switch v := v.(type) {
	case StringSet:
		return StringSet(slices.Sorted(slices.Values(v)))
	case BinarySet:
		return BinarySet(slices.Sorted(slices.Values(v)))
	case NumberSet:
		return NumberSet(slices.SortedFunc(slices.Values(v), func(a, b Number) int { c, _ := Compare(a, b); return c }))
	}
	return v
}

func ptr[T any](v T) *T { return &v }
