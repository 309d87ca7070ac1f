package models_test

import (
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
