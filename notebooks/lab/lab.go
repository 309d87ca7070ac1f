package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/behaviours"
	"github.com/neuron2graph/neuron2graph/n2g/contexttree"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/corpus/files"
	"github.com/neuron2graph/neuron2graph/n2g/effects"
	"github.com/neuron2graph/neuron2graph/n2g/heatmap"
	"github.com/neuron2graph/neuron2graph/n2g/index"
	"github.com/neuron2graph/neuron2graph/n2g/vary"
)

// Lab is what a notebook works with.
type Lab struct {
	Model  *models.Causal
	Masked n2g.MaskedModel
	Corpus corpus.Source // of the N2G_CORPUS folder, else the embedded sample

	embeddedCorpus bool
	found          *index.Index // of a real model
}

// OpenReal opens a model that make real installs under a name, with the index of what it fires on; words are varied by
// neighbours in its embedding. Where either is missing, it says so and ends the cell, which is no error.
func OpenReal(name string) *Lab {
	missing := func(what string, err error) {
		Show(fmt.Sprintf("**%s is not here, so this cell was not run.** `make real`, in the repository, "+
			"makes all that this notebook needs. (%s)", what, err))
		os.Exit(0)
	}
	model, err := models.Open(name, models.Options{})
	if err != nil {
		missing("The model "+name, err)
	}
	found, err := index.Open(realIndex())
	if err != nil {
		missing("The index of what "+name+" fires on", err)
	}
	return &Lab{Model: model, Masked: vary.Neighbours(model), found: found}
}

// realIndex is where make real puts the index, as seen from the repository or its folder of notebooks.
func realIndex() string {
	const file = "build/real.n2g"
	if _, err := os.Stat(file); err != nil {
		return filepath.Join("..", file)
	}
	return file
}

