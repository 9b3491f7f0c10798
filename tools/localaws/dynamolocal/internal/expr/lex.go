package expr

import (
	_ "embed"
	"fmt"
	"strings"
)

// kind is the kind of a token.
type kind int

const (
	end    kind = iota
	word        // a name, a keyword or a function
	name        // #name
	value       // :value
	number      // an index
	symbol
)

type token struct {
	kind kind
	text string
	at   int
}

// is reports whether the token is this symbol or, ignoring case, this keyword.
func (t token) is(text string) bool {
	return t.kind == symbol && t.text == text || t.kind == word && strings.EqualFold(t.text, text)
}

// maxSize is the largest size of an expression, in bytes. It also limits nesting.
const maxSize = 4096

// Error says what is wrong with an expression, in the words of AWS.
type Error struct{ Message string }

func (e *Error) Error() string { return e.Message }

func lex(source string) ([]token, error) {
	if len(source) > maxSize {
		return nil, &Error{fmt.Sprintf("Expression size has exceeded the maximum allowed size; expression size: %d", len(source))}
	}
	if strings.TrimSpace(source) == "" {
		return nil, &Error{"The expression can not be empty;"}
	}
	var tokens []token
	for i := 0; i < len(source); {
		c := source[i]
		n := 1
		k := symbol
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case c == '#' || c == ':':
			k = name
			if c == ':' {
				k = value
			}
			n += span(source[i+1:], isWord)
			if n == 1 {
				return nil, syntaxError(source, token{text: source[i : i+1], at: i})
			}
		case isDigit(c):
			k, n = number, span(source[i:], isDigit)
		case isWord(c):
			k, n = word, span(source[i:], isWord)
		case strings.HasPrefix(source[i:], "<>") || strings.HasPrefix(source[i:], "<=") || strings.HasPrefix(source[i:], ">="):
			n = 2
		case !strings.ContainsRune("()[],.=<>+-", rune(c)):
			return nil, syntaxError(source, token{text: source[i : i+1], at: i})
		}
		tokens = append(tokens, token{k, source[i : i+n], i})
		i += n
	}
	return append(tokens, token{end, "<EOF>", len(source)}), nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || isDigit(c) || c == '_'
}

func span(s string, in func(byte) bool) int {
	n := 0
	for n < len(s) && in(s[n]) {
		n++
	}
	return n
}

func syntaxError(source string, t token) error {
	near := source[max(0, t.at-10):min(len(source), t.at+len(t.text)+10)]
	return &Error{fmt.Sprintf("Syntax error; token: %q, near: %q", t.text, strings.ToValidUTF8(near, ""))}
}

//go:embed reserved.txt
var reservedText string

// reserved has the words that cannot be the name of an attribute without a #.
var reserved = func() map[string]bool {
	words := make(map[string]bool)
	for _, w := range strings.Fields(reservedText) {
		words[w] = true
	}
	return words
}()
