//go:build linux

package main

import (
	"iter"
	"math/rand/v2"
	"time"
)

// planned is a fault of the schedule: all of it that is known before the run. Which
// host and which shard has the role that the kind asks for only the run can tell.
type planned struct {
	kind   *kind
	random uint64        // decides what the kind leaves open
	pause  time.Duration // after the fault before
}

// schedule returns the faults of a seed, without end. Each round has every kind once;
// those that take minutes come last in the first, and in every second one.
func schedule(seed uint64, kinds []*kind) iter.Seq[planned] {
	return func(yield func(planned) bool) {
		random := rand.New(rand.NewPCG(seed, 0))
		for round := 0; ; round++ {
			var order, slow []*kind
			for _, k := range kinds {
				if k.slow {
					slow = append(slow, k)
				} else {
					order = append(order, k)
				}
			}
			random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			if round%2 == 0 || len(order) == 0 {
				order = append(order, slow...)
			}
			for _, k := range order {
				if !yield(planned{k, random.Uint64(), time.Duration(random.Int64N(int64(longestPause)))}) {
					return
				}
			}
		}
	}
}

const longestPause = 3 * time.Second
