package core

import (
	"fmt"
	"slices"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/attr"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/expr"
)

// Read is a query or a scan.
type Read struct {
	Table, Index string // Index is "" for the table itself
	Consistent   bool
	// Key returns the condition for the keys of the table or index. It makes
	// the read a query; nil means a scan. Reverse reverses a query.
	Key     func(Keys) (expr.KeyCondition, error)
	Reverse bool
	// Segment of Segments is the part that a scan reads; 0 of 0 means all.
	Segment, Segments int
	// Limit is how many items are examined; 0 means as many as fit a page.
	Limit int
	// Start is the key after which the read continues, nil for the first page.
	Start attr.Map
	// Filter selects items; nil means all.
	Filter expr.Condition
}

// Page is the result of a Read.
type Page struct {
	Items   []attr.Map
	Scanned int
	Bytes   int // of the examined items
	// Last is the key after which to continue, nil at the end.
	Last attr.Map
	// Global says that the read was of a global secondary index.
	Global bool
}

// maxPage is how many bytes are examined for a page.
const maxPage = 1 << 20

// Read returns a page.
func (s *Service) Read(r Read) (*Page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.usableTable(r.Table)
	if err != nil {
		return nil, err
	}
	keys, items, page := t.Keys, &t.items, &Page{}
	var x *index
	if r.Index != "" {
		var ok bool
		if x, ok = t.find(r.Index); !ok {
			return nil, invalidf("The table does not have the specified index: %s", r.Index)
		}
		page.Global = slices.ContainsFunc(t.Global, func(c IndexConfig) bool { return c.Name == r.Index })
		switch {
		case page.Global && r.Consistent:
			return nil, invalidf("Consistent reads are not supported on global secondary indexes")
		case x.status.at(time.Now()) == Creating:
			return nil, invalidf("Cannot read from backfilling global secondary index: %s", r.Index)
		}
		keys, items = x.Keys, &x.items
	}
	low, high := "", ""
	if r.Key != nil {
		condition, err := r.Key(keys)
		if err != nil {
			return nil, err
		}
		if low, high, err = bounds(keys, condition); err != nil {
			return nil, err
		}
	}
	entries := items.between(low, high)
	if r.Start != nil {
		if entries, err = t.from(entries, r, x, low, high); err != nil {
			return nil, err
		}
	}
	page.fill(t, x, r, entries)
	return page, nil
}

func (p *Page) fill(t *table, x *index, r Read, entries []entry) {
	for i := range entries {
		e := entries[i]
		if r.Reverse {
			e = entries[len(entries)-1-i]
		}
		if r.Segments > 0 && segment(e.key, r.Segments) != r.Segment {
			continue
		}
		item := e.item
		if x != nil {
			item = x.project(item, t.Keys)
		}
		size := item.ItemSize()
		if p.Scanned > 0 && p.Bytes+size > maxPage {
			return // Last is the key of the item before
		}
		p.Scanned++
		p.Bytes += size
		p.Last = t.keyOf(e.item, x)
		if r.Filter == nil || r.Filter.Holds(item) {
			p.Items = append(p.Items, item)
		}
		if p.Scanned == r.Limit {
			return
		}
	}
	p.Last = nil
}

// from returns the entries after the start key.
func (t *table) from(entries []entry, r Read, x *index, low, high string) ([]entry, error) {
	invalid := invalidf("The provided starting key is invalid")
	want := t.keyOf(r.Start, x)
	if len(r.Start) != len(want) {
		return nil, invalid
	}
	key := t.Keys.sortKey(r.Start)
	if key == "" {
		return nil, invalid
	}
	if x != nil {
		if key = x.entryKey(r.Start, key); key == "" {
			return nil, invalid
		}
	}
	if r.Key != nil && !r.Reverse && key < low || r.Key != nil && r.Reverse && high != "" && key >= high {
		return nil, invalidf("The provided starting key is outside query boundaries based on provided conditions")
	}
	if r.Segments > 0 && segment(key, r.Segments) != r.Segment {
		return nil, invalidf("The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. TotalSegments: %d Segment: %d", r.Segments, r.Segment)
	}
	s := sorted{entries}
	i, found := s.find(key)
	if r.Reverse {
		return entries[:i], nil
	}
	if found {
		i++
	}
	return entries[i:], nil
}

// bounds returns the bounds of the sort keys that a condition selects.
func bounds(keys Keys, c expr.KeyCondition) (low, high string, err error) {
	mismatch := invalidf("One or more parameter values were invalid: Condition parameter type does not match schema type")
	if attr.Type(c.Hash) != keys.Hash.Type {
		return "", "", mismatch
	}
	for _, v := range c.Values {
		if attr.Type(v) != keys.Range.Type {
			return "", "", mismatch
		}
	}
	all := partition(c.Hash)
	at := func(i int) []byte { return attr.AppendKey(slices.Clone(all), c.Values[i]) }
	low, high = string(all), after(all)
	switch c.Op {
	case "":
	case "=":
		low, high = string(at(0)), after(at(0))
	case "<":
		high = string(at(0))
	case "<=":
		high = after(at(0))
	case ">":
		low = after(at(0))
	case ">=":
		low = string(at(0))
	case "BETWEEN":
		low, high = string(at(0)), after(at(1))
	case "begins_with":
		prefix := slices.Clone(all)
		switch v := c.Values[0].(type) {
		case attr.String:
			prefix = attr.AppendPrefix(prefix, string(v))
		case attr.Binary:
			prefix = attr.AppendPrefix(prefix, string(v))
		default:
			return "", "", mismatch
		}
		low, high = string(prefix), after(prefix)
	default:
		panic(fmt.Sprintf("core: operator %q", c.Op)) // expr has no other
	}
	return low, high, nil
}
