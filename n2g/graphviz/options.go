package graphviz

import (
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/internal/scene"
)

// Theme is a choice of background and line colours.
type Theme int

const (
	Light Theme = iota // dark lines on white
	Dark               // light lines on a dark ground
	Auto               // an SVG follows its reader's setting; DOT: no ground and grey lines; PNG: light
)

// scene returns the drawer's name of the theme.
func (t Theme) scene() scene.Theme {
	switch t {
	case Dark:
		return scene.Dark
	case Auto:
		return scene.Auto
	}
	return scene.Light
}

// Options of a drawing. The zero value is the published look.
type Options struct {
	// ActivationThreshold and ImportanceThreshold the graph was built with; they say where the colour scales begin.
	// nil: the published defaults, 0.5 and 0.75.
	ActivationThreshold, ImportanceThreshold *float64

	Theme Theme
	// MaxNodes: of a larger graph the first this many nodes in breadth-first order are drawn, and one that says how
	// many more there are. 0: 200. Below 0: no limit.
	MaxNodes int
	NoLegend bool
	// Inline: an SVG of theme Auto comes without its style sheet, because the page around it has [Style].
	Inline bool
	Title  string // above the graph; none if empty
	// NoBrowser: PNG never starts Chromium.
	NoBrowser bool
}

// OptionsFor returns the options to draw a graph built with o.
func OptionsFor(o n2g.Options) Options {
	return Options{ActivationThreshold: o.ActivationThreshold, ImportanceThreshold: o.ImportanceThreshold}
}

const defaultMaxNodes = 200

func (o Options) maxNodes() int {
	if o.MaxNodes == 0 {
		return defaultMaxNodes
	}
	return o.MaxNodes
}

// palette is what a theme colours.
type palette struct{ ground, text, line, frame, muted string }

func (o Options) palette() palette {
	switch o.Theme {
	case Dark:
		return palette{ground: "#15181e", text: "#e6e8eb", line: "#9aa1ab", frame: "#4a515c", muted: "#9aa1ab"}
	case Auto:
		return palette{ground: "transparent", text: "#808080", line: "#808080", frame: "#a0a0a0", muted: "#808080"}
	}
	return palette{ground: "white", text: "black", line: "black", frame: "#b4b4b4", muted: "#5f6368"}
}
