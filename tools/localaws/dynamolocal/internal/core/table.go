package core

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seed96110120/kinesis-client-go/tools/localaws/dynamolocal/internal/attr"
)

// Status is the status of a table or index.
type Status string

// The statuses.
const (
	Creating Status = "CREATING"
	Active   Status = "ACTIVE"
	Updating Status = "UPDATING"
	Deleting Status = "DELETING"
)

// Throughput is the provisioned throughput; zero for on demand.
type Throughput struct{ Read, Write int64 }

// IndexConfig describes an index to create.
type IndexConfig struct {
	Name       string
	Keys       Keys
	Projection string   // ALL, KEYS_ONLY or INCLUDE
	Include    []string // attributes, for INCLUDE
	Throughput Throughput
}

// TableConfig describes a table to create.
type TableConfig struct {
	Name       string
	Region     string
	Attributes []Key // in the order of the request
	Keys       Keys
	Global     []IndexConfig
	Local      []IndexConfig
	OnDemand   bool
	Throughput Throughput
	Protected  bool
	Class      string
	Tags       map[string]string
}

// index is a secondary index, global or local.
type index struct {
	IndexConfig
	status transition
	items  sorted
	bytes  int
}

// transition is a status that ends.
type transition struct {
	status Status
	until  time.Time
	stuck  bool // a fault keeps it from ending
}

// at returns the status at a time; a transition that has ended is Active.
func (t transition) at(now time.Time) Status {
	if t.status == Active || !t.stuck && !now.Before(t.until) {
		return Active
	}
	return t.status
}

type table struct {
	TableConfig
	id       string
	created  time.Time
	status   transition
	items    sorted
	bytes    int
	indexes  []*index // global indexes first
	ttl      string   // the attribute of time to live, "" for none
	recovery bool     // point-in-time recovery is enabled
	since    time.Time
}

// TableStatus is the result of DescribeTable.
type TableStatus struct {
	TableConfig
	ID      string
	ARN     string
	Created time.Time
	Status  Status
	Items   int
	Bytes   int
	Indexes []IndexStatus
}

// IndexStatus is the part of a TableStatus for one index.
type IndexStatus struct {
	IndexConfig
	ARN    string
	Global bool
	Status Status
	Items  int
	Bytes  int
}

func (t *table) arn() string {
	return fmt.Sprintf("arn:aws:dynamodb:%s:%s:table/%s", t.Region, Account, t.Name)
}

func (t *table) describe(now time.Time) *TableStatus {
	s := &TableStatus{
		TableConfig: t.TableConfig, ID: t.id, ARN: t.arn(), Created: t.created,
		Status: t.status.at(now), Items: len(t.items.entries), Bytes: t.bytes,
	}
	for i, x := range t.indexes {
		s.Indexes = append(s.Indexes, IndexStatus{
			x.IndexConfig, t.arn() + "/index/" + x.Name, i < len(t.Global), x.status.at(now), len(x.items.entries), x.bytes,
		})
	}
	return s
}

func newIndex(c IndexConfig) *index {
	return &index{IndexConfig: c, status: transition{status: Active}}
}

// find returns the index of that name.
func (t *table) find(name string) (*index, bool) {
	i := slices.IndexFunc(t.indexes, func(x *index) bool { return x.Name == name })
	if i < 0 {
		return nil, false
	}
	return t.indexes[i], true
}

// entryKey returns the sort key of an item in the index, "" if the index does not
// have the item. It ends with the sort key in the table, which distinguishes items
// with the same keys in the index.
func (x *index) entryKey(item attr.Map, primary string) string {
	if key := x.Keys.sortKey(item); key != "" {
		return key + primary
	}
	return ""
}

func (x *index) put(item attr.Map, primary string) {
	if key := x.entryKey(item, primary); key != "" {
		x.items.put(key, item)
		x.bytes += item.ItemSize()
	}
}

func (x *index) remove(item attr.Map, primary string) {
	if key := x.entryKey(item, primary); key != "" {
		x.items.remove(key)
		x.bytes -= item.ItemSize()
	}
}

// project returns the attributes of an item that the index has.
func (x *index) project(item attr.Map, table Keys) attr.Map {
	if x.Projection == "ALL" {
		return item
	}
	keep := slices.Clone(x.Include)
	for _, k := range append(table.each(), x.Keys.each()...) {
		keep = append(keep, k.Name)
	}
	out := make(attr.Map)
	for _, name := range keep {
		if v, ok := item[name]; ok {
			out[name] = v
		}
	}
	return out
}

// put stores an item at the key; nil removes the item.
func (t *table) put(key string, item attr.Map) {
	if old := t.items.get(key); old != nil {
		t.bytes -= old.ItemSize()
		for _, x := range t.indexes {
			x.remove(old, key)
		}
	}
	if item == nil {
		t.items.remove(key)
		return
	}
	t.items.put(key, item)
	t.bytes += item.ItemSize()
	for _, x := range t.indexes {
		x.put(item, key)
	}
}

// maxItem is the largest size of an item, in bytes.
const maxItem = 400 << 10

