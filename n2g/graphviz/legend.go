package graphviz

import (
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/rivo/uniseg"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/internal/glyph"
)

// swatches is the number of steps a legend shows of a colour scale.
const swatches = 5

// heading writes title and legend as the label of the whole graph, in Graphviz's HTML-like labels. It comes last,
// since sub-graphs would inherit it.
func (w *writer) heading() {
	var rows strings.Builder
	if w.options.Title != "" {
		fmt.Fprintf(&rows, `<TR><TD ALIGN="LEFT" COLSPAN="%d"><FONT POINT-SIZE="25"><B>%s</B></FONT></TD></TR>`,
			legendColumns, htmlText(w.options.Title))
	}
	if !w.options.NoLegend {
		rows.WriteString("<TR>" + w.legend() + "</TR>")
	}
	if rows.Len() > 0 {
		w.printf(1,
			`graph [labelloc=t labeljust=l label=<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="4">%s</TABLE>>]`,
			&rows)
	}
}

// legendColumns: two scales, each with a word and its two ends, and the words of the two borders.
const legendColumns = 2*(swatches+2) + 2

func (w *writer) legend() string {
	var b strings.Builder
	word := func(text, attributes string) {
		// Room of its own, since the reader's font may be wider than the one that Graphviz measures.
		fmt.Fprintf(&b, `<TD ALIGN="LEFT" WIDTH="%d"%s><FONT POINT-SIZE="16" COLOR="%s">%s</FONT></TD>`,
			8+9*uniseg.StringWidth(text), attributes, w.palette.muted, htmlText(text))
	}
	activation, importance := w.options.scales()
	for _, s := range []struct {
		scale
		name  string
		depth int
	}{{activation, "activation", 0}, {importance, "importance", 1}} {
		word(fmt.Sprintf("%s %.2f", s.name, s.low), "")
		for i := range swatches {
			value := s.low + (1-s.low)*float64(i)/(swatches-1)
			fill, _ := w.options.colors(n2g.GraphNode{Depth: s.depth, Activation: value, Importance: value})
			fmt.Fprintf(&b, `<TD BGCOLOR="%s" WIDTH="24" FIXEDSIZE="TRUE" HEIGHT="20" BORDER="1" COLOR="%s"></TD>`,
				fill, w.palette.frame)
		}
		word("1", "")
	}
	word("end of a line", fmt.Sprintf(` BORDER="5" COLOR="%s"`, w.palette.line))
	word("← context", "")
	return b.String()
}

// htmlText writes text for an HTML-like label, which is XML.
func htmlText(text string) string {
	words := strings.Split(text, " ")
	for i, word := range words {
		var b strings.Builder
		xml.EscapeText(&b, []byte(glyph.Visible(word))) // a strings.Builder never fails
		words[i] = b.String()
	}
	return strings.Join(words, " ")
}
