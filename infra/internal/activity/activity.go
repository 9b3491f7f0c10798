// Package activity finds out whether workers of an application are running, from what
// they write to its tables:
//
//	if report := snapshot.RecentReport(time.Now()); report != "" { ... } // it runs
//	// else look at the tables again, for snapshot.WatchTime():
//	if change := activity.Change(snapshot, later); change != "" { ... } // it runs
//
// A lease has a counter, which its owner increases at each renewal, every third of
// failoverTimeMillis (3.3 s by default). It has no time. So there are two signs:
//
//   - A worker of KCL 3 reports: it writes the time of its clock into its own row, every
//     30 seconds by default. A worker that reported within the last 90 seconds may have
//     renewed a lease within the last minute.
//   - If leases or the leader lock have an owner without such a recent report, the owner
//     may be dead, slow to report, or a worker of KCL 2, which does not report. Then the
//     counters are watched. If every owner has reported once, WatchReported is enough,
//     for a failoverTimeMillis of up to 36 seconds. If an owner has never reported,
//     WatchUnreported is enough, for up to three minutes, and for the leader lock, which
//     is renewed every 30 seconds.
//
// This misses a worker that reports less often than every 30 seconds, or whose clock is
// slow, if it died within the last minute or has a failoverTimeMillis over 36 seconds.
package activity

import (
	"cmp"
	"fmt"
	"time"

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

// MaxReportAge is how old a recent report may be. The others are how long counters are
// watched.
const (
	MaxReportAge    = 90 * time.Second
	WatchReported   = 12 * time.Second
	WatchUnreported = time.Minute
)

// Snapshot is the content of an application's tables at one time.
type Snapshot struct {
	// Leases are the leases, Workers the last report of each worker.
	Leases, Workers []kcl.Item
	// Leader is the leader lock, or nil.
	Leader kcl.Item
}

// owners returns the workers that own leases or the leader lock.
func (s Snapshot) owners() map[string]bool {
	owners := map[string]bool{}
	for _, lease := range s.Leases {
		for _, attribute := range []string{kcl.LeaseOwner, kcl.CheckpointOwner} {
			if owner := kcl.Text(lease, attribute); owner != "" {
				owners[owner] = true
			}
		}
	}
	if _, released := s.Leader[kcl.LockReleased]; !released && s.Leader != nil {
		owners[kcl.Text(s.Leader, kcl.LockOwner)] = true
	}
	return owners
}

// RecentReport describes a report of a worker within MaxReportAge, and returns "" if there
// is none. A time in the future counts too, because clocks differ.
func (s Snapshot) RecentReport(now time.Time) string {
	for _, worker := range s.Workers {
		if age := now.Sub(time.Unix(kcl.Int(worker, kcl.LastUpdate), 0)); age < MaxReportAge {
			return fmt.Sprintf("worker %s reported %d s ago", kcl.WorkerOf(worker), max(0, int(age.Seconds())))
		}
	}
	return ""
}

// TimeUntilQuiet returns how long it takes until RecentReport returns "".
func (s Snapshot) TimeUntilQuiet(now time.Time) (quiet time.Duration) {
	for _, worker := range s.Workers {
		age := now.Sub(time.Unix(kcl.Int(worker, kcl.LastUpdate), 0))
		quiet = max(quiet, MaxReportAge-max(0, age))
	}
	return quiet
}

// WatchTime returns how long the counters must be watched before the workers may be
// considered dead. It is 0 if nothing has an owner.
func (s Snapshot) WatchTime() time.Duration {
	reported := map[string]bool{}
	for _, worker := range s.Workers {
		reported[kcl.WorkerOf(worker)] = true
	}
	watch := time.Duration(0)
	for owner := range s.owners() {
		if !reported[owner] {
			return WatchUnreported
		}
		watch = WatchReported
	}
	return watch
}

// Change describes a write of a worker between two snapshots, and returns "" if there was
// none.
func Change(before, after Snapshot) string {
	counters := before.counters()
	for _, lease := range after.Leases {
		counter, existed := counters[kcl.KeyOf(lease)]
		switch {
		case !existed:
			return fmt.Sprintf("lease %s was created just now", kcl.KeyOf(lease))
		case counter != kcl.Text(lease, kcl.LeaseCounter):
			return fmt.Sprintf("worker %s renewed lease %s just now", kcl.Text(lease, kcl.LeaseOwner), kcl.KeyOf(lease))
		}
	}
	if v := kcl.Text(after.Leader, kcl.LockVersion); v != "" && v != kcl.Text(before.Leader, kcl.LockVersion) {
		return fmt.Sprintf("worker %s renewed the leader lock just now", kcl.Text(after.Leader, kcl.LockOwner))
	}
	updates := before.updates()
	for _, worker := range after.Workers {
		if id := kcl.WorkerOf(worker); updates[id] != kcl.Text(worker, kcl.LastUpdate) {
			return fmt.Sprintf("worker %s reported just now", id)
		}
	}
	return ""
}

// ActiveWorkers returns the workers that renewed a lease or reported between two
// snapshots. While a lease is being handed over, its old owner renews it.
func ActiveWorkers(before, after Snapshot) map[string]bool {
	active := map[string]bool{}
	counters := before.counters()
	for _, lease := range after.Leases {
		if counters[kcl.KeyOf(lease)] != kcl.Text(lease, kcl.LeaseCounter) {
			active[cmp.Or(kcl.Text(lease, kcl.CheckpointOwner), kcl.Text(lease, kcl.LeaseOwner))] = true
		}
	}
	updates := before.updates()
	for _, worker := range after.Workers {
		if id := kcl.WorkerOf(worker); updates[id] != kcl.Text(worker, kcl.LastUpdate) {
			active[id] = true
		}
	}
	return active
}

// counters returns the counter of each lease by its key.
func (s Snapshot) counters() map[string]string {
	counters := map[string]string{}
	for _, lease := range s.Leases {
		counters[kcl.KeyOf(lease)] = kcl.Text(lease, kcl.LeaseCounter)
	}
	return counters
}

// updates returns the time of each worker's last report by its ID.
func (s Snapshot) updates() map[string]string {
	updates := map[string]string{}
	for _, worker := range s.Workers {
		updates[kcl.WorkerOf(worker)] = kcl.Text(worker, kcl.LastUpdate)
	}
	return updates
}
