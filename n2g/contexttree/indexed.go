package contexttree

import (
	"fmt"

	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// CorpusOf is the corpus of an activation index. tokenString is the text of one id.
func CorpusOf(x *index.Index, tokenString func(id int) string) (*Corpus, error) {
	windows, err := windowsOf(x)
	if err != nil {
		return nil, err
	}
	return NewCorpus(windows, tokenString)
}

func windowsOf(x *index.Index) ([]Window, error) {
	windows := make([]Window, x.Meta().Windows)
	var document index.Document
	for number := range windows {
		w, err := x.Window(number)
		if err != nil {
			return nil, err
		}
		if number == 0 || w.Document != document.Number {
			if document, err = x.Document(w.Document); err != nil {
				return nil, err
			}
		}
		ids, err := x.IDs(w.First, w.End)
		if err != nil {
			return nil, err
		}
		windows[number] = Window{Document: w.Document, Split: document.Split(), IDs: make([]int32, len(ids))}
		for i, id := range ids {
			windows[number].IDs[i] = int32(id)
		}
	}
	return windows, nil
}

// ActivationsOf are one neuron's in an activation index; number is its place there ([index.Meta.Number]).
func ActivationsOf(x *index.Index, number int) (*Activations, error) {
	a, err := activationsOf(x, number)
	if err == nil && a.Maximum == 0 {
		return nil, ErrDead
	}
	return a, err
}

// activationsOf are those of any neuron: one that is never above 0 has a maximum of 0.
func activationsOf(x *index.Index, number int) (*Activations, error) {
	stats, err := x.Stats(number)
	if err != nil {
		return nil, err
	}
	a := &Activations{Maximum: stats.Maximum(), Level: float64(stats.Level)}
	postings, err := x.Postings(number)
	if err != nil {
		return nil, err
	}
	a.Positions, a.Values = make([]int32, len(postings)), make([]float32, len(postings))
	for i, p := range postings {
		a.Positions[i], a.Values[i] = int32(p.Position), p.Value
	}
	for _, window := range x.Sample() {
		values, err := x.SampleValues(number, window)
		if err != nil {
			return nil, fmt.Errorf("sampled activations: %w", err)
		}
		a.Sampled = append(a.Sampled, int32(window))
		a.SampledValues = append(a.SampledValues, values...)
	}
	return a, nil
}
