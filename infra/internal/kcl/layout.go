package kcl

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Layout is the set of tables that an application keeps its rows in.
type Layout int

const (
	// NoLayout is that of an application without tables.
	NoLayout Layout = iota
	// KCL2 is the lease table alone, without an index, with leases alone.
	KCL2
	// KCL3 is three tables. KCL 3.0 to 3.4 make it.
	KCL3
	// KCL35 is the lease table alone, with rows of every kind. KCL 3.5 makes it. The
	// other two tables may be left of an earlier version.
	KCL35
)

// DefaultLayout is the one that the daemon of this repository makes, KCL 3.1.3.
const DefaultLayout = KCL3

var layouts = []struct {
	of          Layout
	name, about string
}{
	{KCL2, "kcl2", "the lease table alone, as of KCL 2"},
	{KCL3, "kcl3", "three tables, as of KCL 3.0 to 3.4"},
	{KCL35, "kcl3.5", "one table for all, as of KCL 3.5"},
}

// ParseLayout reads the name of a layout.
func ParseLayout(name string) (Layout, error) {
	var names []string
	for _, l := range layouts {
		if l.name == strings.ToLower(name) {
			return l.of, nil
		}
		names = append(names, l.name)
	}
	return NoLayout, fmt.Errorf("layout %q is none of %s", name, strings.Join(names, ", "))
}

// String returns the name that ParseLayout reads, empty for NoLayout.
func (l Layout) String() string { name, _ := l.describe(); return name }

// About says in a few words what the layout is.
func (l Layout) About() string { _, about := l.describe(); return about }

func (l Layout) describe() (name, about string) {
	for _, of := range layouts {
		if of.of == l {
			return of.name, of.about
		}
	}
	return "", "no tables"
}

// In returns the tables that KCL makes in a layout, the lease table first. It must be
// made last: one that has its index and is alone is taken for a KCL35.
func (t Tables) In(l Layout) []Table {
	leases := t.Leases
	switch l {
	case KCL2:
		leases.Index = false
		return []Table{leases}
	case KCL3:
		return t.All()
	case KCL35:
		return []Table{leases}
	}
	return nil
}

// Layout tells the layout by the tables that are there, by name, and by their rows.
func (t Tables) Layout(found map[string]*types.TableDescription, rows Rows) Layout {
	leases := found[t.Leases.Name]
	switch {
	case found[t.CoordinatorState.Name] != nil, found[t.WorkerMetricStats.Name] != nil:
		if rows.oneTable() {
			return KCL35
		}
		return KCL3
	case leases == nil:
		return NoLayout
	case IndexStatus(leases) != "" || rows.inLeaseTable:
		return KCL35
	}
	return KCL2
}

// Kind is what a row is. KCL 3.5 writes it into the attribute entityType.
type Kind string

// The kinds of KCL 3.5.
const (
	KindLease         Kind = "LEASE"
	KindWorker        Kind = "WORKER_METRIC_STATS"
	KindLeader        Kind = "LEADER"
	KindClientVersion Kind = "CLIENT_VERSION_MIGRATION"
	KindTables        Kind = "TABLE_MIGRATION"
	KindStream        Kind = "STREAM"
)

// Keys of the rows that there is one of, in the coordinator's table and in the lease
// table of KCL35.
const (
	LeaderKey        = "Leader"
	clientVersionKey = "Migration3.0"
	tablesKey        = "TableMigration3.5"
)

// KindOf returns what a row is. Without an entityType, as versions before 3.5 write
// it, it is told by the table that the row is in, which each row shows by its key; it
// is empty for what KCL does not know.
func KindOf(row Item) Kind {
	if kind := Text(row, EntityType); kind != "" {
		return Kind(kind)
	}
	switch {
	case row[LeaseKey] != nil:
		return KindLease
	case row[WorkerID] != nil:
		return KindWorker
	}
	switch Text(row, StateKey) {
	case LeaderKey:
		return KindLeader
	case clientVersionKey:
		return KindClientVersion
	case tablesKey:
		return KindTables
	}
	return ""
}

// TableOf returns the table that a row is in.
func (t Tables) TableOf(row Item) Table {
	switch {
	case row[WorkerID] != nil && row[LeaseKey] == nil:
		return t.WorkerMetricStats
	case row[StateKey] != nil && row[LeaseKey] == nil:
		return t.CoordinatorState
	}
	return t.Leases
}

// WorkerOf returns the ID of the worker that a row of KindWorker is of.
func WorkerOf(row Item) string { return cmp.Or(Text(row, LeaseKey), Text(row, WorkerID)) }

// Rows are the rows of all tables of an application, by what they are.
type Rows struct {
	Leases []Item
	// Workers has the last report of each worker.
	Workers []Item
	// Streams are of KCL 3.5: which stream a name meant.
	Streams []Item
	// Leader is the lock that counts, nil without one.
	Leader Item
	// ClientVersion and TableMigration say how far an application is on its way from
	// KCL 2, and to one table. Nil without one.
	ClientVersion, TableMigration Item

	// inLeaseTable says that the lease table has rows that are no leases.
	inLeaseTable bool
}

