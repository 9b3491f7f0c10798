package main

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// A sample is one figure, measured once in each round.
//
// Absolute numbers of two runs on a shared machine say little. What is compared
// is therefore measured in turns, see inTurns, and related to each other within
// a round, see ratio.
type sample []float64

// median returns the middle value, the mean of the two middle ones for an even
// number.
func (s sample) median() float64 {
	sorted := slices.Sorted(slices.Values(s))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// text formats the median; verb is that of one number, "%.2f" say.
func (s sample) text(verb string) string { return fmt.Sprintf(verb, s.median()) }

// span formats the median with the least and the greatest value, if there are.
func (s sample) span(verb string) string {
	if len(s) == 1 {
		return s.text(verb)
	}
	return fmt.Sprintf(verb+" ("+verb+" to "+verb+")", s.median(), slices.Min(s), slices.Max(s))
}

// ratio divides a by b round by round: both were measured in the same rounds.
// The median of the ratios is steadier than the ratio of the medians where the
// machine's speed drifts.
func ratio(a, b sample) sample {
	return combine(a, b, func(a, b float64) float64 { return a / b })
}

// combine makes a sample of a and b round by round.
func combine(a, b sample, one func(a, b float64) float64) sample {
	combined := make(sample, len(a))
	for i := range a {
		combined[i] = one(a[i], b[i])
	}
	return combined
}

// interval returns values of the sample between which the true median is with
// 95%, whatever the distribution: a value is below it as often as a coin falls on
// one side. Fewer than 6 values have no such interval: then it is their range.
func (s sample) interval() (low, high float64) {
	sorted := slices.Sorted(slices.Values(s))
	n := len(sorted)
	outside, below := 0.0, math.Pow(0.5, float64(n)) // below: that exactly k values are
	k := 0
	for outside+2*below <= 0.05 {
		outside += 2 * below
		below *= float64(n-k) / float64(k+1)
		k++
	}
	k = max(k-1, 0)
	return sorted[k], sorted[n-1-k]
}

// confident is span with the interval.
func (s sample) confident(verb string) string {
	low, high := s.interval()
	return fmt.Sprintf("%s, "+verb+" to "+verb, s.span(verb), low, high)
}

// inTurns calls measure for each of n contenders in each of the rounds. Every
// round begins with the next contender, so that no one always follows the same
// neighbour. It stops at the first error and when ctx ends.
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
