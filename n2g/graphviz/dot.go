package graphviz

import (
	"fmt"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/internal/glyph"
	"github.com/neuron2graph/neuron2graph/n2g/internal/scene"
)

// DOT returns the graph in Graphviz's language, to be drawn by its program dot. Node 1, 2, 3 … are those of g in order.
func DOT(g *n2g.Graph, o Options) string {
	w := &writer{options: o, palette: o.palette(), graph: g, chosen: o.choose(g)}
	w.printf(0, "digraph {")
	w.head()
	for _, edge := range w.edges {
		w.printf(1, "%d -> %d [dir=back penwidth=3]", edge[0]+1, edge[1]+1)
	}
	w.body()
	w.heading()
	w.printf(0, "}")
	return w.String()
}

// DOT returns the diagram in Graphviz's language, as [DOT] does a neuron graph. A node's tokens stand in rows, below
// "not" where it must not be there.
func (d Diagram) DOT(o Options) string {
	w := &writer{options: o, palette: o.palette()}
	w.printf(0, "digraph {")
	w.head()
	w.printf(1, "node [fixedsize=false shape=box fontsize=20 style=filled fillcolor=%q fontcolor=%q]", w.palette.ground,
		w.palette.text)
	w.printf(1, "edge [dir=back penwidth=2 fontname=%q fontcolor=%q]", family, w.palette.text)
	for i, n := range d.Nodes {
		w.printf(1, `%d [label="%s"%s tooltip=%s]`, i+1, n.rows(), n.dotStyle(), quoteTooltip(n.title()))
	}
	for _, e := range d.Edges {
		w.printf(1, "%d -> %d [label=%s]", e.From+1, e.To+1, quote(scene.Label(e.Label)))
	}
	if o.Title != "" {
		w.printf(1, "graph [labelloc=t labeljust=l fontsize=25 label=%s]", quote(scene.Label(o.Title)))
	}
	w.printf(0, "}")
	return w.String()
}

// rows are a node's tokens as a DOT string without its quotes.
func (n Node) rows() string {
	const row = 6 // tokens
	var b strings.Builder
	if n.Absent {
		b.WriteString(`not\n`)
	}
	for i, c := range n.Chips[:min(len(n.Chips), mostChips)] {
		text, _ := scene.Fit(c.visible(), longestLabel)
		switch {
		case i > 0 && i%row == 0:
			b.WriteString(`\n`)
		case i > 0:
			b.WriteString("  ")
		}
		b.WriteString(escape.Replace(text))
	}
	if more := len(n.Chips) - mostChips; more > 0 {
		fmt.Fprintf(&b, `\n%d more`, more)
	}
	return b.String()
}

// dotStyle are a node's border and colours: that of its strongest token.
func (n Node) dotStyle() string {
	style := " penwidth=2"
	if n.Bold {
		style = " penwidth=5"
	}
	if n.Absent {
		return style + ` style="filled,dashed"`
	}
	share, color := 0.0, Plain
	for _, c := range n.Chips {
		if c.Color != Plain && c.Share >= share {
			share, color = c.Share, c.Color
		}
	}
	faded := 255 - int(255*share)
	switch {
	case color == Red:
		return style + fmt.Sprintf(` fillcolor="#ff%02x%02x" fontcolor=black`, faded, faded)
	case color == Blue && faded < darkBlue:
		return style + fmt.Sprintf(` fillcolor="#%02x%02xff" fontcolor=white`, faded, faded)
	case color == Blue:
		return style + fmt.Sprintf(` fillcolor="#%02x%02xff" fontcolor=black`, faded, faded)
	}
	return style
}

// writer writes one graph.
type writer struct {
	strings.Builder
	options Options
	palette palette
	graph   *n2g.Graph
	chosen
}

func (w *writer) printf(indent int, format string, args ...any) {
	for range indent {
		w.WriteByte('\t')
	}
	fmt.Fprintf(w, format, args...)
	w.WriteByte('\n')
}

// chosen is what of a large graph is drawn.
type chosen struct {
	nodes int          // nodes [0, nodes) are
	edges [][2]int     // those between them
	cut   map[int]bool // drawn nodes with context that is not
}

// choose says what of a large graph is drawn. A node's parents precede it in breadth-first order, so none is cut loose.
func (o Options) choose(g *n2g.Graph) chosen {
	c := chosen{nodes: len(g.Nodes), cut: make(map[int]bool)}
	if limit := o.maxNodes(); limit >= 0 {
		c.nodes = min(c.nodes, limit)
	}
	for _, edge := range g.Edges {
		from, to := edge[0], edge[1]
		switch {
		case min(from, to) < 0 || max(from, to) >= len(g.Nodes):
			// a graph read from elsewhere may hold an edge to nowhere
		case from < c.nodes && to < c.nodes:
			c.edges = append(c.edges, edge)
		case from < c.nodes:
			c.cut[from] = true
		}
	}
	return c
}

