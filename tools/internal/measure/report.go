package measure

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
)

// A Report is what a bench found out.
type Report struct {
	Title   string   `json:"title"`
	Machine Machine  `json:"machine"`
	Tables  []*Table `json:"tables"`
	// Notes say how it was measured, a sentence or two each.
	Notes []string `json:"notes"`
}

// A Table has a row of cells for each contender or each case.
type Table struct {
	Title  string   `json:"title"`
	Header []string `json:"header"`
	Rows   [][]Cell `json:"rows"`
}

// A Cell is a text, or a figure with the sample behind it.
type Cell struct {
	// Text is what the Markdown shows.
	Text string `json:"text"`
	// Sample holds the figures of the rounds, nil for a text.
	Sample Sample `json:"sample,omitempty"`
}

// Text makes a cell of words.
func Text(format string, args ...any) Cell { return Cell{Text: fmt.Sprintf(format, args...)} }

// Median makes a cell of the sample's median; verb formats it, "%.1f MB" say.
func Median(verb string, s Sample) Cell {
	return Cell{Text: fmt.Sprintf(verb, s.Median()), Sample: finite(s)}
}

// Range makes a cell of the sample's median with its least and greatest value
// in brackets.
func Range(verb string, s Sample) Cell {
	return Cell{Text: fmt.Sprintf(verb+" ("+verb+" to "+verb+")", s.Median(), s.Min(), s.Max()), Sample: finite(s)}
}

// finite drops what JSON cannot write.
func finite(s Sample) Sample {
	kept := Sample{}
	for _, v := range s {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			kept = append(kept, v)
		}
	}
	return kept
}

// Add appends a row.
func (t *Table) Add(cells ...Cell) { t.Rows = append(t.Rows, cells) }

// WriteMarkdown writes the report as it stands in a README.
func (r *Report) WriteMarkdown(w io.Writer) error {
	var s strings.Builder
	fmt.Fprintf(&s, "%s, measured on %s.\n", r.Title, r.Machine)
	for _, t := range r.Tables {
		s.WriteString("\n")
		if t.Title != "" {
			fmt.Fprintf(&s, "%s\n\n", t.Title)
		}
		fmt.Fprintf(&s, "| %s |\n|%s\n", strings.Join(t.Header, " | "), strings.Repeat("---|", len(t.Header)))
		for _, row := range t.Rows {
			for _, c := range row {
				fmt.Fprintf(&s, "| %s ", c.Text)
			}
			s.WriteString("|\n")
		}
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&s, "\n%s\n", n)
	}
	_, err := io.WriteString(w, s.String())
	return err
}

// WriteJSON writes the report with the figures of every round.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
