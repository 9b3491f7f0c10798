package attr

import (
	"math/big"
	"strconv"
	"strings"
)

// The limits of a number.
const (
	maxDigits   = 38
	maxExponent = 126  // numbers are below 10^126
	minExponent = -129 // numbers are at least 10^-130
)

// Number is a decimal number of up to 38 significant digits: 0.DIGITS times ten to
// the power of exponent. The zero value is 0.
type Number struct {
	negative bool
	digits   string // without leading and trailing zeros; "" for 0
	exponent int
}

// ParseNumber parses a decimal number, with or without an exponent.
func ParseNumber(text string) (Number, error) {
	invalid := invalidf("The parameter cannot be converted to a numeric value")
	mantissa, exponent := text, 0
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		var ok bool
		if exponent, ok = parseExponent(text[i+1:]); !ok {
			return Number{}, invalid
		}
		mantissa = text[:i]
	}
	var n Number
	switch {
	case strings.HasPrefix(mantissa, "-"):
		n.negative, mantissa = true, mantissa[1:]
	case strings.HasPrefix(mantissa, "+"):
		mantissa = mantissa[1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" {
		return Number{}, invalid
	}
	return n.with(digits, exponent+len(whole))
}

// parseExponent parses an exponent. It limits huge exponents to a value that is
// still out of range for every number.
func parseExponent(text string) (int, bool) {
	sign := 1
	switch {
	case strings.HasPrefix(text, "-"):
		sign, text = -1, text[1:]
	case strings.HasPrefix(text, "+"):
		text = text[1:]
	}
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}
	n := 0
	for _, d := range text {
		n = min(n*10+int(d-'0'), 1<<30)
	}
	return sign * n, true
}

// with returns n with the value 0.DIGITS times ten to the power of exponent.
func (n Number) with(digits string, exponent int) (Number, error) {
	trimmed := strings.TrimLeft(digits, "0")
	exponent -= len(digits) - len(trimmed)
	trimmed = strings.TrimRight(trimmed, "0")
	switch {
	case trimmed == "":
		return Number{}, nil
	case len(trimmed) > maxDigits:
		return Number{}, invalidf("Attempting to store more than 38 significant digits in a Number")
	case exponent > maxExponent:
		return Number{}, invalidf("Number overflow. Attempting to store a number with magnitude larger than supported range")
	case exponent < minExponent:
		return Number{}, invalidf("Number underflow. Attempting to store a number with magnitude smaller than supported range")
	}
	return Number{n.negative, trimmed, exponent}, nil
}

// String returns the number without an exponent, as AWS does.
func (n Number) String() string {
	var s string
	switch {
	case n.digits == "":
		return "0"
	case n.exponent <= 0:
		s = "0." + strings.Repeat("0", -n.exponent) + n.digits
	case n.exponent >= len(n.digits):
		s = n.digits + strings.Repeat("0", n.exponent-len(n.digits))
	default:
		s = n.digits[:n.exponent] + "." + n.digits[n.exponent:]
	}
	if n.negative {
		return "-" + s
	}
	return s
}

// scaled returns n times ten to the power of places, which must be a whole number.
func (n Number) scaled(places int) *big.Int {
	i, _ := new(big.Int).SetString("0"+n.digits, 10)
	i.Mul(i, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places+n.exponent-len(n.digits))), nil))
	if n.negative {
		i.Neg(i)
	}
	return i
}

// Add returns n + m, or an error if the sum has too many digits.
func (n Number) Add(m Number) (Number, error) {
	places := max(len(n.digits)-n.exponent, len(m.digits)-m.exponent, 0)
	sum := n.scaled(places)
	sum.Add(sum, m.scaled(places))
	digits := sum.Text(10)
	var r Number
	if sum.Sign() < 0 {
		r.negative, digits = true, digits[1:]
	}
	return r.with(digits, len(digits)-places)
}

// Sub returns n - m.
func (n Number) Sub(m Number) (Number, error) {
	m.negative = !m.negative && m.digits != ""
	return n.Add(m)
}

// appendKey appends bytes that sort like numbers: sign, exponent, digits.
func (n Number) appendKey(b []byte) []byte {
	if n.digits == "" {
		return append(b, 1)
	}
	exponent := uint16(n.exponent + 1000)
	from := len(b) + 1
	if !n.negative {
		return append(append(append(b, 2, byte(exponent>>8), byte(exponent)), n.digits...), 0)
	}
	b = append(append(append(b, 0, byte(exponent>>8), byte(exponent)), n.digits...), 0)
	for i := from; i < len(b); i++ {
		b[i] = ^b[i]
	}
	return b
}

// size returns the size of a number as AWS counts it: one byte, one for each two
// digits on either side of the point, and one for a minus sign. AWS's
// documentation describes this only roughly.
func (n Number) size() int {
	whole := min(max(n.exponent, 0), len(n.digits))
	size := 1 + (whole+1)/2 + (len(n.digits)-whole+1)/2
	if n.negative {
		size++
	}
	return size
}

// Whole returns i as a Number.
func Whole(i int) Number {
	n, err := ParseNumber(strconv.Itoa(i))
	if err != nil {
		panic(err) // it has at most 20 digits
	}
	return n
}
