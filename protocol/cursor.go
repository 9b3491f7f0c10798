package protocol

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// cursor reads a line of JSON without white space. It declines a line that has
// anything unexpected; its results are meaningless from then on.
type cursor struct {
	line     []byte
	at       int
	declined bool
}

// object is the state of the cursor within one object.
type object struct {
	begun bool
	seen  uint // a bit for each field
	next  int  // the field to try first
}

const endOfObject = -1

// field moves to the value of the object's next field and returns the index of
// its name in names. Each name is a key with its quotes and colon.
func (c *cursor) field(o *object, names []string) int {
	if !o.begun {
		o.begun = true
		c.take('{')
		if c.has('}') {
			return endOfObject
		}
	} else if !c.has(',') {
		c.take('}')
		return endOfObject
	}
	for range names {
		if o.next == len(names) {
			o.next = 0
		}
		field := o.next
		o.next++
		if c.starts(names[field]) {
			// Of duplicate keys encoding/json uses the last, field by field.
			if o.seen&(1<<field) != 0 {
				break
			}
			o.seen |= 1 << field
			c.at += len(names[field])
			return field
		}
	}
	c.declined = true
	return endOfObject
}

func (c *cursor) starts(s string) bool {
	rest := c.line[c.at:]
	return len(rest) >= len(s) && string(rest[:len(s)]) == s
}

// has skips b if it comes next, and reports whether it did.
func (c *cursor) has(b byte) bool {
	if c.at < len(c.line) && c.line[c.at] == b {
		c.at++
		return true
	}
	return false
}

func (c *cursor) take(b byte) {
	if !c.has(b) {
		c.declined = true
	}
}

func (c *cursor) literal(s string) {
	if !c.starts(s) {
		c.declined = true
		return
	}
	c.at += len(s)
}

// null skips a null if an n comes next, and reports whether it did.
func (c *cursor) null() bool {
	if c.at < len(c.line) && c.line[c.at] == 'n' {
		c.literal("null")
		return true
	}
	return false
}

// number reads an integer of up to 18 digits, which fits into an int64, or null.
func (c *cursor) number() optional[int64] {
	if c.null() {
		return optional[int64]{}
	}
	negative := c.has('-')
	var n int64
	from := c.at
	for c.at < len(c.line) && c.line[c.at]-'0' <= 9 {
		if c.at-from == 18 {
			c.declined = true
			break
		}
		n = 10*n + int64(c.line[c.at]-'0')
		c.at++
	}
	// A fraction or exponent is declined by whatever reads on after the digits.
	if c.at == from || c.line[from] == '0' && c.at > from+1 {
		c.declined = true
	}
	if negative {
		n = -n
	}
	return optional[int64]{n, true}
}

// base64 finds a string, or null. It does not look at the contents: decoding
// rejects backslashes, control characters and bytes above 127.
func (c *cursor) base64() optional[span] {
	if c.null() {
		return optional[span]{}
	}
	c.take('"')
	n := bytes.IndexByte(c.line[c.at:], '"')
	if n < 0 {
		c.declined = true
		return optional[span]{}
	}
	s := span{from: int32(c.at), to: int32(c.at + n)}
	c.at += n + 1
	return optional[span]{s, true}
}

// text finds a string of UTF-8, or null.
func (c *cursor) text() optional[span] {
	if c.null() {
		return optional[span]{}
	}
	c.take('"')
	s := span{from: int32(c.at)}
	ascii := true
	for {
		c.at += plain(c.line[c.at:])
		if c.at >= len(c.line) {
			c.declined = true
			return optional[span]{}
		}
		switch b := c.line[c.at]; {
		case b == '"':
			s.to = int32(c.at)
			c.at++
			if !ascii && !utf8.Valid(s.of(c.line)) {
				c.declined = true
			}
			return optional[span]{s, true}
		case b == '\\' && c.at+1 < len(c.line):
			s.escaped = true
			c.at += 2
		case b >= utf8.RuneSelf:
			ascii = false
			c.at++
		default:
			c.declined = true
			return optional[span]{}
		}
	}
}

// string reads a string of UTF-8, or null.
func (c *cursor) string() optional[string] {
	s := c.text()
	if c.declined || !s.given {
		return optional[string]{}
	}
	var b strings.Builder
	ok := true
	b.Grow(s.value.len())
	value := s.value.appendTo(&b, c.line, &ok)
	c.declined = !ok
	return optional[string]{value, true}
}

// plain returns the number of bytes at the beginning of s that are printable ASCII
// or DEL, and neither a quote nor a backslash.
func plain(s []byte) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	n := 0
	for ; len(s)-n >= 8; n += 8 {
		// The top bit of each of the eight bytes shows a special byte: it was set
		// before, or a subtraction borrowed it. The lowest such bit is always
		// right; higher ones may have been borrowed from.
		x := binary.LittleEndian.Uint64(s[n:])
		special := x | (x - ones*' ') | (x ^ ones*'"' - ones) | (x ^ ones*'\\' - ones)
		if special &= tops; special != 0 {
			return n + bits.TrailingZeros64(special)/8
		}
	}
	for ; n < len(s); n++ {
		if b := s[n]; b < ' ' || b == '"' || b == '\\' || b >= utf8.RuneSelf {
			break
		}
	}
	return n
}

// span is the place of a string in a line, without its quotes.
type span struct {
	from, to int32
	escaped  bool
}

func (s span) len() int { return int(s.to - s.from) }

func (s span) of(line []byte) []byte { return line[s.from:s.to] }

// appendTo appends the string to b, which must have room for s.len() bytes, and
// returns it as a substring of b's. It sets *ok to false at an escape that it
// leaves to encoding/json.
func (s span) appendTo(b *strings.Builder, line []byte, ok *bool) string {
	from := b.Len()
	if raw := s.of(line); s.escaped {
		*ok = unescape(b, raw) && *ok
	} else {
		b.Write(raw)
	}
	return b.String()[from:]
}

// unescape appends s to b with its escapes resolved. No escape is shorter than
// the text that it stands for.
func unescape(b *strings.Builder, s []byte) bool {
	for len(s) > 0 {
		n := bytes.IndexByte(s, '\\')
		if n < 0 {
			b.Write(s)
			return true
		}
		b.Write(s[:n])
		s = s[n+1:] // not empty: no string ends in the middle of an escape
		if s[0] == 'u' {
			r, size := hexRune(s)
			if size == 0 {
				return false
			}
			b.WriteRune(r)
			s = s[size:]
			continue
		}
		i := strings.IndexByte(`"\/bfnrt`, s[0])
		if i < 0 {
			return false
		}
		b.WriteByte("\"\\/\b\f\n\r\t"[i])
		s = s[1:]
	}
	return true
}

// hexRune reads uXXXX, or uXXXX\uXXXX for a pair of surrogates. It returns the
// number of bytes that it read, 0 for anything else.
func hexRune(s []byte) (r rune, size int) {
	r, ok := hex4(s)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 5
	}
	if len(s) < 11 || s[5] != '\\' {
		return 0, 0
	}
	low, ok := hex4(s[6:])
	if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
		return 0, 0
	}
	return r, 11
}

func hex4(s []byte) (r rune, ok bool) {
	if len(s) < 5 || s[0] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s[1:5]), 16, 16)
	return rune(n), err == nil
}
