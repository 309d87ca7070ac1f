package graphviz_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"gonum.org/v1/gonum/graph/formats/dot"
	"gonum.org/v1/gonum/graph/formats/dot/ast"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/graphviz"
	"github.com/neuron2graph/neuron2graph/n2g/internal/glyph"
)

// hostile are tokens that mean something to DOT, HTML labels, SVG or a terminal, or have no picture.
var hostile = []string{
	`"`, `\`, `\\`, `\N`, `\G`, `\n`, `\"`, `\L\E\T`, `</`, `<b>`, `<TABLE>`, `&amp;`, `&`, `&#60;`, `&lt;b&gt;`, "\n",
	"\r\n", "\t", " ", "", "  x ",
	"\x00", "\x1b[31m", "\x7f", "\u0085", "\u202e", "\ufeff", "\uffff", "\xff\xfe", "\ufffd", "😀", "👨‍👩‍👧", "漢字", "שלום",
	"e\u0301", "\u0301",
	"{a|b}", "node", "->", "]", "[", ";", "/*", "//", "#", "%d", "]]>", "<!--", "<script>alert(1)</script>",
	strings.Repeat("=", 400), "token one with blanks",
}

func graphOf(tokens []string) *n2g.Graph {
	g := &n2g.Graph{}
	for i, token := range tokens {
		value := float64(i) / float64(len(tokens))
		g.Nodes = append(g.Nodes, n2g.GraphNode{Token: token, Depth: i % 3, Activation: value, Importance: value,
			End: i%2 == 0})
		if i%3 > 0 {
			g.Edges = append(g.Edges, [2]int{i - 1, i})
		}
	}
	return g
}

// texts returns the text and title elements of an SVG; it fails where it holds what an inline drawing must not.
func texts(t *testing.T, svg []byte) (text, titles []string) {
	t.Helper()
	decoder := xml.NewDecoder(bytes.NewReader(svg))
	var open []string
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return text, titles
		}
		if err != nil {
			t.Fatalf("the SVG is not XML: %v\n%s", err, svg)
		}
		switch token := token.(type) {
		case xml.StartElement:
			name := token.Name.Local
			open = append(open, name)
			switch name {
			case "svg", "g", "rect", "path", "tspan", "style":
			case "text":
				text = append(text, "")
			case "title":
				titles = append(titles, "")
			default:
				t.Fatalf("the SVG holds an element %s", name)
			}
			for _, a := range token.Attr {
				if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "id" || a.Name.Local == "href" {
					t.Fatalf("the SVG holds an attribute %s", a.Name.Local)
				}
			}
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			switch open := append([]string{""}, open...); open[len(open)-1] {
			case "text", "tspan":
				text[len(text)-1] += string(token)
			case "title":
				titles[len(titles)-1] += string(token)
			}
		}
	}
}

// checkTokens draws tokens and reads them back from the picture.
func checkTokens(t *testing.T, tokens []string) {
	t.Helper()
	g := graphOf(tokens)
	svg, err := graphviz.SVG(t.Context(), g, graphviz.Options{NoLegend: true})
	if err != nil {
		t.Fatalf("%v\n%s", err, graphviz.DOT(g, graphviz.Options{}))
	}
	text, titles := texts(t, svg)
	if len(text) != len(tokens) || len(titles) != len(tokens) {
		t.Fatalf("%d texts and %d titles for %d tokens", len(text), len(titles), len(tokens))
	}
	left := make(map[string]int)
	for i := range tokens {
		left["text "+text[i]]++
		token, _, _ := strings.Cut(titles[i], " — ")
		left["title "+token]++
	}
	for _, token := range tokens {
		want := glyph.Visible(token)
		shown := want
		if shown == "" {
			shown = "∅"
		}
		if left["title "+want]--; left["title "+want] < 0 {
			t.Errorf("no title of token %q: %q", token, titles)
		}
		cut := strings.TrimSuffix(prefix(text, shown), "…")
		if !strings.HasPrefix(shown, cut) || cut == "" {
			t.Errorf("no label of token %q: %q", token, text)
		}
	}
}

// prefix returns the longest of texts that is shown or its cut beginning.
func prefix(texts []string, shown string) string {
	best := ""
	for _, text := range texts {
		if text == shown {
			return text
		}
		if cut, ok := strings.CutSuffix(text, "…"); ok && strings.HasPrefix(shown, cut) && len(text) > len(best) {
			best = text
		}
	}
	return best
}

