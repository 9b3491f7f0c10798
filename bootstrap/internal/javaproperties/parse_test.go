package javaproperties

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// Guarantee: A properties file is read as java.util.Properties reads it.
func TestParse(t *testing.T) {
	tests := []struct {
		name string
		text string
		want map[string]string
	}{
		{"empty", "", nil},
		{"three separators", "a=1\nb:2\nc 3\n", map[string]string{"a": "1", "b": "2", "c": "3"}},
		{"space around the separator", "  a\t=\f 1 \n", map[string]string{"a": "1 "}},
		{"value with separators", "a = = b:c\n", map[string]string{"a": "= b:c"}},
		{"comments and blanks", "# a=1\n ! b=2\n\n \t\nc=3", map[string]string{"c": "3"}},
		{"comment ends at its line", "# a \\\nb=1", map[string]string{"b": "1"}},
		{"continued", "a = 1,\\\n    2,\\\r\n\t3\n", map[string]string{"a": "1,2,3"}},
		{"even backslashes do not continue", "a=1\\\\\nb=2\n", map[string]string{"a": `1\`, "b": "2"}},
		{"no comment in a continuation", "a=1\\\n#b\n", map[string]string{"a": "1#b"}},
		{"all line ends", "a=1\rb=2\r\nc=3\n", map[string]string{"a": "1", "b": "2", "c": "3"}},
		{"escapes", `a\ b\=c=\t\n\q\u0041\ud83d\ude00`, map[string]string{"a b=c": "\t\nqA😀"}},
		{"latin 1", "a=\xe9", map[string]string{"a": "é"}},
		{"windows path loses its backslashes", `a=C:\kcl\new`, map[string]string{"a": "C:kcl\new"}},
		{"last one counts", "a=1\na=2", map[string]string{"a": "2"}},
		{"no value", "a\nb=", map[string]string{"a": "", "b": ""}},
		{"cut in a continuation", "a=1\\", map[string]string{"a": "1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse([]byte(tt.text))
			if err != nil || !maps.Equal(values(got), tt.want) {
				t.Errorf("Parse(%q) = %q, %v, want %q", tt.text, got, err, tt.want)
			}
		})
	}
}

// values returns the properties as Java has them.
func values(properties []Property) map[string]string {
	m := make(map[string]string)
	for _, p := range properties {
		m[p.Key] = p.Value
	}
	return m
}

func TestParseTellsLines(t *testing.T) {
	got, err := Parse([]byte("# one\na=1\\\n  2\n\nb\r\nc=\ra=3"))
	want := []Property{{"a", "12", 2}, {"b", "", 5}, {"c", "", 6}, {"a", "3", 7}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

func TestParseMalformed(t *testing.T) {
	for text, want := range map[string]string{
		"a=1\nb=\\u12g4\n":            "line 2",
		"a=1\r\nb=1,\\\r\n\\u123\r\n": "line 2",
		"#\n\n  # x\r\r\n\\uzzzz=1\n": "line 5",
		"a=\\\n1\nb=\\\r\n2\rc=\\u00": "line 5",
	} {
		_, err := Parse([]byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), want+":") {
			t.Errorf("Parse(%q): %v, want an error on %s", text, err, want)
		}
	}
}

// TestParseAsJava gives the same random files to Java. It needs a JDK.
//
// Guarantee: A properties file is read as java.util.Properties reads it.
func TestParseAsJava(t *testing.T) {
	if os.Getenv("LONG_TESTS") == "" {
		t.Skip("a long test: set LONG_TESTS=1 to run it")
	}
	java, err := exec.LookPath("java")
	if err == nil {
		var modules []byte
		modules, err = exec.Command(java, "--list-modules").Output()
		if err == nil && !bytes.Contains(modules, []byte("jdk.compiler")) {
			err = errors.New("a JRE")
		}
	}
	if err != nil {
		const reason = "no JDK to compare with"
		if os.Getenv("CI") == "true" {
			t.Fatal(reason)
		}
		t.Skip(reason)
	}
	tokens := []string{
		"a", "key", "c", "é", "\x00", "\xff", "${x}", " ", "\t", "\f", "=", ":", "#", "!",
		"\\", "\\", "\n", "\n", "\r", "\r\n", "\\n", "\\t", "\\ ", "\\=", "\\u0041", "\\uD83d\\ude00", "\\u00g1",
	}
	random := rand.New(rand.NewSource(1))
	var files [][]byte
	var stdin bytes.Buffer
	for range 10_000 {
		var file []byte
		for range 1 + random.Intn(14) {
			file = append(file, tokens[random.Intn(len(tokens))]...)
		}
		files = append(files, file)
		binary.Write(&stdin, binary.BigEndian, int32(len(file)))
		stdin.Write(file)
	}
	cmd := exec.Command(java, "testdata/Dump.java")
	cmd.Stdin, cmd.Stderr = &stdin, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(string(out), "\n")
	if len(want) != len(files)+1 {
		t.Fatalf("Java printed %d lines, want %d", len(want)-1, len(files))
	}
	for i, file := range files {
		if got := dump(file); got != want[i] {
			t.Errorf("%q: %s, Java says %s", file, got, want[i])
		}
	}
}

func dump(file []byte) string {
	properties, err := Parse(file)
	if err != nil {
		return "malformed"
	}
	var out strings.Builder
	// Sorted as in Java: the digits of the keys are ASCII.
	byHex := make(map[string]string)
	for k, v := range values(properties) {
		byHex[hexUnits(k)] = hexUnits(v)
	}
	for _, k := range slices.Sorted(maps.Keys(byHex)) {
		out.WriteString(k + "=" + byHex[k] + ";")
	}
	return out.String()
}

func hexUnits(s string) string {
	var b strings.Builder
	for _, c := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&b, "%04x", c)
	}
	return b.String()
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("a = 1 \\\n  2\n# c\nb:\\u00e9"))
	f.Fuzz(func(t *testing.T, text []byte) {
		properties, err := Parse(text)
		if err != nil && properties != nil {
			t.Error("both properties and an error")
		}
		line := 0
		for _, p := range properties {
			if p.Line <= line {
				t.Errorf("line %d after line %d", p.Line, line)
			}
			line = p.Line
		}
	})
}
