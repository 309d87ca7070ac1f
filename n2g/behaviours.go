package n2g

import "fmt"

// Behaviours are the different things that make a neuron fire. Examples of its firing are grouped by what the model
// feeds it there, the terms of its input (Foote 2024, "Tackling Polysemanticity with Neuron Embeddings", arXiv
// 2411.08166): two branches of a graph are two behaviours only where they reach the neuron by different inputs. Package
// behaviours finds them.
type Behaviours struct {
	Examples int `json:"examples"` // firing examples that were compared
	// List has the behaviours, that with most examples first. One is the answer where nothing tells the examples apart;
	// it is empty where there were too few to say.
	List []Behaviour `json:"list"`
	// Stray counts examples like no behaviour, too few of a kind to be one.
	Stray int `json:"stray,omitempty"`
	// Separation is the mean silhouette of the examples of two behaviours or more, 1 where they are far apart; Chance is
	// the highest that the same numbers reached, shuffled among the examples. 0 where there is one behaviour.
	Separation float64 `json:"separation,omitempty"`
	Chance     float64 `json:"chance,omitempty"`
}

// Behaviour is one of the things that make a neuron fire.
type Behaviour struct {
	Label    string `json:"label"`    // one line, made of its branches
	Examples int    `json:"examples"` // of those compared
	// Share of all places where the neuron fires that these examples stand for: of tokens that it fires on often, not all
	// are compared.
	Share float64 `json:"share"`
	// Within is the mean cosine of its examples' inputs to one another, Between that to those of the nearest other
	// behaviour; nil where there is no other.
	Within  float64  `json:"within"`
	Between *float64 `json:"between,omitempty"`
	// Branches are the ways through the graph that its examples take, those of most examples first.
	Branches []Branch `json:"branches"`
	// ToldApart is the share of its examples whose branch belongs to this behaviour more than to any other: where it is
	// low, the graph does not tell the behaviours apart.
	ToldApart float64            `json:"told_apart"`
	Shown     []BehaviourExample `json:"shown"` // a few of its examples, the most typical first
}

// Branch is a way through a graph: a leaf of the context graph, or without one an activating token of the published
// graph, with the tokens of a behaviour's examples that take it.
type Branch struct {
	Label    string   `json:"label"`
	Tokens   []string `json:"tokens"` // on which the neuron fires, most frequent first
	Examples int      `json:"examples"`
}

// BehaviourExample is a stretch of text around a token on which a neuron fires.
type BehaviourExample struct {
	Tokens      []string  `json:"tokens"`
	Activations []float64 `json:"activations"` // shares of the maximum, rounded to 3 decimals
	Peak        int       `json:"peak"`        // the firing token
}

// Summary says in one line how many behaviours there are, and what that rests on.
func (b *Behaviours) Summary() string {
	switch {
	case len(b.List) == 0 && b.Stray == 0:
		return fmt.Sprintf("not told: %d examples are too few", b.Examples)
	case len(b.List) == 0:
		return fmt.Sprintf("none: of %d examples, no three reach the neuron alike", b.Examples)
	}
	text := fmt.Sprintf("%d, by %d examples", len(b.List), b.Examples)
	if b.Stray > 0 {
		text += fmt.Sprintf(" of which %d are like no other", b.Stray)
	}
	if len(b.List) > 1 {
		text += fmt.Sprintf("; separation %.2f, by chance %.2f", b.Separation, b.Chance)
	}
	for i, one := range b.List {
		if len(b.List) > 1 && one.ToldApart < 0.5 {
			text += fmt.Sprintf("; the graph does not tell %d from the others", i+1)
		}
	}
	return text
}

// Facts says in one line how much of the firing a behaviour is, and how alike its examples are.
func (b *Behaviour) Facts() string {
	text := fmt.Sprintf("%.0f %% of its firing, %d examples, alike %.2f", 100*b.Share, b.Examples, b.Within)
	if b.Between != nil {
		text += fmt.Sprintf(", to the nearest other %.2f", *b.Between)
	}
	return text
}

// check says what is wrong with behaviours that were read.
func (b *Behaviours) check() error {
	if b == nil {
		return nil
	}
	if b.Stray < 0 || b.Stray > b.Examples || !isCosine(b.Separation) || !isCosine(b.Chance) {
		return fmt.Errorf("%d of %d examples are stray, the separation is %g and that of chance %g", b.Stray, b.Examples,
			b.Separation, b.Chance)
	}
	left := b.Examples - b.Stray
	for i, one := range b.List {
		if one.Examples < 1 || one.Examples > left {
			return fmt.Errorf("behaviour %d has %d examples, and %d are left", i+1, one.Examples, left)
		}
		left -= one.Examples
		if !isCosine(one.Within) || one.Between != nil && !isCosine(*one.Between) {
			return fmt.Errorf("behaviour %d: its cosines are outside -1 to 1", i+1)
		}
		for _, share := range [...]float64{one.Share, one.ToldApart} {
			if !(share >= 0 && share <= 1) {
				return fmt.Errorf("behaviour %d: %g is no share", i+1, share)
			}
		}
		for _, e := range one.Shown {
			if len(e.Activations) != len(e.Tokens) || e.Peak < 0 || e.Peak >= len(e.Tokens) {
				return fmt.Errorf("an example of behaviour %d has %d tokens, %d activations and its peak at %d", i+1,
					len(e.Tokens), len(e.Activations), e.Peak)
			}
		}
	}
	if len(b.List) > 0 && left > 0 {
		return fmt.Errorf("%d of %d examples are of no behaviour, and not stray", left, b.Examples)
	}
	return nil
}

// isCosine tells whether a cosine, or a silhouette, can be so; products of rounded vectors may be a little above 1.
func isCosine(v float64) bool { return v >= -1.001 && v <= 1.001 }
