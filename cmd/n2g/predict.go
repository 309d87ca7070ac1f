package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// predictOutput is what -json prints.
type predictOutput struct {
	Graph         string    `json:"graph"` // context or published
	FireThreshold float64   `json:"fire_threshold"`
	Tokens        []string  `json:"tokens"`
	Predictions   []float64 `json:"predictions"` // share of the maximum
}

func (a *app) predict() *command {
	c := newCommand("predict", "predict a neuron's activation on each token of a text by its graph, without running a "+
		"model")
	c.long = `Predicts, as a share of the neuron's maximum, from an explanation that a store holds (-store) or that n2g explain wrote
(-explanation). Of the model only the tokenizer is read. The published graph fires at half of the maximum, the context graph at the
threshold that validation documents chose.`
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
		case *graph != "" && *graph != "context" && *graph != "published":
			return fmt.Errorf("-graph is %q: it is context or published", *graph)
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
		model, err := a.openSites(ctx, *ref, "go")
		if err != nil {
			return fmt.Errorf("the tokenizer of the explained model: %w; -model names it", err)
		}
		defer model.Close()
		ids, err := model.Tokenize(text)
		if err != nil {
			return err
		}
		out := predictOutput{Tokens: make([]string, len(ids))}
		for i, id := range ids {
			out.Tokens[i] = model.TokenString(id)
		}
		if err := out.predict(e, *graph); err != nil {
			return err
		}
		if *asJSON {
			return buffered(a.stdout, func(w io.Writer) error { return encodeJSON(w, out) })
		}
		return a.print(out.table)
	}
	return c
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

// predict fills in what a graph of the explanation predicts.
func (o *predictOutput) predict(e *n2g.Explanation, graph string) error {
	if graph == "" {
		graph = "published"
		if e.Context != nil {
			graph = "context"
		}
	}
	o.Graph = graph
	switch {
	case graph == "context" && e.Context == nil:
		return errors.New("the explanation has no context graph: explain the neuron with an index (n2g explain with -mined " +
			"FILE), or predict with -graph published")
	case graph == "published" && e.Trie == nil:
		return errors.New("the explanation has no published graph: it was made without one (-no-graph)")
	case graph == "context":
		o.FireThreshold = e.Context.FireThreshold
		o.Predictions = e.Context.Predict(o.Tokens)
	default:
		o.FireThreshold = *e.Options.Resolved().FireThreshold
		o.Predictions = e.Predict(o.Tokens)
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
