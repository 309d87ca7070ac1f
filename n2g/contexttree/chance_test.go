package contexttree

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// TestChances: steps rise, are the best of all rising steps by log-loss, up to what the prior costs, and count every
// token once.
func TestChances(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var groups []group
		for range 1 + random.IntN(6) {
			n := float64(1 + random.IntN(40))
			groups = append(groups, group{float64(random.IntN(6)) / 8, n, float64(random.IntN(int(n) + 1))})
		}
		steps := chances(groups)
		for i, s := range steps {
			if !(s.Chance > 0 && s.Chance < 1) || i > 0 && (s.From <= steps[i-1].From || s.Chance <= steps[i-1].Chance) {
				t.Fatalf("%v of %v", steps, groups)
			}
		}
		// In each step the chance is the share of what fires, with half a token of either kind more.
		for i, s := range steps {
			n, fires := 0.0, 0.0
			for _, g := range groups {
				if g.value >= s.From && (i+1 == len(steps) || g.value < steps[i+1].From) {
					n += g.n
					fires += g.firing
				}
			}
			if want := (fires + .5) / (n + 1); math.Abs(want-s.Chance) > 1e-12 {
				t.Fatalf("step %d of %v is %g of %v", i, steps, want, groups)
			}
		}
	}
	if got := chances(nil); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

// TestLogLoss compares with the sum by hand.
func TestLogLoss(t *testing.T) {
	known := &truth{values: []float64{.9, .1, .6, 0}, known: []float64{1, 1, 0, 5}, judged: []float64{1, 1, 1, 5}}
	steps := []n2g.FireChance{{From: 0, Chance: .1}, {From: .5, Chance: .8}}
	predictions := []float64{.7, .6, .2, .1}
	want := -(math.Log(.8) + math.Log(.2) + math.Log(.1) + 5*math.Log(.9)) / 2
	if got := known.logLoss(predictions, steps); math.Abs(got-want) > 1e-12 {
		t.Errorf("%g, want %g", got, want)
	}
	want = math.Sqrt((.04 + .25 + 5*.01) / 7)
	if got := known.valueError(predictions); math.Abs(got-want) > 1e-12 {
		t.Errorf("error %g, want %g", got, want)
	}
	if got := new(truth).logLoss(nil, nil); got != 0 {
		t.Errorf("of nothing: %g", got)
	}
}

// A threshold lies halfway below the lowest prediction that is to fire; that all tokens fire is no answer.
func TestBestThreshold(t *testing.T) {
	for _, c := range []struct {
		name   string
		groups []group
		want   float64
	}{
		{"nothing is known", nil, .5},
		{"nothing fires", []group{{.9, 10, 0}, {0, 90, 0}}, .5},
		{"the highest", []group{{.9, 10, 9}, {.1, 90, 1}}, .5},
		{"more than the highest", []group{{.25, 4, 3}, {.9, 1, 1}, {.05, 95, 0}}, .15},
		{"one prediction in two groups", []group{{.25, 4, 3}, {.05, 95, 0}, {.25, 4, 4}}, .15},
		{"below 0", []group{{.2, 4, 3}, {-.5, 95, 0}}, .1},
		{"what fires was not foreseen", []group{{0, 99, 3}, {.1, 1, 0}}, .5},
		{"one prediction for all", []group{{.3, 100, 60}}, .5},
	} {
		if got := bestThreshold(c.groups); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: %g, want %g", c.name, got, c.want)
		}
	}
}
