package core

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/attr"
	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/expr"
)

// Write is a change of one item, or with CheckOnly the condition of one.
type Write struct {
	Table string
	// Item is the one to put. Otherwise Key names the item, and Update is what
	// happens to it; without one it is deleted.
	Item, Key attr.Map
	Update    *expr.Update
	CheckOnly bool
	// Condition is that of the item as it is; nil for none.
	Condition expr.Condition
	// FailCondition is for a fault.
	FailCondition bool
	// OldOnFailure puts the item that fails the condition into the error.
	OldOnFailure bool
}

// Written is an item before and after, nil where there is none, and what that
// changes in indexes.
type Written struct {
	Old, New attr.Map
	Indexes  []IndexWritten
}

// Size is that of the larger item.
func (w Written) Size() int { return max(w.Old.ItemSize(), w.New.ItemSize()) }

// IndexWritten has the size of each entry of an index that is put or deleted.
type IndexWritten struct {
	Name   string
	Global bool
	Bytes  []int
}

// prepared is a change that nothing speaks against.
type prepared struct {
	Written
	table *table
	key   string
}

// prepare finds out what a write would do.
func (s *Service) prepare(w Write) (p prepared, err error) {
	if p.table, err = s.usable(w.Table); err != nil {
		return p, err
	}
	if w.Item != nil {
		p.key, err = p.table.checkItem(w.Item)
	} else {
		p.key, err = p.table.checkKey(w.Key)
	}
	if err == nil && w.Update != nil {
		err = p.table.checkUpdate(w.Update)
	}
	if err != nil {
		return p, err
	}
	p.Old = p.table.items.get(p.key)
	if w.Condition != nil && (w.FailCondition || !w.Condition.Holds(p.Old)) {
		err := errorf(ConditionFailed, "The conditional request failed")
		if w.OldOnFailure {
			err.Item = p.Old
		}
		return p, err
	}
	switch {
	case w.CheckOnly:
		p.New = p.Old
	case w.Item != nil:
		p.New = w.Item
	case w.Update != nil:
		from := p.Old
		if from == nil {
			from = w.Key
		}
		if p.New, err = w.Update.Apply(from); err == nil {
			_, err = p.table.checkItem(p.New)
		}
	}
	if err == nil {
		p.Indexes = p.table.written(p.key, p.Old, p.New)
	}
	return p, err
}

// written returns what a change of an item changes in the indexes. An entry that
// moves is deleted and put.
func (t *table) written(key string, old, now attr.Map) (all []IndexWritten) {
	for i, x := range t.indexes {
		from, to := x.entryKey(old, key), x.entryKey(now, key)
		if from == "" && to == "" {
			continue
		}
		before, after := x.project(old, t.Keys), x.project(now, t.Keys)
		w := IndexWritten{x.Name, i < len(t.Global), nil}
		switch {
		case from != to:
			if from != "" {
				w.Bytes = append(w.Bytes, before.ItemSize())
			}
			if to != "" {
				w.Bytes = append(w.Bytes, after.ItemSize())
			}
		case attr.Equal(before, after):
			continue
		default:
			w.Bytes = []int{max(before.ItemSize(), after.ItemSize())}
		}
		all = append(all, w)
	}
	return all
}

func (t *table) checkUpdate(u *expr.Update) error {
	for _, path := range u.Paths() {
		for _, k := range t.Keys.each() {
			if path.Root() == k.Name {
				return invalidf("One or more parameter values were invalid: Cannot update attribute %s. This attribute is part of the key", k.Name)
			}
		}
	}
	return nil
}

// Write changes an item.
func (s *Service) Write(w Write) (Written, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.prepare(w)
	if err != nil {
		return Written{}, err
	}
	p.table.put(p.key, p.New)
	return p.Written, nil
}

// Get returns an item or nil.
func (s *Service) Get(table string, key attr.Map) (attr.Map, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.usable(table)
	if err != nil {
		return nil, err
	}
	k, err := t.checkKey(key)
	if err != nil {
		return nil, err
	}
	return t.items.get(k), nil
}

// GetAll returns items of one moment, nil for each that is not there.
func (s *Service) GetAll(tables []string, keys []attr.Map) ([]attr.Map, error) {
	return s.getAll(tables, keys, "Provided list of item keys contains duplicates", func(_ int, err error) error { return err })
}

