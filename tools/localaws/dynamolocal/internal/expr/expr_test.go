package expr

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/attr"
)

func num(text string) attr.Number {
	n, err := attr.ParseNumber(text)
	if err != nil {
		panic(err)
	}
	return n
}

var values = attr.Map{":n": num("5"), ":s": attr.String("x"), ":l": attr.List{attr.String("y")}, ":ss": attr.StringSet{"a"}}

func params() *Params { return NewParams(map[string]string{"#n": "name"}, values) }

func item() attr.Map {
	return attr.Map{
		"n": num("5"), "s": attr.String("xyz"), "name": attr.String("x"), "ss": attr.StringSet{"a", "b"},
		"l": attr.List{attr.String("y"), num("1"), attr.String("z")}, "m": attr.Map{"k": attr.Map{"deep": num("1")}},
	}
}

// The differential tests compare many more expressions with another DynamoDB.
func TestConditions(t *testing.T) {
	for source, want := range map[string]bool{
		"n = :n":                                      true,
		"#n = :s AND NOT n <> :n":                     true,
		"n > :n OR n < :n OR begins_with(s, :s)":      true,
		"attribute_not_exists(m.k.deep)":              false,
		"absent = :n":                                 false,
		"absent <> :n":                                true,
		"contains(ss, :s) OR l[0] IN (:s, :l)":        false,
		"size(l) BETWEEN :n AND :n":                   false,
		"NOT (n = :n AND attribute_exists(l[7]))":     true,
		"attribute_exists(m) and l[2] <> :s and n=:n": true,
	} {
		c, _, err := ParseCondition("ConditionExpression", source, params())
		if err != nil {
			t.Errorf("%s: %v", source, err)
		} else if got := c.Holds(item()); got != want {
			t.Errorf("%s: %t, want %t", source, got, want)
		}
	}
}

func TestUpdateUsesTheOldItem(t *testing.T) {
	u, err := ParseUpdate("SET n = s, s = n, l[1] = list_append(l, :l), l[9] = :n, l[8] = :s REMOVE l[0], m.k.deep ADD c :n DELETE ss :ss", params())
	if err != nil {
		t.Fatal(err)
	}
	old := item()
	got, err := u.Apply(old)
	if err != nil {
		t.Fatal(err)
	}
	want := item()
	want["n"], want["s"], want["c"], want["ss"], want["m"] = attr.String("xyz"), num("5"), num("5"), attr.StringSet{"b"}, attr.Map{"k": attr.Map{}}
	want["l"] = attr.List{attr.List{attr.String("y"), num("1"), attr.String("z"), attr.String("y")}, attr.String("z"), attr.String("x"), num("5")}
	if !attr.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if !attr.Equal(old, item()) {
		t.Errorf("the old item has changed: %v", old)
	}
}

func TestErrorsAreTheServices(t *testing.T) {
	for source, want := range map[string]string{
		"n = :absent":                      "Invalid ConditionExpression: An expression attribute value used in expression is not defined; attribute value: :absent",
		"#absent = :n":                     "Invalid ConditionExpression: An expression attribute name used in the document path is not defined; attribute name: #absent",
		"status = :n":                      "Invalid ConditionExpression: Attribute name is a reserved keyword; reserved keyword: status",
		"n = ":                             `Invalid ConditionExpression: Syntax error; token: "<EOF>", near: "n = "`,
		"n $ :n":                           `Invalid ConditionExpression: Syntax error; token: "$", near: "n $ :n"`,
		"((n = :n))":                       "Invalid ConditionExpression: The expression has redundant parentheses;",
		strings.Repeat("NOT ", 1025) + "x": "Invalid ConditionExpression: Expression size has exceeded the maximum allowed size; expression size: 4101",
	} {
		if _, _, err := ParseCondition("ConditionExpression", source, params()); err == nil || err.Error() != want {
			t.Errorf("%s\n got %v\nwant %s", source, err, want)
		}
	}
}

func TestUnusedIsAnError(t *testing.T) {
	p := params()
	if _, _, err := ParseCondition("ConditionExpression", "#n = :n", p); err != nil {
		t.Fatal(err)
	}
	const want = "Value provided in ExpressionAttributeValues unused in expressions: keys: {:l, :s, :ss}"
	if err := p.CheckUsed(); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// Any text is either parsed or refused with an Error, and what was parsed works
// with any item.
func FuzzExpressions(f *testing.F) {
	for _, s := range []string{
		"n = :n AND (NOT contains(l, :s) OR size(m.k) >= :n)", "a BETWEEN :n AND :n OR b IN (:n, :s)", "SET a = if_not_exists(b, :n) + :n, l[3] = list_append(l, :l) REMOVE m.k ADD n :n DELETE ss :ss",
		"m.k.deep, l[0], #n", "attribute_type(n, :s)", "((((", "SET a = (((((:n)))))", "#n[99999999999999999999]", ":", "\x00\xff",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		check := func(err error) bool {
			if err != nil && !errors.As(err, new(*Error)) && !errors.As(err, new(*attr.Error)) {
				t.Errorf("%q: %T: %v", source, err, err)
			}
			return err == nil
		}
		if c, _, err := ParseCondition("ConditionExpression", source, params()); check(err) {
			c.Holds(item())
			c.Holds(nil)
		}
		if _, err := ParseKeyCondition(source, params(), "n", "s"); err != nil {
			check(err)
		}
		if p, err := ParseProjection(source, params()); check(err) {
			p.Of(item())
		}
		if u, err := ParseUpdate(source, params()); check(err) {
			old := item()
			if _, err := u.Apply(old); err != nil && !check(err) {
				return
			}
			if !attr.Equal(old, item()) {
				t.Errorf("%q: the old item has changed", source)
			}
		}
	})
}
