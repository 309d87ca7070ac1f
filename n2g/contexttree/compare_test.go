package contexttree

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// TestBaselinesHaveTheThresholdsOfGraphs: tables choose their thresholds as graphs do, on validation documents and on
// build documents, each predicted by the folds that it is not of. The thresholds are those found by looking at every
// token, with tables of every fold made anew.
func TestBaselinesHaveTheThresholdsOfGraphs(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	w := newWorld(t, 60, 26, func(text []string) float64 {
		switch value := random.Float64(); {
		case back(text, 0) == "c" && back(text, 1) < "h":
			return 2 * value
		case back(text, 0) < "d":
			return value
		default:
			return value / 8
		}
	})
	c, a := w.corpus, w.activations(.5, 7)
	end := .8
	trie := &n2g.Node{Children: []*n2g.Node{
		{Token: "c", Activator: true, End: &end, Children: []*n2g.Node{{Token: "a", End: new(float64)}}}}}
	*trie.Children[0].Children[0].End = .9
	leaveOut := []int{1, 4, 14, 15, 33}
	rows, err := Compare(c, a, nil, trie, leaveOut...)
	if err != nil {
		t.Fatal(err)
	}

	q := a.quiet(c)
	value := func(p int32) float64 {
		if i, ok := slices.BinarySearch(a.Positions, p); ok {
			return float64(a.Values[i]) / a.Maximum
		}
		return q.of(c.symbols[p])
	}
	key := func(p int32) [2]int32 {
		if p == c.starts[c.window[p]] {
			return [2]int32{-1, c.symbols[p]}
		}
		return [2]int32{c.symbols[p-1], c.symbols[p]}
	}
	predicted := map[string][]float64{}
	var fires []float64
	var others []bool
	published := n2g.NewPredictor(trie)
	for part := range parts { // the last are the validation documents
		token, pair := map[int32][]float64{}, map[[2]int32][]float64{}
		c.each(Build, func(p int32) {
			if int(c.documents[c.window[p]]%folds) != part || part == validation {
				token[c.symbols[p]] = append(token[c.symbols[p]], value(p))
				pair[key(p)] = append(pair[key(p)], value(p))
			}
		})
		mean := func(values []float64) (sum float64) {
			for _, v := range values {
				sum += v / float64(len(values))
			}
			return sum
		}
		for number, split := range c.splits {
			if split == Test || split == Validate && part != validation ||
				split == Build && int(c.documents[number]%folds) != part {
				continue
			}
			var text []string
			for p := c.starts[number]; p < c.starts[number+1]; p++ {
				text = append(text, c.tokens[c.symbols[p]])
				one := mean(token[c.symbols[p]])
				two := one
				if seen := pair[key(p)]; len(seen) > 0 {
					two = mean(seen)
				}
				predicted[TokenTable] = append(predicted[TokenTable], one)
				predicted[BigramTable] = append(predicted[BigramTable], two)
				fires = append(fires, float64(is(w.dense[p]/a.Maximum >= firing)))
				others = append(others, !slices.Contains(leaveOut, number))
			}
			predicted[PublishedGraph] = append(predicted[PublishedGraph], published.Predict(text)...)
		}
	}
	f1 := func(values []float64, threshold float64, taught bool) float64 {
		var both, either float64
		for i, v := range values {
			if !others[i] && !taught {
				continue
			}
			yes := float64(is(v >= threshold))
			both += yes * fires[i]
			either += yes + fires[i]
		}
		return 2 * both / either
	}
	for _, row := range rows {
		if row.Text != TestDocuments {
			continue
		}
		values := predicted[row.Predictor]
		taught := row.Predictor != PublishedGraph // tables learn from all windows of other folds
		best := 0.0
		for _, v := range values {
			best = max(best, f1(values, v-1e-9, taught))
		}
		if got := f1(values, row.FireThreshold, taught); math.Abs(got-best) > 1e-9 || best < .2 {
			t.Errorf("%s: F1 %g at the threshold %g, the best is %g", row.Predictor, got, row.FireThreshold, best)
		}
	}
}
