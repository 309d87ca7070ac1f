package heatmap

import (
	"math"
	"strconv"
)

// unfolded is the number of tokens that stay visible around the peak of a folded map: most of them before it, since
// a causal model saw nothing else when it fired.
const (
	unfoldedBefore = 60
	unfoldedAfter  = 20
	defaultFold    = 160
)

// window returns the range of tokens that stays unfolded.
func (h HeatMap) window() (from, to int) {
	n := len(h.Tokens)
	fold := h.FoldAfter
	if fold == 0 {
		fold = defaultFold
	}
	if fold < 0 || n <= fold {
		return 0, n
	}
	peak := h.peak()
	before := min(unfoldedBefore, fold*unfoldedBefore/(unfoldedBefore+unfoldedAfter))
	after := min(unfoldedAfter, fold-before)
	from = max(0, min(peak-before, n-before-after))
	return from, min(n, from+before+after)
}

// peak returns the marked token, else that of the first row's highest value.
func (h HeatMap) peak() int {
	highest, at := math.Inf(-1), 0
	for i := range h.Tokens {
		if h.mark(i) == Peak {
			return i
		}
		if len(h.Rows) > 0 {
			if v, ok := h.Rows[0].value(i); ok && v > highest {
				highest, at = v, i
			}
		}
	}
	return at
}

// count returns how many tokens bear a mark.
func (h HeatMap) count(mark Mark) int {
	n := 0
	for i := range h.Tokens {
		if h.mark(i) == mark {
			n++
		}
	}
	return n
}

// describe names a mark in the legend.
func (m Mark) describe(n int) string {
	switch m {
	case Missed:
		return strconv.Itoa(n) + " missed"
	case FalseAlarm:
		return plural(n, "false alarm")
	}
	return "peak"
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
