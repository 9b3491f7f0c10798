package journal

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// A file begins with the magic, which has the version of the format in it. What
// follows are frames: a head and an entry.
//
//	4 bytes  length of the entry, little-endian like all numbers of the head
//	4 bytes  CRC-32C of the entry
//	4 bytes  CRC-32C of the eight bytes before
//	         the entry
//
// The head has a sum of its own so that a damaged length is not taken for an
// entry that the end of the file has cut off.
const (
	magic    = "kinesislocal 01\n"
	headSize = 12
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Begin returns buf, emptied, for an entry to be appended to it: with room for
// the head.
func Begin(buf []byte) []byte {
	return append(buf[:0], make([]byte, headSize)...)
}

// seal fills in the head of a frame that was built on Begin.
func seal(frame []byte) {
	entry := frame[headSize:]
	binary.LittleEndian.PutUint32(frame, uint32(len(entry)))
	binary.LittleEndian.PutUint32(frame[4:], crc32.Checksum(entry, castagnoli))
	binary.LittleEndian.PutUint32(frame[8:], crc32.Checksum(frame[:8], castagnoli))
}

// errTorn is the error of a file whose end is not a whole frame: the writer was
// interrupted there.
var errTorn = errors.New("the last entry is incomplete")

// read calls f with each entry of a file of the size, and returns the offset
// after the last good one. f must not keep the entry. The error wraps errTorn
// or ErrDamaged, or is one of f or r.
func read(r io.Reader, size int64, f func(entry []byte) error) (good int64, err error) {
	b := bufio.NewReaderSize(r, 256<<10)
	begin := make([]byte, min(size, int64(len(magic))))
	if _, err := io.ReadFull(b, begin); err != nil {
		return 0, err
	}
	if string(begin) != magic {
		if !bytes.HasPrefix([]byte(magic), bytes.TrimRight(begin, "\x00")) {
			return 0, ErrDamaged
		}
		return 0, tornOrDamaged(b)
	}
	good = int64(len(magic))
	var (
		head  [headSize]byte
		entry []byte
	)
	for good < size {
		left := size - good - headSize // after the head
		if left < 0 {
			return good, errTorn
		}
		if _, err := io.ReadFull(b, head[:]); err != nil {
			return good, err
		}
		if crc32.Checksum(head[:8], castagnoli) != binary.LittleEndian.Uint32(head[8:]) {
			return good, tornOrDamaged(b)
		}
		length := int64(binary.LittleEndian.Uint32(head[:]))
		if length > left {
			return good, errTorn
		}
		if int64(cap(entry)) < length {
			entry = make([]byte, length)
		}
		entry = entry[:length]
		if _, err := io.ReadFull(b, entry); err != nil {
			return good, err
		}
		if crc32.Checksum(entry, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
			return good, tornOrDamaged(b)
		}
		if err := f(entry); err != nil {
			return good, err
		}
		good += headSize + length
	}
	return good, nil
}

// tornOrDamaged tells a bad frame at the end of a file, after which a machine
// that went down may have left zeros, from one that has others after it.
func tornOrDamaged(rest io.Reader) error {
	if onlyZeros(rest) {
		return errTorn
	}
	return ErrDamaged
}

func onlyZeros(r io.Reader) bool {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if !zeros(buf[:n]) {
			return false
		}
		if err != nil {
			return err == io.EOF
		}
	}
}

func zeros(b []byte) bool { return len(bytes.TrimLeft(b, "\x00")) == 0 }
