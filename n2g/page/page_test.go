package page_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/heatmap"
	"github.com/neuron2graph/neuron2graph/n2g/page"
)

//go:generate go test -run ^TestGolden$ -update

var update = flag.Bool("update", false, "write the golden file")

const graph = `<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="60" height="20"><rect width="60" height="20" fill="#f44"/><text x="30" y="14" text-anchor="middle">mind</text></svg>`

// small is an explanation with a little of everything.
func small() *n2g.Explanation {
	measured := &n2g.Measured{
		Tokens:      []string{"<|endoftext|>", " cross", " my", " mind", "."},
		Activations: []float64{0, 0.1, 0.05, 0.98, 0},
		Peak:        3,
		Importances: []float64{0, 0.93, 0.2, 1, 0},
	}
	scores := n2g.Scores{
		Firing:    n2g.ClassScores{Precision: 0.75, Recall: 0.5, F1: 0.6, Support: 4},
		NonFiring: n2g.ClassScores{Precision: 0.99, Recall: 1, F1: 0.995, Support: 400},
		R2:        -0.0001, Pearson: 0.71, AveragePrecision: 0.66,
	}
	return &n2g.Explanation{
		Format: n2g.Format, Model: "tiny", MaskedModel: "tiny-masked", Site: n2g.Site{Layer: 3, Index: 1, Hook: "hook_mid"},
		MaxActivation: 3.2109, Density: new(0.000423),
		Options: n2g.Options{Cutoff: new(50), Stopwords: []string{"the", "<b>"}, Stages: true}.Resolved(),
		Prunes: []n2g.Prune{{
			PromptIndex: 4, Position: 3, Text: " cross my mind.", InitialMax: 3.1, TruncatedMax: 2.9,
			ImportantTokens: []string{" cross", "\n"},
			Variants: []n2g.Variant{
				{Text: " cross my mind.", Activation: 2.9, Change: 1, Positive: true, Measured: measured},
				{Text: " cross my heart.", Activation: 3, Change: 0.0345, Positive: true, Measured: measured},
				{Text: " read my mind.\n", Activation: 0.01, Change: -0.9966},
			},
			Measured: measured,
		}},
		Graph: &n2g.Graph{Nodes: make([]n2g.GraphNode, 2)},
		Tests: []n2g.Test{{
			PromptIndex: 9, Tokens: []string{"<|endoftext|>", " It", " crossed", " my", " mind", "\n"},
			Activations: []float64{0, 0, 0.1, 0, 0.8, 0.6}, Predictions: []float64{0, 0, 0, 0.7, 0.98, 0},
			KL: []float64{0, 0, .001, 0, .25, .02},
		}},
		Effects: &n2g.Effects{
			Attribution: n2g.Attribution{
				Promoted:   []n2g.TokenEffect{{ID: 7, Token: " mind", Value: 2.25}, {ID: 8, Token: "</script>", Value: 1.5}},
				Suppressed: []n2g.TokenEffect{{ID: 9, Token: "\n", Value: -1.125}}, Kurtosis: 4.25,
			},
			Faithfulness: &n2g.Faithfulness{Graph: .625, Context: new(.5), Firing: .75, Positions: 500, Predicted: 4,
				MeanKL: .01},
		},
		Scores:    &scores,
		Baselines: &n2g.Baselines{TokenLookup: n2g.Baseline{Scores: scores}, NGram: n2g.Baseline{Scores: scores}},
		Stages: &n2g.Stages{Trains: []n2g.Train{{PromptIndex: 4, Tokens: measured.Tokens,
			Activations: measured.Activations}}},
	}
}

func write(t testing.TB, e *n2g.Explanation, o page.Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := page.Write(&b, e, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	got := write(t, small(), page.Options{Graph: graph})
	path := filepath.Join("testdata", "page.html")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Error("the page changed; look at it, then run go generate")
	}
}

// outline parses a page and returns how often each element occurs, by name, and the boxes of tokens as "box".
func outline(t testing.TB, text string) map[string]int {
	t.Helper()
	counts := map[string]int{}
	decoder := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return counts
		}
		if err != nil {
			t.Fatalf("the page is not well formed: %v", err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		counts[start.Name.Local]++
		for _, a := range start.Attr {
			if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "src" {
				t.Errorf("attribute %s=%q of <%s>", a.Name.Local, a.Value, start.Name.Local)
			}
			if a.Name.Local == "href" && !strings.HasPrefix(a.Value, "#") {
				t.Errorf("a link leaves the page: %q", a.Value)
			}
			if a.Name.Local == "title" && start.Name.Local == "span" {
				counts["box"]++
			}
		}
	}
}

