package core

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"
)

// sealer makes and opens tokens, which callers send back. They are encrypted, so
// that no caller depends on their content, and authenticated, so that only tokens
// of this service open.
type sealer struct{ aead cipher.AEAD }

func newSealer() sealer {
	var key [32]byte
	rand.Read(key[:]) // never fails
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // the key has a valid size
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // AES has the block size of GCM
	}
	return sealer{aead}
}

// seal and open take the purpose of a token: a token for listing shards does not
// open as an iterator.
func (s sealer) seal(purpose string, content []byte) string {
	return base64.StdEncoding.EncodeToString(s.aead.Seal(nil, nil, content, []byte(purpose)))
}

func (s sealer) open(purpose, token string) ([]byte, bool) {
	sealed, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return nil, false
	}
	content, err := s.aead.Open(nil, nil, sealed, []byte(purpose))
	return content, err == nil
}

// iterator is the content of a shard iterator.
type iterator struct {
	stream uint64 // the stream's number; a later stream of the same name has another
	shard  uint32
	next   uint64 // index of the next record
	issued time.Time
	key    streamKey
}

const iteratorPurpose = "shard iterator"

func (s sealer) sealIterator(it iterator) string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 28+13+len(it.key.name)), it.stream)
	b = binary.BigEndian.AppendUint32(b, it.shard)
	b = binary.BigEndian.AppendUint64(b, it.next)
	b = binary.BigEndian.AppendUint64(b, uint64(it.issued.UnixMilli()))
	return s.seal(iteratorPurpose, append(b, it.key.account+"/"+it.key.name...))
}

func (s sealer) openIterator(token string) (iterator, bool) {
	b, ok := s.open(iteratorPurpose, token)
	if !ok || len(b) < 28 {
		return iterator{}, false
	}
	account, name, _ := strings.Cut(string(b[28:]), "/")
	return iterator{
		stream: binary.BigEndian.Uint64(b),
		shard:  binary.BigEndian.Uint32(b[8:]),
		next:   binary.BigEndian.Uint64(b[12:]),
		issued: time.UnixMilli(int64(binary.BigEndian.Uint64(b[20:]))),
		key:    streamKey{account, name},
	}, true
}
