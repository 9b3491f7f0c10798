package kcl

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// rowsIn reads rows of testdata, with values of JSON. A list of strings is a set.
func rowsIn(t *testing.T, name string) (rows []Item) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.UseNumber()
		var row map[string]any
		if err := decoder.Decode(&row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, valueOf(row).(*ddb.AttributeValueMemberM).Value)
	}
	return rows
}

func valueOf(v any) ddb.AttributeValue {
	switch v := v.(type) {
	case json.Number:
		return &ddb.AttributeValueMemberN{Value: v.String()}
	case map[string]any:
		m := Item{}
		for name, value := range v {
			m[name] = valueOf(value)
		}
		return &ddb.AttributeValueMemberM{Value: m}
	case []any:
		var list []ddb.AttributeValue
		var set []string
		for _, value := range v {
			if s, ok := value.(string); ok {
				set = append(set, s)
			}
			list = append(list, valueOf(value))
		}
		if len(set) > 0 {
			return &ddb.AttributeValueMemberSS{Value: set}
		}
		return &ddb.AttributeValueMemberL{Value: list}
	}
	return &ddb.AttributeValueMemberS{Value: v.(string)}
}

// row returns a row with string attributes.
func row(pairs ...string) Item {
	r := Item{}
	for i := 0; i < len(pairs); i += 2 {
		r[pairs[i]] = &ddb.AttributeValueMemberS{Value: pairs[i+1]}
	}
	return r
}

// there describes tables as they are created.
func there(t Tables, index bool, which ...Table) map[string]*ddb.TableDescription {
	found := map[string]*ddb.TableDescription{}
	for _, table := range which {
		table.Index = table.Index && index
		found[table.Name] = describe(table.CreateInput())
	}
	return found
}

// The rows and tables of each version are recognized. The rows are what 2.5.4 and 3.5.1
// wrote. Those of 3.1.3 are made by hand.
func TestRowsOfEachVersion(t *testing.T) {
	tables := TablesOf("app")
	for _, tt := range []struct {
		file        string
		layout      Layout
		leases      int
		workers     []string
		leader      string
		leaderTable string
	}{
		{"kcl-2.5.4", KCL2, 4, nil, "", ""},
		{"kcl-3.1.3", KCL3, 1, []string{"worker-1", "worker-2"}, "worker-1", "app-CoordinatorState"},
		{"kcl-3.5.1", KCL35, 4, []string{"worker-1"}, "worker-1", "app"},
	} {
		t.Run(tt.file, func(t *testing.T) {
			rows := SortRows(rowsIn(t, tt.file))
			var workers []string
			for _, worker := range rows.Workers {
				workers = append(workers, WorkerOf(worker))
			}
			if len(rows.Leases) != tt.leases || !slices.Equal(workers, tt.workers) {
				t.Errorf("%d leases, workers %v, want %d, %v", len(rows.Leases), workers, tt.leases, tt.workers)
			}
			for _, lease := range rows.Leases {
				if !strings.HasPrefix(ShardOf(lease), "shardId-") {
					t.Errorf("lease of %s, want the ID of a shard", ShardOf(lease))
				}
			}
			if got := rows.LeaderOf(); got != tt.leader {
				t.Errorf("leader %q, want %q", got, tt.leader)
			}
			if rows.Leader != nil && tables.TableOf(rows.Leader).Name != tt.leaderTable {
				t.Errorf("the leader is in %s, want %s", tables.TableOf(rows.Leader).Name, tt.leaderTable)
			}
			if m := rows.Migrations(); len(m) != 0 {
				t.Errorf("migrations %+v, want none", m)
			}
			made := there(tables, tt.layout != KCL2, tables.InLayout(tt.layout)...)
			if got := tables.DetectLayout(made, rows); got != tt.layout {
				t.Errorf("layout %v, want %v", got, tt.layout)
			}
			if got := tables.DetectLayout(made, Rows{}); got != tt.layout {
				t.Errorf("layout %v without rows, want %v", got, tt.layout)
			}
		})
	}
}

