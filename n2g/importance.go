package n2g

import (
	"context"
	"slices"
	"strconv"
)

// MeasureImportance is stage 3 for one text: how much of the neuron's activation on each token is lost when a token
// before it (or itself) is masked, for every pair of tokens (section 3 of the method; "saliency" in section 3.2 of
// arXiv 2304.12918). The text and its variants, one for each token, are asked with one call. Activations are
// normalised as round(a·scale/amax, 3); amax 0 stands for the text's own maximum and the scale 1.
func MeasureImportance(ctx context.Context, model LanguageModel, site Site, text string, opts Options, scale,
	amax float64) (*Measured, error) {
	n, err := newNeuron(model, site, opts)
	if err != nil {
		return nil, err
	}
	ids, err := encode(model, text)
	if err != nil {
		return nil, err
	}
	if err := checkLength(model, ids); err != nil {
		return nil, err
	}
	measured, err := n.measure(ctx, []measurement{{ids: ids, scale: scale, amax: amax}})
	if err != nil {
		return nil, err
	}
	return measured[0], nil
}

// ImportantTokens are the strings of the tokens, in order, whose importance for the maximum is at least the threshold
// (0.8 in the published program). BOS is none.
func (m *Measured) ImportantTokens(threshold float64) []string {
	found := []string{}
	for i, token := range m.Tokens {
		if token != m.Tokens[0] && m.Importances[i] >= threshold {
			found = append(found, token)
		}
	}
	return found
}

// measurement is a prompt whose importances are wanted.
type measurement struct {
	ids         []int
	activations []float64 // nil: not known, ask them too
	scale, amax float64
	columns     []int // ascending positions j for which importances are wanted; nil: all
	sparesBOS   bool  // BOS is not masked, its importances stay 0: nobody reads them, and they cost most
}

// measure measures all prompts with one call. Of each Matrix only the columns wanted are filled, and of those only the
// rows up to the column, since masking a later token changes nothing.
func (n *neuron) measure(ctx context.Context, all []measurement) ([]*Measured, error) {
	var requests []request
	for i := range all {
		m := &all[i]
		if m.columns == nil {
			m.columns = n.contents(m.ids)
		}
		if m.activations == nil {
			requests = append(requests, n.wholeRequest(m.ids))
		}
		for row := range m.rows() {
			requests = append(requests, n.maskedRequest(*m, row))
		}
	}
	answers, err := n.ask(ctx, requests)
	if err != nil {
		return nil, err
	}
	results := make([]*Measured, len(all))
	for i, m := range all {
		if m.activations == nil {
			m.activations = spread(n.wholeRequest(m.ids), answers[0])
			answers = answers[1:]
		}
		results[i] = n.measured(m, answers[:m.rows()])
		answers = answers[m.rows():]
	}
	return results, nil
}

// rows is how many tokens are masked, one at a time: those up to the last column.
func (m *measurement) rows() int {
	if len(m.columns) == 0 {
		return 0
	}
	return m.columns[len(m.columns)-1] + 1
}

// after are the columns from position row on.
func (m *measurement) after(row int) []int {
	for k, column := range m.columns {
		if column >= row {
			return m.columns[k:]
		}
	}
	return nil
}

// maskedRequest asks the activations of the columns with token row masked.
func (n *neuron) maskedRequest(m measurement, row int) request {
	ids := slices.Clone(m.ids)
	ids[row] = n.maskID
	if row == 0 && (m.sparesBOS || m.ids[0] == noToken) {
		return request{ids: ids}
	}
	return request{ids: ids, positions: m.after(row)}
}

func (n *neuron) measured(m measurement, masked [][]float64) *Measured {
	peak := n.peak(m.ids, m.activations)
	result := &Measured{
		Tokens:      tokenStrings(n.model, m.ids),
		Activations: make([]float64, len(m.ids)),
		Peak:        peak,
		Maximum:     m.activations[peak],
		Importances: make([]float64, len(m.ids)),
		Matrix:      make([][]float64, len(m.ids)),
	}
	if m.amax == 0 {
		m.scale, m.amax = 1, result.Maximum
	}
	for i, a := range m.activations {
		result.Activations[i] = normalised(a, m.scale, m.amax)
		result.Matrix[i] = make([]float64, len(m.ids))
	}
	for row, values := range masked {
		for k, value := range values {
			column := m.columns[len(m.columns)-len(values)+k] // those from row on
			result.Matrix[row][column] = importance(value, m.activations[column])
		}
		result.Importances[row] = result.Matrix[row][peak]
	}
	return result
}

// importance of a token that when masked leaves so much of an activation: 0 where there is none to lose.
func importance(masked, activation float64) float64 {
	if activation == 0 {
		return 0
	}
	return finite(1 - masked/activation)
}

// normalised is an activation as the graph knows it, rounded to 3 decimals, half to even as Python does.
func normalised(activation, scale, amax float64) float64 {
	text := strconv.FormatFloat(finite(activation*scale/amax), 'f', 3, 64)
	rounded, _ := strconv.ParseFloat(text, 64) // what FormatFloat wrote
	return rounded + 0                         // no negative zero
}
