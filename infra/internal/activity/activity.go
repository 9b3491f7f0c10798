// Package activity tells whether workers of an application are running, from
// what they leave in its tables.
//
// A lease holds a counter that its owner raises at each renewal, every third of
// failoverTimeMillis (3.3 s by default), and no time. So there are two signs:
//
//   - A worker of KCL 3 reports: it writes the time of its clock into a row of its
//     own, every 30 seconds by default. One that wrote within the last 90
//     seconds may have renewed a lease within the last minute.
//   - Where leases or the leader lock have an owner without such a recent entry,
//     the owner may be dead, slow to report, or a KCL 2 that does not report:
//     then their counters are watched. For WatchReported when every owner has an
//     entry, if an old one: enough for a failoverTimeMillis of up to 36 seconds.
//     For WatchUnreported when one has none: enough for up to three minutes, and
//     for the leader lock, which is renewed every 30 seconds.
//
// What this can miss: a worker that reports less often than every 30 seconds, or
// whose clock is behind, if it died within the last minute or has a
// failoverTimeMillis over 36 seconds.
package activity

import (
	"cmp"
	"fmt"
	"time"

	"github.com/seed96110120/kinesis-client-go/infra/internal/kcl"
)

// How far back a worker's entry counts, and how long counters are watched.
const (
	Recent          = 90 * time.Second
	WatchReported   = 12 * time.Second
	WatchUnreported = time.Minute
)

// Snapshot is what the tables of an application held at one time.
type Snapshot struct {
	// Leases, and the last report of each worker.
	Leases, Workers []kcl.Item
	// Leader is the leader lock, nil without one.
	Leader kcl.Item
}

// owners are the workers that leases or the leader lock say they belong to.
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

// Reported returns the sign of a worker that wrote its metrics recently, ""
// without one. A time in the future counts: clocks differ.
func (s Snapshot) Reported(now time.Time) string {
	for _, worker := range s.Workers {
		if age := now.Sub(time.Unix(kcl.Int(worker, kcl.LastUpdate), 0)); age < Recent {
			return fmt.Sprintf("worker %s reported %d s ago", kcl.WorkerOf(worker), max(0, int(age.Seconds())))
		}
	}
	return ""
}

// Quiet returns how long it takes until Reported has no sign.
func (s Snapshot) Quiet(now time.Time) (quiet time.Duration) {
	for _, worker := range s.Workers {
		age := now.Sub(time.Unix(kcl.Int(worker, kcl.LastUpdate), 0))
		quiet = max(quiet, Recent-max(0, age))
	}
	return quiet
}

// Watch returns how long the counters must be watched before the workers may be
// taken for dead; 0 when nothing has an owner.
func (s Snapshot) Watch() time.Duration {
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

// Change returns the sign of a worker that wrote between two snapshots, "" when
// there is none.
func Change(before, after Snapshot) string {
	counters := map[string]string{}
	for _, lease := range before.Leases {
		counters[kcl.KeyOf(lease)] = kcl.Text(lease, kcl.LeaseCounter)
	}
	for _, lease := range after.Leases {
		counter, there := counters[kcl.KeyOf(lease)]
		switch {
		case !there:
			return fmt.Sprintf("lease %s was made just now", kcl.KeyOf(lease))
		case counter != kcl.Text(lease, kcl.LeaseCounter):
			return fmt.Sprintf("worker %s renewed lease %s just now", kcl.Text(lease, kcl.LeaseOwner), kcl.KeyOf(lease))
		}
	}
	if v := kcl.Text(after.Leader, kcl.LockVersion); v != "" && v != kcl.Text(before.Leader, kcl.LockVersion) {
		return fmt.Sprintf("worker %s renewed the leader lock just now", kcl.Text(after.Leader, kcl.LockOwner))
	}
	updates := map[string]string{}
	for _, worker := range before.Workers {
		updates[kcl.WorkerOf(worker)] = kcl.Text(worker, kcl.LastUpdate)
	}
	for _, worker := range after.Workers {
		if id := kcl.WorkerOf(worker); updates[id] != kcl.Text(worker, kcl.LastUpdate) {
			return fmt.Sprintf("worker %s reported just now", id)
		}
	}
	return ""
}

// Alive returns the workers that renewed a lease or reported between two snapshots. Of
// a lease that is being handed over the worker that has it still renews it.
func Alive(before, after Snapshot) map[string]bool {
	alive := map[string]bool{}
	counters := map[string]string{}
	for _, lease := range before.Leases {
		counters[kcl.KeyOf(lease)] = kcl.Text(lease, kcl.LeaseCounter)
	}
	for _, lease := range after.Leases {
		if counters[kcl.KeyOf(lease)] != kcl.Text(lease, kcl.LeaseCounter) {
			alive[cmp.Or(kcl.Text(lease, kcl.CheckpointOwner), kcl.Text(lease, kcl.LeaseOwner))] = true
		}
	}
	updates := map[string]string{}
	for _, worker := range before.Workers {
		updates[kcl.WorkerOf(worker)] = kcl.Text(worker, kcl.LastUpdate)
	}
	for _, worker := range after.Workers {
		if id := kcl.WorkerOf(worker); updates[id] != kcl.Text(worker, kcl.LastUpdate) {
			alive[id] = true
		}
	}
	return alive
}
