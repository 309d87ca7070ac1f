package serve

import (
	"slices"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/contexttree"
)

// TestScoreLines: of each column the best is marked, of errors the lowest; what was not measured, or says nothing where
// no token fires, is a dash.
func TestScoreLines(t *testing.T) {
	scores := func(f1, pearson float64, support int) *n2g.Scores {
		return &n2g.Scores{Firing: n2g.ClassScores{F1: f1, Precision: f1, Recall: 1, Support: support},
			AveragePrecision: .5, Pearson: pearson, R2: -1}
	}
	for _, c := range []struct {
		name  string
		lines []predicted
		want  [][]string // the best with a star
	}{
		{"errors", []predicted{{"a", scores(.5, .25, 3), new(2.), new(.25)}, {"b", scores(.75, .125, 3), new(1.), new(.5)}},
			[][]string{{"0.50", "0.50*", "0.25*", "2.00", "0.250*", "0.50", "1.00*", "-1.00"},
				{"0.75*", "0.50*", "0.12", "1.00*", "0.500", "0.75*", "1.00*", "-1.00"}}},
		{"not measured", []predicted{{"a", scores(0, .25, 3), nil, nil}},
			[][]string{{"0.00", "0.50*", "0.25*", "–", "–", "0.00", "1.00*", "-1.00"}}},
		{"nothing fires", []predicted{{"a", scores(0, .25, 0), new(0.), new(.25)}},
			[][]string{{"–", "–", "0.25*", "–", "0.250*", "–", "–", "-1.00"}}},
	} {
		for i, line := range scoreLines(c.lines) {
			var got []string
			for _, cell := range line.Cells {
				text := cell.Value
				if cell.Best {
					text += "*"
				}
				got = append(got, text)
			}
			if !slices.Equal(got, c.want[i]) {
				t.Errorf("%s: %q, want %q", c.name, got, c.want[i])
			}
		}
	}
}

// TestFewFirings: a label of a graph that rests on few firings says so first where a line may be cut.
func TestFewFirings(t *testing.T) {
	const badge = ` <span class="kind few" title="the graph rests on few firing tokens: 6 firings">few: 6 firings</span> `
	const hostile = ` <span class="kind few" title="the graph rests on few firing tokens: &lt;/script&gt;&#34;&lt;b&gt;">` +
		`few: &lt;/script&gt;&#34;&lt;b&gt;</span> `
	for label, want := range map[string][2]string{
		"`x`, after `y` (few: 6 firings)": {"<code>x</code>, after <code>y</code>" + badge,
			badge + "<code>x</code>, after <code>y</code>"},
		"`x (few: 6 firings)`":    {"<code>x·(few:·6·firings)</code>", "<code>x·(few:·6·firings)</code>"},
		"":                        {"", ""},
		"x (few: </script>\"<b>)": {"x" + hostile, hostile + "x"},
	} {
		if got := [2]string{string(labelHTML(label)), string(rowLabel(label))}; got != want {
			t.Errorf("%q: %q, want %q", label, got, want)
		}
	}
	if rest, few := contexttree.CutFew("`x` (few: 1 firing)"); rest != "`x`" || few != "1 firing" {
		t.Errorf("%q, %q", rest, few)
	}
}
