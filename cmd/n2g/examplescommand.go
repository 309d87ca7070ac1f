package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// Kinds of examples, as -kind names them.
const (
	topKind      = "top"
	bandsKind    = "bands"
	randomKind   = "random"
	negativeKind = "negatives"
	tokensKind   = "tokens"
	cofiringKind = "cofiring"
)

// examplesFlags are the flags of n2g examples.
type examplesFlags struct {
	index, model, hook, kind *string
	site                     *string
	layer, neuron            *int
	limit, bands             *int
	seed                     *uint64
	asJSON                   *bool
}

func (a *app) examples() *command {
	c := newCommand("examples", "show what an index knows of a neuron: its top examples, examples by band, negatives, "+
		"tokens")
	c.long = `Shows one of these, without running a model:
  top        the texts on which its maximum is highest; as JSON, what n2g explain -examples reads
  bands      texts by the size of their maximum, from the highest tenth down
  random     texts of the corpus drawn by chance, whatever the neuron does
  negatives  places where a token stands on which the neuron fires elsewhere, and it is quiet
  tokens     the tokens it fires on, and how often they stand in the corpus
  cofiring   neurons that fire where it does`
	c.examples = []string{`-layer 1 -neuron 254`, `-index go.n2g -layer 1 -neuron 254 -kind bands -json`,
		`-layer 1 -neuron 254 -json -limit 20`, `-index sae.n2g -site 'blocks.1.hook_resid_post[sae:17]'`}
	f := &examplesFlags{
		index: indexFlag(c), model: c.path(reads, "model", "",
			"`MODEL` whose tokenizer writes the texts (default: that of the index)"),
		hook:   c.flags.String("hook", "", "`NAME` where it was read, if the index holds several hooks"),
		kind:   c.flags.String("kind", topKind, "`KIND` top, bands, random, negatives, tokens or cofiring"),
		layer:  c.flags.Int("layer", -1, "`NUMBER` the layer, from 0"),
		neuron: c.flags.Int("neuron", -1, "`NUMBER` the neuron, from 0"),
		site:   siteFlag(c),
		limit:  c.flags.Int("limit", 20, "`NUMBER` of examples, tokens or neurons; of bands, of examples in each (then 3)"),
		bands:  c.flags.Int("bands", 10, "`NUMBER` of bands"),
		seed:   c.flags.Uint64("seed", 0, "`NUMBER` seed of what is drawn by chance"),
		asJSON: c.flags.Bool("json", false, "print JSON"),
	}
	a.execFlag(c)
	c.run = func(ctx context.Context) error {
		if err := applySite(c.flags, *f.site, f.layer, f.neuron, f.hook); err != nil {
			return err
		}
		if *f.kind == bandsKind && !given(c.flags, "limit") {
			*f.limit = 3
		}
		return a.runExamples(ctx, f)
	}
	return c
}

func (a *app) runExamples(ctx context.Context, f *examplesFlags) (err error) {
	site, err := siteOf(*f.layer, *f.neuron, *f.hook)
	if err != nil {
		return err
	}
	if *f.limit < 1 || *f.bands < 1 {
		return errors.New("-limit and -bands are at least 1")
	}
	x, err := openIndex(*f.index)
	if err != nil {
		return err
	}
	defer x.Close() // it is only read
	number, err := x.Meta().Number(site.Layer, site.Hook, site.Index)
	if err != nil {
		return err
	}
	model, err := a.indexModel(ctx, x, *f.index, *f.model)
	if err != nil {
		return err
	}
	defer model.Close()
	examples, err := corpus.Examples(x, model, site) // says what is wrong with a neuron that has none
	if err != nil {
		return err
	}
	stats, err := x.Stats(number)
	if err != nil {
		return err
	}
	out := &examplesOutput{Layer: site.Layer, Hook: examples.Site.Hook, Neuron: site.Index, MaxActivation: stats.Maximum(),
		Density: stats.Density()}
	switch *f.kind {
	case topKind:
		if *f.asJSON {
			examples.Prompts = examples.Prompts[:min(*f.limit, len(examples.Prompts))]
			examples.TestOnly = slices.DeleteFunc(examples.TestOnly, func(i int) bool { return i >= *f.limit })
			return buffered(a.stdout, func(w io.Writer) error { return encodeJSON(w, examples) })
		}
		list, err := x.Top(number, *f.limit)
		if err == nil {
			out.Examples, err = examplesOf(x, model, list)
		}
		if err != nil {
			return err
		}
	case bandsKind:
		bands, err := x.Bands(number, *f.bands, *f.limit, *f.seed)
		if err != nil {
			return err
		}
		for _, band := range bands {
			list, err := examplesOf(x, model, band.Examples)
			if err != nil {
				return err
			}
			out.Bands = append(out.Bands, bandOutput{band.Low, band.High, band.Windows, list})
		}
	case randomKind:
		windows, err := x.Random(*f.limit, *f.seed)
		if err != nil {
			return err
		}
		for _, window := range windows {
			one, err := exampleOf(x, model, index.Example{Window: window, Position: window.First})
			if err != nil {
				return err
			}
			one.Token, one.Activation = "", nil
			out.Examples = append(out.Examples, one)
		}
	case negativeKind:
		list, err := x.HardNegatives(number, *f.limit, *f.seed)
		if err == nil {
			out.Examples, err = examplesOf(x, model, list)
		}
		if err != nil {
			return err
		}
	case tokensKind:
		tokens, err := x.Tokens(number)
		if err != nil {
			return err
		}
		for _, t := range tokens[:min(*f.limit, len(tokens))] {
			out.Tokens = append(out.Tokens, tokenOutput{t.Token, model.TokenString(t.Token), t.Count, t.Firing, t.Highest})
		}
	case cofiringKind:
		fires, err := x.CoFiring(number, *f.limit)
		if err != nil {
			return err
		}
		for _, fire := range fires {
			other := x.Meta().Neuron(fire.Neuron)
			out.CoFiring = append(out.CoFiring, cofiringOutput{other.Layer, other.Hook, other.Index, fire.Fired, fire.Share,
				fire.Score})
		}
	default:
		return fmt.Errorf("-kind is %q: it is %s, %s, %s, %s, %s or %s", *f.kind, topKind, bandsKind, randomKind,
			negativeKind, tokensKind, cofiringKind)
	}
	return buffered(a.output(*f.asJSON), func(w io.Writer) error {
		if *f.asJSON {
			return encodeJSON(w, out)
		}
		return out.write(w)
	})
}

