package contexttree

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Where the other text is that of the test documents, all predictors score there as they do on these.
func TestOtherText(t *testing.T) {
	w := newWorld(t, 60, 26, func(text []string) float64 {
		switch {
		case back(text, 0) == "c" && back(text, 1) < "h":
			return 2
		case back(text, 0) < "d":
			return float64(len(text)%7) / 5
		default:
			return .25
		}
	})
	c, a := w.corpus, w.activations(.3, 7)
	g, err := Learn(context.Background(), c, a, Options{})
	if err != nil {
		t.Fatal(err)
	}
	trie := &n2g.Node{Children: []*n2g.Node{{Token: "c", Activator: true, End: new(.8)}}}
	rows, err := Compare(c, a, g, trie)
	if err != nil {
		t.Fatal(err)
	}

	// The test documents alone, with other ids, and tokens that the corpus lacks in a document of their own.
	other := &other{text: OtherText("a test")}
	moved := func(id int) string { return letter(id - 100) }
	var windows []Window
	there := &Activations{Maximum: a.Maximum, Level: a.Level}
	first := int32(0)
	sampled := a.SampledValues
	for number, split := range c.splits {
		from, to := c.starts[number], c.starts[number+1]
		take := slices.Contains(a.Sampled, int32(number))
		if split == Test {
			window := Window{Document: int(c.documents[number]), Split: Test}
			for _, id := range c.ids[from:to] {
				window.IDs = append(window.IDs, id+100)
			}
			if take {
				there.Sampled = append(there.Sampled, int32(len(windows)))
				there.SampledValues = append(there.SampledValues, sampled[:to-from]...)
			}
			for i, p := range a.Positions {
				if p >= from && p < to {
					there.Positions = append(there.Positions, first+p-from)
					there.Values = append(there.Values, a.Values[i])
				}
			}
			windows = append(windows, window)
			first += to - from
		}
		if take {
			sampled = sampled[to-from:]
		}
	}
	if other.corpus, err = NewCorpus(windows, moved); err != nil {
		t.Fatal(err)
	}
	other.find(c)
	_, chances := compare(c, a, g, trie, c.means(a, a.quiet(c)), nil)
	got := other.compare(there, rows, chances, g, trie, c.means(a, a.quiet(c)))
	var want []n2g.Comparison
	for _, row := range rows {
		if row.Text == TestDocuments {
			row.Text = OtherText("a test")
			want = append(want, row)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) != 4 || want[0].Scores.Firing.F1 < .5 {
		t.Errorf("%d rows: %s", len(got), diff)
	}

	// Tokens that no predictor has seen, where the neuron is as strong as it ever was.
	if other.corpus, err = NewCorpus([]Window{{Split: Test, IDs: []int32{0, 1, 2, 102}}},
		func(id int) string { return letter(id) }); err != nil {
		t.Fatal(err)
	}
	other.find(c)
	got = other.compare(&Activations{Maximum: 2, Level: .5, Positions: []int32{3}, Values: []float32{2}}, rows, chances, g,
		trie,
		c.means(a, a.quiet(c)))
	for _, row := range got {
		if row.Scores.Firing.Support != 1 || row.Predictor == TokenTable && row.Scores.Firing.Recall != 0 {
			t.Errorf("%s: %+v", row.Predictor, row.Scores.Firing)
		}
	}
}
