package heatmap

import (
	"math"
	"strconv"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g/internal/glyph"
	"github.com/neuron2graph/neuron2graph/n2g/internal/scene"
)

// smallScale is the maximum of a row below which decimals tell too little of its values.
const smallScale = 0.1

// number formats a value of a row for a cell: two decimals as in the published figure, fewer where they would not fit,
// two digits where the whole row is small.
func (r Row) number(v float64) string {
	if r.max() < smallScale && math.Abs(v) < smallScale {
		return digits(v, 2)
	}
	return number(v)
}

// precise formats a value of a row for a title: three decimals, or three digits where the whole row is small.
func (r Row) precise(v float64) string {
	if r.max() < smallScale && math.Abs(v) < smallScale {
		return digits(v, 3)
	}
	return precise(v)
}

// digits formats a value with so many significant digits.
func digits(v float64, n int) string { return signless(strconv.FormatFloat(v, 'g', n, 64)) }

// number formats a value of usual size.
func number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 0):
		return strings.Replace(strconv.FormatFloat(v, 'f', 0, 64), "Inf", "∞", 1)
	case a < 9.995:
		return signless(strconv.FormatFloat(v, 'f', 2, 64))
	case a < 99.95:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case a < 9999.5:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 1, 64)
}

// precise formats a value with three decimals, to which normalised activations are rounded, without the zeros at their
// end.
func precise(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) || math.Abs(v) >= 9999.5 {
		return number(v)
	}
	s := strconv.FormatFloat(v, 'f', 3, 64)
	return signless(strings.TrimRight(strings.TrimRight(s, "0"), "."))
}

// signless drops the sign of a zero.
func signless(s string) string {
	if strings.HasPrefix(s, "-") && strings.Trim(s, "-0.") == "" {
		return s[1:]
	}
	return s
}

// tooltip is the title of token i: the whole token and its values, named where there are several.
func (h HeatMap) tooltip(i int) string {
	var b strings.Builder
	b.WriteString(glyph.Visible(h.Tokens[i]))
	for k, row := range h.Rows {
		v, ok := row.value(i)
		if !ok {
			continue
		}
		if k > 0 {
			b.WriteByte(',')
		}
		b.WriteByte(' ')
		if len(h.Rows) > 1 {
			b.WriteString(scene.Label(row.Name))
			b.WriteByte(' ')
		}
		b.WriteString(row.precise(v))
	}
	return b.String()
}

// breaksLine tells whether running text goes on in a new line after the token.
func breaksLine(token string) bool { return strings.Contains(token, "\n") }
