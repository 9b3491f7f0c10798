package expr

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/attr"
)

// Update is an update of an item.
type Update struct {
	sets          []change
	adds, deletes []change
	removes       []Path
}

// change sets a path to the value of an operand.
type change struct {
	path Path
	to   computed
}

// computed is an operand whose computation may fail.
type computed interface {
	compute(item attr.Map) (attr.Value, error)
}

type (
	plain struct{ operand }
	// sum is l + r or, with minus, l - r.
	sum struct {
		l, r  computed
		minus bool
	}
	ifNotExists struct {
		path      Path
		otherwise computed
	}
	listAppend struct{ l, r computed }
)

func (c plain) compute(item attr.Map) (attr.Value, error) {
	v := c.value(item)
	if v == nil {
		return nil, &Error{"The provided expression refers to an attribute that does not exist in the item"}
	}
	return v, nil
}

func (c ifNotExists) compute(item attr.Map) (attr.Value, error) {
	if v := c.path.value(item); v != nil {
		return v, nil
	}
	return c.otherwise.compute(item)
}

var errOperandType = &Error{"An operand in the update expression has an incorrect data type"}

// pair computes two operands, which must have the same type.
func pair[T attr.Value](l, r computed, item attr.Map) (x, y T, err error) {
	a, err := l.compute(item)
	if err != nil {
		return x, y, err
	}
	b, err := r.compute(item)
	if err != nil {
		return x, y, err
	}
	x, ok := a.(T)
	y, both := b.(T)
	if !ok || !both {
		return x, y, errOperandType
	}
	return x, y, nil
}

func (c sum) compute(item attr.Map) (attr.Value, error) {
	x, y, err := pair[attr.Number](c.l, c.r, item)
	if err != nil {
		return nil, err
	}
	if c.minus {
		return x.Sub(y)
	}
	return x.Add(y)
}

func (c listAppend) compute(item attr.Map) (attr.Value, error) {
	x, y, err := pair[attr.List](c.l, c.r, item)
	if err != nil {
		return nil, err
	}
	return slices.Concat(x, y), nil
}

// ParseUpdate parses an UpdateExpression.
func ParseUpdate(source string, params *Params) (*Update, error) {
	return parse("UpdateExpression", source, params, (*parser).update)
}

func (p *parser) update() (*Update, error) {
	var u Update
	seen := make(map[string]bool)
	clause := func(keyword string) bool {
		if !p.accept(keyword) {
			return false
		}
		if seen[keyword] {
			seen[""] = true // twice
		}
		seen[keyword] = true
		return true
	}
	for p.next().kind != end {
		var err error
		switch {
		case clause("SET"):
			u.sets, err = list(p, (*parser).set)
		case clause("REMOVE"):
			u.removes, err = list(p, (*parser).path)
		case clause("ADD"):
			u.adds, err = list(p, func(p *parser) (change, error) { return p.pathAndValue("ADD", "N", "SS", "NS", "BS") })
		case clause("DELETE"):
			u.deletes, err = list(p, func(p *parser) (change, error) { return p.pathAndValue("DELETE", "SS", "NS", "BS") })
		default:
			err = p.unexpected()
		}
		if err != nil {
			return nil, err
		}
		if seen[""] {
			return nil, &Error{"A clause can only be used once in an update expression"}
		}
	}
	return &u, checkOverlap(u.Paths())
}

func (p *parser) set() (change, error) {
	path, err := p.path()
	if err == nil {
		err = p.expect("=")
	}
	if err != nil {
		return change{}, err
	}
	l, err := p.computed()
	if err != nil {
		return change{}, err
	}
	if t := p.next(); p.accept("+") || p.accept("-") {
		r, err := p.computed()
		if err != nil {
			return change{}, err
		}
		for _, c := range []computed{l, r} {
			if o, ok := c.(plain); ok {
				if err := wantType(t.text, o.operand, "N"); err != nil {
					return change{}, err
				}
			}
		}
		l = sum{l, r, t.text == "-"}
	}
	return change{path, l}, nil
}

// computed parses an operand of SET.
func (p *parser) computed() (computed, error) {
	f := p.next()
	if f.kind != word || !p.tokens[1].is("(") {
		if p.accept("(") {
			c, err := p.computed()
			if err == nil {
				err = p.expect(")")
			}
			return c, err
		}
		o, err := p.operand()
		return plain{o}, err
	}
	p.take()
	p.take() // the parenthesis
	all, err := list(p, (*parser).computed)
	if err == nil {
		err = p.expect(")")
	}
	if err != nil {
		return nil, err
	}
	switch f.text {
	case "if_not_exists", "list_append":
	case "size", "attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains":
		return nil, &Error{"The function is not allowed in an update expression; function: " + f.text}
	default:
		return nil, &Error{"Invalid function name; function: " + f.text}
	}
	if len(all) != 2 {
		return nil, &Error{fmt.Sprintf("Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d", f.text, len(all))}
	}
	if f.text == "if_not_exists" {
		first, _ := all[0].(plain)
		path, ok := first.operand.(Path)
		if !ok {
			return nil, &Error{"Operator or function requires a document path; operator or function: if_not_exists"}
		}
		return ifNotExists{path, all[1]}, nil
	}
	for _, c := range all {
		if o, ok := c.(plain); ok {
			if err := wantType(f.text, o.operand, "L"); err != nil {
				return nil, err
			}
		}
	}
	return listAppend{all[0], all[1]}, nil
}

