package main

import (
	"fmt"
	"io"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// followed says whether what a neuron promotes is what follows where it fires: how its input and its output view agree.
type followed struct {
	Places int `json:"places"` // at which it fires, before another token; 512 at most, spread over the corpus
	// Promoted and Suppressed are the shares of them before one of the tokens that the neuron promotes or suppresses most,
	// and the chances the shares of all tokens of the corpus that these are.
	Promoted         float64 `json:"promoted"`
	PromotedChance   float64 `json:"promoted_chance"`
	Suppressed       float64 `json:"suppressed"`
	SuppressedChance float64 `json:"suppressed_chance"`
}

// follower counts what follows in an index.
type follower struct {
	x      *index.Index
	counts []int // of all tokens, by id
}

func newFollower(x *index.Index) (*follower, error) {
	f := &follower{x: x, counts: make([]int, x.Meta().Vocabulary)}
	const block = 1 << 20
	for first := 0; first < x.Meta().Positions; first += block {
		ids, err := x.IDs(first, min(first+block, x.Meta().Positions))
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			f.counts[id]++
		}
	}
	return f, nil
}

// of counts for a neuron by its number in the index; nil where it fires nowhere before a token.
func (f *follower) of(number int, a n2g.Attribution) (*followed, error) {
	places, err := f.x.FiringPlaces(number, 512)
	if err != nil {
		return nil, err
	}
	result := &followed{}
	sides := [2]map[int]bool{{}, {}}
	for side, list := range [2][]n2g.TokenEffect{a.Promoted, a.Suppressed} {
		chance := 0
		for _, t := range list {
			sides[side][t.ID] = true
			chance += f.counts[t.ID]
		}
		*[2]*float64{&result.PromotedChance, &result.SuppressedChance}[side] = float64(chance) /
			float64(max(f.x.Meta().Positions, 1))
	}
	var found [2]int
	for _, p := range places {
		at, err := f.x.WindowAt(p[0])
		if err != nil {
			return nil, err
		}
		window, err := f.x.Window(at)
		if err != nil {
			return nil, err
		}
		if p[1] >= window.End {
			continue
		}
		next, err := f.x.IDs(p[1], p[1]+1)
		if err != nil {
			return nil, err
		}
		result.Places++
		for side := range sides {
			if sides[side][next[0]] {
				found[side]++
			}
		}
	}
	if result.Places == 0 {
		return nil, nil
	}
	result.Promoted = float64(found[0]) / float64(result.Places)
	result.Suppressed = float64(found[1]) / float64(result.Places)
	return result, nil
}

func (f *followed) write(w io.Writer) {
	if f == nil {
		return
	}
	fmt.Fprintf(w, "\nof %d places at which it fires, %.1f %% are before a token that it promotes (%.2g %% of all "+
		"tokens), %.1f %% before one that it suppresses (%.2g %%)\n", f.Places, 100*f.Promoted, 100*f.PromotedChance,
		100*f.Suppressed, 100*f.SuppressedChance)
}
