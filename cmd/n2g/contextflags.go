package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/contexttree"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// contextFlags say how context graphs are learned.
type contextFlags struct {
	splits *int
	ask    *float64
	other  *string
}

func contextFlagsOf(c *command) contextFlags {
	return contextFlags{
		splits: c.flags.Int("context-splits", contexttree.DefaultSplits,
			"`NUMBER` most tests of the context graph, which is learned from the index: 10 can be read, 100 is as much as "+
				"pays, 0 leaves it out"),
		ask: c.flags.Float64("ask", 1, "`FACTOR` how much the context graph may ask the model: so many times what the "+
			"published graph has cost; 0 learns from the index alone"),
		other: c.pathList(reads, "other", "`FILE` an index of other text of the same model and layers, made by n2g mine, on "+
			"which all graphs and tables are scored too; or several: FILE,FILE"),
	}
}

// errNothingToCompare says that there are no context graphs.
var errNothingToCompare = errors.New("-other compares context graphs with others: they are learned from an index " +
	"(-index), unless -context-splits is 0")

// check refuses numbers that mean nothing.
func (f contextFlags) check() error {
	switch {
	case *f.splits < 0:
		return fmt.Errorf("-context-splits is %d: it is a number of tests, 0 for no context graph", *f.splits)
	case !(*f.ask >= 0 && *f.ask <= mostAsked):
		return fmt.Errorf("-ask is %g: it is a factor from 0 to %g", *f.ask, mostAsked)
	}
	return nil
}

// mostAsked is the highest factor of -ask. What can be asked of one neuron is used up long before.
const mostAsked = 1e6

func (f contextFlags) wanted() bool { return *f.splits > 0 }

// explainer learns context graphs from an index; done closes what it has opened.
func (f contextFlags) explainer(from *index.Index, model siteModel) (x *contexttree.Explainer, done func(),
	err error) {
	x = contexttree.NewExplainer(from, model.TokenString, contexttree.Options{Splits: *f.splits})
	var opened []*index.Index
	done = func() {
		for _, text := range opened {
			text.Close() // it was only read
		}
	}
	named := map[string]string{} // paths
	for _, path := range f.others() {
		if path == "" {
			done()
			return nil, nil, fmt.Errorf("-other %s names an index without a name: FILE,FILE", *f.other)
		}
		name := otherName(path)
		if there, twice := named[name]; twice {
			done()
			return nil, nil, fmt.Errorf("-other names %s and %s, whose scores would both be those of %q: rename one",
				there, path, name)
		}
		named[name] = path
		text, err := openIndex(path)
		if err == nil {
			opened = append(opened, text)
			err = sameModel(text, model, path)
		}
		if err != nil {
			done()
			return nil, nil, err
		}
		x.CompareOn(name, text)
	}
	return x, done, nil
}

// others are the indexes of other text.
func (f contextFlags) others() []string {
	if *f.other == "" {
		return nil
	}
	return strings.Split(*f.other, ",")
}

// otherName is an index's name without its ending.
func otherName(path string) string {
	name := filepath.Base(path)
	return strings.TrimSuffix(name, filepath.Ext(name))
}

// asker asks a model about the neuron of an explanation.
func (f contextFlags) asker(model n2g.LanguageModel, e *n2g.Explanation) contexttree.Asker {
	if !(*f.ask > 0) || e.Work == nil {
		return contexttree.Asker{}
	}
	return contexttree.Asker{Model: model, Rows: int(*f.ask * float64(e.Work.Rows))}
}

// identity tells stores whose context graphs were made otherwise apart.
func (f contextFlags) identity() string {
	identity := fmt.Sprintf(", context graphs of %d tests asked %g", *f.splits, *f.ask)
	for _, path := range f.others() {
		identity += ", compared on " + otherName(path)
	}
	return identity
}
