package page

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/contexttree"
	"github.com/neuron2graph/neuron2graph/n2g/heatmap"
	"github.com/neuron2graph/neuron2graph/n2g/internal/glyph"
	"github.com/neuron2graph/neuron2graph/n2g/internal/label"
)

// view is what the template shows: all of it text that the template escapes, but for maps and graphs, which are markup
// already.
type view struct {
	Title, Theme string
	Style        template.CSS
	Many         bool
	Neurons      []neuron
}

type neuron struct {
	ID, Name, Model, Masked, Hook string
	Facts                         []fact
	Graph                         template.HTML
	Label                         template.HTML
	Support                       string
	Few                           bool // firings that the context graph rests on
	Context                       template.HTML
	Comparisons                   []comparison
	Behaviours                    *behaviours
	Does                          *does
	Scores                        []scoreRow
	FireThreshold                 string
	Trains                        []train
	TrainLegend                   template.HTML
	Tests                         []test
	TestLegend                    template.HTML
	Missed, FalseAlarms           int
	Ablated                       bool // tests have what ablation changes
	Options                       []option
}

// fact is a number of the headline.
type fact struct{ Name, Value, Title string }

// behaviours are the things that make the neuron fire.
type behaviours struct {
	Summary string
	List    []behaviour
}

type behaviour struct {
	Label template.HTML
	Facts string
	Maps  []template.HTML
}

func newBehaviours(b *n2g.Behaviours) *behaviours {
	if b == nil {
		return nil
	}
	out := &behaviours{Summary: b.Summary()}
	for _, one := range b.List {
		shown := behaviour{Label: labelHTML(one.Label), Facts: one.Facts()}
		for _, e := range one.Shown {
			shown.Maps = append(shown.Maps, template.HTML(heatmap.FromBehaviour(e).Body()))
		}
		out.List = append(out.List, shown)
	}
	return out
}

// does is what the neuron does to the next token.
type does struct {
	Kurtosis                      string
	Lists                         []tokenList
	Faithfulness, Context, Firing string // empty where it was not measured
}

// tokenList are tokens with what the neuron adds to their logits.
type tokenList struct {
	Name   string
	Tokens []struct{ Token, Value string }
}

func newDoes(e *n2g.Effects) *does {
	if e == nil {
		return nil
	}
	d := &does{Kurtosis: strconv.FormatFloat(e.Kurtosis, 'f', 1, 64)}
	for i, list := range [2][]n2g.TokenEffect{e.Promoted, e.Suppressed} {
		one := tokenList{Name: [2]string{"promotes", "suppresses"}[i]}
		for _, t := range list {
			one.Tokens = append(one.Tokens, struct{ Token, Value string }{glyph.Visible(t.Token),
				fmt.Sprintf("%+.3f", t.Value)})
		}
		d.Lists = append(d.Lists, one)
	}
	if f := e.Faithfulness; f != nil {
		d.Faithfulness, d.Firing = score(f.Graph), score(f.Firing)
		if f.Context != nil {
			d.Context = score(*f.Context)
		}
	}
	return d
}

// comparison is how well predictors do on one text.
type comparison struct {
	Text string
	Rows []scoreRow
}

// compare fills in what there is of the context graph.
func (n *neuron) compare(e *n2g.Explanation) {
	if e.Context == nil {
		return
	}
	s := e.Context.Support
	n.Label = labelHTML(e.Context.Label)
	n.Support = fmt.Sprintf("%d of %d tokens fire", s.BuildFiring, s.BuildTokens)
	n.Few = s.Few()
	if s.Asked > 0 {
		n.Support += fmt.Sprintf(", and the model was asked on %d more", s.Asked)
	}
	at := map[string]int{}
	for _, c := range e.Comparisons {
		i, ok := at[c.Text]
		if !ok {
			i = len(n.Comparisons)
			at[c.Text] = i
			n.Comparisons = append(n.Comparisons, comparison{Text: text(c.Text)})
		}
		if f := c.Scores.Firing; f.Support > 0 {
			n.Comparisons[i].Rows = append(n.Comparisons[i].Rows, scoreRow{
				Name: text(c.Predictor), Own: c.Predictor == e.Comparisons[0].Predictor,
				Cells: []string{score(f.F1), score(c.Scores.AveragePrecision), score(c.Scores.Pearson), measured(c.LogLoss, 2),
					measured(c.ValueError, 4), score(f.Precision), score(f.Recall), strconv.Itoa(f.Support)},
			})
		}
	}
}

// labelHTML shows the tokens of a label as tokens.
func labelHTML(text string) template.HTML {
	return template.HTML(label.HTML(contexttree.LabelParts(text)))
}

// measured is a value to some decimals; older programs did not measure all.
func measured(v *float64, decimals int) string {
	if v == nil {
		return "–"
	}
	return strconv.FormatFloat(*v, 'f', decimals, 64)
}