// head writes what holds for the whole graph.
func (w *writer) head() {
	w.printf(1, "graph [nodesep=0.2 rankdir=RL ranksep=1.5 splines=spline]")
	w.printf(1, "graph [bgcolor=%q fontname=%q fontcolor=%q]", w.palette.ground, family, w.palette.text)
	w.printf(1, "node [fixedsize=true height=0.75 width=2 fontname=%q color=%q]", family, w.palette.line)
	w.printf(1, "edge [color=%q]", w.palette.line)
}

// family is the font that Graphviz measures and SVG names; viewers fall back to the last.
const family = "Helvetica,Arial,sans-serif"

// body writes the nodes: ranks by depth, in a frame for each part of the graph where there are several.
func (w *writer) body() {
	var loose, framed []int
	var parts [][]int
	for _, part := range w.parts() {
		if len(part) == 1 {
			loose = append(loose, part...)
		} else {
			parts = append(parts, part)
			framed = append(framed, part...)
		}
	}
	if len(parts) < 2 && (len(loose) == 0 || len(framed) == 0) {
		w.ranks(1, "", append(framed, loose...))
	} else {
		for i, part := range parts {
			w.printf(1, "subgraph cluster_part_%d {", i+1)
			w.printf(2, `graph [style="rounded,dashed" color=%q margin=24]`, w.palette.frame)
			w.ranks(2, fmt.Sprintf("%d_", i+1), part)
			w.printf(1, "}")
		}
		w.ranks(1, "", loose)
	}
	if more := len(w.graph.Nodes) - w.nodes; more > 0 {
		for from := w.nodes - 1; from >= 0; from-- {
			if w.cut[from] { // the last of them is deep: an unseen edge puts the note where the graph is cut
				w.printf(1, "%d -> more [style=invis]", from+1)
				break
			}
		}
		w.printf(1, `more [label="%d more" fontsize=25 shape=box style="rounded,dashed" fontcolor=%q tooltip=%s]`,
			more, w.palette.text, quote(notDrawn(more)))
	}
}

// ranks writes nodes as clusters by depth, as the published program does.
func (w *writer) ranks(indent int, name string, nodes []int) {
	byDepth := make(map[int][]int)
	deepest := -1
	for _, i := range nodes {
		depth := w.graph.Nodes[i].Depth
		byDepth[depth] = append(byDepth[depth], i)
		deepest = max(deepest, depth)
	}
	for depth := range deepest + 1 {
		if len(byDepth[depth]) == 0 {
			continue
		}
		w.printf(indent, "subgraph cluster_%s%d {", name, depth+1)
		w.printf(indent+1, "graph [style=solid pencolor=transparent penwidth=3 margin=8]")
		for _, i := range byDepth[depth] {
			w.node(indent+1, i)
		}
		w.printf(indent, "}")
	}
}

func (w *writer) node(indent, i int) {
	node := w.graph.Nodes[i]
	text := label(node.Token)
	size := ""
	if wide := width(text); wide > 2 {
		size = fmt.Sprintf(" width=%.1f", wide)
	}
	fill, ink := w.options.colors(node)
	border := 3
	if node.End {
		border = 7
	}
	w.printf(indent,
		`%d [label=%s fillcolor=%q fontcolor=%s fontsize=25 penwidth=%d shape=box style="filled,solid"%s tooltip=%s]`,
		i+1, quote(text), fill, ink, border, size, quoteTooltip(tooltip(node, w.cut[i])))
}

// parts returns the connected parts of what is drawn.
func (w *writer) parts() [][]int {
	return (&n2g.Graph{Nodes: w.graph.Nodes[:w.nodes], Edges: w.edges}).Components()
}

// tooltip is the whole token with its numbers.
func tooltip(node n2g.GraphNode, cut bool) string {
	kind, note := "context", ""
	if node.Depth == 0 {
		kind = "activating"
	}
	if node.End {
		note = ", end of a line"
	}
	if cut {
		note += ", with context that is not drawn"
	}
	return fmt.Sprintf("%s — %s, depth %d, activation %.3f, importance %.3f%s",
		glyph.Visible(node.Token), kind, node.Depth, node.Activation, node.Importance, note)
}
