package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/store"
	"github.com/neuron2graph/neuron2graph/tokenizers"
)

// predictOutput is what -json prints.
type predictOutput struct {
	Graph         string    `json:"graph"` // context or published
	FireThreshold float64   `json:"fire_threshold"`
	Tokens        []string  `json:"tokens"`      // without BOS
	Predictions   []float64 `json:"predictions"` // of each token, as a share of the maximum
}

// tokenizer reads texts as a model does.
type tokenizer interface {
	Tokenize(text string) ([]int, error)
	TokenString(id int) string
	BOS() int
}

// tokenizerAlone is one whose model may not be here.
type tokenizerAlone struct{ tokenizers.Tokenizer }

func (t tokenizerAlone) Tokenize(text string) ([]int, error) { return t.Encode(text).IDs, nil }
func (t tokenizerAlone) BOS() int                            { return t.Special().BOS }

func (a *app) predict() *command {
	c := newCommand("predict", "predict a neuron's activation on each token of a text by its graph, without running a "+
		"model")
	c.long = `Predicts, as a share of the neuron's maximum, from an explanation that a store holds (-store) or that n2g explain wrote
(-explanation). Of the model only the tokenizer is read: its weights need not be there, and -model may name a tokenizer.json. The
published graph fires at half of the maximum, the context graph at the threshold that was chosen with it. Texts of any length are read.

-json prints one object: graph (context or published), fire_threshold (the share from which a token fires), tokens (without BOS) and
predictions (a share for each token).`
	c.examples = []string{
		`-store run.db -layer 1 -neuron 254 -file main.go`,
		`-explanation neuron.json -text 'if err != nil {' -graph context -json`,
	}
	path := storeFlag(c)
	explanation := c.path(reads, "explanation", "",
		"`FILE` one explanation as JSON, instead of a store; - is standard input")
	ref := modelFlag(c)
	a.execFlag(c)
	layer := c.flags.Int("layer", -1, "`NUMBER` the layer, from 0; of a store")
	neuron := c.flags.Int("neuron", -1, "`NUMBER` the neuron, from 0; of a store")
	source := textFlagsOf(c, "the text")
	graph := c.flags.String("graph", "", "`GRAPH` that predicts: context or published (default: context where there is "+
		"one)")
	asJSON := c.flags.Bool("json", false, "print JSON: graph, fire_threshold, tokens, predictions")
	c.run = func(ctx context.Context) error {
		switch {
		case !source.given():
			return errors.New("give a text, with -text TEXT or -file FILE")
		case *graph != "" && checkGraph(*graph) != nil:
			return checkGraph(*graph)
		case *explanation == "" && (*layer < 0 || *neuron < 0):
			return errors.New("name a neuron of the store with -layer NUMBER and -neuron NUMBER, or an explanation with " +
				"-explanation FILE")
		}
		text, err := source.readUTF8(a)
		if err != nil {
			return err
		}
		e, err := a.explanationOf(ctx, *explanation, *path, n2g.Site{Layer: *layer, Index: *neuron})
		if err != nil {
			return err
		}
		if !given(c.flags, "model") {
			*ref = e.Model
		}
		words, err := a.openTokenizer(ctx, *ref)
		if err != nil {
			return fmt.Errorf("the tokenizer of the explained model: %w; -model names it", err)
		}
		out := predictOutput{}
		before, err := out.tokenize(words, text)
		if err != nil {
			return err
		}
		if err := out.predict(e, *graph, before); err != nil {
			return err
		}
		if *asJSON {
			return buffered(a.stdout, func(w io.Writer) error { return encodeJSON(w, out) })
		}
		return a.print(out.table)
	}
	return c
}

// openTokenizer opens the tokenizer of the model of -exec, or else of -model.
func (a *app) openTokenizer(ctx context.Context, ref string) (tokenizer, error) {
	held, err := a.openProcess(ctx)
	switch {
	case err != nil:
		return nil, err
	case held != nil:
		return held, nil
	}
	t, err := models.OpenTokenizer(ref)
	return tokenizerAlone{t}, err
}

// tokenize fills in the tokens of a text; before is what the model is shown in front of them. As everywhere, a text
// that spells BOS itself is meant to have it once, and a blank one is refused.
func (o *predictOutput) tokenize(t tokenizer, text string) (before string, err error) {
	if bos := t.BOS(); bos >= 0 {
		before = t.TokenString(bos)
	}
	text = strings.TrimPrefix(text, before)
	if strings.TrimSpace(text) == "" {
		return "", errors.New("the text is blank: give one with at least one word")
	}
	ids, err := t.Tokenize(text)
	if err != nil {
		return "", err
	}
	o.Tokens = make([]string, len(ids))
	for i, id := range ids {
		o.Tokens[i] = t.TokenString(id)
	}
	return before, nil
}

// explanationOf reads an explanation from a file, or else from a store.
func (a *app) explanationOf(ctx context.Context, file, path string, n n2g.Site) (e *n2g.Explanation, err error) {
	switch file {
	case "":
		err = withStore(path, func(s *store.Store) error {
			e, err = s.Explanation(ctx, n)
			return err
		})
		return e, err
	case standard:
		return n2g.ReadExplanation(a.stdin)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if e, err = n2g.ReadExplanation(f); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return e, nil
}

// predict fills in what a graph of the explanation predicts for the tokens behind what stands before a text.
func (o *predictOutput) predict(e *n2g.Explanation, graph, before string) error {
	if graph == "" {
		graph = "published"
		if e.Context != nil {
			graph = "context"
		}
	}
	o.Graph = graph
	switch {
	case graph == "context" && e.Context == nil:
		return errors.New("the explanation has no context graph: explain the neuron with an index (n2g explain -index " +
			"FILE), or predict with -graph published")
	case graph == "published" && e.Trie == nil:
		return errors.New("the explanation has no published graph: it was made without one (-no-graph)")
	case graph == "context":
		o.FireThreshold = e.Context.FireThreshold
		o.Predictions = e.Context.Predict(o.Tokens)
	default:
		o.FireThreshold = *e.Options.Resolved().FireThreshold
		o.Predictions = e.Predict(append([]string{before}, o.Tokens...))[1:] // as it was scored
	}
	return nil
}

func (o *predictOutput) table(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "POSITION\tPREDICTED\tFIRES\tTOKEN")
	for i, token := range o.Tokens {
		fires := ""
		if o.Predictions[i] >= o.FireThreshold {
			fires = "*"
		}
		fmt.Fprintf(table, "%d\t%.3f\t%s\t%q\n", i, o.Predictions[i], fires, token)
	}
	return table.Flush()
}
