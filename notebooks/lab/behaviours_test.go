package lab

import "testing"

// The neurons that the notebooks show: three parts that are one behaviour, and three that are two.
func TestBehaviours(t *testing.T) {
	l := Open()
	for neuron, want := range map[int]int{427: 1, 343: 2} {
		e := l.Explain(1, neuron)
		if b := l.Behaviours(e); len(b.List) != want || len(e.Graph.Components()) != 3 {
			t.Errorf("neuron %d: %s, and %d parts", neuron, b.Summary(), len(e.Graph.Components()))
		}
		if list := outputs(e.Behaviours); len(list) < 2 {
			t.Errorf("neuron %d: %d outputs", neuron, len(list))
		}
	}
}
