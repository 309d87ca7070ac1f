package graphviz

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// mostLines of a context graph are drawn: the leaves that account for most firing. Where leaves fire in sequences of
// tokens alone, mostSequences of each are, the highest.
const (
	mostLines     = 24
	mostSequences = 6
)

// OfContext returns the diagram of a context graph. Each leaf that predicts firing is a line, as in a neuron graph: at
// the right the tokens on which it fires, to the left what its context must hold, further away further left, with the
// distance on the arrow, and crossed out what it must not hold. Where leaves predict firing for sequences of tokens
// alone, each of these is a line. Lines that begin alike share their beginning. Lines that would take more than
// o.MaxNodes nodes are left out, and counted.
func OfContext(g *n2g.ContextGraph, o Options) Diagram {
	d := Diagram{
		name:  "context graph",
		ends:  true,
		Notes: []string{"← context", "crossed out: must not be there"},
		Legend: []Scale{
			{"predicted activation", "0", "1", Red},
			{"context", "goes with it", "needed", Blue},
		},
	}
	if g == nil {
		return d
	}
	if s := g.Support; s.BuildTokens > 0 && s.Few() {
		d.Notes = append(d.Notes, fmt.Sprintf("few: it rests on %d firing tokens", s.BuildFiring))
	}
	lines := contextLines(g)
	more := max(0, len(lines)-mostLines)
	lines = lines[:len(lines)-more]
	known := map[string]int{}
	for i, line := range lines {
		if len(d.Nodes) > 0 && o.MaxNodes > 0 && len(d.Nodes)+len(line) > o.MaxNodes {
			more += len(lines) - i
			break
		}
		key, at := "", -1
		for _, step := range line {
			key += step.key()
			i, ok := known[key]
			if !ok {
				i = len(d.Nodes)
				known[key] = i
				step.node.Column = 0
				if at >= 0 {
					step.node.Column = d.Nodes[at].Column + 1
					d.Edges = append(d.Edges, Edge{From: at, To: i, Label: step.label})
				}
				d.Nodes = append(d.Nodes, step.node)
			}
			at = i
		}
		d.Nodes[at].Bold = true
	}
	if more > 0 {
		d.Notes = append(d.Notes, fmt.Sprintf("%d more lines are not drawn", more))
	}
	return d
}

// contextStep is a node of a line, with what its edge says.
type contextStep struct {
	node  Node
	label string
	order int // how far away it looks
}

func (s contextStep) key() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\x00%s\x00%v", s.label, s.node.Absent)
	for _, c := range s.node.Chips {
		b.WriteString("\x01" + c.Token)
	}
	return b.String()
}

// contextLines are the lines of the leaves that predict firing, those of most firing tokens first.
func contextLines(g *n2g.ContextGraph) [][]contextStep {
	type leaf struct {
		firing int
		line   []contextStep
	}
	var leaves, sequences []leaf
	var walk func(n *n2g.ContextNode, path []contextStep, tokens []string)
	walk = func(n *n2g.ContextNode, path []contextStep, tokens []string) {
		if n == nil {
			return
		}
		if n.Test != nil {
			if n.Test.Kind == n2g.TestToken && n.Test.Distance == 0 {
				yes := []string{}
				for _, token := range n.Test.Tokens {
					if tokens == nil || slices.Contains(tokens, token) {
						yes = append(yes, token)
					}
				}
				var no []string // nil: any
				if tokens != nil {
					no = slices.DeleteFunc(slices.Clone(tokens), func(token string) bool {
						return slices.Contains(n.Test.Tokens, token)
					})
				}
				walk(n.Yes, path, yes)
				walk(n.No, path, no)
				return
			}
			walk(n.Yes, append(slices.Clip(path), contextStepOf(n.Test, false)), tokens)
			walk(n.No, append(slices.Clip(path), contextStepOf(n.Test, true)), tokens)
			return
		}
		line := func(first contextStep, more ...contextStep) leaf {
			context := append(more, path...)
			slices.SortStableFunc(context, func(a, b contextStep) int { return cmp.Compare(a.order, b.order) })
			return leaf{n.Firing, append([]contextStep{first}, context...)}
		}
		first, ok := activating(n, tokens, g.FireThreshold)
		if ok {
			leaves = append(leaves, line(first))
			return
		}
		for _, s := range n.Sequences[:min(len(n.Sequences), mostSequences)] {
			if s.Value < g.FireThreshold || s.Value <= 0 {
				break
			}
			last := len(s.Tokens) - 1
			end := first
			end.node.Chips = []Chip{{Token: s.Tokens[last], Color: Red, Share: min(1, s.Value)}}
			var before []contextStep
			for distance := 1; distance <= last; distance++ {
				before = append(before, contextStepOf(&n2g.ContextTest{Kind: n2g.TestToken, Distance: distance,
					Tokens: []string{s.Tokens[last-distance]}}, false))
			}
			sequences = append(sequences, line(end, before...))
		}
	}
	walk(g.Root, nil, nil)
	if len(leaves) == 0 {
		leaves = sequences
	}
	slices.SortStableFunc(leaves, func(a, b leaf) int { return cmp.Compare(b.firing, a.firing) })
	lines := make([][]contextStep, len(leaves))
	for i, l := range leaves {
		lines[i] = l.line
	}
	return lines
}

