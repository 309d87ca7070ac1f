package behaviours

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// How many firing examples are compared: unless others are asked for, at least, and at most, since each is compared
// with each.
const (
	DefaultExamples = 24
	MinExamples     = 6
	MaxExamples     = 500
)

// Example is a place where a neuron fires.
type Example struct {
	IDs         []int     // what the model reads, BOS included; what stands behind the firing token is shown only
	Position    int       // of the firing token among them
	Activations []float64 // of each of IDs, or of the first of them, as shares of the neuron's maximum; only shown
	// Weight is the number of places where the neuron fires that it stands for; 0 is 1.
	Weight float64
}

func (e Example) weight() float64 {
	if e.Weight > 0 {
		return e.Weight
	}
	return 1
}

// contextTokens are those up to a firing one by which texts are told apart.
const contextTokens = 16

// OfIndex are examples of a neuron's firing on an index's corpus, at most limit: of the places where it reaches half of
// its maximum. Each token that it fires on has one example in turn, the token of most places first, so that a frequent
// one does not crowd out the others; those of a token are evenly spread from its strongest place to its weakest.
// Windows that repeat another, a token's second place in a window, and places behind the same 15 tokens as another are
// passed over.
func OfIndex(x *index.Index, s n2g.Site, limit int) ([]Example, error) {
	number, err := x.Meta().Number(s.Layer, s.Hook, s.Index)
	if err != nil {
		return nil, err
	}
	stats, err := x.Stats(number)
	if err != nil || stats.Dead() {
		return nil, err
	}
	byToken, err := firingPlaces(x, number, index.FireShare*stats.Maximum())
	if err != nil {
		return nil, err
	}
	taken := make([]int, len(byToken)) // places of each token
	for left, more := limit, true; left > 0 && more; {
		more = false
		for t, of := range byToken {
			if taken[t] < len(of) && left > 0 {
				taken[t]++
				left--
				more = true
			}
		}
	}
	var examples []Example
	for t, of := range byToken {
		for i := range taken[t] {
			e, err := exampleAt(x, number, of[i*len(of)/taken[t]], stats.Maximum())
			if err != nil {
				return nil, err
			}
			e.Weight = float64(len(of)) / float64(taken[t])
			examples = append(examples, e)
		}
	}
	return examples, nil
}

// firingPlaces are the places where a neuron reaches a level, by token, that of most places first, each from the
// strongest to the weakest.
func firingPlaces(x *index.Index, number int, level float64) ([][]index.Example, error) {
	postings, err := x.Postings(number)
	if err != nil {
		return nil, err
	}
	postings = slices.DeleteFunc(postings, func(p index.Posting) bool { return !(float64(p.Value) >= level) })
	slices.SortStableFunc(postings, func(a, b index.Posting) int { return cmp.Compare(b.Value, a.Value) })
	type tokenIn struct{ token, window int }
	windows, contexts := map[tokenIn]bool{}, map[string]bool{}
	at := map[int]int{} // where a token stands in byToken
	var byToken [][]index.Example
	for _, p := range postings {
		position := int(p.Position)
		window, err := x.WindowAt(position)
		if err != nil {
			return nil, err
		}
		w, err := x.Window(window)
		if err != nil {
			return nil, err
		}
		ids, err := x.IDs(max(w.First, position+1-contextTokens), position+1)
		if err != nil {
			return nil, err
		}
		in, context := tokenIn{ids[len(ids)-1], window}, fmt.Sprint(ids)
		if w.Repeats || windows[in] || contexts[context] {
			continue
		}
		windows[in], contexts[context] = true, true
		t, known := at[in.token]
		if !known {
			t = len(byToken)
			at[in.token] = t
			byToken = append(byToken, nil)
		}
		byToken[t] = append(byToken[t], index.Example{Window: w, Position: position, Value: p.Value})
	}
	slices.SortStableFunc(byToken, func(a, b []index.Example) int { return cmp.Compare(len(b), len(a)) })
	return byToken, nil
}

// exampleAt is a window from its beginning to some tokens behind a place.
func exampleAt(x *index.Index, number int, p index.Example, maximum float64) (Example, error) {
	end := min(p.Position+after+1, p.Window.End)
	ids, err := x.IDs(p.Window.First, end)
	if err != nil {
		return Example{}, err
	}
	values, err := x.WindowValues(number, p.Window)
	if err != nil {
		return Example{}, err
	}
	example := Example{Position: p.Position - p.Window.First}
	if bos := x.Meta().BOS; bos >= 0 {
		example.IDs, example.Activations = []int{bos}, []float64{0}
		example.Position++
	}
	example.IDs = append(example.IDs, ids...)
	for _, v := range values[:len(ids)] {
		example.Activations = append(example.Activations, float64(v)/maximum)
	}
	return example, nil
}

// OfPrompts are examples of a neuron's firing on the texts that its explanation was made of, at most limit, strongest
// first: of each the token of the highest activation that is known, where that is half of the maximum or more.
func OfPrompts(model n2g.LanguageModel, e *n2g.Explanation, prompts []string, limit int) ([]Example, error) {
	type place struct {
		prompt, position int // BOS being 0, whether the model has one or not
		value            float64
		activations      []float64
	}
	var places []place
	for _, t := range e.Tests {
		if len(t.Activations) == 0 {
			continue
		}
		at := slices.Index(t.Activations, slices.Max(t.Activations))
		places = append(places, place{t.PromptIndex, at, t.Activations[at], t.Activations})
	}
	for _, p := range e.Prunes {
		if e.MaxActivation > 0 {
			value := p.InitialMax / e.MaxActivation
			activations := make([]float64, p.Position+1)
			activations[p.Position] = value
			places = append(places, place{p.PromptIndex, p.Position, value, activations})
		}
	}
	slices.SortStableFunc(places, func(a, b place) int { return cmp.Compare(b.value, a.value) })
	first := 0
	if model.BOS() < 0 {
		first = 1
	}
	seen := map[int]bool{}
	var examples []Example
	for _, p := range places {
		if seen[p.prompt] || p.value < index.FireShare || len(examples) >= limit {
			continue
		}
		seen[p.prompt] = true
		if p.prompt < 0 || p.prompt >= len(prompts) {
			return nil, fmt.Errorf("the explanation is of prompt %d, and there are %d", p.prompt+1, len(prompts))
		}
		position := p.position - first
		ids, err := n2g.CutPrompt(model, prompts[p.prompt], position+1+after)
		if err != nil {
			return nil, err
		}
		if position < 0 || position >= len(ids) {
			return nil, fmt.Errorf("prompt %d has %d tokens, and the explanation is of one at %d", p.prompt+1, len(ids),
				position)
		}
		examples = append(examples, Example{IDs: ids, Position: position, Activations: p.activations[first:]})
	}
	return examples, nil
}
