package lab

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/contexttree"
	"github.com/neuron2graph/neuron2graph/n2g/graphviz"
	"github.com/neuron2graph/neuron2graph/n2g/heatmap"
)

// Show displays values in the order given: heat maps of measured texts, prunes, variants and tests; graphs; whole
// explanations; charts, and whatever else is a [Picture]; slices of all these; strings as Markdown.
func Show(values ...any) {
	for _, value := range values {
		for _, o := range outputs(value) {
			o.display()
		}
	}
	gonbui.Sync()
}

// output is something to display: Markdown, or a picture that exists as HTML and as PNG.
type output struct {
	markdown string
	html     func() (string, error)
	png      func() ([]byte, error)
	plain    string // for readers that show neither
}

func (o output) display() {
	data := map[protocol.MIMEType]any{}
	switch {
	case o.html == nil:
		data[protocol.MIMETextMarkdown] = o.markdown
		o.plain = o.markdown
	case os.Getenv("N2G_DISPLAY") == "png":
		data[protocol.MIMEImagePNG] = Must(o.png())
	default:
		data[protocol.MIMETextHTML] = Must(o.html())
	}
	data[protocol.MIMETextPlain] = o.plain
	gonbui.SendData(&protocol.DisplayData{Data: data})
}

func outputs(value any) []output {
	switch v := value.(type) {
	case string:
		return []output{{markdown: v}}
	case heatmap.HeatMap:
		return []output{heatMap(v)}
	case *n2g.Measured:
		return outputs(heatmap.FromMeasured(*v))
	case n2g.Measured:
		return outputs(heatmap.FromMeasured(v))
	case n2g.Prune:
		return prune(v)
	case n2g.Variant:
		return variant(v)
	case n2g.Test:
		return outputs(heatmap.FromTest(v, *n2g.Options{}.Resolved().FireThreshold))
	case *n2g.Graph:
		return []output{graph(v, graphviz.Options{})}
	case *n2g.Behaviours:
		return behaviourList(v)
	case *n2g.ContextGraph:
		return []output{contextGraph(v)}
	case *n2g.Explanation:
		return explanation(v)
	case Picture:
		return []output{picture(v)}
	}
	if v := reflect.ValueOf(value); v.IsValid() && v.Kind() == reflect.Slice {
		var all []output
		for i := range v.Len() {
			all = append(all, outputs(v.Index(i).Interface())...)
		}
		return all
	}
	return []output{{markdown: fmt.Sprintf("`%+v`", value)}}
}

func heatMap(m heatmap.HeatMap) output {
	return output{
		html:  func() (string, error) { return m.HTML(), nil },
		png:   func() ([]byte, error) { return m.PNG(context.Background(), heatmap.PNGOptions{}) },
		plain: "heat map of " + fmt.Sprintf("%q", strings.Join(m.Tokens, "")),
	}
}

// Picture is what can draw itself, as the charts of package chart do.
type Picture interface {
	SVG() ([]byte, error)
	PNG() ([]byte, error)
}

func picture(p Picture) output {
	return output{
		html: func() (string, error) {
			svg, err := p.SVG()
			_, drawing, _ := bytes.Cut(svg, []byte("<svg")) // what stands before it has no place in a page
			return `<div style="overflow-x:auto"><svg` + string(drawing) + `</div>`, err
		},
		png:   p.PNG,
		plain: "picture",
	}
}

func graph(g *n2g.Graph, o graphviz.Options) output {
	return output{
		html: func() (string, error) {
			svg, err := graphviz.SVG(context.Background(), g, o)
			return `<div style="overflow-x:auto">` + string(svg) + `</div>`, err
		},
		png:   func() ([]byte, error) { return graphviz.PNG(context.Background(), g, o) },
		plain: fmt.Sprintf("neuron graph of %d nodes", len(g.Nodes)),
	}
}

func contextGraph(g *n2g.ContextGraph) output {
	d := graphviz.OfContext(g, graphviz.Options{})
	return output{
		html: func() (string, error) {
			svg, err := d.SVG(context.Background(), graphviz.Options{})
			return `<div style="overflow-x:auto">` + string(svg) + `</div>`, err
		},
		png:   func() ([]byte, error) { return d.PNG(context.Background(), graphviz.Options{}) },
		plain: "context graph: " + g.Label,
	}
}

func prune(p n2g.Prune) []output {
	if p.Measured == nil {
		return []output{{markdown: fmt.Sprintf("%s  \nactivation %.3g in the whole text, %.3g pruned", Code(p.Text),
			p.InitialMax, p.TruncatedMax)}}
	}
	m := heatmap.FromMeasured(*p.Measured)
	m.Title = fmt.Sprintf("pruned: activation %.3g in the whole text, %.3g pruned", p.InitialMax, p.TruncatedMax)
	return []output{heatMap(m)}
}

