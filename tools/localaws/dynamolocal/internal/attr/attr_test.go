package attr

import (
	"bytes"
	"errors"
	"math/big"
	"slices"
	"testing"
)

func TestNumbers(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "-0": "0", "007.50": "7.5", "1e3": "1000", "+1.5E-3": "0.0015", ".5": "0.5", "5.": "5", "-12345678901234567890123456789012345678": "-12345678901234567890123456789012345678",
		"0.00000000000000000000000000000000000001": "0.00000000000000000000000000000000000001", "1000e-3": "1", "0e999999999999": "0",
	} {
		if n, err := ParseNumber(text); err != nil || n.String() != want {
			t.Errorf("ParseNumber(%q) = %s, %v, want %s", text, n, err, want)
		}
	}
	for _, text := range []string{"", "-", ".", "e5", "1e", "1e+", "1_0", "0x1", "NaN", "Infinity", "1 ", "１", "123456789012345678901234567890123456789", "1e126", "1e-131", "1e99999999999999999999"} {
		if n, err := ParseNumber(text); !errors.As(err, new(*Error)) {
			t.Errorf("ParseNumber(%q) = %s, %v, want an *Error", text, n, err)
		}
	}
}

// The sizes were measured on AWS at its limit of 400 KB.
func TestSizesOfNumbers(t *testing.T) {
	for text, want := range map[string]int{
		"0": 1, "-0": 1, "1": 2, "12": 2, "123": 3, "1234": 3, "12345678901234567890123456789012345678": 20, "0042": 2, "100": 2, "1010": 3,
		"0.0000001": 2, "1E125": 2, "1E-100": 2, "1.5": 3, "15": 2, "1.200": 3, "1.234": 4, "3.14159": 5, "123456": 4, "100.5": 4, "0.15": 2, "-42": 3,
	} {
		if n, err := ParseNumber(text); err != nil || n.size() != want {
			t.Errorf("%s: %d bytes, want %d, %v", text, n.size(), want, err)
		}
	}
}

func TestSumsAreExact(t *testing.T) {
	for _, c := range []struct{ a, b, sum, difference string }{
		{"1", "2", "3", "-1"},
		{"0.1", "0.2", "0.3", "-0.1"},
		{"12345678901234567890123456789012345678", "-1", "12345678901234567890123456789012345677", "12345678901234567890123456789012345679"},
		{"1e-130", "0", "0." + string(bytes.Repeat([]byte("0"), 129)) + "1", "0." + string(bytes.Repeat([]byte("0"), 129)) + "1"},
		{"5", "5", "10", "0"},
		{"-5", "5", "0", "-10"},
	} {
		a, _ := ParseNumber(c.a)
		b, _ := ParseNumber(c.b)
		if sum, err := a.Add(b); err != nil || sum.String() != c.sum {
			t.Errorf("%s + %s = %s, %v, want %s", c.a, c.b, sum, err, c.sum)
		}
		if d, err := a.Sub(b); err != nil || d.String() != c.difference {
			t.Errorf("%s - %s = %s, %v, want %s", c.a, c.b, d, err, c.difference)
		}
	}
	a, _ := ParseNumber("1e125")
	b, _ := ParseNumber("1")
	if sum, err := a.Add(b); err == nil {
		t.Errorf("a sum of 126 digits is %s, want an error", sum)
	}
}

// Keys sort like numbers, however the numbers are written.
func FuzzNumberKeys(f *testing.F) {
	for _, pair := range [][2]string{{"1", "2"}, {"-1", "-1.5"}, {"0", "-0.001"}, {"10", "9"}, {"1e125", "9.9e124"}, {"0.1", "0.10"}} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, err := ParseNumber(a)
		if err != nil {
			return
		}
		y, err := ParseNumber(b)
		if err != nil {
			return
		}
		p, _ := new(big.Rat).SetString(x.String())
		q, _ := new(big.Rat).SetString(y.String())
		if got, want := bytes.Compare(AppendKey(nil, x), AppendKey(nil, y)), p.Cmp(q); got != want {
			t.Errorf("%s and %s: %d, want %d", x, y, got, want)
		}
		if r, err := ParseNumber(x.String()); err != nil || r != x {
			t.Errorf("ParseNumber(%s) = %s, %v", x, r, err)
		}
	})
}

func TestStringKeysSortAndAreNoPrefixes(t *testing.T) {
	texts := []string{"", "\x00", "\x00\x00", "\x00\x01", "a", "a\x00", "a\x00b", "a\x01", "ab", "b", "\xff"}
	var keys [][]byte
	for _, s := range texts {
		keys = append(keys, AppendKey(nil, Binary(s)))
	}
	if !slices.IsSortedFunc(keys, bytes.Compare) {
		t.Errorf("keys are not sorted: %q", keys)
	}
	for i, k := range keys {
		for j, other := range keys {
			if i != j && bytes.HasPrefix(k, other) {
				t.Errorf("the key of %q starts with the key of %q", texts[i], texts[j])
			}
		}
	}
}

func TestWireRefusesWhatIsNoValue(t *testing.T) {
	deep := Wire{NULL: ptr(true)}
	for range 33 {
		deep = Wire{L: []Wire{deep}}
	}
	for name, w := range map[string]Wire{
		"nothing": {}, "two": {S: ptr("x"), N: ptr("1")}, "an empty set": {SS: []string{}}, "twins": {NS: []string{"1", "1.0"}},
		"no null": {NULL: ptr(false)}, "no number": {N: ptr("x")}, "deep": deep, "no UTF-8": {S: ptr("\xff")},
	} {
		if v, err := w.Value(); !errors.As(err, new(*Error)) {
			t.Errorf("%s: value %v, error %v, want an *Error", name, v, err)
		}
	}
}