// boxes counts the tokens that a page of an explanation shows: those of maps for themselves include BOS.
func boxes(e *n2g.Explanation) int {
	n := 0
	for _, p := range e.Prunes {
		if p.Measured != nil {
			n += len(p.Measured.Tokens)
		}
		for _, v := range p.Variants[1:] {
			if v.Measured != nil {
				n += len(v.Measured.Tokens) - 1
			}
		}
		if e.Stages != nil {
			n += len(e.Stages.Trains[0].Tokens) - 1
		}
	}
	if e.Effects != nil {
		n += len(e.Effects.Promoted) + len(e.Effects.Suppressed)
	}
	for _, t := range e.Tests {
		n += len(t.Tokens) - 1
	}
	return n
}

func TestContents(t *testing.T) {
	text := write(t, small(), page.Options{Graph: graph})
	counts := outline(t, text)
	if want := boxes(small()); counts["box"] != want {
		t.Errorf("%d boxes of tokens, want %d", counts["box"], want)
	}
	if counts["script"] != 0 || counts["link"] != 0 || counts["svg"] != 1 {
		t.Errorf("elements %v", counts)
	}
	for _, part := range []string{
		"<title>Layer 3, neuron 1 of tiny</title>", "3.211", "0.0423 %", "hook_mid", "varied by tiny-masked",
		"Neuron graph", "Token lookup", "2-gram", ">0.750<", ">0.000<",
		"Prompt 5, token 3", "activation 3.1, pruned 2.9 (94 %)", "<code>·cross</code> <code>↵</code>",
		"2 variants, 1 of them still exciting", "&#43;3 %", "−100 %", "read my mind.↵", "whole prompt, 4 tokens",
		"Prompt 10 ", "1 missed · 1 false alarm<", `<span class="x1" title="↵ truth 0.6, prediction 0, KL by ablation 0.02">`,
		`<tr class="changed"><th>cutoff</th><td class="num">50</td>`, "the &lt;b&gt;", `<tr><th>skip_interval</th>`,
		`<span class="chip" title="&#43;2.250">·mind</span>`, "Faithfulness <b>0.625</b>", "Kurtosis 4.2",
		"the third what ablating the neuron changes", "KL by ablation 0.25",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("the page lacks %q", part)
		}
	}
}

// A page of what is no neuron is headed by its site.
func TestOtherSite(t *testing.T) {
	e := small()
	e.Site = n2g.Site{Layer: 3, Index: 1, Hook: "hook_resid_post[sae]"}
	var b bytes.Buffer
	if err := page.Write(&b, e, page.Options{}); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); !strings.Contains(text, "<h1>blocks.3.hook_resid_post[sae:1]</h1>") ||
		strings.Contains(text, "neuron 1") {
		t.Error("a feature is called a neuron")
	}
}

// The walkthrough has prunes only.
func TestWithoutGraph(t *testing.T) {
	e := small()
	e.Graph, e.Tests, e.Scores, e.Baselines, e.Stages, e.Density = nil, nil, nil, nil, nil, nil
	e.Prunes[0].Measured = nil
	e.Prunes[0].Variants = nil
	e.Prunes[0].InitialMax = 0
	text := write(t, e, page.Options{Title: "Walkthrough"})
	outline(t, text)
	for _, part := range []string{"<h2>Graph", "<h2>Scores", "<h2>Test", "still exciting", "density", "NaN"} {
		if strings.Contains(text, part) {
			t.Errorf("the page holds %q", part)
		}
	}
	if !strings.Contains(text, `<p class="text"> cross my mind.</p>`) ||
		!strings.Contains(text, "<title>Walkthrough</title>") {
		t.Error("the pruned text is missing")
	}
	outline(t, write(t, &n2g.Explanation{}, page.Options{}))
}