func TestHostileTokens(t *testing.T) {
	checkTokens(t, hostile)
	for _, token := range hostile {
		t.Run(fmt.Sprintf("%.20q", token), func(t *testing.T) { checkTokens(t, []string{token}) })
	}
}

func FuzzTokens(f *testing.F) {
	for i, token := range hostile {
		f.Add(token, hostile[len(hostile)-1-i])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a)+len(b) > 1000 {
			return
		}
		checkTokens(t, []string{a, b})
	})
}

// FuzzDOT parses the DOT text back, title included.
func FuzzDOT(f *testing.F) {
	for _, token := range hostile {
		f.Add(token, token)
	}
	f.Fuzz(func(t *testing.T, token, title string) {
		text := graphviz.DOT(graphOf([]string{token, "x"}), graphviz.Options{Title: title})
		// The parser takes U+FFFD for a broken file.
		file, err := dot.ParseString(strings.ReplaceAll(text, "\ufffd", "?"))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if n := nodesOf(file.Graphs[0].Stmts); n != 2 {
			t.Fatalf("%d nodes\n%s", n, text)
		}
	})
}

// nodesOf counts the nodes of statements and the sub-graphs in them.
func nodesOf(statements []ast.Stmt) int {
	n := 0
	for _, s := range statements {
		switch s := s.(type) {
		case *ast.NodeStmt:
			n++
		case *ast.Subgraph:
			n += nodesOf(s.Stmts)
		}
	}
	return n
}

func TestDeterministic(t *testing.T) {
	g := graphOf(hostile)
	for _, o := range []graphviz.Options{{}, {Theme: graphviz.Dark, Title: "t", MaxNodes: 9}, {Theme: graphviz.Auto}} {
		first, err := graphviz.SVG(t.Context(), g, o)
		if err != nil {
			t.Fatal(err)
		}
		second, err := graphviz.SVG(t.Context(), g, o)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, second) {
			t.Errorf("two drawings with %+v differ", o)
		}
	}
}

func TestParts(t *testing.T) {
	g := graphOf([]string{"a", "b", "c", "d", "e", "f", "g"}) // a-b-c, d-e-f, g alone
	dot := graphviz.DOT(g, graphviz.Options{})
	if n := strings.Count(dot, "subgraph cluster_part_"); n != 2 {
		t.Errorf("%d frames, want one for each of two parts:\n%s", n, dot)
	}
	dot = graphviz.DOT(graphOf([]string{"a", "b", "c"}), graphviz.Options{})
	if strings.Contains(dot, "cluster_part_") {
		t.Errorf("a frame around a graph of one part:\n%s", dot)
	}
}

func TestMaxNodes(t *testing.T) {
	g := &n2g.Graph{Nodes: []n2g.GraphNode{{Token: "root"}}}
	for i := range 500 {
		g.Nodes = append(g.Nodes, n2g.GraphNode{Token: fmt.Sprint("t", i), Depth: 1})
		g.Edges = append(g.Edges, [2]int{0, i + 1})
	}
	for _, test := range []struct {
		max, want int
		note      string
	}{{0, 200, "301 more"}, {3, 3, "498 more"}, {-1, 501, ""}, {501, 501, ""}} {
		dot := graphviz.DOT(g, graphviz.Options{MaxNodes: test.max})
		if nodes, _, _ := drawn(dot); len(nodes) != test.want {
			t.Errorf("MaxNodes %d draws %d nodes, want %d", test.max, len(nodes), test.want)
		}
		if got := strings.Contains(dot, " more\""); got != (test.note != "") || !strings.Contains(dot, test.note) {
			t.Errorf("MaxNodes %d: note %v, want %q", test.max, got, test.note)
		}
	}
	svg, err := graphviz.SVG(t.Context(), g, graphviz.Options{MaxNodes: 3})
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := texts(t, svg); !strings.Contains(strings.Join(text, " "), "498 more") {
		t.Errorf("the picture does not say what is missing: %q", text)
	}
}

