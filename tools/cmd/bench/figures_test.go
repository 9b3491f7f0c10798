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
		if got := c.sample.withRange("%.1f"); got != c.want {
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
	if got, want := (sample{4, 1}).withInterval("%.0f"), "2 (1 to 4), 1 to 4"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRatesAndRatioGoRoundByRound(t *testing.T) {
	a, b := &trial{seconds: sample{0.5, 2}}, &trial{seconds: sample{1, 1}}
	if got, want := a.rate(1000), (sample{2000, 500}); !slices.Equal(got, want) {
		t.Errorf("rates %v, want %v", got, want)
	}
	if got, want := ratio(a.rate(1000), b.rate(1000)), (sample{2, 0.5}); !slices.Equal(got, want) {
		t.Errorf("ratios %v, want %v", got, want)
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
		t.Errorf("error %v after %d calls, want %v of round 2 after 3 calls", err, calls, broken)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(broken)
	if err := inTurns(ctx, 1, 1, func(int, int) error { t.Error("called"); return nil }); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
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
	if !strings.HasPrefix(first, "A bench. Measured on ") || !strings.Contains(first, " cores, ") {
		t.Errorf("the first line is %q, want the title, the machine and its cores", first)
	}
	if want := "\nStart\n\n| who | time |\n|---|---|\n| ours | 2.0 |\n| theirs | 4 |\n\nQuiet.\n"; rest != want {
		t.Errorf("got\n%s\nwant\n%s", rest, want)
	}
}
