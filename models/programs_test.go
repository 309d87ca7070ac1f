package models_test

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Shapes are rounded up so that a backend which compiles for seconds rarely does: a hundred calls of
// all sizes need a few programs.
func TestFewPrograms(t *testing.T) {
	const most = 12
	m := way{"programs", "go", true}.open(t, golden("solu"))
	rng := rand.New(rand.NewPCG(10, 11))
	for call := range 100 {
		prompts := randomPrompts(m, rng, 1+rng.IntN(12))
		if _, err := m.Activations(t.Context(), 0, "", rng.IntN(m.Config().DMLP), prompts, nil); err != nil {
			t.Fatal(err)
		}
		if n := m.Programs(); n == 0 || n > most {
			t.Fatalf("%d programs compiled after %d calls, want from 1 to %d", n, call+1, most)
		}
	}
	t.Logf("%d programs for 100 calls", m.Programs())

	direct := openGolden(t, "solu")
	if _, err := direct.Activations(t.Context(), 0, "", 0, [][]int{{0, 5}}, nil); err != nil || direct.Programs() != 0 {
		t.Errorf("%d programs where none is needed, error %v", direct.Programs(), err)
	}
}

// On compiled programs the sums of a prompt are taken in an order that depends on what runs beside it: values differ in
// their last digits, and in no more.
func TestProgramsAmongOthers(t *testing.T) {
	m := way{"programs", "go", true}.open(t, golden("solu"))
	rng := rand.New(rand.NewPCG(1, 2))
	prompts := randomPrompts(m, rng, 60)
	together, err := m.LayerActivations(t.Context(), 1, "", prompts)
	if err != nil {
		t.Fatal(err)
	}
	worst, differing, total := 0.0, 0, 0
	for _, i := range rng.Perm(len(prompts))[:20] {
		alone, err := m.LayerActivations(t.Context(), 1, "", prompts[i:i+1])
		if err != nil {
			t.Fatal(err)
		}
		for p, row := range alone[0] {
			highest := 0.0
			for _, v := range row {
				highest = max(highest, math.Abs(float64(v)))
			}
			for n, v := range row {
				total++
				if difference := math.Abs(float64(v - together[i][p][n])); difference > 0 {
					differing++
					worst = max(worst, difference/highest)
				}
			}
		}
	}
	t.Logf("%d of %d values differ, by at most %.1e of the token's highest", differing, total, worst)
	if worst > 1e-5 {
		t.Errorf("values differ by %g of the token's highest", worst)
	}
}
