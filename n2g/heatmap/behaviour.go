package heatmap

import "github.com/neuron2graph/neuron2graph/n2g"

// FromBehaviour is the map of an example of a behaviour, its firing token marked.
func FromBehaviour(e n2g.BehaviourExample) HeatMap {
	m := HeatMap{Tokens: e.Tokens, Rows: []Row{{Name: "activation", Values: e.Activations, Max: 1}}, Form: Compact,
		NoLegend: true, Marks: make([]Mark, len(e.Tokens))}
	if e.Peak >= 0 && e.Peak < len(m.Marks) {
		m.Marks[e.Peak] = Peak
	}
	return m
}