// checkItem returns the sort key of an item, or why it cannot be in the table.
func (t *table) checkItem(item attr.Map) (key string, err error) {
	for _, k := range t.Keys.each() {
		v, ok := item[k.Name]
		if !ok {
			return "", invalidf("One or more parameter values were invalid: Missing the key %s in the item", k.Name)
		}
		if attr.Type(v) != k.Type {
			return "", invalidf("One or more parameter values were invalid: Type mismatch for key %s expected: %s actual: %s", k.Name, k.Type, attr.Type(v))
		}
	}
	if err := t.checkKeySizes(t.Keys, item, "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty %s value. Key: %s"); err != nil {
		return "", err
	}
	for _, x := range t.indexes {
		for _, k := range x.Keys.each() {
			if v, ok := item[k.Name]; ok && attr.Type(v) != k.Type {
				return "", invalidf("One or more parameter values were invalid: Type mismatch for Index Key %s Expected: %s Actual: %s IndexName: %s", k.Name, k.Type, attr.Type(v), x.Name)
			}
		}
		if err := t.checkKeySizes(x.Keys, item, "One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty %s value. IndexName: "+x.Name+", IndexKey: %s"); err != nil {
			return "", err
		}
	}
	if item.ItemSize() > maxItem {
		return "", invalidf("Item size has exceeded the maximum allowed size")
	}
	return t.Keys.sortKey(item), nil
}

func (t *table) checkKeySizes(keys Keys, item attr.Map, empty string) error {
	for i, k := range keys.each() {
		v, ok := item[k.Name]
		if !ok || k.Type == "N" {
			continue
		}
		what, limit := "hashkey", 2048
		if i == 1 {
			what, limit = "rangekey", 1024
		}
		switch n := attr.Size(v); {
		case n == 0:
			return invalidf(empty, map[string]string{"S": "string", "B": "binary"}[k.Type], k.Name)
		case n > limit:
			return invalidf("One or more parameter values were invalid: Size of %s has exceeded the maximum size limit of%d bytes", what, limit)
		}
	}
	return nil
}

// checkKey returns the sort key for a key, or why it is not a key of the table.
func (t *table) checkKey(key attr.Map) (string, error) {
	keys := t.Keys.each()
	match := len(key) == len(keys)
	for _, k := range keys {
		match = match && key[k.Name] != nil && attr.Type(key[k.Name]) == k.Type
	}
	if !match {
		return "", invalidf("The provided key element does not match the schema")
	}
	if err := t.checkKeySizes(t.Keys, key, "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty %s value. Key: %s"); err != nil {
		return "", err
	}
	return t.Keys.sortKey(key), nil
}

// keyOf returns the key attributes of an item, for the table and, unless x is nil,
// the index.
func (t *table) keyOf(item attr.Map, x *index) attr.Map {
	keys := t.Keys.each()
	if x != nil {
		keys = append(keys, x.Keys.each()...)
	}
	out := make(attr.Map)
	for _, k := range keys {
		out[k.Name] = item[k.Name]
	}
	return out
}

// CreateTable creates a table.
func (s *Service) CreateTable(c TableConfig) (*TableStatus, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.settle(c.Name, now) != nil {
		return nil, errorf(ResourceInUse, "Table already exists: %s", c.Name)
	}
	t := &table{TableConfig: c, id: newID(), created: now, status: s.transition(c.Name, Creating, now)}
	for _, x := range slices.Concat(c.Global, c.Local) {
		t.indexes = append(t.indexes, newIndex(x))
	}
	s.tables[c.Name] = t
	d := t.describe(now)
	for i := range c.Global {
		d.Indexes[i].Status = d.Status
	}
	return d, nil
}

// transition returns a transition that starts now, for a table or one of its
// indexes.
func (s *Service) transition(table string, status Status, now time.Time) transition {
	return transition{status, now.Add(s.config.TransitionDelay), status == Creating && s.config.StaysCreating(table)}
}

// DescribeTable returns the status of a table.
func (s *Service) DescribeTable(name string) (*TableStatus, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	t, err := s.table(name, now)
	if err != nil {
		return nil, err
	}
	return t.describe(now), nil
}

// table returns a table that exists, in any status.
func (s *Service) table(name string, now time.Time) (*table, error) {
	if t := s.settle(name, now); t != nil {
		return t, nil
	}
	return nil, errorf(ResourceNotFound, "Requested resource not found: Table: %s not found", name)
}

// settle does what is due for a table and returns it, or nil if it does not exist.
// It removes a table whose deletion is complete, and releases what a fault no
// longer keeps CREATING.
func (s *Service) settle(name string, now time.Time) *table {
	t := s.tables[name]
	if t == nil || t.status.status == Deleting && !now.Before(t.status.until) {
		delete(s.tables, name)
		return nil
	}
	stuck := []*transition{&t.status}
	for _, x := range t.indexes {
		stuck = append(stuck, &x.status)
	}
	for _, transition := range stuck {
		transition.stuck = transition.stuck && s.config.StaysCreating(name)
	}
	return t
}

