package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestSample(t *testing.T) {
	for _, c := range []struct {
		sample sample
		want   string
	}{
		{sample{3}, "3.0"},
		{sample{4, 1}, "2.5 (1.0 to 4.0)"},
		{sample{9, 1, 5}, "5.0 (1.0 to 9.0)"},
	} {
		if got := c.sample.span("%.1f"); got != c.want {
			t.Errorf("%v: got %s, want %s", c.sample, got, c.want)
		}
	}
}

// The order statistics are those of the tables of the sign test.
func TestInterval(t *testing.T) {
	for n, rank := range map[int]int{1: 1, 5: 1, 6: 1, 8: 1, 9: 2, 15: 4, 20: 6} {
		var s sample
		for i := range n {
			s = append(s, float64(n-i))
		}
		if low, high := s.interval(); low != float64(rank) || high != float64(n+1-rank) {
			t.Errorf("%d values: %v to %v, want the values %d and %d", n, low, high, rank, n+1-rank)
		}
	}
	if got, want := (sample{4, 1}).confident("%.0f"), "2 (1 to 4), 1 to 4"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRatesAndRatioGoRoundByRound(t *testing.T) {
	a, b := &lane{seconds: sample{0.5, 2}}, &lane{seconds: sample{1, 1}}
	if got := a.rate(1000); !slices.Equal(got, sample{2000, 500}) {
		t.Error(got)
	}
	if got := ratio(a.rate(1000), b.rate(1000)); !slices.Equal(got, sample{2, 0.5}) {
		t.Error(got)
	}
}

func TestTurns(t *testing.T) {
	var order []int
	err := inTurns(t.Context(), 3, 3, func(_, contender int) error {
		order = append(order, contender)
		return nil
	})
	if want := []int{0, 1, 2, 1, 2, 0, 2, 0, 1}; err != nil || !slices.Equal(order, want) {
		t.Errorf("%v, %v; want %v", order, err, want)
	}
}

func TestTurnsStop(t *testing.T) {
	broken := errors.New("broken")
	calls := 0
	err := inTurns(t.Context(), 3, 2, func(round, contender int) error {
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
	if err := inTurns(ctx, 1, 1, func(int, int) error { t.Error("called"); return nil }); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func TestReport(t *testing.T) {
	r := &report{
		title:  "A bench",
		tables: []*table{{title: "Start", header: []string{"who", "time"}, rows: [][]string{{"ours", "2.0"}, {"theirs", "4"}}}},
		notes:  []string{"Quiet."},
	}
	var s strings.Builder
	if err := r.write(&s); err != nil {
		t.Fatal(err)
	}
	first, rest, _ := strings.Cut(s.String(), "\n")
	if !strings.HasPrefix(first, "A bench, measured on ") || !strings.Contains(first, " cores, ") {
		t.Error(first)
	}
	if want := "\nStart\n\n| who | time |\n|---|---|\n| ours | 2.0 |\n| theirs | 4 |\n\nQuiet.\n"; rest != want {
		t.Errorf("got\n%s\nwant\n%s", rest, want)
	}
}
