package graphviz

import (
	"strings"

	"github.com/rivo/uniseg"

	"github.com/neuron2graph/neuron2graph/n2g/internal/glyph"
	"github.com/neuron2graph/neuron2graph/n2g/internal/scene"
)

// longestLabel is the width in columns, as of a terminal, from which a label is cut. Tokens of a few hundred
// characters (a run of dashes, a base64 line) would push all else out of the picture.
const longestLabel = 24

// visible is a token as a node shows it, before it is cut.
func visible(token string) string {
	if token == "" {
		return "∅"
	}
	return glyph.Visible(token)
}

// label is a token as its node shows it.
func label(token string) string {
	text, _ := scene.Fit(visible(token), longestLabel)
	return text
}

// width of a node in inches that holds its label at 25 points; the published width of 2 wherever that suffices.
func width(label string) float64 {
	return max(2, 0.3+0.2*float64(uniseg.StringWidth(label)))
}

// Graphviz reads a label twice: as a quoted string, in which only \" is an escape, then as an "escString", in which a
// backslash begins one (\N is the node's name) and & begins an HTML entity.
var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `&`, `&amp;`)

// quote writes text as a DOT string that is drawn as text.
func quote(text string) string { return `"` + escape.Replace(text) + `"` }

// quoteTooltip writes text as a DOT string for a tooltip, in which Graphviz expands escapes twice.
func quoteTooltip(text string) string { return quote(strings.ReplaceAll(text, `\`, `\\`)) }