// pathAndValue parses an action of ADD or DELETE.
func (p *parser) pathAndValue(clause string, types ...string) (change, error) {
	path, err := p.path()
	if err != nil {
		return change{}, err
	}
	t := p.take()
	if t.kind != value {
		return change{}, syntaxError(p.source, t)
	}
	v, err := p.literal(t)
	if err != nil {
		return change{}, err
	}
	return change{path, plain{v}}, wantType(clause, v, types...)
}

// Paths returns the paths that the update changes.
func (u *Update) Paths() []Path {
	var all []Path
	for _, changes := range [][]change{u.sets, u.adds, u.deletes} {
		for _, c := range changes {
			all = append(all, c.path)
		}
	}
	return append(all, u.removes...)
}

// Apply returns the updated item. All operands use the values of the old item.
func (u *Update) Apply(old attr.Map) (attr.Map, error) {
	var item attr.Value = old
	put := func(path Path, v attr.Value) error {
		next, ok := set(item, path, v)
		if !ok {
			return &Error{"The document path provided in the update expression is invalid for update"}
		}
		item = next
		return nil
	}
	drop := func(path Path) error {
		next, ok := remove(item, path)
		if !ok {
			return &Error{"The document path provided in the update expression is invalid for update"}
		}
		item = next
		return nil
	}
	// Elements beyond the end of a list are appended in the order of their indexes.
	sets := slices.SortedStableFunc(slices.Values(u.sets), func(a, b change) int { return byIndex(a.path, b.path) })
	for _, c := range sets {
		v, err := c.to.compute(old)
		if err == nil {
			err = put(c.path, v)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, c := range u.adds {
		v, _ := c.to.compute(old) // a literal
		v, err := add(c.path.value(old), v)
		if err == nil {
			err = put(c.path, v)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, c := range u.deletes {
		has := c.path.value(old)
		if has == nil {
			continue
		}
		v, _ := c.to.compute(old) // a literal
		rest, err := subtract(has, v)
		switch {
		case err != nil:
		case rest == nil:
			err = drop(c.path)
		default:
			err = put(c.path, rest)
		}
		if err != nil {
			return nil, err
		}
	}
	// The last element of a list is removed first, so that other indexes stay valid.
	for _, p := range slices.SortedStableFunc(slices.Values(u.removes), func(a, b Path) int { return byIndex(b, a) }) {
		if err := drop(p); err != nil {
			return nil, err
		}
	}
	return item.(attr.Map), nil
}

// byIndex compares paths by their indexes.
func byIndex(a, b Path) int {
	return slices.CompareFunc(a, b, func(a, b step) int { return cmp.Compare(a.index, b.index) })
}

// add returns the sum or union of old and v.
func add(old, v attr.Value) (attr.Value, error) {
	if old == nil {
		return v, nil
	}
	switch v := v.(type) {
	case attr.Number:
		if old, ok := old.(attr.Number); ok {
			return old.Add(v)
		}
	case attr.StringSet:
		if old, ok := old.(attr.StringSet); ok {
			return attr.StringSet(attr.Union(old, v)), nil
		}
	case attr.NumberSet:
		if old, ok := old.(attr.NumberSet); ok {
			return attr.NumberSet(attr.Union(old, v)), nil
		}
	case attr.BinarySet:
		if old, ok := old.(attr.BinarySet); ok {
			return attr.BinarySet(attr.Union(old, v)), nil
		}
	case attr.List: // only from the legacy AttributeUpdates
		if old, ok := old.(attr.List); ok {
			return slices.Concat(old, v), nil
		}
	}
	return nil, errOperandType
}

// subtract returns a set without the elements of v, nil if none is left.
func subtract(old, v attr.Value) (attr.Value, error) {
	switch v := v.(type) {
	case attr.StringSet:
		if old, ok := old.(attr.StringSet); ok {
			return orNil(attr.StringSet(attr.Difference(old, v))), nil
		}
	case attr.NumberSet:
		if old, ok := old.(attr.NumberSet); ok {
			return orNil(attr.NumberSet(attr.Difference(old, v))), nil
		}
	case attr.BinarySet:
		if old, ok := old.(attr.BinarySet); ok {
			return orNil(attr.BinarySet(attr.Difference(old, v))), nil
		}
	}
	return nil, errOperandType
}

func orNil[S interface {
	~[]E
	attr.Value
}, E any](set S) attr.Value {
	if len(set) == 0 {
		return nil
	}
	return set
}
