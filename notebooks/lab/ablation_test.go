package lab

import (
	"slices"
	"testing"
)

// TestAblation: the map of a text has a row of activations and two of effects, one value a token.
func TestAblation(t *testing.T) {
	l := Open()
	m := l.Ablation(2, 500, "\tif ok && strings.HasPrefix(line, x) {\n")
	if len(m.Rows) != 3 {
		t.Fatalf("%d rows", len(m.Rows))
	}
	for _, row := range m.Rows {
		if len(row.Values) != len(m.Tokens) || slices.Min(row.Values[1:]) < 0 && row.Name != "activation" {
			t.Errorf("%s: %v of %d tokens", row.Name, row.Values, len(m.Tokens))
		}
	}
	// The effect on what follows cannot come before the neuron does anything.
	if kl := m.Rows[1].Values; slices.Max(kl) <= 0 || m.Rows[1].Max != slices.Max(kl) {
		t.Errorf("KL %v", kl)
	}
}
