package page

import (
	"bufio"
	_ "embed"
	"fmt"
	"html/template"
	"io"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/heatmap"
)

// Options say what a page shows besides the Explanation itself.
type Options struct {
	// Title of the page. Default: the neuron and its model, or their number if there are several.
	Title string
	// Graph is the neuron's graph as SVG, as package graphviz draws it (its theme Auto suits a page that follows the
	// reader's); it becomes part of the page. Empty: none.
	Graph string
	// Context is its context graph as SVG, as Graph.
	Context string
	Theme   heatmap.Theme
}

// Entry is one of the neurons on a page.
type Entry struct {
	Explanation *n2g.Explanation
	Graph       string // as Options.Graph
	Context     string // as Options.Context
}

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// Write writes the page of one neuron. It fails if w does, or if the graph is no SVG or holds more than a picture.
func Write(w io.Writer, e *n2g.Explanation, o Options) error {
	return WriteAll(w, []Entry{{e, o.Graph, o.Context}}, o)
}

// WriteAll writes one page of several neurons, with an index of them and their scores at its head. Of the options the
// graphs are ignored: each entry has its own.
func WriteAll(w io.Writer, entries []Entry, o Options) error {
	v := view{
		Title: text(o.Title),
		Style: template.CSS(heatmap.Style() + pageCSS),
		Many:  len(entries) > 1,
	}
	switch o.Theme {
	case heatmap.Light:
		v.Theme = "n2g-light"
	case heatmap.Dark:
		v.Theme = "n2g-dark"
	}
	for i, entry := range entries {
		n, err := newNeuron(i, entry)
		if err != nil {
			return err
		}
		v.Neurons = append(v.Neurons, n)
	}
	if v.Title == "" {
		switch len(entries) {
		case 1:
			v.Title = v.Neurons[0].Name + " of " + v.Neurons[0].Model
		default:
			v.Title = fmt.Sprintf("%d neurons", len(entries))
		}
	}
	buffered := bufio.NewWriter(w)
	if err := pageTemplate.Execute(buffered, v); err != nil {
		return fmt.Errorf("page: cannot write the page: %w", err)
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("page: cannot write the page: %w", err)
	}
	return nil
}
