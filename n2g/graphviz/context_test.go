package graphviz_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/graph/formats/dot"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/graphviz"
)

// mindful is a graph with every kind of test.
func mindful() *n2g.ContextGraph {
	leaf := func(value float64, firing int, table ...n2g.TokenValue) *n2g.ContextNode {
		return &n2g.ContextNode{Value: value, Tokens: 100, Firing: firing, Table: table}
	}
	return &n2g.ContextGraph{FireThreshold: 0.5, Root: &n2g.ContextNode{
		Test: &n2g.ContextTest{Kind: n2g.TestToken, Tokens: []string{" mind", " head", " </script>"}},
		Yes: &n2g.ContextNode{
			Test: &n2g.ContextTest{Kind: n2g.TestToken, Distance: 2, Tokens: []string{" cross", " crossed"}},
			Yes: &n2g.ContextNode{
				Test: &n2g.ContextTest{Kind: n2g.TestWithin, Window: 8, Tokens: []string{" not"}},
				Yes:  leaf(0.1, 1),
				No:   leaf(0.9, 30, n2g.TokenValue{Token: " head", Value: 0.2}),
			},
			No: leaf(0.2, 2),
		},
		No: &n2g.ContextNode{
			Test: &n2g.ContextTest{Kind: n2g.TestRepeated, Window: 16},
			Yes:  leaf(0.7, 5),
			No:   leaf(0, 0, n2g.TokenValue{Token: " brain", Value: 0.8}),
		},
	}}
}

func TestOfContext(t *testing.T) {
	d := graphviz.OfContext(mindful(), graphviz.Options{})
	var lines []string
	for _, n := range d.Nodes {
		var chips []string
		for _, c := range n.Chips {
			chips = append(chips, c.Token)
		}
		line := strings.Join(chips, ",")
		if n.Absent {
			line = "not " + line
		}
		lines = append(lines, line)
	}
	want := []string{" mind, </script>", " cross, crossed", "not  not", "any token", "the same token", " brain",
		"not the same token"}
	if !slices.Equal(lines, want) {
		t.Errorf("nodes %q, want %q", lines, want)
	}
	var labels []string
	for _, e := range d.Edges {
		labels = append(labels, e.Label)
	}
	if want := []string{"2 before", "within 8", "within 16", "within 16"}; !slices.Equal(labels, want) {
		t.Errorf("edges %q, want %q", labels, want)
	}
	picture, err := d.PNG(t.Context(), graphviz.Options{NoBrowser: true})
	if err != nil {
		t.Fatal(err)
	}
	if path := os.Getenv("N2G_CONTEXT"); path != "" {
		if err := os.WriteFile(path, picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if svg, err := d.SVG(t.Context(), graphviz.Options{}); err != nil || !strings.Contains(string(svg), `aria-label="context graph"`) {
		t.Errorf("a screen reader is not told that this is a context graph: %v", err)
	}
	file, err := dot.ParseString(d.DOT(graphviz.Options{Title: `a "title"`}))
	if err != nil {
		t.Fatal(err)
	}
	if n := nodesOf(file.Graphs[0].Stmts); n != len(d.Nodes) {
		t.Errorf("%d nodes in DOT, want %d", n, len(d.Nodes))
	}
	if empty := graphviz.OfContext(nil, graphviz.Options{}); len(empty.Nodes) != 0 {
		t.Error("no graph has nodes")
	}
}

// FuzzContext draws foreign graphs: each is well-formed XML.
func FuzzContext(f *testing.F) {
	sample, err := json.Marshal(mindful())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sample)
	f.Fuzz(func(t *testing.T, graph []byte) {
		e, err := n2g.ReadExplanation(strings.NewReader(`{"format":"n2g-explanation/2","context":` + string(graph) + `}`))
		if err != nil || e.Context == nil {
			return
		}
		svg, err := graphviz.OfContext(e.Context, graphviz.Options{}).SVG(t.Context(), graphviz.Options{})
		if err != nil {
			return // too large
		}
		// The parser takes U+FFFD for a broken file.
		text := strings.ReplaceAll(graphviz.OfContext(e.Context, graphviz.Options{}).DOT(graphviz.Options{}), "\ufffd", "?")
		if _, err := dot.ParseString(text); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%v in %s", err, svg)
			}
		}
	})
}

// What is drawn of a leaf: the tokens that all tests of the current token leave, and where only sequences fire, these.
func TestOfContextLeaves(t *testing.T) {
	token := func(distance int, tokens ...string) *n2g.ContextTest {
		return &n2g.ContextTest{Kind: n2g.TestToken, Distance: distance, Tokens: tokens}
	}
	sequences := &n2g.ContextNode{Test: token(2, "far"), No: &n2g.ContextNode{},
		Yes: &n2g.ContextNode{Firing: 1, Sequences: []n2g.SequenceValue{{Tokens: []string{"w", "v", "u"}, Value: .9},
			{Tokens: []string{"z", "u"}, Value: .85}, {Tokens: []string{"z", "q"}, Value: .25}}}}
	nodes := func(d graphviz.Diagram) (nodes []string) {
		for _, n := range d.Nodes {
			text := ""
			for _, c := range n.Chips {
				text += c.Token
			}
			nodes = append(nodes, text)
		}
		return nodes
	}
	d := graphviz.OfContext(&n2g.ContextGraph{FireThreshold: .5, Support: n2g.Support{BuildTokens: 50, BuildFiring: 9},
		Root: &n2g.ContextNode{
			Test: token(0, "a", "b", "c", "d"),
			Yes: &n2g.ContextNode{
				Test: token(0, "c", "x", "b"),
				Yes:  &n2g.ContextNode{Test: token(0, "c"), Yes: &n2g.ContextNode{}, No: &n2g.ContextNode{Value: .75, Firing: 9}},
				No:   &n2g.ContextNode{Value: .5, Firing: 8},
			},
			No: sequences,
		}}, graphviz.Options{})
	if want := []string{"b", "ad"}; !slices.Equal(nodes(d), want) {
		t.Errorf("nodes %q, want %q", nodes(d), want)
	}
	if !slices.Contains(d.Notes, "few: it rests on 9 firing tokens") {
		t.Errorf("%q does not say on how little it rests", d.Notes)
	}
	d = graphviz.OfContext(&n2g.ContextGraph{FireThreshold: .8, Root: sequences}, graphviz.Options{})
	// The lines of the sequences share their first node.
	if want := []string{"u", "v", "w", "far", "z", "far"}; !slices.Equal(nodes(d), want) {
		t.Errorf("nodes %q, want %q", nodes(d), want)
	}
}
