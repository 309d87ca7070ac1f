package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// indexFlag defines -index.
func indexFlag(c *command) *string {
	return c.path(reads, "index", "", "`FILE` the index, made by n2g mine (default: that of tiny on the sample, which "+
		"is part of the program)")
}

// openIndex opens an index, or the embedded one where path is empty.
func openIndex(path string) (*index.Index, error) {
	if path == "" {
		return index.Read(tiny.Index())
	}
	return index.Open(path)
}

// indexName is how an index is called in messages.
func indexName(path string) string {
	if path == "" {
		return "the embedded index"
	}
	return path
}

// describeIndex says in a few lines what an index holds.
func describeIndex(w io.Writer, name string, x *index.Index) error {
	m := x.Meta()
	dead, err := x.Dead()
	if err != nil {
		return err
	}
	dense, err := x.Dense()
	if err != nil {
		return err
	}
	broken, err := x.NotFinite()
	if err != nil {
		return err
	}
	postings := 0
	for n := range m.Neurons() {
		stats, err := x.Stats(n)
		if err != nil {
			return err
		}
		postings += stats.Postings
	}
	layers, plural := layersOf(m), "s"
	if layers == 1 {
		plural = ""
	}
	fmt.Fprintf(w, "%s: %d neurons of %s in %d layer%s, %d tokens in %d windows of %d documents, %d postings\n",
		name, m.Neurons(), m.Model, layers, plural, m.Counted, m.Windows, m.Documents, postings)
	fmt.Fprintf(w, "%d neurons are never above 0; %d are dense: they reach a quarter of their maximum on more than %.2g "+
		"%% of tokens\n",
		len(dead), len(dense), 100*m.Dense)
	for _, n := range broken {
		stats, err := x.Stats(n)
		if err != nil {
			return err
		}
		neuron := m.Neuron(n)
		fmt.Fprintf(w, "layer %d neuron %d of %s is NaN or infinite on %d of %d tokens: check the model's weights\n",
			neuron.Layer, neuron.Index, m.Model, stats.NotFinite, m.Counted)
	}
	if len(m.Report) > 0 {
		if err := writeReport(w, m.Report); err != nil {
			return err
		}
	}
	return nil
}

// layersOf is the number of different layers.
func layersOf(m *index.Meta) int {
	var layers []int
	for _, site := range m.Sites {
		if !slices.Contains(layers, site.Layer) {
			layers = append(layers, site.Layer)
		}
	}
	return len(layers)
}

// fires ranks the neurons that fire on a text.
func (a *app) fires() *command {
	c := newCommand("fires", "find the neurons that fire on a text, from an index, without running a model")
	c.long = `Looks the text up in an index's corpus and ranks the neurons that fire on it (that reach half of their maximum on one of its tokens) by
how special that is to it: the log-likelihood ratio against firing anywhere with the neuron's density.`
	c.examples = []string{`-text 'if err != nil'`, `-index go.n2g -file snippet.go -limit 50 -json`}
	path, ref := indexFlag(c), c.path(reads, "model", "",
		"`MODEL` whose tokenizer reads the text (default: that of the index)")
	a.execFlag(c)
	source := textFlagsOf(c, "the text to look up")
	limit := c.flags.Int("limit", 20, "`NUMBER` of neurons shown; 0 shows all")
	places := c.flags.Int("places", 200, "`NUMBER` of places in the corpus looked at, if it has more")
	asJSON := c.flags.Bool("json", false, "print JSON")
	c.run = func(ctx context.Context) error {
		if *limit < 0 || *places < 1 {
			return errors.New("-limit is at least 0, and -places at least 1")
		}
		if !source.given() {
			return errors.New("give the text to look up, with -text TEXT or -file FILE")
		}
		text, err := source.readUTF8(a)
		if err != nil {
			return err
		}
		found, x, done, err := a.lookUp(ctx, *path, *ref, text, *places)
		if err != nil {
			return err
		}
		defer done()
		list, err := x.Fires(found.places)
		if err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(f index.Fire) bool { return f.Score == 0 })
		if *limit > 0 && len(list) > *limit {
			list = list[:*limit]
		}
		return buffered(a.output(*asJSON), func(w io.Writer) error { return writeFires(w, x, found, list, *asJSON) })
	}
	return c
}