// usableTable returns a table whose items can be read and written.
func (s *Service) usableTable(name string) (*table, error) {
	now := time.Now()
	t := s.settle(name, now)
	if t == nil || t.status.at(now) == Creating {
		return nil, errorf(ResourceNotFound, "Requested resource not found")
	}
	return t, nil
}

// activeTable returns a table that can be changed.
func (s *Service) activeTable(name string, now time.Time) (*table, error) {
	t, err := s.table(name, now)
	if err != nil {
		return nil, err
	}
	if status := t.status.at(now); status != Active {
		return nil, errorf(ResourceInUse, "Attempt to change a resource which is still in use: Table is being %s: %s",
			map[Status]string{Creating: "created", Updating: "updated", Deleting: "deleted"}[status], name)
	}
	return t, nil
}

// DeleteTable deletes a table.
func (s *Service) DeleteTable(name string) (*TableStatus, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	t, err := s.activeTable(name, now)
	if err != nil {
		return nil, err
	}
	if t.Protected {
		return nil, invalidf("Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
	}
	t.status = s.transition(name, Deleting, now)
	d := t.describe(now)
	d.Status = Deleting // as AWS says, even if the table is already gone
	s.settle(name, now)
	return d, nil
}

// Tables returns up to limit sorted names after the name after, and whether there
// are more.
func (s *Service) Tables(after string, limit int) (names []string, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, name := range slices.Sorted(maps.Keys(s.tables)) {
		if name <= after || s.settle(name, now) == nil {
			continue
		}
		if len(names) == limit {
			return names, true
		}
		names = append(names, name)
	}
	return names, false
}

// TableChange is the argument of UpdateTable; nil fields change nothing.
type TableChange struct {
	Attributes []Key
	OnDemand   *bool
	Throughput *Throughput
	Protected  *bool
	Class      *string
	Create     *IndexConfig
	Delete     string
	Indexes    map[string]Throughput
}

// UpdateTable changes a table.
func (s *Service) UpdateTable(name string, c TableChange) (*TableStatus, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	t, err := s.activeTable(name, now)
	if err != nil {
		return nil, err
	}
	for _, x := range t.indexes {
		if x.status.at(now) != Active {
			return nil, errorf(ResourceInUse, "Attempt to change a resource which is still in use: Index is being created: %s", x.Name)
		}
	}
	for name := range c.Indexes {
		if _, ok := t.find(name); !ok {
			return nil, errorf(ResourceNotFound, "Requested resource not found: Index: %s not found", name)
		}
	}
	switch {
	case c.Create != nil:
		if err := s.createIndex(t, c, now); err != nil {
			return nil, err
		}
	case c.Delete != "":
		i := slices.IndexFunc(t.Global, func(x IndexConfig) bool { return x.Name == c.Delete })
		if i < 0 {
			return nil, errorf(ResourceNotFound, "Requested resource not found: Index: %s not found", c.Delete)
		}
		t.Global = slices.Delete(slices.Clone(t.Global), i, i+1)
		t.indexes = slices.Delete(t.indexes, i, i+1)
	}
	t.status = s.transition(name, Updating, now)
	if c.Attributes != nil {
		t.Attributes = mergeAttributes(t.Attributes, c.Attributes)
	}
	if c.OnDemand != nil {
		if t.OnDemand = *c.OnDemand; t.OnDemand {
			t.Throughput = Throughput{}
		}
	}
	if c.Protected != nil {
		t.Protected = *c.Protected
	}
	if c.Throughput != nil {
		t.Throughput = *c.Throughput
	}
	if c.Class != nil {
		t.Class = *c.Class
	}
	for name, throughput := range c.Indexes {
		x, _ := t.find(name)
		x.Throughput = throughput
	}
	return t.describe(now), nil
}

func mergeAttributes(old, given []Key) []Key {
	all := slices.Clone(old)
	for _, k := range given {
		if !slices.Contains(all, k) {
			all = append(all, k)
		}
	}
	return all
}

const maxGlobal = 20

func (s *Service) createIndex(t *table, c TableChange, now time.Time) error {
	if _, ok := t.find(c.Create.Name); ok {
		return invalidf("One or more parameter values were invalid: Index already exists: %s", c.Create.Name)
	}
	if len(t.Global) == maxGlobal {
		return errorf(LimitExceeded, "Subscriber limit exceeded: a table has at most %d global secondary indexes", maxGlobal)
	}
	x := newIndex(*c.Create)
	x.status = s.transition(t.Name, Creating, now)
	for _, e := range t.items.entries {
		x.put(e.item, e.key)
	}
	t.indexes = slices.Insert(t.indexes, len(t.Global), x)
	t.Global = append(slices.Clone(t.Global), *c.Create)
	return nil
}

// TableOf returns the name of a table, given its name or ARN.
func TableOf(nameOrARN string) string {
	if _, resource, ok := strings.Cut(nameOrARN, ":table/"); ok && strings.HasPrefix(nameOrARN, "arn:") {
		name, _, _ := strings.Cut(resource, "/")
		return name
	}
	return nameOrARN
}