func TestOddGraphs(t *testing.T) {
	for name, g := range map[string]*n2g.Graph{
		"empty":           {},
		"edge to nothing": {Nodes: []n2g.GraphNode{{Token: "a"}}, Edges: [][2]int{{0, 1}, {-1, 0}}},
		"no numbers": {Nodes: []n2g.GraphNode{{Token: "a", Activation: math.NaN()},
			{Token: "b", Depth: 1, Importance: math.Inf(1)}}, Edges: [][2]int{{0, 1}}},
		"threshold 1.2": graphOf([]string{"a", "b"}),
	} {
		t.Run(name, func(t *testing.T) {
			o := graphviz.Options{ActivationThreshold: new(1.2), ImportanceThreshold: new(1.2)}
			svg, err := graphviz.SVG(t.Context(), g, o)
			if err != nil {
				t.Fatal(err)
			}
			texts(t, svg)
			if _, err := graphviz.PNG(t.Context(), g, o); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestLegendAndTitle(t *testing.T) {
	g := graphOf([]string{"a", "b"})
	svg, err := graphviz.SVG(t.Context(), g, graphviz.Options{Title: "layer 3 <neuron> & 1"})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := texts(t, svg)
	all := strings.Join(text, "|")
	for _, want := range []string{"layer 3 <neuron> & 1", "activation 0.30", "importance 0.55", "end of a line"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in %q", want, text)
		}
	}
	if svg, err = graphviz.SVG(t.Context(), g, graphviz.Options{NoLegend: true}); err != nil {
		t.Fatal(err)
	}
	if text, _ = texts(t, svg); len(text) != 2 {
		t.Errorf("without legend: %q", text)
	}
}

// decodePNG returns a picture with the share of its pixels that are close to color.
func decodePNG(t *testing.T, data []byte) image.Image {
	t.Helper()
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

func share(picture image.Image, r, g, b uint32) float64 {
	bounds, n := picture.Bounds(), 0
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			pr, pg, pb, _ := picture.At(x, y).RGBA()
			if pr>>8 == r && pg>>8 == g && pb>>8 == b {
				n++
			}
		}
	}
	return float64(n) / float64(bounds.Dx()*bounds.Dy())
}

func TestPNG(t *testing.T) {
	g := &n2g.Graph{
		Nodes: []n2g.GraphNode{{Token: "go", Activation: 1, End: true}, {Token: " to\n", Depth: 1, Importance: 1}},
		Edges: [][2]int{{0, 1}},
	}
	data, err := graphviz.PNG(t.Context(), g, graphviz.Options{NoLegend: true})
	if err != nil {
		t.Fatal(err)
	}
	picture := decodePNG(t, data)
	red, blue, black := share(picture, 197, 15, 31), share(picture, 20, 84, 196), share(picture, 0, 0, 0)
	if red < 0.08 || blue < 0.08 || black < 0.03 {
		t.Errorf("shares of red %.3f, blue %.3f, black (borders, edge) %.3f", red, blue, black)
	}
	again, err := graphviz.PNG(t.Context(), g, graphviz.Options{NoLegend: true})
	if err != nil || !bytes.Equal(data, again) {
		t.Errorf("two pictures of one graph differ (%v)", err)
	}
	if data, err = graphviz.PNG(t.Context(), graphOf(hostile),
		graphviz.Options{Theme: graphviz.Dark, NoBrowser: true}); err != nil {
		t.Fatal(err)
	}
	if ground := share(decodePNG(t, data), 0x14, 0x17, 0x1c); ground < 0.2 {
		t.Errorf("the dark ground covers %.3f", ground)
	}
}

// TestPNGSize keeps a huge graph within a picture's memory.
func TestPNGSize(t *testing.T) {
	g := &n2g.Graph{}
	for i := range 900 {
		g.Nodes = append(g.Nodes, n2g.GraphNode{Token: strings.Repeat("w", 30), Depth: i % 2})
	}
	data, err := graphviz.PNG(t.Context(), g, graphviz.Options{MaxNodes: -1})
	if err != nil {
		t.Fatal(err)
	}
	size := decodePNG(t, data).Bounds().Size()
	if size.X*size.Y > 41e6 {
		t.Errorf("%d by %d pixels", size.X, size.Y)
	}
}

func TestConcurrent(t *testing.T) {
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			g := graphOf([]string{fmt.Sprint("token", i), "b", "c"})
			svg, err := graphviz.SVG(t.Context(), g, graphviz.Options{})
			if err != nil || !bytes.Contains(svg, []byte(fmt.Sprint("token", i))) {
				t.Errorf("drawing %d: %v", i, err)
			}
		})
	}
	wait.Wait()
}

