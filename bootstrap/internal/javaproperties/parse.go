// Package javaproperties parses properties files exactly as Java's
// java.util.Properties.load does, with which the daemon reads the same file:
// ISO-8859-1, \uXXXX escapes with surrogate pairs, continued lines, and odd input. A
// test compares it with Java.
//
//	list, err := javaproperties.Parse(text)
//	for _, p := range list {
//		fmt.Println(p.Line, p.Key, p.Value)
//	}
//
// github.com/magiconair/properties differs from Java: it decodes each half of a
// surrogate pair alone, ends a value at a line continued before CR LF, rejects a
// backslash at the end of the file, and does not return line numbers.
package javaproperties

import (
	"errors"
	"fmt"
	"unicode/utf16"
)

// errMalformedEscape corresponds to an exception of Java's.
var errMalformedEscape = errors.New(`\u is not followed by four hexadecimal digits`)

// A SyntaxError reports why Java would reject a file.
type SyntaxError struct {
	Line int // the line on which the property starts, from 1
	Text string
}

// Error returns one line with the line number and the text.
func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Text) }

// A Property is a property of a file.
type Property struct {
	Key, Value string
	// Line is the number of the line on which the property starts, from 1.
	Line int
}

// Parse returns the properties in text, in order. Java uses the last value of a key that
// is there more than once. The only possible error is a [*SyntaxError] for a malformed
// \u escape.
func Parse(text []byte) ([]Property, error) {
	var properties []Property
	r := lineReader{text: text, line: 1}
	for {
		line, number, ok := r.next()
		if !ok {
			return properties, nil
		}
		rawKey, rawValue := split(line)
		key, err := unescape(rawKey)
		if err != nil {
			return nil, &SyntaxError{number, err.Error()}
		}
		value, err := unescape(rawValue)
		if err != nil {
			return nil, &SyntaxError{number, err.Error()}
		}
		properties = append(properties, Property{key, value, number})
	}
}

// A lineReader joins natural lines to logical lines.
type lineReader struct {
	text []byte
	pos  int
	line int // number of the natural line at pos, from 1
}

// next returns the next logical line that is neither blank nor a comment, without line
// ends and the backslashes before them, and its number.
func (r *lineReader) next() (line []byte, number int, ok bool) {
	var (
		skipSpace = true  // at the start of a natural line
		continued = false // the line before ended with a backslash
		backslash = false // an odd number of backslashes precede
	)
	for r.pos < len(r.text) {
		c := r.text[r.pos]
		r.pos++
		if skipSpace {
			if isSpace(c) {
				continue
			}
			if !continued && isLineEnd(c) {
				r.countLine(c)
				continue
			}
			skipSpace, continued = false, false
		}
		if len(line) == 0 {
			number = r.line
			if c == '#' || c == '!' {
				for r.pos < len(r.text) && !isLineEnd(r.text[r.pos]) {
					r.pos++
				}
				skipSpace = true
				continue
			}
		}
		if !isLineEnd(c) {
			line = append(line, c)
			backslash = c == '\\' && !backslash
			continue
		}
		r.countLine(c)
		if len(line) == 0 {
			skipSpace = true
			continue
		}
		if !backslash {
			return line, number, true
		}
		if r.pos == len(r.text) {
			break
		}
		line = line[:len(line)-1]
		skipSpace, continued, backslash = true, true, false
		if c == '\r' && r.text[r.pos] == '\n' {
			r.pos++
			r.line++
		}
	}
	if len(line) == 0 {
		return nil, 0, false
	}
	if backslash {
		line = line[:len(line)-1]
	}
	return line, number, true
}

// countLine counts the line end c, which is just before pos. It counts CR LF at the LF.
func (r *lineReader) countLine(c byte) {
	if c == '\n' || r.pos == len(r.text) || r.text[r.pos] != '\n' {
		r.line++
	}
}

// split splits a logical line at the first unescaped =, : or white space.
func split(line []byte) (key, value []byte) {
	var (
		keyEnd    int
		backslash bool
	)
	for keyEnd < len(line) {
		c := line[keyEnd]
		if !backslash && (isSpace(c) || isSeparator(c)) {
			break
		}
		backslash = c == '\\' && !backslash
		keyEnd++
	}
	separated := false
	for i := keyEnd; i < len(line); i++ {
		switch c := line[i]; {
		case isSpace(c):
		case isSeparator(c) && !separated:
			separated = true
		default:
			return line[:keyEnd], line[i:]
		}
	}
	return line[:keyEnd], nil
}

func unescape(raw []byte) (string, error) {
	// UTF-16, as in Java, because two escapes can be one character.
	out := make([]uint16, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c == '\\' && i+1 < len(raw) {
			i++
			switch c = raw[i]; c {
			case 'u':
				if i+4 >= len(raw) {
					return "", errMalformedEscape
				}
				unit, err := hex4(raw[i+1 : i+5])
				if err != nil {
					return "", err
				}
				out = append(out, unit)
				i += 4
				continue
			case 't':
				c = '\t'
			case 'r':
				c = '\r'
			case 'n':
				c = '\n'
			case 'f':
				c = '\f'
			}
		}
		out = append(out, uint16(c)) // ISO-8859-1 is the first 256 code points
	}
	return string(utf16.Decode(out)), nil
}

func hex4(digits []byte) (uint16, error) {
	var v uint16
	for _, c := range digits {
		switch {
		case '0' <= c && c <= '9':
			v = v<<4 | uint16(c-'0')
		case 'a' <= c && c <= 'f':
			v = v<<4 | uint16(c-'a'+10)
		case 'A' <= c && c <= 'F':
			v = v<<4 | uint16(c-'A'+10)
		default:
			return 0, errMalformedEscape
		}
	}
	return v, nil
}

func isSpace(c byte) bool     { return c == ' ' || c == '\t' || c == '\f' }
func isLineEnd(c byte) bool   { return c == '\n' || c == '\r' }
func isSeparator(c byte) bool { return c == '=' || c == ':' }
