package graphviz

import (
	"fmt"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// scale maps a threshold … 1 to a fraction of full colour.
type scale struct{ low float64 }

// scales of activation and importance. They begin below the thresholds, so that what only just passed shows.
func (o Options) scales() (activation, importance scale) {
	thresholds := n2g.Options{ActivationThreshold: o.ActivationThreshold,
		ImportanceThreshold: o.ImportanceThreshold}.Resolved()
	return scale{max(0, *thresholds.ActivationThreshold-0.2)}, scale{max(0.1, *thresholds.ImportanceThreshold-0.2)}
}

// share is the fraction of full colour of a value.
func (s scale) share(value float64) float64 {
	fraction := (value - s.low) / (1 - s.low)
	if !(fraction > 0) { // also no number, and 0/0 where the threshold is 1.2
		return 0
	}
	return min(fraction, 1)
}

// faded is what is left of the two channels that are not the colour: 255 is white, 0 full colour.
func (s scale) faded(value float64) int { return 255 - int(255*s.share(value)) }

// darkBlue is the least channel on which black text is readable; the published program's limit.
const darkBlue = 130

// colors of a node in DOT, those of the published program: its fill, and the text on it.
func (o Options) colors(node n2g.GraphNode) (fill, text string) {
	activation, importance := o.scales()
	if node.Depth == 0 {
		c := activation.faded(node.Activation)
		return fmt.Sprintf("#ff%02x%02x", c, c), "black"
	}
	c := importance.faded(node.Importance)
	if c < darkBlue {
		text = "white"
	} else {
		text = "black"
	}
	return fmt.Sprintf("#%02x%02xff", c, c), text
}
