package heatmap_test

import (
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g/heatmap"
	"github.com/neuron2graph/neuron2graph/n2g/internal/glyph"
)

// What a map may consist of: nothing that runs, loads or links.
var (
	htmlElements = map[string][]string{
		"div": {"class"}, "span": {"class", "title"}, "b": {}, "i": {"class"}, "u": {}, "q": {}, "br": {}, "small": {},
		"style":   {},
		"details": {}, "summary": {},
		"html": {"lang", "class"}, "head": {}, "body": {}, "title": {}, "meta": {"charset", "name", "content", "http-equiv"},
	}
	svgElements = map[string][]string{
		"svg":   {"xmlns", "class", "width", "height", "viewBox", "role", "aria-label", "font-family", "font-size"},
		"style": {}, "title": {}, "g": {},
		"rect": {"class", "x", "y", "width", "height", "rx", "fill", "fill-opacity", "stroke", "stroke-opacity",
			"stroke-width",
			"stroke-dasharray"},
		"text": {"class", "x", "y", "fill", "font-size", "font-family", "font-weight", "text-anchor", "textLength",
			"lengthAdjust"},
		"tspan": {"fill-opacity"},
	}
)

// parse checks that a text is well formed of nothing but the given elements and attributes, and returns the text of
// each element that has a title, by attribute or by child, and the titles.
func parse(t *testing.T, text string, elements map[string][]string) (boxes, titles []string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(text))
	box := -1 // the depth of the box that is open
	depth := 0
	inTitle := false
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return boxes, titles
		}
		if err != nil {
			t.Fatalf("not well formed: %v in %s", err, text)
		}
		switch token := token.(type) {
		case xml.StartElement:
			allowed, ok := elements[token.Name.Local]
			if !ok {
				t.Fatalf("element <%s> in %s", token.Name.Local, text)
			}
			for _, a := range token.Attr {
				if !slices.Contains(allowed, a.Name.Local) {
					t.Fatalf("attribute %s=%q of <%s> in %s", a.Name.Local, a.Value, token.Name.Local, text)
				}
				if a.Name.Local == "title" {
					titles = append(titles, a.Value)
					boxes = append(boxes, "")
					box = depth
				}
			}
			if token.Name.Local == "g" {
				boxes = append(boxes, "")
				titles = append(titles, "")
				box = depth
			}
			inTitle = token.Name.Local == "title"
			depth++
		case xml.EndElement:
			depth--
			inTitle = false
			if depth == box {
				box = -1
			}
		case xml.CharData:
			switch {
			case inTitle && box >= 0:
				titles[len(titles)-1] += string(token)
			case box >= 0:
				boxes[len(boxes)-1] += string(token)
			}
		}
	}
}

// checkMap checks a map in all its markups.
func checkMap(t *testing.T, h heatmap.HeatMap) {
	t.Helper()
	for form := range heatmap.Compact + 1 {
		h.Form = form
		for _, text := range []string{h.HTML(), h.Page()} {
			boxes, titles := parse(t, text, htmlElements)
			checkBoxes(t, h, boxes, titles, true)
		}
		boxes, titles := parse(t, h.SVG(), svgElements)
		checkBoxes(t, h, boxes, titles, false)
	}
}

// checkBoxes checks that each token has one box, which shows it; an SVG may cut it.
func checkBoxes(t *testing.T, h heatmap.HeatMap, boxes, titles []string, whole bool) {
	t.Helper()
	if len(boxes) != len(h.Tokens) {
		t.Fatalf("%d boxes for %d tokens", len(boxes), len(h.Tokens))
	}
	for i, token := range h.Tokens {
		want := glyph.Visible(token)
		if !strings.HasPrefix(titles[i], want) {
			t.Errorf("token %q has title %q", token, titles[i])
		}
		shown := strings.TrimPrefix(boxes[i], "\u200b")
		if begin, _, cut := strings.Cut(shown, "…"); !whole && cut && strings.HasPrefix(want, begin) {
			continue
		}
		if !strings.HasPrefix(shown, want) {
			t.Errorf("token %q is shown as %q", token, boxes[i])
		}
	}
}

func TestHostileTokens(t *testing.T) {
	h := sample(heatmap.Figure)
	checkMap(t, h)
	h.FoldAfter = 3
	checkMap(t, h)
	h.Rows = nil
	checkMap(t, h)
	for range 6 {
		h.Rows = append(h.Rows, heatmap.Row{Name: "<i>", Note: "</style>", Values: []float64{1, -1}, Color: 200})
	}
	checkMap(t, h)
	checkMap(t, heatmap.HeatMap{})
	h.NoLegend = true
	checkMap(t, h)
}

func TestDeterministic(t *testing.T) {
	for _, form := range slices.Sorted(maps.Values(forms)) {
		first, second := sample(form), sample(form)
		if first.HTML() != second.HTML() || first.SVG() != second.SVG() {
			t.Errorf("form %d: a second drawing differs", form)
		}
	}
}

func FuzzEscape(f *testing.F) {
	for _, token := range hostile {
		f.Add(token, "name", 0.5)
	}
	f.Add(`" onmouseover="x`, "</title><script>", -2.0)
	f.Add("\u200b…", "--h1:url(x)", 1e300)
	f.Fuzz(func(t *testing.T, token, name string, value float64) {
		checkMap(t, heatmap.HeatMap{
			Title:     name,
			Tokens:    []string{token, token + name, name},
			Rows:      []heatmap.Row{{Name: name, Note: token, Values: []float64{value, -value}, Max: value}},
			Marks:     []heatmap.Mark{heatmap.Mark(len(token))},
			FoldAfter: len(name),
		})
	})
}
