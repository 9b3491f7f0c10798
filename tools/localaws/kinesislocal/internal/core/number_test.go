package core

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

func (n SequenceNumber) big() *big.Int {
	b := new(big.Int).SetUint64(n.hi)
	b.Lsh(b, 64).Or(b, new(big.Int).SetUint64(n.mid))
	return b.Lsh(b, 64).Or(b, new(big.Int).SetUint64(n.lo))
}

func TestSequenceNumberIsADecimalLikeTheServices(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		n := newSequenceNumber(r.Int64N(secondsMask), r.Uint32(), r.Uint64(), r.Int64N(secondsMask))
		text := n.String()
		if want := n.big().String(); text != want {
			t.Fatalf("String() = %s, want %s", text, want)
		}
		back, ok := ParseSequenceNumber(text)
		if !ok || back != n {
			t.Fatalf("ParseSequenceNumber(%s) = %v %v, want %v", text, back, ok, n)
		}
	}
	const inThisCentury = 1_900_000_000
	n := newSequenceNumber(inThisCentury, 1, 1, inThisCentury).String()
	if len(n) != 56 || n[:2] != "49" {
		t.Errorf("%s does not have 56 digits that begin with 49", n)
	}
	if got := (SequenceNumber{}).String(); got != "0" {
		t.Errorf("zero is %q, want 0", got)
	}
	if got, want := (SequenceNumber{math.MaxUint64 >> 6, math.MaxUint64, math.MaxUint64}), 57; len(got.String()) > want {
		t.Errorf("%s has more than %d digits", got, want)
	}
}

func TestSequenceNumberOrder(t *testing.T) {
	rising := []SequenceNumber{
		newSequenceNumber(100, 7, 0, 100), // start of a shard
		newSequenceNumber(100, 7, 1, 500),
		newSequenceNumber(100, 7, 2, 400), // the index decides, not the clock
		newSequenceNumber(100, 7, 1<<40, 400),
		newSequenceNumber(100, 7, lastIndex, 400), // end of the shard
		newSequenceNumber(101, 3, 0, 100),         // start of a child
		newSequenceNumber(101, 3, 1, 0),
	}
	for i, a := range rising {
		for j, b := range rising {
			want := a.big().Cmp(b.big())
			if got := a.Compare(b); got != want || want != cmpInt(i, j) {
				t.Errorf("Compare(%d, %d) = %d, as numbers %d", i, j, got, want)
			}
		}
	}
}

func cmpInt(a, b int) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func FuzzParseSequenceNumber(f *testing.F) {
	f.Add(newSequenceNumber(1_900_000_000, 1, 1, 1_900_000_000).String())
	f.Add("")
	f.Add("49999999999999999999999999999999999999999999999999999999")
	f.Add("99999999999999999999999999999999999999999999999999999999")
	f.Fuzz(func(t *testing.T, s string) {
		if n, ok := ParseSequenceNumber(s); ok && n.String() != s {
			t.Errorf("ParseSequenceNumber(%q) = %s", s, n)
		}
	})
}

func FuzzParseHashKey(f *testing.F) {
	for _, s := range []string{"", "0", "007", "-1", "340282366920938463463374607431768211455", "340282366920938463463374607431768211456", "999999999999999999999999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k, ok := ParseHashKey(s)
		want, valid := new(big.Int).SetString(s, 10)
		valid = valid && len(s) <= 39 && s[0] != '+' && s[0] != '-' && want.BitLen() <= 128
		for i := range s {
			valid = valid && s[i] != '_'
		}
		if ok != valid {
			t.Fatalf("ParseHashKey(%q) = %v, want %v", s, ok, valid)
		}
		if ok && k.String() != want.String() {
			t.Fatalf("ParseHashKey(%q) = %s, want %s", s, k, want)
		}
	})
}

func TestHashKeyOf(t *testing.T) {
	// The MD5 sum of the empty string as a number.
	want, _ := new(big.Int).SetString("d41d8cd98f00b204e9800998ecf8427e", 16)
	if got := HashKeyOf("").String(); got != want.String() {
		t.Errorf("HashKeyOf(\"\") = %s, want %s", got, want)
	}
}

func TestUniformRangesCoverTheSpace(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 5, 6, 7, 100, 999, MaxShards} {
		ranges := uniformRanges(n)
		if len(ranges) != n || ranges[0].First != (HashKey{}) || ranges[n-1].Last != MaxHashKey {
			t.Fatalf("%d: %v", n, ranges)
		}
		for i := 1; i < n; i++ {
			if ranges[i-1].Last.next() != ranges[i].First || ranges[i].First.Compare(ranges[i].Last) > 0 {
				t.Fatalf("%d: hole or overlap at %d", n, i)
			}
		}
	}
	for i, r := range uniformRanges(3) {
		if r.First != uniformRanges(6)[2*i].First {
			t.Errorf("boundary %d of 3 is not one of 6", i)
		}
	}
	if got := uniformRanges(2)[1].First.String(); got != "170141183460469231731687303715884105728" {
		t.Errorf("half of the space is %s, want 2^127", got)
	}
}