// examplesOutput is what -json prints, of all kinds but top.
type examplesOutput struct {
	Layer         int              `json:"layer"`
	Hook          string           `json:"hook"`
	Neuron        int              `json:"neuron"`
	MaxActivation float64          `json:"max_activation"`
	Density       float64          `json:"density"`
	Examples      []exampleOutput  `json:"examples,omitempty"`
	Bands         []bandOutput     `json:"bands,omitempty"`
	Tokens        []tokenOutput    `json:"tokens,omitempty"`
	CoFiring      []cofiringOutput `json:"cofiring,omitempty"`
}

type exampleOutput struct {
	Document   string   `json:"document"`
	Split      string   `json:"split"`
	Position   int      `json:"position"` // in the corpus, of the token
	Token      string   `json:"token,omitempty"`
	Activation *float32 `json:"activation,omitempty"` // absent where it lies below what the index keeps
	Text       string   `json:"text"`
	before     string
	behind     string
}

type bandOutput struct {
	Low      float64         `json:"low"`
	High     float64         `json:"high"`
	Windows  int             `json:"windows"` // -1: not known
	Examples []exampleOutput `json:"examples"`
}

type tokenOutput struct {
	ID      int     `json:"id"`
	Token   string  `json:"token"`
	Count   int     `json:"count"`
	Firing  int     `json:"firing"`
	Highest float32 `json:"highest"`
}

type cofiringOutput struct {
	Layer  int     `json:"layer"`
	Hook   string  `json:"hook"`
	Neuron int     `json:"neuron"`
	Fired  int     `json:"fired"`
	Share  float64 `json:"share"`
	Score  float64 `json:"score"`
}

func examplesOf(x *index.Index, d corpus.Decoder, list []index.Example) ([]exampleOutput, error) {
	var all []exampleOutput
	for _, example := range list {
		one, err := exampleOf(x, d, example)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

func exampleOf(x *index.Index, d corpus.Decoder, example index.Example) (exampleOutput, error) {
	before, token, behind, window, err := around(x, d, [2]int{example.Position, example.Position + 1}, contextTokens)
	if err != nil {
		return exampleOutput{}, err
	}
	text, err := corpus.WindowText(x, d, window)
	if err != nil {
		return exampleOutput{}, err
	}
	document, err := x.Document(window.Document)
	if err != nil {
		return exampleOutput{}, err
	}
	one := exampleOutput{Document: document.Origin, Split: document.Split().String(), Position: example.Position,
		Token: token, Text: text, before: before, behind: behind}
	if example.Value != 0 {
		one.Activation = &example.Value
	}
	return one, nil
}

func (o *examplesOutput) write(w io.Writer) error {
	fmt.Fprintf(w, "layer %d neuron %d (%s): maximum %.4g, density %s\n", o.Layer, o.Neuron, o.Hook, o.MaxActivation,
		percent(o.Density))
	for _, e := range o.Examples {
		e.write(w)
	}
	for _, band := range o.Bands {
		windows := fmt.Sprint(band.Windows, " windows")
		if band.Windows < 0 {
			windows = "windows of the sample"
		}
		fmt.Fprintf(w, "%.3g to %.3g: %s\n", band.Low, band.High, windows)
		for _, e := range band.Examples {
			e.write(w)
		}
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(o.Tokens) > 0 {
		fmt.Fprintln(table, "TOKEN\tFIRES\tIN CORPUS\tHIGHEST")
	}
	for _, t := range o.Tokens {
		fmt.Fprintf(table, "%q\t%d\t%d\t%.4g\n", t.Token, t.Firing, t.Count, t.Highest)
	}
	if len(o.CoFiring) > 0 {
		fmt.Fprintln(table, "LAYER\tNEURON\tFIRES WITH IT\tACTIVATION\tSCORE")
	}
	for _, f := range o.CoFiring {
		fmt.Fprintf(table, "%d\t%s\t%d\t%.2f\t%.0f\n", f.Layer, numberName(f.Layer, f.Hook, f.Neuron), f.Fired, f.Share,
			f.Score)
	}
	return table.Flush()
}

func (e *exampleOutput) write(w io.Writer) {
	value := "      "
	if e.Activation != nil {
		value = fmt.Sprintf("%6.3g", *e.Activation)
	}
	if e.Token == "" {
		fmt.Fprintf(w, "%s  %s: %s\n", value, printable(e.Document), printable(e.Text))
		return
	}
	fmt.Fprintf(w, "%s  %s: %s[%s]%s\n", value, printable(e.Document), printable(e.before), printable(e.Token),
		printable(e.behind))
}