func variant(v n2g.Variant) []output {
	kind := "positive"
	if !v.Positive {
		kind = "negative"
	}
	title := fmt.Sprintf("%s: activation %.3g, change %+.0f %%", kind, v.Activation, 100*v.Change)
	if v.Measured == nil {
		return []output{{markdown: title + "  \n" + Code(v.Text)}}
	}
	m := heatmap.FromMeasured(*v.Measured)
	m.Title = title
	return []output{heatMap(m)}
}

func explanation(e *n2g.Explanation) []output {
	title := fmt.Sprintf("**%s, layer %d neuron %d** (%s) · maximum activation %.3g", e.Model, e.Site.Layer, e.Site.Index,
		e.Site.Hook, e.MaxActivation)
	if e.Density != nil {
		title += fmt.Sprintf(" · fires on %.3g %% of tokens", 100**e.Density)
	}
	all := []output{{markdown: title}}
	if e.Graph != nil {
		all = append(all, graph(e.Graph, graphviz.OptionsFor(e.Options)))
	} else {
		all = append(all, outputs(e.Prunes)...)
	}
	if e.Scores != nil {
		all = append(all, output{markdown: scores(e)})
	}
	if e.Context != nil {
		all = append(all, output{markdown: "context graph: " + label(e.Context.Label)}, contextGraph(e.Context))
		if len(e.Comparisons) > 0 {
			all = append(all, output{markdown: comparisons(e.Comparisons)})
		}
	}
	if e.Behaviours != nil {
		all = append(all, behaviourList(e.Behaviours)...)
	}
	return all
}

// behaviourList has behaviours, with examples where there are several.
func behaviourList(b *n2g.Behaviours) []output {
	all := []output{{markdown: "behaviours: " + b.Summary()}}
	for i, one := range b.List {
		all = append(all, output{markdown: fmt.Sprintf("**%d.** %s · %s", i+1, label(one.Label), one.Facts())})
		if len(b.List) < 2 {
			continue
		}
		for _, e := range one.Shown {
			all = append(all, heatMap(heatmap.FromBehaviour(e)))
		}
	}
	return all
}

// scores is the table of an explanation's scores beside the baselines'.
func scores(e *n2g.Explanation) string {
	var b strings.Builder
	b.WriteString("| | precision | recall | F1 | average precision | R² |\n|---|---|---|---|---|---|\n")
	row := func(name string, s n2g.Scores) {
		fmt.Fprintf(&b, "| %s | %.2f | %.2f | %.2f | %.2f | %.2f |\n", name, s.Firing.Precision, s.Firing.Recall, s.Firing.F1,
			s.AveragePrecision, s.R2)
	}
	row("**neuron graph**", *e.Scores)
	if e.Baselines != nil {
		row("token lookup", e.Baselines.TokenLookup.Scores)
		row("n-gram", e.Baselines.NGram.Scores)
	}
	fmt.Fprintf(&b, "\n%d of %d test tokens fire.", e.Scores.Firing.Support,
		e.Scores.Firing.Support+e.Scores.NonFiring.Support)
	return b.String()
}

// comparisons is the table of both graphs' scores beside the baselines'.
func comparisons(list []n2g.Comparison) string {
	var b strings.Builder
	b.WriteString("| on | predictor | precision | recall | F1 | average precision | Pearson | log-loss | value error | " +
		"firing tokens |\n|---|---|---|---|---|---|---|---|---|---|\n")
	measured := func(v *float64, decimals int) string {
		if v == nil {
			return "–"
		}
		return strconv.FormatFloat(*v, 'f', decimals, 64)
	}
	for _, c := range list {
		f := c.Scores.Firing
		if f.Support == 0 {
			fmt.Fprintf(&b, "| %s | %s | – | – | – | – | %.2f | – | %s | 0 |\n", c.Text, c.Predictor, c.Scores.Pearson,
				measured(c.ValueError, 4))
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %.2f | %.2f | %.2f | %.2f | %.2f | %s | %s | %d |\n", c.Text, c.Predictor, f.Precision,
			f.Recall, f.F1, c.Scores.AveragePrecision, c.Scores.Pearson, measured(c.LogLoss, 2), measured(c.ValueError, 4),
			f.Support)
	}
	b.WriteString("\nLog-loss is in nats a firing token, value error a share of the maximum: low is good.")
	return b.String()
}

// label shows the tokens of a context graph's label as Code does, and its words as they are.
func label(text string) string {
	var b strings.Builder
	for part, token := range contexttree.LabelParts(text) {
		if token {
			b.WriteString(Code(part))
		} else {
			b.WriteString(html.EscapeString(part))
		}
	}
	return b.String()
}

// Code quotes a text as Go spells it, so that blanks and newlines show, for Markdown and its tables.
func Code(text string) string {
	escaped := html.EscapeString(fmt.Sprintf("%q", text))
	return "<code>" + strings.NewReplacer("|", "&#124;", "*", "&#42;", "_", "&#95;", "`", "&#96;", `\`, "&#92;", "$",
		"&#36;").Replace(escaped) + "</code>"
}