// activating is the node of the tokens, of those that come to a leaf (nil: any), on which it predicts firing; false if
// there are none.
func activating(n *n2g.ContextNode, tokens []string, fire float64) (contextStep, bool) {
	step := contextStep{node: Node{Title: fmt.Sprintf("predicts %.3f; %d of %.0f tokens that come here fire", n.Value,
		n.Firing, n.Tokens)}}
	table := map[string]float64{}
	for _, entry := range n.Table {
		table[entry.Token] = entry.Value
	}
	add := func(token string, value float64) {
		if value >= fire && value > 0 {
			step.node.Chips = append(step.node.Chips, Chip{Token: token, Color: Red, Share: min(1, value)})
		}
	}
	if tokens == nil {
		for _, entry := range n.Table {
			add(entry.Token, entry.Value)
		}
		if len(step.node.Chips) == 0 && n.Value >= fire && n.Value > 0 {
			step.node.Chips = []Chip{{Token: "any token", Words: true, Color: Red, Share: min(1, n.Value)}}
		}
		return step, len(step.node.Chips) > 0
	}
	for _, token := range tokens {
		value, ok := table[token]
		if !ok {
			value = n.Value
		}
		add(token, value)
	}
	slices.SortStableFunc(step.node.Chips, func(a, b Chip) int { return cmp.Compare(b.Share, a.Share) })
	return step, len(step.node.Chips) > 0
}

// contextStepOf is the node of a test's answer yes or, if absent, no.
func contextStepOf(t *n2g.ContextTest, absent bool) contextStep {
	s := contextStep{node: Node{Absent: absent}, order: t.Distance}
	color, share := Blue, 0.5
	if needed, known := t.Needed(); known {
		share = 0.15 // it goes with firing
		if needed {
			share = 0.85
		}
	}
	if absent {
		color = Plain
	}
	for _, token := range t.Tokens {
		s.node.Chips = append(s.node.Chips, Chip{Token: token, Color: color, Share: share})
	}
	switch t.Kind {
	case n2g.TestWithin:
		s.label, s.order = fmt.Sprintf("within %d", t.Window), 1<<16+t.Window
	case n2g.TestLine:
		s.label, s.order = "begins the line", 1<<15+t.Distance
		if t.Distance > 0 {
			s.label = fmt.Sprintf("line start + %d", t.Distance)
		}
		if t.Start {
			s.node.Chips = append(s.node.Chips, Chip{Token: "start of text", Words: true, Color: color, Share: 0.25})
		}
	case n2g.TestRepeated:
		s.label, s.order = fmt.Sprintf("within %d", t.Window), 1<<17+t.Window
		s.node.Chips = append(s.node.Chips, Chip{Token: "the same token", Words: true, Color: color, Share: share})
	default:
		s.label = fmt.Sprintf("%d before", t.Distance)
		if t.Start {
			s.node.Chips = append(s.node.Chips, Chip{Token: "start of text", Words: true, Color: color, Share: 0.25})
		}
	}
	switch {
	case t.Moves == nil:
	case *t.Moves < 0:
		s.node.Title = fmt.Sprintf("masking it adds %.0f %% to the activation", -100**t.Moves)
	default:
		s.node.Title = fmt.Sprintf("masking it takes %.0f %% of the activation", 100**t.Moves)
	}
	return s
}
