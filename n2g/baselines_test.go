package n2g

import (
	"maps"
	"slices"
	"testing"
)

func TestBaselines(t *testing.T) {
	trains := []Train{
		{Tokens: []string{"<s>", " a", "b", " a", "b"}, Activations: []float64{0, 0.4, 0.5, -0.1, 0.9}},
		{Tokens: []string{"<s>", " a", "c"}, Activations: []float64{0, 0.6, -0.3}},
	}
	tokens := fitTokenLookup(trains)
	if want := map[string]float64{"<s>": 0, " a": 0.6, "b": 0.9, "c": -0.3}; !maps.Equal(tokens.Table, want) {
		t.Errorf("token table %v, want %v", tokens.Table, want)
	}
	for k, want := range []map[string]float64{
		{"b": 0.9, " a": 0.6},
		{" ab": 0.9, "<s> a": 0.6},
		{"<s> ab": 0.5, "b ab": 0.9, "<s> a": 0.6},
	} {
		if got := fitNGram(trains, k).Table; !maps.Equal(got, want) {
			t.Errorf("%d-gram table %v, want %v", k, got, want)
		}
	}
	test := []string{"<s>", " a", "b", "c", "d"}
	if got, want := tokens.predict(test), []float64{0, 0.6, 0.9, -0.3, 0}; !slices.Equal(got, want) {
		t.Errorf("token lookup predicts %v, want %v", got, want)
	}
	if got, want := fitNGram(trains, 1).predict(test), []float64{0, 0.6, 0.9, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("n-gram predicts %v, want %v", got, want)
	}

	set := Options{}.settings()
	b := fitBaselines(trains, []Test{{Tokens: test, Activations: []float64{0, 0.1, 0.8, 0, 0}}}, &set)
	if got, want := b.NGram.Scores.Firing, (ClassScores{0.5, 1, 2.0 / 3, 1}); got != want {
		t.Errorf("n-gram firing %+v, want %+v", got, want)
	}
	if got := b.TokenLookup.Scores.AveragePrecision; got != 1 {
		t.Errorf("token lookup ranks the firing token with average precision %g, want 1", got)
	}
}
