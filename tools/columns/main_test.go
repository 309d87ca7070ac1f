package main

import (
	"slices"
	"strings"
	"testing"
)

func TestLongLines(t *testing.T) {
	wide := strings.Repeat("é", most)
	source := strings.Join([]string{
		"package p // " + wide,
		"// " + wide[:2*(most-3)],
		"var a = `" + wide + "`",
		"const b = `", wide + wide, "` + \"" + wide + "\"",
		"var c = \"" + wide + "\" + `raw`",
		"\t\t\t\t" + wide[:2*(most-4)],
	}, "\n")
	if got := longLines([]byte(source)); !slices.Equal(got, []int{1, 7}) {
		t.Errorf("lines %v, want 1 and 7", got)
	}
}
