package models_test

import (
	"math"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/models"
)

// One unit more of a number moves the residual stream behind the layer by its direction, whatever is numbered: what the
// MLP or attention adds at hook points in between is linear in it.
func TestOutputDirections(t *testing.T) {
	m, err := models.Open(golden("gpt2"), models.Options{Backend: "go", SAE: saeFolder(t, "blocks.1.attn.hook_z", 64),
		Directions: "[" + strings.TrimSuffix(strings.Repeat("0.5,", 64), ",") + "]"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ids := [][]int{{0, 5, 6, 7, 8}}
	read := func(hook string) []float32 {
		t.Helper()
		values, err := m.LayerActivations(t.Context(), 1, hook, ids)
		if err != nil {
			t.Fatal(err)
		}
		return values[0][4]
	}
	sum := func(values []float32, rows [][]float32) []float64 {
		sums := make([]float64, 64)
		for i, v := range values {
			for k, w := range rows[i] {
				sums[k] += float64(v) * float64(w)
			}
		}
		return sums
	}
	for hook, whole := range map[string]string{"hook_post": "hook_mlp_out", "attn.hook_z": "hook_attn_out",
		"hook_resid_mid": "hook_resid_mid"} {
		rows, err := m.OutputDirections(1, hook)
		if err != nil {
			t.Fatal(err)
		}
		want := read(whole)
		constant, first := 0.0, 0.0 // a bias stands beside it, which other positions have too
		got := sum(read(hook), rows)
		other, err := m.LayerActivations(t.Context(), 1, whole, ids)
		if err != nil {
			t.Fatal(err)
		}
		own, err := m.LayerActivations(t.Context(), 1, hook, ids)
		if err != nil {
			t.Fatal(err)
		}
		before := sum(own[0][1], rows)
		for k := range got {
			constant, first = float64(want[k])-got[k], float64(other[0][1][k])-before[k]
			if math.Abs(constant-first) > 1e-4 {
				t.Errorf("%s: coordinate %d differs from %s by %g at one token and %g at another", hook, k, whole, constant,
					first)
			}
		}
		negative, err := m.OutputDirections(1, "-"+hook)
		if err != nil || negative[3][5] != -rows[3][5] || len(negative) != len(rows) {
			t.Errorf("-%s: %v", hook, err)
		}
	}
	// A feature's row of W_dec passes through W_O.
	z, err := m.OutputDirections(1, "attn.hook_z")
	if err != nil {
		t.Fatal(err)
	}
	features, err := m.OutputDirections(1, "attn.hook_z[sae]")
	if err != nil || len(features) != 20 {
		t.Fatal(len(features), err)
	}
	want := sum(m.SAE().Direction(7), z)
	for k, v := range features[7] {
		if !near(v, float32(want[k])) {
			t.Errorf("feature 7 adds %g, want %g", v, want[k])
		}
	}
	for hook, n := range map[string]int{"hook_resid_post[dir]": 1, "attn.hook_result[dir]": m.Config().Heads} {
		rows, err := m.OutputDirections(1, hook)
		if err != nil || len(rows) != n || rows[n-1][63] != 0.5 {
			t.Errorf("%s: %d rows, %v", hook, len(rows), err)
		}
	}
	for hook, want := range map[string]string{"attn.prev": "where a head looks", "ln2.hook_normalized": "not added",
		"ln2.hook_normalized[dir]": "not added"} {
		if _, err := m.OutputDirections(1, hook); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %s", hook, err, want)
		}
	}
}
