package core

import (
	"hash/fnv"
	"slices"
	"strings"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/attr"
)

// Key is an attribute in the key of a table or index.
type Key struct{ Name, Type string }

// Keys are the keys of a table or index. Range.Name is "" without a range key.
type Keys struct{ Hash, Range Key }

func (k Keys) each() []Key {
	if k.Range.Name == "" {
		return []Key{k.Hash}
	}
	return []Key{k.Hash, k.Range}
}

// partition returns the prefix of the sort keys of all items with a hash key.
// Partitions are in the order of hashes, as on AWS.
func partition(hash attr.Value) []byte {
	key := attr.AppendKey(nil, hash)
	h := fnv.New64a()
	h.Write(key) // never fails
	return append(mix(h.Sum64()), key...)
}

// mix spreads a hash over all of its bits, because segments use the first bits.
func mix(x uint64) []byte {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	b := make([]byte, 8)
	for i := range b {
		b[i] = byte(x >> (56 - 8*i))
	}
	return b
}

// segment returns which of total segments a sort key belongs to.
func segment(sortKey string, total int) int {
	return (int(sortKey[0])<<16 | int(sortKey[1])<<8 | int(sortKey[2])) * total >> 24
}

// sortKey returns the key that sorts an item in a table or index with the keys. It
// is "" for an item without one of the keys.
func (k Keys) sortKey(item attr.Map) string {
	var b []byte
	for i, key := range k.each() {
		v := item[key.Name]
		if v == nil || attr.Type(v) != key.Type {
			return ""
		}
		if i == 0 {
			b = partition(v)
		} else {
			b = attr.AppendKey(b, v)
		}
	}
	return string(b)
}

// entry is an item with its sort key.
type entry struct {
	key  string
	item attr.Map
}

// sorted has items in the order of their sort keys.
type sorted struct{ entries []entry }

// find returns the index at which the key is or would be.
func (s *sorted) find(key string) (int, bool) {
	return slices.BinarySearchFunc(s.entries, key, func(e entry, key string) int { return strings.Compare(e.key, key) })
}

func (s *sorted) get(key string) attr.Map {
	if i, ok := s.find(key); ok {
		return s.entries[i].item
	}
	return nil
}

func (s *sorted) put(key string, item attr.Map) {
	i, ok := s.find(key)
	if ok {
		s.entries[i].item = item
	} else {
		s.entries = slices.Insert(s.entries, i, entry{key, item})
	}
}

func (s *sorted) remove(key string) {
	if i, ok := s.find(key); ok {
		s.entries = slices.Delete(s.entries, i, i+1)
	}
}

// between returns the entries from low up to, but not including, high. A high of ""
// means the end.
func (s *sorted) between(low, high string) []entry {
	from, _ := s.find(low)
	to := len(s.entries)
	if high != "" {
		to, _ = s.find(high)
	}
	return s.entries[from:max(from, to)]
}

// after returns the first key after all keys that start with the prefix.
func after(prefix []byte) string {
	b := slices.Clone(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i]++; b[i] != 0 {
			return string(b[:i+1])
		}
	}
	return ""
}