// RowsOf sorts the rows of all tables. Of a kind that there is one of, it takes the
// row that KCL takes: that of the coordinator's table, or, once all rows are in the
// lease table, the lease table's.
func RowsOf(all []Item) Rows {
	var r Rows
	workers := map[string]int{}
	single := map[Kind][]Item{}
	for _, row := range all {
		kind := KindOf(row)
		r.inLeaseTable = r.inLeaseTable || kind != KindLease && row[LeaseKey] != nil
		switch kind {
		case KindLease:
			r.Leases = append(r.Leases, row)
		case KindStream:
			r.Streams = append(r.Streams, row)
		case KindWorker:
			id := WorkerOf(row)
			i, there := workers[id]
			if !there {
				workers[id] = len(r.Workers)
				r.Workers = append(r.Workers, row)
			} else if Int(r.Workers[i], LastUpdate) < Int(row, LastUpdate) {
				r.Workers[i] = row
			}
		default:
			single[kind] = append(single[kind], row)
		}
	}
	coordinators := func(row Item) bool { return row[LeaseKey] == nil }
	pick := func(kind Kind) Item {
		rows := single[kind]
		if i := slices.IndexFunc(rows, coordinators); i >= 0 && !r.oneTable() {
			return rows[i]
		}
		if i := slices.IndexFunc(rows, func(row Item) bool { return !coordinators(row) }); i >= 0 {
			return rows[i]
		}
		return nil
	}
	r.TableMigration = pick(KindTables)
	r.ClientVersion = pick(KindClientVersion)
	r.Leader = pick(KindLeader)
	slices.SortFunc(r.Leases, func(x, y Item) int { return strings.Compare(KeyOf(x), KeyOf(y)) })
	slices.SortFunc(r.Workers, func(x, y Item) int { return strings.Compare(WorkerOf(x), WorkerOf(y)) })
	return r
}

// LeaderOf returns the worker that holds the leader lock, empty when nobody does.
func (r Rows) LeaderOf() string {
	if _, released := r.Leader[LockReleased]; released {
		return ""
	}
	return Text(r.Leader, LockOwner)
}

const (
	clientVersion = "cv"
	tableStatus   = "tm"
	modified      = "mts" // milliseconds since the epoch

	complete             = "TABLE_MIGRATION_STATUS_COMPLETE"
	clientVersion3       = "CLIENT_VERSION_3X"
	clientVersion2       = "CLIENT_VERSION_2X"
	clientVersionUpgrade = "CLIENT_VERSION_UPGRADE_FROM_2X"
)

// oneTable tells whether an application of three tables has moved to one.
func (r Rows) oneTable() bool { return Text(r.TableMigration, tableStatus) == complete }

// AsKCL2 tells whether workers of KCL 3 deal out leases as KCL 2 does, without a
// leader lock.
func (r Rows) AsKCL2() bool {
	state := Text(r.ClientVersion, clientVersion)
	return state == clientVersionUpgrade || state == clientVersion2
}

// Migration is an application on its way from one layout to another.
type Migration struct {
	// What goes on, State as KCL names it, since when.
	What  string    `json:"what"`
	State string    `json:"state"`
	Since time.Time `json:"since"`
}

func (m Migration) String() string {
	return fmt.Sprintf("migration %s: %s since %s", m.What, m.State, m.Since.Format(time.RFC3339))
}

// Migrations returns what an application is on its way to; nothing in a steady state.
//
// Where TableMigration is
//
//   - INIT, leases are in the lease table and all else is in the other two. Rows are
//     read from all three.
//   - DEPLOYED, the same, until workers with migrateAllEntitiesToLeaseTable start: they
//     write all into the lease table, and the leader moves the coordinator's rows there.
//   - PENDING, everything but the leader lock is in the lease table, and is still
//     read from all three: a worker may fall back to DEPLOYED.
//   - COMPLETE, the lease table alone is read and written.
//
// Where ClientVersion is UPGRADE_FROM_2X or 2X, workers deal out leases as KCL 2 does;
// with 3X_WITH_ROLLBACK as KCL 3, and may fall back.
func (r Rows) Migrations() []Migration {
	var list []Migration
	add := func(row Item, attribute, steady, prefix, what string) {
		state := Text(row, attribute)
		if state == "" || state == steady {
			return
		}
		list = append(list, Migration{what, strings.TrimPrefix(state, prefix), time.UnixMilli(Int(row, modified)).UTC()})
	}
	add(r.ClientVersion, clientVersion, clientVersion3, "CLIENT_VERSION_", "from KCL 2 to 3")
	add(r.TableMigration, tableStatus, complete, "TABLE_MIGRATION_STATUS_", "from three tables to one")
	return list
}