// Open opens the models and the corpus that the environment names, by default those of the library.
func Open() *Lab {
	l := &Lab{Model: Must(models.Open(setting("N2G_MODEL", "tiny"), models.Options{}))}
	if masked := os.Getenv("N2G_MASKED"); masked != "" || l.Model.Name() == tiny.Name {
		l.Masked = Must(models.OpenMasked(setting("N2G_MASKED", "tiny"), models.Options{}))
	} else {
		l.Masked = vary.Neighbours(l.Model)
	}
	if folder := os.Getenv("N2G_CORPUS"); folder != "" {
		l.Corpus = Must(files.Open(folder, files.Options{}))
	} else {
		l.Corpus, l.embeddedCorpus = corpus.FS(tiny.Sample()), true
	}
	return l
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// Must returns the value of a call that can fail, or ends the cell with its error.
func Must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

// Site is a neuron of the model, at the hook point that N2G reads: hook_mid of a SoLU model, hook_post of others.
func (l *Lab) Site(layer, neuron int) n2g.Site {
	return n2g.Site{Layer: layer, Index: neuron, Hook: l.Model.DefaultHook()}
}

// Examples returns the texts of the corpus that excite a neuron most. For the embedded model and sample they were found
// beforehand; otherwise the corpus is searched now.
func (l *Lab) Examples(layer, neuron int) n2g.Examples {
	if l.found != nil {
		return *Must(corpus.Examples(l.found, l.Model, l.Site(layer, neuron)))
	}
	if l.embeddedCorpus && l.Model.Name() == tiny.Name {
		return *Must(corpus.Examples(l.Index(), l.Model, l.Site(layer, neuron)))
	}
	return *Must(corpus.Top(context.Background(), l.Model, l.Site(layer, neuron), l.Corpus, corpus.Options{}))
}

// Index is the activation index of the embedded model on the embedded sample.
func (l *Lab) Index() *index.Index { return Must(index.Read(tiny.Index())) }

// Explain runs the whole method on a neuron's examples, with the published options if none are given.
func (l *Lab) Explain(layer, neuron int, options ...n2g.Options) *n2g.Explanation {
	var o n2g.Options
	if len(options) > 0 {
		o = options[0]
	}
	return Must(n2g.Explain(context.Background(), l.Model, l.Masked, l.Examples(layer, neuron), o))
}

// Context is Explain with the context graph of the embedded index beside the published graph, both scored on its test
// documents, and the neuron's behaviours. The model is asked on as many tokens as the published graph has cost.
func (l *Lab) Context(layer, neuron int) *n2g.Explanation {
	e := l.Explain(layer, neuron)
	explainer := contexttree.NewExplainer(l.Index(), l.Model.TokenString, contexttree.Options{})
	if err := explainer.Complete(context.Background(), e,
		contexttree.Asker{Model: l.Model, Rows: e.Work.Rows}); err != nil {
		Must(e, err)
	}
	l.Behaviours(e)
	return e
}

// Behaviours tells the behaviours of an explanation's neuron apart, by places of the index at which it fires: they are
// in the explanation too. A site that has none, such as a coordinate of the residual stream, gets a note there instead.
func (l *Lab) Behaviours(e *n2g.Explanation) *n2g.Behaviours {
	x := l.found
	if x == nil {
		x = l.Index()
	}
	examples := Must(behaviours.OfIndex(x, e.Site, behaviours.DefaultExamples))
	if err := behaviours.Complete(context.Background(), l.Model, e, examples); err != nil {
		Must(e, err)
	}
	return e.Behaviours
}

// Activations are heat maps of a neuron on texts, one each, on a common scale: full colour is amax, or the highest
// activation found if amax is 0.
func (l *Lab) Activations(layer, neuron int, amax float64, texts ...string) []heatmap.HeatMap {
	site := l.Site(layer, neuron)
	prompts := make([][]int, len(texts))
	for i, text := range texts {
		prompts[i] = Must(n2g.Prompt(l.Model, text))
	}
	activations := Must(l.Model.Activations(context.Background(), site.Layer, site.Hook, site.Index, prompts, nil))
	if l.Model.BOS() >= 0 { // it is context only
		for i := range prompts {
			prompts[i], activations[i] = prompts[i][1:], activations[i][1:]
		}
	}
	if amax == 0 {
		for _, row := range activations {
			amax = max(amax, float64(slices.Max(row)))
		}
	}
	maps := make([]heatmap.HeatMap, len(texts))
	for i, ids := range prompts {
		row := heatmap.Row{Name: "activation", Note: fmt.Sprintf("= %.3g", amax)}
		for j, id := range ids {
			maps[i].Tokens = append(maps[i].Tokens, l.Model.TokenString(id))
			row.Values = append(row.Values, float64(activations[i][j])/amax)
		}
		maps[i].Rows = []heatmap.Row{row}
		maps[i].Form = heatmap.Compact
	}
	return maps
}

// Ablation is the heat map of a text with a neuron's activations, and what setting it to 0 changes: the divergence of
// the next-token distribution after each token (KL in nats), and by how many nats each token becomes less likely. A
// steered neuron is shown so by n2g ablate -html.
func (l *Lab) Ablation(layer, neuron int, text string) heatmap.HeatMap {
	m := l.Activations(layer, neuron, 0, text)[0]
	m.Form = heatmap.Strips
	ids := Must(n2g.Prompt(l.Model, text))
	run := l.Model.Changed(models.Edit{Layer: layer, Index: neuron, Op: models.Set})
	change := Must(effects.Measure(context.Background(), run, [][]int{ids}, 0, effects.Vocabulary{}))[0]
	less := make([]float64, len(ids))
	for i, d := range change.LogProbs {
		less[i+1] = max(0, -d)
	}
	row := func(name string, values []float64) heatmap.Row {
		values = values[len(values)-len(m.Tokens):] // BOS is context only
		top := slices.Max(values)
		return heatmap.Row{Name: name, Values: values, Color: heatmap.Blue, Max: top, Note: "nats"}
	}
	m.Rows = append(m.Rows, row("KL after", change.KL), row("token less likely", less))
	return m
}

// NextTokens is a table, in Markdown, of the k tokens that the model finds most probable after a text.
func (l *Lab) NextTokens(text string, k int) string {
	ids := Must(n2g.Prompt(l.Model, text))
	cache := Must(l.Model.RunWithCache(context.Background(), ids))
	var b strings.Builder
	b.WriteString("| next token | probability |\n|---|---|\n")
	for _, t := range cache.TopTokens(len(ids)-1, k) {
		fmt.Fprintf(&b, "| %s | %.3f |\n", Code(l.Model.TokenString(t.ID)), t.Probability)
	}
	return b.String()
}

// WithSAE is the lab with a sparse auto-encoder or transcoder beside its model: a folder, or tiny, the one of the
// embedded model. [Lab.ExplainFeature] explains its features.
func (l *Lab) WithSAE(ref string) *Lab {
	with := *l
	with.Model = Must(l.Model.WithSAE(Must(models.OpenSAE(ref))))
	return &with
}

// ExplainFeature runs the whole method on a feature of the auto-encoder, on the texts of the corpus that excite it
// most, which are searched now.
func (l *Lab) ExplainFeature(feature int, options ...n2g.Options) *n2g.Explanation {
	var o n2g.Options
	if len(options) > 0 {
		o = options[0]
	}
	s := l.Model.SAE()
	if s == nil || l.Corpus == nil {
		return Must[*n2g.Explanation](nil, errors.New("a feature is explained beside an auto-encoder and a corpus: "+
			"lab.Open().WithSAE(\"tiny\")"))
	}
	site := n2g.Site{Layer: s.Layer, Hook: s.Hook + "[sae]", Index: feature}
	ctx := context.Background()
	return Must(n2g.Explain(ctx, l.Model, l.Masked, *Must(corpus.Top(ctx, l.Model, site, l.Corpus, corpus.Options{})), o))
}
