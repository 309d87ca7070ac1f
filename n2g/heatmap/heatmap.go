package heatmap

import (
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/internal/scene"
)

// HeatMap is a prompt's tokens with values. The zero value of each option is the published figure's choice.
type HeatMap struct {
	Title  string   // above the picture; may be empty
	Tokens []string // token strings as the model's tokenizer gives them, [seq]
	Rows   []Row    // the first one colours the compact form and decides what stays unfolded

	// Marks outlines tokens, [seq]; it may be shorter than Tokens.
	Marks []Mark

	Form  Form
	Theme Theme
	// FoldAfter: a compact or strips HTML map of more tokens shows those around its peak and folds the rest away
	// under "n tokens before" and "n tokens after". 0 is 160, negative never folds. SVG and PNG show everything.
	FoldAfter int
	NoLegend  bool
	// Lean HTML of running text is a tenth of the size: tokens without a mark whose values are all below a tenth of the
	// scale are plain text, and boxes have no titles.
	Lean bool
	// Width of SVG and PNG in CSS pixels, at which lines break. Default 900.
	Width float64
}

// Row is a line of values, one a token.
type Row struct {
	Name   string // such as "activation"
	Values []float64
	Color  Color
	// Max is the value that full colour stands for; larger ones are drawn alike. Fix it per neuron. Default 1.
	Max float64
	// Note follows the scale in the legend, such as "of maximum 3.21".
	Note string
}

// max returns Max or its default.
func (r Row) max() float64 {
	if r.Max > 0 {
		return r.Max
	}
	return 1
}

// value returns the value of token i and whether there is one.
func (r Row) value(i int) (float64, bool) {
	if i < len(r.Values) {
		return r.Values[i], true
	}
	return 0, false
}

// Color of a row's positive values. Negative ones are grey in every row.
type Color uint8

const (
	Red    Color = iota // activations, as in the graph
	Blue                // importances, as in the graph
	Violet              // predictions
)

// Form is the way a heat map is laid out.
type Form uint8

const (
	// Figure is the published one: every token a box, its values in a row of cells each below it.
	Figure Form = iota
	// Strips is running text with a thin strip of colour a row below it, for comparing rows over long prompts.
	Strips
	// Compact is running text on the colours of the first row; the values of other rows are in the titles.
	Compact
)

// Theme is the choice between dark text on light and the reverse.
type Theme uint8

const (
	Auto  Theme = iota // the reader's: Jupyter's theme if the map is shown there, else the system's; PNG: light
	Light              // always
	Dark               // always
)

// Mark outlines a token.
type Mark uint8

const (
	NoMark     Mark = iota
	Peak            // the token that the map is about
	Missed          // the neuron fires, the prediction does not
	FalseAlarm      // the prediction fires, the neuron does not
)

// FromMeasured returns the published figure of a text: activations normalised by the neuron's maximum, and importances
// for the token at the peak, which is marked.
func FromMeasured(m n2g.Measured) HeatMap {
	h := HeatMap{
		Tokens: m.Tokens,
		Rows: []Row{
			{Name: "activation", Values: m.Activations},
			{Name: "importance", Values: m.Importances, Color: Blue},
		},
	}
	if m.Peak >= 0 && m.Peak < len(m.Tokens) {
		h.Marks = make([]Mark, m.Peak+1)
		h.Marks[m.Peak] = Peak
	}
	return h
}

// FromTest returns the strips of a test prompt, truth above prediction. Tokens on which one reaches the fire threshold
// and the other does not are marked.
func FromTest(t n2g.Test, fireThreshold float64) HeatMap {
	h := HeatMap{
		Tokens: t.Tokens,
		Rows: []Row{
			{Name: "truth", Values: t.Activations},
			{Name: "prediction", Values: t.Predictions, Color: Violet},
		},
		Form:  Strips,
		Marks: make([]Mark, len(t.Tokens)),
	}
	for i := range t.Tokens {
		truth, _ := h.Rows[0].value(i)
		prediction, _ := h.Rows[1].value(i)
		switch fires, predicted := truth >= fireThreshold, prediction >= fireThreshold; {
		case fires && !predicted:
			h.Marks[i] = Missed
		case predicted && !fires:
			h.Marks[i] = FalseAlarm
		}
	}
	return h
}

// mark returns that of token i.
func (h HeatMap) mark(i int) Mark {
	if i < len(h.Marks) {
		return h.Marks[i]
	}
	return NoMark
}

// negative tells whether a row holds a value that is drawn grey, so that the legend must show that side of the scale.
func (h HeatMap) negative(r Row) bool {
	for i := range h.Tokens {
		if v, ok := r.value(i); ok && scene.Level(v, r.max()) < 0 {
			return true
		}
	}
	return false
}
