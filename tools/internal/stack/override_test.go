package stack

import "testing"

func TestOverride(t *testing.T) {
	got := Override("# a = 0\na = 1\n  b : 2\nab = 3\na 4, \\\n  5\\\\\nc = 6", []Setting{{"a", "x"}, {"d", "y"}})
	want := "# a = 0\n# set below: a = 1\n  b : 2\nab = 3\n# set below: a 4, \\\n# set below:   5\\\\\nc = 6\n" +
		"\n# Written by this project's tools.\na = x\nd = y\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