// scoreRow is a predictor's line of the table.
type scoreRow struct {
	Name  string
	Cells []string
	Own   bool // the graph's, not a baseline's
}

// train is a pruned prompt.
type train struct {
	Heading   string
	Facts     string
	Important []string
	Map       template.HTML // empty where only the text is known
	Text      string
	Whole     template.HTML // the prompt before pruning, where stages were kept
	WholeSize int
	Variants  []variant
	Positive  int
}

type variant struct {
	Change, Activation string
	Map                template.HTML
	Text               string
	Positive           bool
}

type test struct {
	Heading             string
	Map                 template.HTML
	Missed, FalseAlarms int
	Peak                string
}

func newNeuron(i int, entry Entry) (neuron, error) {
	e := entry.Explanation
	resolved := e.Options.Resolved()
	n := neuron{
		ID:            "n" + strconv.Itoa(i+1),
		Name:          text(e.Site.Title()),
		Model:         text(e.Model),
		Masked:        text(e.MaskedModel),
		Hook:          text(e.Site.Hook),
		FireThreshold: number(*resolved.FireThreshold),
		Options:       options(resolved),
	}
	var err error
	if n.Graph, err = inline(entry.Graph); err != nil {
		return n, fmt.Errorf("page: graph of %s: %w", e.Site.Name(), err)
	}
	if n.Context, err = inline(entry.Context); err != nil {
		return n, fmt.Errorf("page: the context graph of %s cannot be shown: %w", n.Name, err)
	}
	n.compare(e)
	n.addTrains(e)
	n.addTests(e, *resolved.FireThreshold)
	n.Scores = scores(e)
	n.Facts = facts(e)
	n.Behaviours = newBehaviours(e.Behaviours)
	n.Does = newDoes(e.Effects)
	return n, nil
}

func facts(e *n2g.Explanation) []fact {
	list := []fact{{"max activation", number(e.MaxActivation), "what activations are divided by"}}
	if e.Density != nil {
		list = append(list, fact{"density", percent(*e.Density), "share of tokens on which the neuron fires"})
	}
	if e.Scores != nil {
		list = append(list, fact{"firing F1", score(e.Scores.Firing.F1), "of the graph's predictions on the test examples"})
	}
	prompts := map[int]bool{}
	for _, p := range e.Prunes {
		prompts[p.PromptIndex] = true
	}
	list = append(list, fact{"train examples", strconv.Itoa(len(prompts)), "the graph is built from them"})
	if len(e.Tests) > 0 {
		list = append(list, fact{"test examples", strconv.Itoa(len(e.Tests)), "the graph is scored on them"})
	}
	if e.Graph != nil {
		list = append(list, fact{"graph nodes", strconv.Itoa(len(e.Graph.Nodes)), ""})
	}
	return list
}

// scores returns the table's lines: the graph, then the baselines.
func scores(e *n2g.Explanation) []scoreRow {
	if e.Scores == nil {
		return nil
	}
	row := func(name string, s n2g.Scores) scoreRow {
		r := scoreRow{Name: name}
		for _, c := range []n2g.ClassScores{s.Firing, s.NonFiring} {
			r.Cells = append(r.Cells, score(c.Precision), score(c.Recall), score(c.F1), strconv.Itoa(c.Support))
		}
		r.Cells = append(r.Cells, score(s.R2), score(s.Pearson), score(s.AveragePrecision))
		return r
	}
	rows := []scoreRow{row("Neuron graph", *e.Scores)}
	rows[0].Own = true
	if e.Baselines != nil {
		rows = append(rows,
			row("Token lookup", e.Baselines.TokenLookup.Scores),
			row(fmt.Sprintf("%d-gram", *e.Options.Resolved().NGram+1), e.Baselines.NGram.Scores))
	}
	return rows
}

func (n *neuron) addTrains(e *n2g.Explanation) {
	whole := map[int]n2g.Train{}
	if e.Stages != nil {
		for _, t := range e.Stages.Trains {
			whole[t.PromptIndex] = t
		}
	}
	measured := false
	for _, p := range e.Prunes {
		t := train{
			Heading:   fmt.Sprintf("Prompt %d, token %d", p.PromptIndex+1, p.Position),
			Facts:     "activation " + number(p.InitialMax) + ", pruned " + number(p.TruncatedMax),
			Important: visible(p.ImportantTokens),
			Text:      text(p.Text),
		}
		if p.InitialMax > 0 {
			t.Facts += " (" + strconv.Itoa(int(math.Round(100*p.TruncatedMax/p.InitialMax))) + " %)"
		}
		if p.Measured != nil {
			measured = true
			m := heatmap.FromMeasured(*p.Measured)
			m.NoLegend = true
			t.Map = template.HTML(m.Body())
		}
		if w, ok := whole[p.PromptIndex]; ok {
			t.Whole = template.HTML(wholePrompt(w, p.Position).Body())
			t.WholeSize = max(0, len(w.Tokens)-1)
		}
		for i, v := range p.Variants {
			if i == 0 && v.Text == p.Text {
				continue // the pruned text itself, which is shown already
			}
			t.Variants = append(t.Variants, newVariant(v))
			if v.Positive {
				t.Positive++
			}
		}
		n.Trains = append(n.Trains, t)
	}
	if measured {
		legend := heatmap.FromMeasured(n2g.Measured{})
		legend.Rows[0].Note = "= " + number(e.MaxActivation)
		n.TrainLegend = template.HTML(legend.Body())
	}
}

