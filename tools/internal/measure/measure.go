// Package measure turns repeated measurements into figures that can be
// compared: medians with their range, ratios taken round by round, and a
// report in Markdown or JSON.
//
// Absolute numbers of two runs on a shared machine say little. What is
// compared is therefore measured in turns, see [Rounds], and related to each
// other within a round, see [Ratio].
package measure

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// A Sample is one figure, measured once in each round.
type Sample []float64

// Median returns the middle value, the mean of the two middle ones for an even
// number, NaN for none.
func (s Sample) Median() float64 { return s.Percentile(50) }

// Percentile returns the value below which p percent of the sample lie,
// interpolated between neighbours; p is 0 to 100. It is NaN for an empty sample.
func (s Sample) Percentile(p float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	at := p / 100 * float64(len(sorted)-1)
	below := int(at)
	if below+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[below] + (at-float64(below))*(sorted[below+1]-sorted[below])
}

// Min returns the least value, NaN for none.
func (s Sample) Min() float64 { return s.Percentile(0) }

// Max returns the greatest value, NaN for none.
func (s Sample) Max() float64 { return s.Percentile(100) }

// Ratio divides a by b round by round: both were measured in the same rounds.
// The median of the ratios is steadier than the ratio of the medians where the
// machine's speed drifts.
func Ratio(a, b Sample) Sample {
	n := min(len(a), len(b))
	ratios := make(Sample, n)
	for i := range n {
		ratios[i] = a[i] / b[i]
	}
	return ratios
}

// Rounds calls measure for each of n contenders in each of the rounds. Every
// round begins with the next contender, so that no one always follows the same
// neighbour. It stops at the first error and when ctx ends.
func Rounds(ctx context.Context, rounds, n int, measure func(round, contender int) error) error {
	for round := range rounds {
		for i := range n {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			contender := (round + i) % n
			if err := measure(round, contender); err != nil {
				return fmt.Errorf("round %d: %w", round+1, err)
			}
		}
	}
	return nil
}
