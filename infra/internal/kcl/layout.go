package kcl

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Layout is the set of tables in which an application keeps its rows.
type Layout int

const (
	// NoLayout is the layout of an application without tables.
	NoLayout Layout = iota
	// KCL2 is only the lease table, without an index. Its rows are leases.
	KCL2
	// KCL3 is three tables. KCL 3.0 to 3.4 create it.
	KCL3
	// KCL35 is only the lease table, with rows of every kind. KCL 3.5 creates it. The
	// other two tables of an earlier version may still exist.
	KCL35
)

// DefaultLayout is the layout that KCL 3.1.3 creates, which this repository runs.
const DefaultLayout = KCL3

var layouts = []struct {
	layout            Layout
	name, description string
}{
	{KCL2, "kcl2", "only the lease table, as of KCL 2"},
	{KCL3, "kcl3", "three tables, as of KCL 3.0 to 3.4"},
	{KCL35, "kcl3.5", "one table for all, as of KCL 3.5"},
}

// ParseLayout reads the name of a layout.
func ParseLayout(name string) (Layout, error) {
	var names []string
	for _, l := range layouts {
		if l.name == strings.ToLower(name) {
			return l.layout, nil
		}
		names = append(names, l.name)
	}
	return NoLayout, fmt.Errorf("layout %q is none of %s", name, strings.Join(names, ", "))
}

// String returns the name that ParseLayout parses, and "" for NoLayout.
func (l Layout) String() string { name, _ := l.describe(); return name }

// Description says in a few words which tables the layout has.
func (l Layout) Description() string { _, description := l.describe(); return description }

func (l Layout) describe() (name, description string) {
	for _, known := range layouts {
		if known.layout == l {
			return known.name, known.description
		}
	}
	return "", "no tables"
}

// InLayout returns the tables that KCL creates in a layout, the lease table first. Create
// the lease table last: alone and with its index it would look like KCL35.
func (t Tables) InLayout(l Layout) []Table {
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

// DetectLayout returns the layout of the tables that exist, which found has by name, and
// of their rows.
func (t Tables) DetectLayout(found map[string]*types.TableDescription, rows Rows) Layout {
	leases := found[t.Leases.Name]
	switch {
	case found[t.CoordinatorState.Name] != nil, found[t.WorkerMetricStats.Name] != nil:
		if rows.oneTable() {
			return KCL35
		}
		return KCL3
	case leases == nil:
		return NoLayout
	case IndexStatus(leases) != "" || rows.othersInLeaseTable:
		return KCL35
	}
	return KCL2
}

// Kind is the kind of a row. KCL 3.5 writes it into the attribute entityType.
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

// Keys of single rows, in the coordinator's table and in the lease table of KCL35.
const (
	LeaderKey        = "Leader"
	clientVersionKey = "Migration3.0"
	tablesKey        = "TableMigration3.5"
)

// KindOf returns the kind of a row, and "" if KCL does not know it. Versions before 3.5
// write no entityType. There the kind follows from the row's table, which its key shows.
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

// TableOf returns the table that contains a row.
func (t Tables) TableOf(row Item) Table {
	switch {
	case row[WorkerID] != nil && row[LeaseKey] == nil:
		return t.WorkerMetricStats
	case row[StateKey] != nil && row[LeaseKey] == nil:
		return t.CoordinatorState
	}
	return t.Leases
}

// WorkerOf returns the ID of the worker that wrote a row of KindWorker.
func WorkerOf(row Item) string { return cmp.Or(Text(row, LeaseKey), Text(row, WorkerID)) }

// Rows are the rows of all tables of an application, sorted by kind.
type Rows struct {
	Leases []Item
	// Workers has the last report of each worker.
	Workers []Item
	// Streams are rows of KCL 3.5 that say which stream a name means.
	Streams []Item
	// Leader is the leader lock that KCL uses, or nil.
	Leader Item
	// ClientVersion and TableMigration are the states of the migrations from KCL 2 and
	// to one table, or nil.
	ClientVersion, TableMigration Item

	// othersInLeaseTable is whether the lease table has rows that are not leases.
	othersInLeaseTable bool
}

// SortRows sorts the rows of all tables by kind. If both tables have the single row of a
// kind, it takes the row that KCL uses: that of the coordinator's table, and after the
// migration to one table that of the lease table.
func SortRows(all []Item) Rows {
	var r Rows
	workers := map[string]int{}
	single := map[Kind][]Item{}
	for _, row := range all {
		kind := KindOf(row)
		r.othersInLeaseTable = r.othersInLeaseTable || kind != KindLease && row[LeaseKey] != nil
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
	inCoordinatorTable := func(row Item) bool { return row[LeaseKey] == nil }
	pick := func(kind Kind) Item {
		rows := single[kind]
		if i := slices.IndexFunc(rows, inCoordinatorTable); i >= 0 && !r.oneTable() {
			return rows[i]
		}
		if i := slices.IndexFunc(rows, func(row Item) bool { return !inCoordinatorTable(row) }); i >= 0 {
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

// LeaderOf returns the ID of the worker that holds the leader lock, and "" if none does.
func (r Rows) LeaderOf() string {
	if _, released := r.Leader[LockReleased]; released {
		return ""
	}
	return Text(r.Leader, LockOwner)
}

const (
	clientVersion = "cv"
	tableStatus   = "tm"
	modified      = "mts" // milliseconds since 1970

	complete             = "TABLE_MIGRATION_STATUS_COMPLETE"
	clientVersion3       = "CLIENT_VERSION_3X"
	clientVersion2       = "CLIENT_VERSION_2X"
	clientVersionUpgrade = "CLIENT_VERSION_UPGRADE_FROM_2X"
)

// oneTable reports whether an application has migrated from three tables to one.
func (r Rows) oneTable() bool { return Text(r.TableMigration, tableStatus) == complete }

// AssignsAsKCL2 reports whether workers of KCL 3 assign leases as KCL 2 does, without a
// leader.
func (r Rows) AssignsAsKCL2() bool {
	state := Text(r.ClientVersion, clientVersion)
	return state == clientVersionUpgrade || state == clientVersion2
}

// Migration is a migration of an application that is not finished.
type Migration struct {
	// What is the migration, such as "from KCL 2 to 3". State is KCL's name for its
	// state, and Since when that began.
	What  string    `json:"what"`
	State string    `json:"state"`
	Since time.Time `json:"since"`
}

func (m Migration) String() string {
	return fmt.Sprintf("migration %s: %s since %s", m.What, m.State, m.Since.Format(time.RFC3339))
}

// Migrations returns the migrations of an application that are not finished.
//
// The states of TableMigration:
//
//   - INIT: leases are in the lease table, all other rows in the other two. KCL reads all
//     three tables.
//   - DEPLOYED: the same, until workers with migrateAllEntitiesToLeaseTable start. They
//     write all rows into the lease table, and the leader moves the coordinator's rows
//     there.
//   - PENDING: all rows but the leader lock are in the lease table. KCL still reads all
//     three tables, because a worker may go back to DEPLOYED.
//   - COMPLETE: KCL reads and writes only the lease table.
//
// The states of ClientVersion: with UPGRADE_FROM_2X and 2X, workers assign leases as KCL 2
// does. With 3X_WITH_ROLLBACK they do as KCL 3, and may go back.
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
