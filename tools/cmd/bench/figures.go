package main

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// A sample has one figure of each round.
//
// Absolute numbers of two runs on a shared machine say little. Contenders are therefore
// measured in turns, see inTurns, and compared within a round, see ratio.
type sample []float64

// median returns the middle value, or the mean of the two middle ones.
func (s sample) median() float64 {
	sorted := slices.Sorted(slices.Values(s))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// text formats the median by a verb for one number, such as "%.2f".
func (s sample) text(verb string) string { return fmt.Sprintf(verb, s.median()) }

// withRange formats the median, with the least and the greatest of several values.
func (s sample) withRange(verb string) string {
	if len(s) == 1 {
		return s.text(verb)
	}
	return fmt.Sprintf(verb+" ("+verb+" to "+verb+")", s.median(), slices.Min(s), slices.Max(s))
}

// ratio divides a by b round by round. When the machine's speed drifts, the median of
// the ratios is steadier than the ratio of the medians.
func ratio(a, b sample) sample {
	return combine(a, b, func(a, b float64) float64 { return a / b })
}

// combine applies one to a and b round by round.
func combine(a, b sample, one func(a, b float64) float64) sample {
	combined := make(sample, len(a))
	for i := range a {
		combined[i] = one(a[i], b[i])
	}
	return combined
}

// interval returns values of the sample that enclose the true median with a
// probability of 95%, whatever the distribution: each value is below the median with
// probability 1/2. Fewer than 6 values have no such interval; then it is their range.
func (s sample) interval() (low, high float64) {
	sorted := slices.Sorted(slices.Values(s))
	n := len(sorted)
	outside, below := 0.0, math.Pow(0.5, float64(n)) // below: the probability that exactly k values are
	k := 0
	for outside+2*below <= 0.05 {
		outside += 2 * below
		below *= float64(n-k) / float64(k+1)
		k++
	}
	k = max(k-1, 0)
	return sorted[k], sorted[n-1-k]
}

// withInterval is withRange with the interval.
func (s sample) withInterval(verb string) string {
	low, high := s.interval()
	return fmt.Sprintf("%s, "+verb+" to "+verb, s.withRange(verb), low, high)
}

// inTurns calls measure for each of n contenders in each of the rounds. Each round
// begins with another contender, so that none always has the same predecessor. It stops
// at the first error and when ctx ends.
func inTurns(ctx context.Context, rounds, n int, measure func(round, contender int) error) error {
	for round := range rounds {
		for i := range n {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			if err := measure(round, (round+i)%n); err != nil {
				return fmt.Errorf("round %d: %w", round+1, err)
			}
		}
	}
	return nil
}
