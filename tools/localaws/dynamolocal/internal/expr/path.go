package expr

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/attr"
)

// Path is the path to an attribute, or to an element inside of one.
type Path []step

// step is a name or, if the name is "", an index.
type step struct {
	name  string
	index int
}

// Top returns the path to a top-level attribute of an item.
func Top(name string) Path { return Path{{name: name}} }

// Root returns the name of the top-level attribute of the path.
func (p Path) Root() string { return p[0].name }

func (p Path) String() string {
	var parts []string
	for _, s := range p {
		if s.name == "" {
			parts = append(parts, fmt.Sprintf("[%d]", s.index))
		} else {
			parts = append(parts, s.name)
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// value returns the value at the path, nil for none.
func (p Path) value(item attr.Map) attr.Value {
	var v attr.Value = item
	for _, s := range p {
		v = s.in(v)
	}
	return v
}

func (s step) in(v attr.Value) attr.Value {
	switch v := v.(type) {
	case attr.Map:
		if s.name != "" {
			return v[s.name]
		}
	case attr.List:
		if s.name == "" && s.index < len(v) {
			return v[s.index]
		}
	}
	return nil
}

// checkOverlap returns an error if one of the paths starts with another one, or if
// one uses an index where another uses a name.
func checkOverlap(paths []Path) error {
	for i, p := range paths {
		for _, q := range paths[:i] {
			n := 0
			for n < len(p) && n < len(q) && p[n] == q[n] {
				n++
			}
			switch {
			case n == len(p) || n == len(q):
				return &Error{fmt.Sprintf("Two document paths overlap with each other; must remove or rewrite one of these paths; path one: %s, path two: %s", q, p)}
			case (p[n].name == "") != (q[n].name == ""):
				return &Error{fmt.Sprintf("Two document paths conflict with each other; must remove or rewrite one of these paths; path one: %s, path two: %s", q, p)}
			}
		}
	}
	return nil
}

// set returns v with x at the path; it copies the maps and lists on the path. It
// returns false if the path does not exist.
func set(v attr.Value, p Path, x attr.Value) (attr.Value, bool) {
	if len(p) == 0 {
		return x, true
	}
	s := p[0]
	inner := s.in(v)
	if inner == nil && len(p) > 1 {
		return nil, false
	}
	x, ok := set(inner, p[1:], x)
	if !ok {
		return nil, false
	}
	switch v := v.(type) {
	case attr.Map:
		if s.name != "" {
			c := maps.Clone(v)
			c[s.name] = x
			return c, true
		}
	case attr.List:
		if s.name == "" {
			c := slices.Clone(v)
			if s.index < len(c) {
				c[s.index] = x
			} else {
				c = append(c, x)
			}
			return c, true
		}
	}
	return nil, false
}

// remove returns v without the value at the path. It returns false if the path does
// not exist, but if only its last step does not exist, it returns v.
func remove(v attr.Value, p Path) (attr.Value, bool) {
	s := p[0]
	if len(p) > 1 {
		inner := s.in(v)
		if inner == nil {
			return nil, false
		}
		rest, ok := remove(inner, p[1:])
		if !ok {
			return nil, false
		}
		return set(v, p[:1], rest)
	}
	switch v := v.(type) {
	case attr.Map:
		if s.name != "" {
			c := maps.Clone(v)
			delete(c, s.name)
			return c, true
		}
	case attr.List:
		if s.name == "" {
			if s.index >= len(v) {
				return v, true
			}
			return slices.Delete(slices.Clone(v), s.index, s.index+1), true
		}
	}
	return nil, false
}

// Projection is the paths in a response.
type Projection []Path

// Of returns the parts of an item at the paths. Lists have no gaps.
func (p Projection) Of(item attr.Map) attr.Map {
	out, _ := project(item, p).(attr.Map)
	if out == nil {
		out = attr.Map{}
	}
	return out
}

func project(v attr.Value, paths []Path) attr.Value {
	next := make(map[step][]Path)
	for _, p := range paths {
		if len(p) == 0 {
			return v
		}
		next[p[0]] = append(next[p[0]], p[1:])
	}
	switch v := v.(type) {
	case attr.Map:
		out := make(attr.Map)
		for s, rest := range next {
			if inner := s.in(v); inner != nil {
				if x := project(inner, rest); x != nil {
					out[s.name] = x
				}
			}
		}
		if len(out) > 0 {
			return out
		}
	case attr.List:
		var out attr.List
		for i, inner := range v {
			if rest, ok := next[step{index: i}]; ok {
				if x := project(inner, rest); x != nil {
					out = append(out, x)
				}
			}
		}
		if out != nil {
			return out
		}
	}
	return nil
}
