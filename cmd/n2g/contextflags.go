package main

import (
	"fmt"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/contexttree"
)

// contextFlags say how context graphs are learned.
type contextFlags struct {
	splits *int
	ask    *float64
}

func contextFlagsOf(c *command) contextFlags {
	return contextFlags{
		splits: c.flags.Int("context-splits", contexttree.DefaultSplits,
			"`NUMBER` most tests of the context graph, which is learned from the index: 10 can be read, 100 is as much as "+
				"pays, 0 leaves it out"),
		ask: c.flags.Float64("ask", 1, "`FACTOR` how much the context graph may ask the model: so many times what the "+
			"published graph has cost; 0 learns from the index alone"),
	}
}

func (f contextFlags) wanted() bool { return *f.splits > 0 }

func (f contextFlags) options() contexttree.Options { return contexttree.Options{Splits: *f.splits} }

// asker asks a model about the neuron of an explanation.
func (f contextFlags) asker(model n2g.LanguageModel, e *n2g.Explanation) contexttree.Asker {
	if !(*f.ask > 0) || e.Work == nil {
		return contexttree.Asker{}
	}
	return contexttree.Asker{Model: model, Rows: int(*f.ask * float64(e.Work.Rows))}
}

// identity tells stores whose context graphs were made otherwise apart.
func (f contextFlags) identity() string {
	return fmt.Sprintf(", context graphs of %d tests asked %g", *f.splits, *f.ask)
}