// wholePrompt is a train prompt before pruning, without BOS.
func wholePrompt(t n2g.Train, position int) heatmap.HeatMap {
	m := heatmap.HeatMap{
		Tokens:    afterBOS(t.Tokens),
		Rows:      []heatmap.Row{{Name: "activation", Values: afterBOS(t.Activations)}},
		Form:      heatmap.Compact,
		NoLegend:  true,
		FoldAfter: -1, // it is folded as a whole
	}
	if position > 0 && position <= len(m.Tokens) {
		m.Marks = make([]heatmap.Mark, position)
		m.Marks[position-1] = heatmap.Peak
	}
	return m
}

func newVariant(v n2g.Variant) variant {
	out := variant{
		Change:     signed(v.Change),
		Activation: number(v.Activation),
		Text:       text(v.Text),
		Positive:   v.Positive,
	}
	if v.Measured != nil {
		m := heatmap.HeatMap{
			Tokens:   afterBOS(v.Measured.Tokens),
			Rows:     []heatmap.Row{{Name: "activation", Values: afterBOS(v.Measured.Activations)}},
			Form:     heatmap.Compact,
			NoLegend: true,
		}
		out.Map = template.HTML(m.Body())
	}
	return out
}

func (n *neuron) addTests(e *n2g.Explanation, fireThreshold float64) {
	most := 0.0 // KL by ablation, over all tests
	for _, t := range e.Tests {
		for _, kl := range t.KL {
			most = max(most, kl)
		}
	}
	effect := heatmap.Row{Name: "KL by ablation", Color: heatmap.Blue, Max: most, Note: "nats"}
	for _, t := range e.Tests {
		m := heatmap.FromTest(n2g.Test{
			Tokens:      afterBOS(t.Tokens),
			Activations: afterBOS(t.Activations),
			Predictions: afterBOS(t.Predictions),
		}, fireThreshold)
		if most > 0 {
			effect.Values = afterBOS(t.KL)
			m.Rows = append(m.Rows, effect)
			n.Ablated = true
		}
		m.NoLegend = true
		out := test{Heading: fmt.Sprintf("Prompt %d", t.PromptIndex+1), Map: template.HTML(m.Body())}
		for _, mark := range m.Marks {
			switch mark {
			case heatmap.Missed:
				out.Missed++
			case heatmap.FalseAlarm:
				out.FalseAlarms++
			}
		}
		peak := 0.0
		for _, a := range t.Activations {
			peak = max(peak, a)
		}
		out.Peak = score(peak)
		n.Missed += out.Missed
		n.FalseAlarms += out.FalseAlarms
		n.Tests = append(n.Tests, out)
	}
	if len(e.Tests) > 0 {
		legend := heatmap.FromTest(n2g.Test{}, fireThreshold)
		legend.Rows[0].Note = "= " + number(e.MaxActivation)
		if effect.Values = nil; n.Ablated {
			legend.Rows = append(legend.Rows, effect)
		}
		n.TestLegend = template.HTML(legend.Body())
	}
}

// afterBOS drops the first token's entry: BOS is context, on which nothing activates.
func afterBOS[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list[1:]
}

func visible(tokens []string) []string {
	list := make([]string, len(tokens))
	for i, token := range tokens {
		list[i] = glyph.Visible(token)
	}
	return list
}

// text shows a text of many tokens, or a name: only what is not a plain blank by its glyph.
func text(s string) string {
	words := strings.Split(s, " ")
	for i, word := range words {
		words[i] = glyph.Visible(word)
	}
	return strings.Join(words, " ")
}

// number formats an activation or an option's value.
func number(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

// score formats a ratio.
func score(v float64) string {
	s := strconv.FormatFloat(v, 'f', 3, 64)
	if s == "-0.000" {
		return "0.000"
	}
	return s
}

// signed formats a change with its sign, in percent.
func signed(v float64) string {
	s := strconv.FormatFloat(100*v, 'f', 0, 64)
	if s == "-0" {
		s = "0"
	}
	if v > 0 {
		s = "+" + s
	}
	return strings.Replace(s, "-", "−", 1) + " %"
}

// percent formats a share with three digits.
func percent(v float64) string { return strconv.FormatFloat(100*v, 'g', 3, 64) + " %" }