// TransactGet does the same. What is wrong with a key cancels the transaction.
func (s *Service) TransactGet(tables []string, keys []attr.Map) ([]attr.Map, error) {
	reasons := make(reasons, len(keys))
	items, err := s.getAll(tables, keys, oncePerItem, reasons.note)
	if err == nil {
		err = reasons.cancelled()
	}
	return items, err
}

// getAll gets items with different keys; onError may turn the error of one into
// nil.
func (s *Service) getAll(tables []string, keys []attr.Map, duplicates string, onError func(int, error) error) ([]attr.Map, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	items := make([]attr.Map, len(keys))
	seen := make(map[string]bool)
	for i, key := range keys {
		t, err := s.usable(tables[i])
		if err != nil {
			return nil, err
		}
		k, err := t.checkKey(key)
		if err != nil {
			if err = onError(i, err); err != nil {
				return nil, err
			}
			continue
		}
		if seen[tables[i]+"\x00"+k] {
			return nil, invalidf("%s", duplicates)
		}
		seen[tables[i]+"\x00"+k] = true
		items[i] = t.items.get(k)
	}
	return items, nil
}

// Batch does writes without conditions, each by itself.
func (s *Service) Batch(writes []Write) ([]Written, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.prepareAll(writes, "Provided list of item keys contains duplicates", func(_ int, err error) error { return err })
	if err != nil {
		return nil, err
	}
	return commit(all), nil
}

func commit(all []prepared) []Written {
	var written []Written
	for _, p := range all {
		p.table.put(p.key, p.New)
		written = append(written, p.Written)
	}
	return written
}

// prepareAll prepares writes to different items; onError may turn the error of
// one into nil.
func (s *Service) prepareAll(writes []Write, duplicates string, onError func(int, error) error) ([]prepared, error) {
	var all []prepared
	seen := make(map[string]bool)
	for i, w := range writes {
		p, err := s.prepare(w)
		if p.key != "" {
			id := w.Table + "\x00" + p.key
			if seen[id] {
				return nil, invalidf("%s", duplicates)
			}
			seen[id] = true
		}
		if err != nil {
			if err = onError(i, err); err != nil {
				return nil, err
			}
		}
		all = append(all, p)
	}
	return all, nil
}

// done is a transaction that a token names.
type done struct {
	request []byte
	at      time.Time
	written []Written
}

// tokenLife is how long a transaction is known by its token.
const tokenLife = 10 * time.Minute

// Transact does all writes or none. With a token, the same request again does
// nothing for ten minutes, and says so.
func (s *Service) Transact(writes []Write, token string, request []byte) (all []Written, again bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for token, d := range s.tokens {
		if now.Sub(d.at) >= tokenLife {
			delete(s.tokens, token)
		}
	}
	if d, ok := s.tokens[token]; ok {
		if !bytes.Equal(d.request, request) {
			return nil, false, errorf(IdempotentMismatch, "The request uses the same client token as a previous, but non-identical request.")
		}
		return d.written, true, nil
	}
	reasons := make(reasons, len(writes))
	prepared, err := s.prepareAll(writes, oncePerItem, reasons.note)
	if err == nil {
		err = reasons.cancelled()
	}
	if err != nil {
		return nil, false, err
	}
	written := commit(prepared)
	if token != "" {
		s.tokens[token] = done{bytes.Clone(request), now, written}
	}
	return written, false, nil
}

const oncePerItem = "Transaction request cannot include multiple operations on one item"

// reasons are why each action of a transaction cancels it.
type reasons []Reason

// note notes an error that is one.
func (r reasons) note(i int, err error) error {
	e := AsError(err)
	switch e.Code {
	case ConditionFailed:
		r[i] = Reason{"ConditionalCheckFailed", e.Message, e.Item}
	case ValidationFailure:
		r[i] = Reason{"ValidationError", e.Message, nil}
	default:
		return err
	}
	return nil
}

// cancelled is nil when nothing was noted.
func (r reasons) cancelled() error {
	if !slices.ContainsFunc(r, func(r Reason) bool { return r.Code != "" }) {
		return nil
	}
	var codes []string
	for i := range r {
		if r[i].Code == "" {
			r[i].Code = "None"
		}
		codes = append(codes, r[i].Code)
	}
	return &Error{
		Code:    TransactionCancelled,
		Message: fmt.Sprintf("Transaction cancelled, please refer cancellation reasons for specific reasons [%s]", strings.Join(codes, ", ")),
		Reasons: r,
	}
}
