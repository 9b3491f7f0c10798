package protocol

import (
	"encoding/base64"
	"encoding/binary"
)

// sextets has, for each place in a group of four characters, the bits that each
// character stands for, and notBase64 for characters that are not base64.
var sextets = func() (t [4][256]uint32) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for place := range t {
		for b := range t[place] {
			t[place][b] = notBase64
		}
		for i := range len(alphabet) {
			t[place][alphabet[i]] = uint32(i) << (18 - 6*place)
		}
	}
	return t
}()

const notBase64 = 1 << 31

// decodedLen returns the decoded size of src, which is padded base64.
func decodedLen(src []byte) int {
	n := len(src) / 4 * 3
	if n == 0 {
		return 0
	}
	if src[len(src)-1] == '=' {
		n--
		if src[len(src)-2] == '=' {
			n--
		}
	}
	return n
}

// decodeBase64 decodes src, whose decodedLen is n, into the first n bytes of dst.
// It may overwrite a few bytes of dst after those. It reports whether src is base64
// that encoding/json accepts, without line breaks. With a table, eight characters
// at a time, it is twice as fast as encoding/base64.
func decodeBase64(dst, src []byte, n int) bool {
	if len(src)%4 != 0 {
		return false
	}
	done := 0
	// The last group may have padding.
	for len(src) > 8 && len(dst)-done >= 8 {
		s := src[:8]
		high := sextets[0][s[0]] | sextets[1][s[1]] | sextets[2][s[2]] | sextets[3][s[3]]
		low := sextets[0][s[4]] | sextets[1][s[5]] | sextets[2][s[6]] | sextets[3][s[7]]
		if (high|low)&notBase64 != 0 {
			return false
		}
		binary.BigEndian.PutUint64(dst[done:], uint64(high)<<40|uint64(low)<<16)
		src, done = src[8:], done+6
	}
	// encoding/base64 skips line breaks, which JSON strings do not have. The size
	// is wrong then.
	m, err := base64.StdEncoding.Decode(dst[done:n], src)
	return err == nil && done+m == n
}
