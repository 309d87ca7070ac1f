package corpus

import (
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// SplitWindows are those of an index's documents of a split, at most limit (0: all), evenly spread over them. Windows
// that repeat an earlier one are left out.
func SplitWindows(x *index.Index, split index.Split, limit int) ([]index.Window, error) {
	var all []index.Window
	for n := range x.Meta().Documents {
		document, err := x.Document(n)
		if err != nil {
			return nil, err
		}
		if document.Split() != split {
			continue
		}
		for w := document.FirstWindow; w < document.EndWindow; w++ {
			window, err := x.Window(w)
			if err != nil {
				return nil, err
			}
			if !window.Repeats {
				all = append(all, window)
			}
		}
	}
	if limit <= 0 || len(all) <= limit {
		return all, nil
	}
	chosen := make([]index.Window, limit)
	for i := range chosen {
		chosen[i] = all[i*len(all)/limit]
	}
	return chosen, nil
}

// WindowPrompt is a window as the model was given it, with BOS in front where it has one.
func WindowPrompt(x *index.Index, window index.Window) ([]int, error) {
	ids, err := x.IDs(window.First, window.End)
	if bos := x.Meta().BOS; err == nil && bos >= 0 {
		ids = slices.Insert(ids, 0, bos)
	}
	return ids, err
}
