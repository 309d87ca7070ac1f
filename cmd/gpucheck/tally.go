package main

import (
	"fmt"
	"math"
	"time"
)

// tolerance is how far a value may lie from what it should be, absolute and relative; trainingTolerance is that of
// losses after some steps, in which differences of rounding grow.
const (
	tolerance         = 1e-4
	trainingTolerance = 1e-2
)

// check is the outcome of comparing values.
type check struct {
	What    string  // for people: the model
	Against string  // where the other values come from
	Within  float64 // how far they may differ
	Values  int     // compared
	Largest float64 // largest |got − want| / (1 + |want|)
	Wrong   string  `json:",omitempty"` // the first that lies further away than it may
	Seconds float64 // all of it: opening, compiling, computing
}

// tally compares values one after the other.
type tally struct {
	check
	began time.Time
}

func newTally(what, against string, within float64) *tally {
	return &tally{check: check{What: what, Against: against, Within: within}, began: time.Now()}
}

// compare adds values; where names them.
func (t *tally) compare(where string, got, want []float32) {
	if len(got) != len(want) {
		t.wrong(fmt.Sprintf("%s: %d values, want %d", where, len(got), len(want)))
		return
	}
	for i, w := range want {
		t.Values++
		distance := math.Abs(float64(got[i])-float64(w)) / (1 + math.Abs(float64(w)))
		switch {
		case math.IsNaN(distance) || math.IsInf(distance, 0):
			t.wrong(fmt.Sprintf("%s: value %d is %g, want %g", where, i, got[i], w))
		case distance > t.Within:
			t.wrong(fmt.Sprintf("%s: value %d is %g, want %g", where, i, got[i], w))
			fallthrough
		default:
			t.Largest = max(t.Largest, distance)
		}
	}
}

// wrong notes the first failure.
func (t *tally) wrong(what string) {
	if t.Wrong == "" {
		t.Wrong = what
	}
}

// finding is what came out.
func (t *tally) finding() finding {
	t.Seconds = time.Since(t.began).Seconds()
	if t.Values == 0 {
		t.wrong("nothing was compared")
	}
	return finding{Check: &t.check}
}
