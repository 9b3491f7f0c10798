//go:build !linux

package measure

import "math"

// CPUMillis is not known: Linux alone tells this of another process without
// further ado.
func CPUMillis(int) float64 { return math.NaN() }

// Memory is not known either.
func Memory(int, string) float64 { return math.NaN() }

// PSS is not known either.
func PSS(int) float64 { return math.NaN() }