// text finds a text in the corpus of an index.
func (a *app) findText() *command {
	c := newCommand("text", "find a text in the corpus of an index")
	c.examples = []string{`'if err != nil'`, `-index go.n2g -limit 5 -json 'return nil'`}
	c.operands = "TEXT"
	path, ref := indexFlag(c), c.path(reads, "model", "",
		"`MODEL` whose tokenizer reads the text (default: that of the index)")
	a.execFlag(c)
	limit := c.flags.Int("limit", 20, "`NUMBER` of places shown")
	asJSON := c.flags.Bool("json", false, "print JSON")
	c.run = func(ctx context.Context) error {
		switch {
		case c.flags.NArg() != 1:
			return errors.New("give one text: quote it if it has blanks")
		case *limit < 1:
			return fmt.Errorf("-limit is %d: it is at least 1", *limit)
		}
		found, x, done, err := a.lookUp(ctx, *path, *ref, c.flags.Arg(0), *limit)
		if err != nil {
			return err
		}
		defer done()
		return buffered(a.output(*asJSON), func(w io.Writer) error { return writePlaces(w, x, found, *asJSON) })
	}
	return c
}

// site is the neuron that -layer, -neuron and -hook name.
func siteOf(layer, neuron int, hook string) (n2g.Site, error) {
	if layer < 0 || neuron < 0 {
		return n2g.Site{}, errors.New("name the neuron with -layer NUMBER and -neuron NUMBER, both from 0")
	}
	return n2g.Site{Layer: layer, Index: neuron, Hook: strings.TrimSpace(hook)}, nil
}

// index describes an index.
func (a *app) index() *command {
	c := newCommand("index", "say what an index holds")
	c.long = `Says what was indexed, how many neurons are never above 0 or dense, and which are NaN or infinite somewhere; -json prints what the index
says about itself, and the numbers of each neuron.`
	c.examples = []string{``, `-index go.n2g -json`}
	path := indexFlag(c)
	c.commands = []*command{a.indexExport()}
	asJSON := c.flags.Bool("json", false, "print JSON: one object about the index, then one a neuron")
	c.run = func(ctx context.Context) error {
		x, err := openIndex(*path)
		if err != nil {
			return err
		}
		defer x.Close() // it is only read
		return buffered(a.output(*asJSON), func(w io.Writer) error {
			if *asJSON {
				return writeStats(w, x)
			}
			return describeIndex(w, indexName(*path), x)
		})
	}
	return c
}

// statsOutput is what is known of a neuron, as JSON.
type statsOutput struct {
	Layer     int              `json:"layer"`
	Hook      string           `json:"hook"`
	Neuron    int              `json:"neuron"`
	Highest   float32          `json:"highest"`
	Lowest    float32          `json:"lowest"`
	Mean      float64          `json:"mean"`
	Density   float64          `json:"density"`
	Firing    int              `json:"firing"`
	Counted   int              `json:"counted"`
	NotFinite int              `json:"not_finite,omitempty"`
	Level     float32          `json:"level"`
	Postings  int              `json:"postings"`
	Dense     bool             `json:"dense,omitempty"`
	Histogram *index.Histogram `json:"histogram,omitempty"`
}

func writeStats(w io.Writer, x *index.Index) error {
	m := x.Meta()
	if err := encodeJSON(w, m); err != nil {
		return err
	}
	for n := range m.Neurons() {
		s, err := x.Stats(n)
		if err != nil {
			return err
		}
		neuron := m.Neuron(n)
		err = encodeJSON(w, statsOutput{
			neuron.Layer, neuron.Hook, neuron.Index, s.Highest, s.Lowest, s.Mean, s.Density(), s.Firing, s.Counted, s.NotFinite,
			s.Level, s.Postings, s.Dense, &s.Histogram,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// output is where a command writes: JSON as it is, text as a terminal may see it.
func (a *app) output(asJSON bool) io.Writer {
	if asJSON {
		return a.stdout
	}
	return a.text
}
