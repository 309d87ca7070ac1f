// Package label writes tokens into the one-line labels of neurons.
package label

import (
	"fmt"
	"html"
	"iter"
	"strconv"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g/internal/glyph"
)

// longest is the number of characters from which a token is cut: a line of dashes, or a number in base64, says no more.
const longest = 24

// Tokens lists the first so many tokens, each escaped as in Go and between backticks, and how many more there are. A
// backtick of a token's own is escaped too, as \x60, so that a label can be taken apart. Of a long token the beginning
// stands there, and "…".
func Tokens(tokens []string, most int) string {
	var b strings.Builder
	for i, t := range tokens {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(tokens)-most)
			break
		}
		if i > 0 {
			b.WriteString("/")
		}
		if runes := []rune(t); len(runes) > longest {
			t = string(runes[:longest-1]) + "…"
		}
		quoted := strconv.Quote(t)
		b.WriteString("`" + strings.ReplaceAll(quoted[1:len(quoted)-1], "`", `\x60`) + "`")
	}
	return b.String()
}

// HTML shows the parts of a label, words and tokens, as contexttree.LabelParts tells them apart.
func HTML(parts iter.Seq2[string, bool]) string {
	var b strings.Builder
	for part, token := range parts {
		if token {
			b.WriteString("<code>" + html.EscapeString(glyph.Visible(part)) + "</code>")
		} else {
			b.WriteString(html.EscapeString(part))
		}
	}
	return b.String()
}