func TestWriteAll(t *testing.T) {
	second := small()
	second.Site.Index, second.Scores = 2, nil
	var b bytes.Buffer
	if err := page.WriteAll(&b, []page.Entry{{Explanation: small(), Graph: graph}, {Explanation: second}},
		page.Options{Theme: heatmap.Dark}); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	counts := outline(t, text)
	if counts["article"] != 2 || counts["svg"] != 1 || counts["style"] != 1 || counts["box"] != 2*boxes(small()) {
		t.Errorf("elements %v", counts)
	}
	for _, part := range []string{`<a href="#n2">Layer 3, neuron 2</a>`, `<article class="neuron" id="n2">`,
		"<title>2 neurons</title>", `class="n2g-dark"`} {
		if !strings.Contains(text, part) {
			t.Errorf("the page lacks %q", part)
		}
	}
	b.Reset()
	if err := page.WriteAll(&b, nil, page.Options{}); err != nil {
		t.Error(err)
	}
	outline(t, b.String())
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestErrors(t *testing.T) {
	if err := page.Write(broken{}, small(), page.Options{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a broken pipe: %v", err)
	}
	for _, o := range []page.Options{{Graph: "<svg><script/></svg>"}, {Graph: "digraph {}"}} {
		if err := page.Write(io.Discard, small(), o); err == nil ||
			!strings.Contains(err.Error(), "graph of layer 3 neuron 1") {
			t.Errorf("%+v: error %v", o, err)
		}
	}
}

// A whole neuron's page stays small, and equal.
func TestPublishedNeuron(t *testing.T) {
	e := explanation(t, "neuron_0_52")
	text := write(t, e, page.Options{})
	if size := len(text); size > 160<<10 {
		t.Errorf("the page has %d kB", size>>10)
	}
	if counts := outline(t, text); counts["box"] != boxes(e) {
		t.Errorf("%d boxes of tokens, want %d", counts["box"], boxes(e))
	}
	if text != write(t, e, page.Options{}) {
		t.Error("a second writing differs")
	}
}

func FuzzEscape(f *testing.F) {
	for _, seed := range []string{"</script>", `" onload="x`, "<b>", "{{.}}", "]]>", "\x00\xff", "'>", "&lt;", "</style>",
		"-->"} {
		f.Add(seed, 0.5)
	}
	f.Fuzz(func(t *testing.T, s string, v float64) {
		e := small()
		clean := outline(t, write(t, e, page.Options{}))
		e.Model, e.MaskedModel, e.Site.Hook, e.MaxActivation = "m"+s, "m"+s, "m"+s, v
		e.Options.Stopwords = []string{s}
		p := &e.Prunes[0]
		p.Text, p.ImportantTokens, p.InitialMax = "x"+s, []string{s, s}, math.Abs(v)+1
		p.Variants[0].Text = p.Text
		p.Variants[2].Text = s
		p.Measured = &n2g.Measured{Tokens: []string{s, s, s, s, s}, Activations: []float64{v}}
		e.Tests[0].Tokens[2] = s
		got := outline(t, write(t, e, page.Options{Title: "t" + s}))
		for _, name := range []string{"script", "style", "p", "tr", "box", "details", "code"} {
			if got[name] != clean[name] {
				t.Errorf("%d <%s> instead of %d", got[name], name, clean[name])
			}
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	e := explanation(b, "neuron_0_52")
	for b.Loop() {
		if err := page.Write(io.Discard, e, page.Options{Graph: graph}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestComparisons: each predictor's scores stand in the page, those that were not measured as a dash, and a graph that
// rests on few firings says so.
func TestComparisons(t *testing.T) {
	e := &n2g.Explanation{Model: "toy", Site: n2g.Site{Layer: 1, Index: 2, Hook: "hook_mid"},
		Context: &n2g.ContextGraph{Label: "`x` (few: 6 firings)", Root: &n2g.ContextNode{},
			Support: n2g.Support{BuildTokens: 1000, BuildFiring: 6}}}
	scores := n2g.Scores{Firing: n2g.ClassScores{F1: .125, Precision: .25, Recall: .375, Support: 17}, Pearson: .5,
		AveragePrecision: .625}
	e.Comparisons = []n2g.Comparison{
		{Text: "test documents", Predictor: "context graph", Scores: scores, LogLoss: new(1.25), ValueError: new(.0125)},
		{Text: "test documents", Predictor: "token table", Scores: scores},
	}
	got := write(t, e, page.Options{})
	cell := func(text string) string { return `<td class="num">` + text + "</td>" }
	line := func(loss, valueError string) string {
		return cell("0.125") + cell("0.625") + cell("0.500") + cell(loss) + cell(valueError) + cell("0.250") + cell("0.375") +
			cell("17")
	}
	for _, want := range []string{line("1.25", "0.0125"), line("–", "–"), "6 of 1000 tokens fire", "which is few"} {
		if !strings.Contains(got, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}
