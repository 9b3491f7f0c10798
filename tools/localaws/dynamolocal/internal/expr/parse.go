// Package expr implements DynamoDB's expressions: it parses conditions, updates and
// projections, and applies them to items.
//
// The parser is our own, because we found no library that supports numbers of 38
// digits.
package expr

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/attr"
)

// Params has the names and values that the expressions of a request share.
type Params struct {
	names                 map[string]string
	values                attr.Map
	usedNames, usedValues map[string]bool
}

// NewParams returns Params, which record the names and values that expressions use.
func NewParams(names map[string]string, values attr.Map) *Params {
	return &Params{names, values, make(map[string]bool), make(map[string]bool)}
}

// CheckUsed returns an error unless the expressions parsed so far have used all
// names and values.
func (p *Params) CheckUsed() error {
	if unused := unused(p.names, p.usedNames); unused != "" {
		return &Error{"Value provided in ExpressionAttributeNames unused in expressions: keys: {" + unused + "}"}
	}
	if unused := unused(p.values, p.usedValues); unused != "" {
		return &Error{"Value provided in ExpressionAttributeValues unused in expressions: keys: {" + unused + "}"}
	}
	return nil
}

func unused[V any](given map[string]V, used map[string]bool) string {
	var keys []string
	for k := range given {
		if !used[k] {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return strings.Join(keys, ", ")
}

type parser struct {
	source string
	params *Params
	tokens []token  // the remaining tokens; the last is the end
	names  []string // attributes of the item that the expression names
}

// parse parses a whole expression.
func parse[T any](kind, source string, params *Params, read func(*parser) (T, error)) (result T, err error) {
	p := &parser{source: source, params: params}
	if p.tokens, err = lex(source); err == nil {
		result, err = read(p)
	}
	if err == nil && p.next().kind != end {
		err = syntaxError(source, p.next())
	}
	if err != nil {
		return result, &Error{"Invalid " + kind + ": " + err.Error()}
	}
	return result, nil
}

// ParseCondition parses a condition; kind is the name of the request's member, for
// errors. It also returns the attributes that the condition names.
func ParseCondition(kind, source string, params *Params) (c Condition, names []string, err error) {
	c, err = parse(kind, source, params, func(p *parser) (Condition, error) {
		defer func() { names = p.names }()
		return p.or()
	})
	return c, names, err
}

// ParseProjection parses a ProjectionExpression.
func ParseProjection(source string, params *Params) (Projection, error) {
	return parse("ProjectionExpression", source, params, func(p *parser) (Projection, error) {
		paths, err := list(p, (*parser).path)
		if err == nil {
			err = checkOverlap(paths)
		}
		return paths, err
	})
}

func (p *parser) next() token { return p.tokens[0] }

func (p *parser) take() token {
	t := p.tokens[0]
	if t.kind != end {
		p.tokens = p.tokens[1:]
	}
	return t
}

// accept takes the next token if it is text, and returns whether it did.
func (p *parser) accept(text string) bool {
	if !p.next().is(text) {
		return false
	}
	p.take()
	return true
}

func (p *parser) expect(text string) error {
	if !p.accept(text) {
		return p.unexpected()
	}
	return nil
}

func (p *parser) unexpected() error { return syntaxError(p.source, p.next()) }

// list parses one or more elements, separated by commas.
func list[T any](p *parser, read func(*parser) (T, error)) ([]T, error) {
	var all []T
	for {
		x, err := read(p)
		if err != nil {
			return nil, err
		}
		all = append(all, x)
		if !p.accept(",") {
			return all, nil
		}
	}
}

func (p *parser) or() (Condition, error) {
	return chain(p, "OR", (*parser).and, func(all []Condition) Condition { return or(all) })
}

func (p *parser) and() (Condition, error) {
	return chain(p, "AND", (*parser).not, func(all []Condition) Condition { return and(all) })
}

// chain parses one or more conditions, separated by a keyword.
func chain(p *parser, keyword string, read func(*parser) (Condition, error), join func([]Condition) Condition) (Condition, error) {
	var all []Condition
	for {
		c, err := read(p)
		if err != nil {
			return nil, err
		}
		if all = append(all, c); p.accept(keyword) {
			continue
		}
		if len(all) == 1 {
			return c, nil
		}
		return join(all), nil
	}
}

func (p *parser) not() (Condition, error) {
	if p.accept("NOT") {
		c, err := p.not()
		return not{c}, err
	}
	if !p.accept("(") {
		return p.simple()
	}
	c, err := p.or()
	if err == nil {
		err = p.expect(")")
	}
	if err != nil {
		return nil, err
	}
	if _, twice := c.(paren); twice {
		return nil, &Error{"The expression has redundant parentheses;"}
	}
	return paren{c}, nil
}

// simple parses a comparison or a function that is a condition.
func (p *parser) simple() (Condition, error) {
	if p.next().kind == word && p.tokens[1].is("(") && p.next().text != "size" {
		return p.function()
	}
	x, err := p.operand()
	if err != nil {
		return nil, err
	}
	switch t := p.take(); {
	case t.is("BETWEEN"):
		low, err := p.operand()
		if err == nil {
			err = p.expect("AND")
		}
		if err != nil {
			return nil, err
		}
		high, err := p.operand()
		if err != nil {
			return nil, err
		}
		return between{x, low, high}, checkBetween(low, high)
	case t.is("IN"):
		if err := p.expect("("); err != nil {
			return nil, err
		}
		all, err := list(p, (*parser).operand)
		if err != nil {
			return nil, err
		}
		if len(all) > 100 {
			return nil, &Error{"The IN operator is provided with more than the maximum number of operands"}
		}
		return in{x, all}, p.expect(")")
	case t.kind == symbol && slices.Contains([]string{"=", "<>", "<", "<=", ">", ">="}, t.text):
		r, err := p.operand()
		if err != nil {
			return nil, err
		}
		if l, isPath := x.(Path); isPath {
			if r, isPath := r.(Path); isPath && slices.Equal(l, r) {
				return nil, &Error{fmt.Sprintf("The first operand must be distinct from the remaining operands for this operator or function; operator: %s, first operand: %s", t.text, l)}
			}
		}
		if t.text != "=" && t.text != "<>" {
			for _, o := range []operand{x, r} {
				if err := wantType(t.text, o, "S", "N", "B"); err != nil {
					return nil, err
				}
			}
		}
		return comparison{t.text, x, r}, nil
	default:
		return nil, syntaxError(p.source, t)
	}
}

func checkBetween(low, high operand) error {
	l, isLiteral := low.(literal)
	h, both := high.(literal)
	if !isLiteral || !both {
		return nil
	}
	c, ok := attr.Compare(l.Value, h.Value)
	switch {
	case !ok:
		return &Error{"The BETWEEN operator requires same data type for lower and upper bounds"}
	case c > 0:
		return &Error{"The BETWEEN operator requires upper bound to be greater than or equal to lower bound"}
	}
	return nil
}

// wantType returns an error for a literal of another type.
func wantType(operator string, o operand, types ...string) error {
	if l, ok := o.(literal); ok && !slices.Contains(types, attr.Type(l.Value)) {
		return &Error{fmt.Sprintf("Incorrect operand type for operator or function; operator or function: %s, operand type: %s", operator, attr.Type(l.Value))}
	}
	return nil
}

var allTypes = []string{"S", "N", "B", "SS", "NS", "BS", "L", "M", "NULL", "BOOL"}

func (p *parser) function() (Condition, error) {
	f := p.take()
	operands, err := p.arguments()
	if err != nil {
		return nil, err
	}
	count := 2
	if strings.HasSuffix(f.text, "exists") {
		count = 1
	}
	switch f.text {
	case "attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains":
	case "if_not_exists", "list_append":
		return nil, &Error{"The function is not allowed in a condition expression; function: " + f.text}
	default:
		return nil, &Error{"Invalid function name; function: " + f.text}
	}
	if len(operands) != count {
		return nil, &Error{fmt.Sprintf("Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d", f.text, len(operands))}
	}
	path, isPath := operands[0].(Path)
	if strings.HasPrefix(f.text, "attribute_") && !isPath {
		return nil, &Error{"Operator or function requires a document path; operator or function: " + f.text}
	}
	switch f.text {
	case "attribute_exists", "attribute_not_exists":
		return exists{path, f.text == "attribute_exists"}, nil
	case "attribute_type":
		l, _ := operands[1].(literal)
		s, isString := l.Value.(attr.String)
		if !isString {
			return nil, &Error{"Incorrect operand type for operator or function; operator or function: attribute_type"}
		}
		if !slices.Contains(allTypes, string(s)) {
			return nil, &Error{fmt.Sprintf("Invalid attribute type name found; type: %s, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}", s)}
		}
		return hasType{path, string(s)}, nil
	case "begins_with":
		for _, o := range operands {
			if err := wantType(f.text, o, "S", "B"); err != nil {
				return nil, err
			}
		}
		return beginsWith{operands[0], operands[1]}, nil
	default:
		return contains{operands[0], operands[1]}, nil
	}
}

// arguments parses the arguments of a function.
func (p *parser) arguments() ([]operand, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	all, err := list(p, (*parser).operand)
	if err != nil {
		return nil, err
	}
	return all, p.expect(")")
}

// operand parses a path, a value or the function size.
func (p *parser) operand() (operand, error) {
	t := p.next()
	switch {
	case t.kind == value:
		p.take()
		return p.literal(t)
	case t.kind == word && t.text == "size" && p.tokens[1].is("("):
		p.take()
		all, err := p.arguments()
		if err != nil {
			return nil, err
		}
		if len(all) != 1 {
			return nil, &Error{fmt.Sprintf("Incorrect number of operands for operator or function; operator or function: size, number of operands: %d", len(all))}
		}
		if _, isPath := all[0].(Path); !isPath {
			return nil, &Error{"Operator or function requires a document path; operator or function: size"}
		}
		return size{all[0]}, nil
	}
	path, err := p.path()
	if err != nil {
		return nil, err
	}
	return path, nil
}

func (p *parser) literal(t token) (operand, error) {
	v, ok := p.params.values[t.text]
	if !ok {
		return nil, &Error{"An expression attribute value used in expression is not defined; attribute value: " + t.text}
	}
	p.params.usedValues[t.text] = true
	return literal{v}, nil
}

func (p *parser) path() (Path, error) {
	var path Path
	for {
		s, err := p.step()
		if err != nil {
			return nil, err
		}
		path = append(path, s)
		for p.accept("[") {
			t := p.take()
			index, err := strconv.Atoi(t.text)
			if t.kind != number || err != nil {
				return nil, syntaxError(p.source, t)
			}
			if err := p.expect("]"); err != nil {
				return nil, err
			}
			path = append(path, step{index: index})
		}
		if !p.accept(".") {
			p.names = append(p.names, path.Root())
			return path, nil
		}
	}
}

func (p *parser) step() (step, error) {
	switch t := p.take(); t.kind {
	case name:
		n, ok := p.params.names[t.text]
		if !ok {
			return step{}, &Error{"An expression attribute name used in the document path is not defined; attribute name: " + t.text}
		}
		if n == "" {
			return step{}, &Error{"An expression attribute name must not be empty; attribute name: " + t.text}
		}
		p.params.usedNames[t.text] = true
		return step{name: n}, nil
	case word:
		if reserved[strings.ToUpper(t.text)] {
			return step{}, &Error{"Attribute name is a reserved keyword; reserved keyword: " + t.text}
		}
		return step{name: t.text}, nil
	default:
		return step{}, syntaxError(p.source, t)
	}
}