// Migrations are recognized by the rows that KCL 3.5.1 writes meanwhile.
func TestMigrations(t *testing.T) {
	const tm, cv = "TABLE_MIGRATION_STATUS_", "CLIENT_VERSION_"
	tables := TablesOf("app")
	coordinator := func(status string) Item { return row(StateKey, tablesKey, tableStatus, tm+status) }
	oldLock, newLock := row(StateKey, LeaderKey, LockOwner, "old"), row(LeaseKey, LeaderKey, EntityType, string(KindLeader), LockOwner, "new")
	lease := row(LeaseKey, "shardId-0", EntityType, string(KindLease))
	for _, tt := range []struct {
		name   string
		rows   []Item
		one    bool // only the lease table exists
		want   string
		layout Layout
		leader string
	}{
		{"three tables under 3.5", []Item{lease, oldLock}, false, "", KCL3, "old"},
		{"INIT", []Item{coordinator("INIT"), oldLock}, false, "from three tables to one INIT", KCL3, "old"},
		{"DEPLOYED", []Item{coordinator("DEPLOYED"), oldLock}, false, "from three tables to one DEPLOYED", KCL3, "old"},
		{
			"PENDING",
			[]Item{
				row(LeaseKey, clientVersionKey, EntityType, string(KindClientVersion), clientVersion, clientVersion3),
				coordinator("PENDING"), oldLock, newLock,
			},
			false, "from three tables to one PENDING", KCL3, "old",
		},
		{
			"COMPLETE",
			[]Item{
				coordinator("COMPLETE"), oldLock, newLock,
				row(LeaseKey, tablesKey, EntityType, string(KindTables), tableStatus, complete),
			},
			false, "", KCL35, "new",
		},
		{"COMPLETE, before there is a leader again", []Item{coordinator("COMPLETE"), oldLock}, false, "", KCL35, ""},
		{
			"COMPLETE, with the old tables deleted",
			[]Item{newLock, row(LeaseKey, tablesKey, EntityType, string(KindTables), tableStatus, complete)},
			true, "", KCL35, "new",
		},
		{"from KCL 2 under 3.1", []Item{row(StateKey, clientVersionKey, clientVersion, cv+"UPGRADE_FROM_2X")}, false, "from KCL 2 to 3 UPGRADE_FROM_2X", KCL3, ""},
		{
			"from KCL 2 under 3.5",
			[]Item{row(LeaseKey, clientVersionKey, EntityType, string(KindClientVersion), clientVersion, cv+"3X_WITH_ROLLBACK")},
			true, "from KCL 2 to 3 3X_WITH_ROLLBACK", KCL35, "",
		},
		{"KCL 3.5 as KCL 2", []Item{lease}, true, "", KCL2, ""},
		{"a released lock", []Item{row(StateKey, LeaderKey, LockOwner, "old", LockReleased, "1")}, false, "", KCL3, ""},
	} {
		rows := SortRows(tt.rows)
		got := ""
		for _, m := range rows.Migrations() {
			got += m.What + " " + m.State
		}
		if got != tt.want || rows.LeaderOf() != tt.leader {
			t.Errorf("%s: %q, leader %q, want %q, leader %q", tt.name, got, rows.LeaderOf(), tt.want, tt.leader)
		}
		which := tables.All()
		if tt.one {
			which = which[:1]
		}
		if got := tables.DetectLayout(there(tables, false, which...), rows); got != tt.layout {
			t.Errorf("%s: layout %v, want %v", tt.name, got, tt.layout)
		}
	}
	if got := tables.DetectLayout(nil, Rows{}); got != NoLayout {
		t.Errorf("no tables: layout %v, want none", got)
	}
}

// If a worker reported in both tables, its last report counts. A row of an unknown kind is
// no lease.
func TestSortRows(t *testing.T) {
	report := func(key, kind, seconds string) Item {
		r := row(key, "w", LastUpdate, "")
		r[LastUpdate] = &ddb.AttributeValueMemberN{Value: seconds}
		if kind != "" {
			r[EntityType] = &ddb.AttributeValueMemberS{Value: kind}
		}
		return r
	}
	before, after := report(WorkerID, "", "1795966504"), report(LeaseKey, string(KindWorker), "1795966624")
	for _, rows := range [][]Item{{before, after}, {after, before}} {
		got := SortRows(append(rows, row(LeaseKey, "x", EntityType, "NEW"), row(StateKey, "y"), row(LeaseKey, "1:orders:2", EntityType, string(KindStream))))
		if !reflect.DeepEqual(got.Workers, []Item{after}) || len(got.Leases) != 0 || got.Leader != nil || len(got.Streams) != 1 {
			t.Errorf("got %+v, want the last report, a stream, no lease and no leader", got)
		}
	}
	state := row(StateKey, tablesKey, tableStatus, "TABLE_MIGRATION_STATUS_INIT")
	state[modified] = &ddb.AttributeValueMemberN{Value: "1795966522134"}
	if m := SortRows([]Item{state}).Migrations(); !m[0].Since.Equal(time.Date(2026, 11, 29, 15, 35, 22, 134e6, time.UTC)) {
		t.Errorf("since %v, want 2026-11-29T15:35:22.134Z", m[0].Since)
	}
}

func TestParseLayout(t *testing.T) {
	for _, l := range []Layout{KCL2, KCL3, KCL35} {
		if got, err := ParseLayout(strings.ToUpper(l.String())); got != l || err != nil || l.Description() == "" {
			t.Errorf("%v: got %v, error %v, want the same with a description", l, got, err)
		}
	}
	if _, err := ParseLayout("kcl4"); err == nil || !strings.Contains(err.Error(), "kcl2, kcl3, kcl3.5") {
		t.Errorf("kcl4: error %v, want one that lists the layouts", err)
	}
	if NoLayout.Description() == "" {
		t.Error("no description of NoLayout, want one")
	}
}
