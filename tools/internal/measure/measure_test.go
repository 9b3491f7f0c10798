package measure

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestSample(t *testing.T) {
	for _, c := range []struct {
		sample               Sample
		median, p90, min, mx float64
	}{
		{Sample{3}, 3, 3, 3, 3},
		{Sample{4, 1}, 2.5, 3.7, 1, 4},
		{Sample{9, 1, 5}, 5, 8.2, 1, 9},
	} {
		got := []float64{c.sample.Median(), c.sample.Percentile(90), c.sample.Min(), c.sample.Max()}
		for i, want := range []float64{c.median, c.p90, c.min, c.mx} {
			if math.Abs(got[i]-want) > 1e-9 {
				t.Errorf("%v: got %v, figure %d should be %v", c.sample, got, i, want)
			}
		}
	}
	if !math.IsNaN(Sample(nil).Median()) {
		t.Error("an empty sample has a median")
	}
}

func TestRatioGoesRoundByRound(t *testing.T) {
	if got := Ratio(Sample{2, 30}, Sample{1, 10, 99}); !slices.Equal(got, Sample{2, 3}) {
		t.Error(got)
	}
}

func TestRoundsTakeTurns(t *testing.T) {
	var order []int
	err := Rounds(t.Context(), 3, 3, func(_, contender int) error {
		order = append(order, contender)
		return nil
	})
	if want := []int{0, 1, 2, 1, 2, 0, 2, 0, 1}; err != nil || !slices.Equal(order, want) {
		t.Errorf("%v, %v; want %v", order, err, want)
	}
}

func TestRoundsStop(t *testing.T) {
	broken := errors.New("broken")
	calls := 0
	err := Rounds(t.Context(), 3, 2, func(round, contender int) error {
		if calls++; calls == 3 {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) || calls != 3 || !strings.Contains(err.Error(), "round 2") {
		t.Error(err, calls)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(broken)
	if err := Rounds(ctx, 1, 1, func(int, int) error { t.Error("called"); return nil }); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func TestReport(t *testing.T) {
	table := &Table{Title: "Start", Header: []string{"who", "time"}}
	table.Add(Text("ours"), Range("%.1f", Sample{1, 2, 3}))
	table.Add(Text("theirs"), Median("%.0f", Sample{math.NaN(), 4, 4}))
	r := &Report{Title: "A bench", Machine: Machine{"a CPU", 2, "an OS", "go1"}, Tables: []*Table{table}, Notes: []string{"Quiet."}}
	var s strings.Builder
	if err := r.WriteMarkdown(&s); err != nil {
		t.Fatal(err)
	}
	want := "A bench, measured on a CPU, 2 cores, an OS, go1.\n\nStart\n\n| who | time |\n|---|---|\n| ours | 2.0 (1.0 to 3.0) |\n| theirs | 4 |\n\nQuiet.\n"
	if s.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &s, want)
	}
	s.Reset()
	if err := r.WriteJSON(&s); err != nil || !strings.Contains(s.String(), `"sample"`) {
		t.Error(err, &s)
	}
}

func TestThisMachine(t *testing.T) {
	if m := ThisMachine(); m.CPU == "" || m.Cores < 1 || m.OS == "" || m.Go == "" {
		t.Errorf("%+v", m)
	}
}
