package n2g

import "strings"

// ngramThreshold is the normalised activation from which the n-gram baseline remembers a token (section 7); unlike
// FireThreshold it is part of the baseline.
const ngramThreshold = 0.5

// lookup is a baseline fitted on train prompts: a table from the text that ends at a token to the highest activation
// seen there.
type lookup struct {
	// Table maps the concatenated strings of a token and its predecessors to an activation, unrounded.
	Table map[string]float64
	// Predecessors is how many token strings a key holds besides the token's own; fewer at a prompt's start.
	Predecessors int
}

// fitTokenLookup fits the baseline that knows each token string's highest activation.
func fitTokenLookup(trains []Train) *lookup {
	return fit(trains, 0, func(float64) bool { return true })
}

// fitNGram fits the baseline that knows the highest activation of each token string after its k predecessors, where
// that is at least 0.5.
func fitNGram(trains []Train, k int) *lookup {
	return fit(trains, max(k, 0), func(a float64) bool { return a >= ngramThreshold })
}

func fit(trains []Train, predecessors int, keep func(float64) bool) *lookup {
	l := &lookup{Table: map[string]float64{}, Predecessors: predecessors}
	for _, t := range trains {
		for i := range min(len(t.Tokens), len(t.Activations)) {
			a := t.Activations[i]
			if !keep(a) {
				continue
			}
			key := l.key(t.Tokens, i)
			if best, ok := l.Table[key]; !ok || a > best {
				l.Table[key] = a
			}
		}
	}
	return l
}

func (l *lookup) key(tokens []string, i int) string {
	if l.Predecessors == 0 {
		return tokens[i]
	}
	return strings.Join(tokens[max(0, i-l.Predecessors):i+1], "")
}

// predict returns the activation predicted for each of the tokens, BOS first; 0 for a key never seen.
func (l *lookup) predict(tokens []string) []float64 {
	predicted := make([]float64, len(tokens))
	for i := range tokens {
		predicted[i] = l.Table[l.key(tokens, i)]
	}
	return predicted
}

// fitBaselines fits both baselines on the train prompts and scores them on the test prompts, of which it reads
// tokens and activations.
func fitBaselines(trains []Train, tests []Test, opts *settings) Baselines {
	score := func(l *lookup) Baseline {
		own := make([]Test, len(tests))
		for i, t := range tests {
			t.Predictions = l.predict(t.Tokens)
			own[i] = t
		}
		return Baseline{Scores: evaluate(own, opts)}
	}
	return Baselines{
		TokenLookup: score(fitTokenLookup(trains)),
		NGram:       score(fitNGram(trains, opts.NGram)),
	}
}
