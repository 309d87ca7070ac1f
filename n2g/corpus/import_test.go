package corpus_test

import (
	"encoding/json"
	"fmt"
	"html"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g/corpus"
)

// pageTokens are hard to carry through HTML.
var pageTokens = [][]string{
	{"<|endoftext|>", "The", " thought", " didn", "'t", " cross", "\n", "</b>", "<span", "&amp;", "&", "\"", " 漢"},
	{"<|endoftext|>", " a", " <b", ">", " \\", "\t", "</div>", "{", "\"tokens", "\":", " ["},
}

// neuroscopePage is a page as Neuroscope makes them: for each text a cut and a whole widget, in scripts.
func neuroscopePage(texts [][]string) string {
	var b strings.Builder
	b.WriteString("<h1>Model: SoLU Model: 8 Layers, 1024 Neurons per Layer</h1>\n<h2>Neuron 17 in Layer 3 </h2>\n" +
		"<h3>Transformer Lens Loading: <span style='font-family: \"Courier " +
		"New\"'>HookedTransformer.from_pretrained('solu-8l-pile')</span></h3>\n<hr>\n")
	widget := func(tokens []string) {
		list, _ := json.Marshal(tokens)
		fmt.Fprintf(&b, "<div id=\"circuits-vis-%d\"></div>\n<script "+
			"type=\"module\">render(\"ColoredTokens\",\n{\"tokens\": %s, \"values\": [0.1], \"minValue\": -7.25, "+
			"\"maxValue\": 7.25})\n</script>\n", len(tokens), list)
	}
	for i, tokens := range texts {
		fmt.Fprintf(&b, "<h2>Text #%d</h2><h4>Max Range: <b>7.2500</b>. Min Range: <b>-7.2500</b></h4>\n<h4>Max Act: "+
			"<b>%.4f</b>. Min Act: <b>-0.1000</b></h4>\n", i, 7.25-float64(i))
		b.WriteString("<h4>Data Index: <b>12</b> (The Pile)</h4>\n<h4>Max Activating Token Index: " +
			"<b>2</b></h4>\n<details><summary><b>Click toggle to see full text</b>\n<h3>Truncated</h3>\n")
		widget(tokens[1:4])
		fmt.Fprintf(&b, "</summary>\n<h3>Full Text #%d</h3>\n", i)
		widget(tokens)
		b.WriteString("</details>\n<hr>\n")
	}
	return b.String()
}

// lexoscopePage is a page as Lexoscope makes them, or as a browser saves it.
func lexoscopePage(texts [][]string, saved bool) string {
	quote, escape := "'", func(s string) string { return s }
	if saved {
		quote, escape = `"`, html.EscapeString
	}
	var b strings.Builder
	b.WriteString("<h1>Dataset: The Pile</h1><h2>Neuron 17 in Layer 3 </h2><h3>Easy Transformer Loading: " +
		"<span>EasyTransformer.from_pretrained('solu-8l-pile')</span></h3><hr>")
	for i, tokens := range texts {
		fmt.Fprintf(&b, "<br><br><h3>Text #%d</h3><style> span.token { color: rgb(0, 0, 0); } </style><h4>Max Range: "+
			"<b>7.2500</b>. Min Range: <b>0.0000</b></h4><h4>Max Act: <b>%.4f</b>. Min Act: <b>-0.1000</b></h4><div "+
			"class='token-text'>", i, 7.25-float64(i))
		for _, token := range tokens {
			fmt.Fprintf(&b, "<span class=%stoken%[1]s style=%[1]sbackground-color:rgb(250, 3, 3)%[1]s >%s</span>", quote,
				escape(token))
		}
		b.WriteString("</div>")
	}
	return b.String()
}

func TestReadPage(t *testing.T) {
	var want []string
	for _, tokens := range pageTokens {
		want = append(want, strings.Join(tokens, ""))
	}
	for name, content := range map[string]string{
		"Neuroscope": neuroscopePage(pageTokens), "Lexoscope": lexoscopePage(pageTokens, false),
		"saved": lexoscopePage(pageTokens, true),
	} {
		page, err := corpus.ReadPage([]byte(content))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.Equal(page.Examples.Prompts, want) {
			t.Errorf("%s: got  %q\nwant %q", name, page.Examples.Prompts, want)
		}
		if page.Model != "solu-8l-pile" || page.Examples.Site.Layer != 3 || page.Examples.Site.Index != 17 ||
			page.Examples.MaxActivation != 7.25 {
			t.Errorf("%s: %+v", name, page)
		}
	}
}

func TestReadPageRefuses(t *testing.T) {
	whole := neuroscopePage(pageTokens)
	for name, content := range map[string]string{
		"nothing":      "",
		"another page": "<h1>Neuroscope</h1>",
		"no text":      "<h2>Neuron 1 in Layer 2</h2>",
		"no maximum":   strings.ReplaceAll(whole, "Max Act:", ""),
		"no tokens":    strings.ReplaceAll(whole, `"tokens"`, `"words"`),
		"cut":          whole[:strings.LastIndex(whole, "thought")],
		"no number":    strings.ReplaceAll(whole, "<b>7.2500</b>. Min Act", "<b>--</b>. Min Act"),
		"huge neuron":  strings.ReplaceAll(whole, "Neuron 17", "Neuron 99999999999999999999"),
	} {
		if _, err := corpus.ReadPage([]byte(content)); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want one sentence", name, err)
		}
	}
}

func TestActivationMatrix(t *testing.T) {
	file, err := os.Open("../../testdata/golden/neurons/activation_matrix.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	m, err := corpus.ReadActivationMatrix(file)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := m.Max(0, 3); err != nil || got != 1.8731046915054321 {
		t.Errorf("layer 0 neuron 3: %g, %v", got, err)
	}
	for _, at := range [][2]int{{-1, 0}, {3, 0}, {0, -1}, {0, 512}} {
		if _, err := m.Max(at[0], at[1]); err == nil {
			t.Errorf("there is a neuron %v", at)
		}
	}
	if _, err := (corpus.ActivationMatrix{{-1}}).Max(0, 0); err == nil {
		t.Error("a neuron below 0 can be explained")
	}
	for _, text := range []string{"", "{}", "[]", "[1]", `[["a"]]`} {
		if _, err := corpus.ReadActivationMatrix(strings.NewReader(text)); err == nil {
			t.Errorf("the matrix %q was accepted", text)
		}
	}
}

func FuzzReadPage(f *testing.F) {
	f.Add([]byte(neuroscopePage(pageTokens)))
	f.Add([]byte(lexoscopePage(pageTokens, false)))
	f.Add([]byte(lexoscopePage(pageTokens, true)))
	f.Fuzz(func(t *testing.T, data []byte) {
		page, err := corpus.ReadPage(data)
		if err == nil && (len(page.Examples.Prompts) == 0 || page.Examples.Site.Layer < 0 || page.Examples.Site.Index < 0) {
			t.Errorf("%+v of %q", page, data)
		}
	})
}

func FuzzReadActivationMatrix(f *testing.F) {
	f.Add("[[1, 2.5], [0]]")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := corpus.ReadActivationMatrix(strings.NewReader(text))
		if err != nil {
			return
		}
		for layer := range m {
			m.Max(layer, 0)
		}
	})
}
