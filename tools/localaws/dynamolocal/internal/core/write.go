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

// Write is a change of one item or, with CheckOnly, a condition on one item.
type Write struct {
	Table string
	// Item is the item to put. If it is nil, Key identifies the item and Update
	// changes it; without Update it is deleted.
	Item, Key attr.Map
	Update    *expr.Update
	CheckOnly bool
	// Condition is checked on the present item; nil for none.
	Condition expr.Condition
	// FailCondition makes the condition fail, for a fault.
	FailCondition bool
	// OldOnFailure puts the item that fails the condition into the error.
	OldOnFailure bool
}

// Written is an item before and after a write, nil for none, with the changes to
// indexes.
type Written struct {
	Old, New attr.Map
	Indexes  []IndexWritten
}

// Size returns the size of the larger item.
func (w Written) Size() int { return max(w.Old.ItemSize(), w.New.ItemSize()) }

// IndexWritten has the sizes of the entries of an index that a write puts or
// deletes.
type IndexWritten struct {
	Name   string
	Global bool
	Bytes  []int
}

// prepared is a write that has been checked.
type prepared struct {
	Written
	table *table
	key   string
}

// prepare checks a write and returns its effect.
func (s *Service) prepare(w Write) (p prepared, err error) {
	if p.table, err = s.usableTable(w.Table); err != nil {
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

// written returns the changes to indexes when an item changes. An entry that moves
// is deleted and put.
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

// Write does one write.
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

// Get returns an item, or nil if it does not exist.
func (s *Service) Get(table string, key attr.Map) (attr.Map, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.usableTable(table)
	if err != nil {
		return nil, err
	}
	k, err := t.checkKey(key)
	if err != nil {
		return nil, err
	}
	return t.items.get(k), nil
}

// GetAll returns a consistent snapshot of items, nil for each that does not exist.
func (s *Service) GetAll(tables []string, keys []attr.Map) ([]attr.Map, error) {
	return s.getAll(tables, keys, "Provided list of item keys contains duplicates", func(_ int, err error) error { return err })
}

// TransactGet is like GetAll, but an invalid key cancels the transaction.
func (s *Service) TransactGet(tables []string, keys []attr.Map) ([]attr.Map, error) {
	reasons := make(reasons, len(keys))
	items, err := s.getAll(tables, keys, oncePerItem, reasons.note)
	if err == nil {
		err = reasons.cancelled()
	}
	return items, err
}

// getAll gets items with different keys. It passes the error of each item to
// onError, and fails if that returns an error.
func (s *Service) getAll(tables []string, keys []attr.Map, duplicates string, onError func(int, error) error) ([]attr.Map, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	items := make([]attr.Map, len(keys))
	seen := make(map[string]bool)
	for i, key := range keys {
		t, err := s.usableTable(tables[i])
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

// Batch does independent writes without conditions.
func (s *Service) Batch(writes []Write) ([]Written, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.prepareAll(writes, "Provided list of item keys contains duplicates", func(_ int, err error) error { return err })
	if err != nil {
		return nil, err
	}
	return commit(all), nil
}

// commit does all prepared writes.
func commit(all []prepared) []Written {
	var written []Written
	for _, p := range all {
		p.table.put(p.key, p.New)
		written = append(written, p.Written)
	}
	return written
}

// prepareAll prepares writes to different items. It passes the error of each write
// to onError, and fails if that returns an error.
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

// completedTransaction is a transaction that had a token.
type completedTransaction struct {
	request []byte
	at      time.Time
	written []Written
}

// tokenLifetime is how long a token of a transaction is remembered.
const tokenLifetime = 10 * time.Minute

// Transact does all writes or none. For ten minutes, a repeated request with the
// same token does nothing, and repeated is true.
func (s *Service) Transact(writes []Write, token string, request []byte) (all []Written, repeated bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for token, d := range s.tokens {
		if now.Sub(d.at) >= tokenLifetime {
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
		s.tokens[token] = completedTransaction{bytes.Clone(request), now, written}
	}
	return written, false, nil
}

const oncePerItem = "Transaction request cannot include multiple operations on one item"

// reasons has the reason of each action of a transaction.
type reasons []Reason

// note records an error that is a reason for cancellation; it returns other errors.
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

// cancelled returns the exception, or nil if no reason was recorded.
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