// TestManyParts: a graph of dozens of parts is no tall column.
func TestManyParts(t *testing.T) {
	g := &n2g.Graph{}
	for i := range 60 {
		g.Nodes = append(g.Nodes, n2g.GraphNode{Token: fmt.Sprint("token", i), Activation: 1},
			n2g.GraphNode{Token: " the", Depth: 1, Importance: 1})
		g.Edges = append(g.Edges, [2]int{2 * i, 2*i + 1})
	}
	data, err := graphviz.PNG(t.Context(), g, graphviz.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if size := decodePNG(t, data).Bounds().Size(); size.Y > size.X || size.X > 4*size.Y {
		t.Errorf("60 parts are drawn on %v", size)
	}
}

// TestDiagram draws what neuron graphs do not have: chips, labels, absence, edges over several columns.
func TestDiagram(t *testing.T) {
	chips := func(n int) (list []graphviz.Chip) {
		for i := range n {
			list = append(list, graphviz.Chip{Token: fmt.Sprint(" chip", i), Color: graphviz.Blue, Share: 1})
		}
		return list
	}
	d := graphviz.Diagram{
		Nodes: []graphviz.Node{
			{Chips: []graphviz.Chip{{Token: "</script>", Share: 1}}},
			{Chips: chips(40), Column: 1},
			{Chips: chips(2), Column: 3, Absent: true, Title: "not <these>"},
			{Column: 2},
		},
		Edges: []graphviz.Edge{{0, 1, "1 before"}, {0, 2, "≤ 8 <b>"}, {2, 0, "backwards"}, {0, 9, "nowhere"}},
		Notes: []string{"crossed out: absent"},
	}
	svg, err := d.SVG(t.Context(), graphviz.Options{Theme: graphviz.Auto})
	if err != nil {
		t.Fatal(err)
	}
	text, titles := texts(t, svg)
	all := strings.Join(text, "|")
	for _, want := range []string{"</script>", "1 before", "≤ 8 <b>", "·chip0", "·chip23", "+16", "crossed out: absent"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in %q", want, text)
		}
	}
	for _, not := range []string{"backwards", "nowhere", "·chip24"} {
		if strings.Contains(all, not) {
			t.Errorf("%q is drawn", not)
		}
	}
	if len(titles) != 4 || titles[2] != "not <these>" || !strings.Contains(titles[1], "·chip39") {
		t.Errorf("titles %q", titles)
	}
	inline, err := d.SVG(t.Context(), graphviz.Options{Theme: graphviz.Auto, Inline: true})
	if err != nil || bytes.Contains(inline, []byte("<style")) || !bytes.Contains(svg, []byte("<style")) {
		t.Errorf("an inline SVG brings a style sheet, or another does not (%v)", err)
	}
	if _, err := d.PNG(t.Context(), graphviz.Options{NoBrowser: true}); err != nil {
		t.Error(err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := graphviz.SVG(ctx, graphOf(hostile), graphviz.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
	if _, err := graphviz.SVG(t.Context(), graphOf(hostile), graphviz.Options{}); err != nil {
		t.Errorf("after a cancelled drawing: %v", err)
	}
}

func ExampleDOT() {
	g := &n2g.Graph{
		Nodes: []n2g.GraphNode{
			{Token: "cross", Depth: 0, Activation: 1, Activator: true},
			{Token: "thought", Depth: 1, Importance: 0.9, End: true},
		},
		Edges: [][2]int{{0, 1}},
	}
	dot := graphviz.DOT(g, graphviz.Options{NoLegend: true})
	for line := range strings.Lines(dot) {
		if before, _, ok := strings.Cut(line, " fontsize"); ok {
			fmt.Println(strings.TrimSpace(before))
		}
	}
	// Output:
	// 1 [label="cross" fillcolor="#ff0000" fontcolor=black
	// 2 [label="thought" fillcolor="#3939ff" fontcolor=white
}

func BenchmarkSVG200(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	g := &n2g.Graph{}
	for i := range 200 {
		g.Nodes = append(g.Nodes, n2g.GraphNode{Token: fmt.Sprint("token", i), Depth: i / 30, Activation: random.Float64(),
			Importance: random.Float64()})
		if i >= 30 {
			g.Edges = append(g.Edges, [2]int{(i/30-1)*30 + random.IntN(30), i})
		}
	}
	for b.Loop() {
		if _, err := graphviz.SVG(b.Context(), g, graphviz.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
