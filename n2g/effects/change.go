package effects

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"
)

// Runner runs prompts (ids, BOS included) through a model as it is and through one that is changed, and shows visit
// both models' logits of the next token, [d_vocab], after each position asked: after positions[i][at] of prompts[i].
// visit is called by several goroutines at once and in no order; the slices are valid until it returns.
type Runner func(ctx context.Context, prompts, positions [][]int,
	visit func(prompt, at int, before, after []float32)) error

// Change is what changing a model, by ablating or steering a neuron, does to a text.
type Change struct {
	// Loss is the mean of -log p of the text's own tokens, in nats; 0 where the text has less than two tokens.
	LossBefore float64 `json:"loss_before"`
	LossAfter  float64 `json:"loss_after"`
	// KL is the divergence of the changed next-token distribution from that before, KL(before ‖ after) in nats, at each
	// position.
	KL []float64 `json:"kl_per_position"`
	// LogProbs[p] is by how much the log-probability of token p+1 changes.
	LogProbs []float64 `json:"logprob_changes"`
	// Next are the most probable tokens after the text.
	NextBefore []NextToken `json:"next_before"`
	NextAfter  []NextToken `json:"next_after"`
}

// NextToken is a token that may follow a text.
type NextToken struct {
	ID          int     `json:"id"`
	Token       string  `json:"token"`
	Logit       float64 `json:"logit"`
	Probability float64 `json:"probability"`
}

// MeanKL is the mean over positions.
func (c *Change) MeanKL() float64 {
	if len(c.KL) == 0 {
		return 0
	}
	sum := 0.0
	for _, kl := range c.KL {
		sum += kl
	}
	return sum / float64(len(c.KL))
}

// Total is what a change does to many texts.
type Total struct {
	Texts  int `json:"texts"`
	Tokens int `json:"tokens"` // that are predicted: all but the first of each text
	// Losses are means over the tokens, MeanKL one over all positions.
	LossBefore float64 `json:"loss_before"`
	LossAfter  float64 `json:"loss_after"`
	MeanKL     float64 `json:"mean_kl"`
}

// Sum adds changes up.
func Sum(changes []Change) Total {
	t := Total{Texts: len(changes)}
	positions := 0
	for _, c := range changes {
		n := len(c.LogProbs)
		t.Tokens += n
		t.LossBefore += c.LossBefore * float64(n)
		t.LossAfter += c.LossAfter * float64(n)
		for _, kl := range c.KL {
			t.MeanKL += kl
		}
		positions += len(c.KL)
	}
	t.LossBefore /= float64(max(t.Tokens, 1))
	t.LossAfter /= float64(max(t.Tokens, 1))
	t.MeanKL /= float64(max(positions, 1))
	return t
}

// Measure runs prompts both ways; the k most probable next tokens of each are named.
func Measure(ctx context.Context, run Runner, prompts [][]int, k int, v Vocabulary) ([]Change, error) {
	result := make([]Change, len(prompts))
	for i, ids := range prompts {
		result[i] = Change{KL: make([]float64, len(ids)), LogProbs: make([]float64, max(len(ids)-1, 0))}
	}
	losses := make([][][2]float64, len(prompts)) // by position, so that sums do not depend on the order of visits
	for i, ids := range prompts {
		losses[i] = make([][2]float64, max(len(ids)-1, 0))
	}
	var mu sync.Mutex
	err := run(ctx, prompts, nil, func(i, p int, before, after []float32) {
		c, ids := &result[i], prompts[i]
		kl, a, b := divergence(before, after)
		c.KL[p] = kl
		if p+1 < len(ids) {
			x, y := float64(before[ids[p+1]])-a, float64(after[ids[p+1]])-b
			c.LogProbs[p] = y - x
			losses[i][p] = [2]float64{-x, -y}
			return
		}
		mu.Lock()
		defer mu.Unlock()
		c.NextBefore, c.NextAfter = next(before, a, k, v), next(after, b, k, v)
	})
	if err != nil {
		return nil, err
	}
	for i, list := range losses {
		for _, pair := range list {
			result[i].LossBefore += pair[0] / float64(len(list))
			result[i].LossAfter += pair[1] / float64(len(list))
		}
	}
	return result, nil
}

func next(logits []float32, shift float64, k int, v Vocabulary) []NextToken {
	if v.Size > 0 && v.Size < len(logits) {
		logits = logits[:v.Size]
	}
	list := []NextToken{}
	for _, id := range extremes(logits, k, 1) {
		list = append(list, NextToken{id, v.TokenString(id), float64(logits[id]), math.Exp(float64(logits[id]) - shift)})
	}
	return list
}

// Sample draws the next token's id from logits: the most probable at temperature 0, else by
// soft-max(logits/temperature) at a random number in [0, 1).
func Sample(logits []float32, temperature, random float64) int {
	if temperature <= 0 {
		return extremes(logits, 1, 1)[0]
	}
	order := make([]int, len(logits))
	for id := range order {
		order[id] = id
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(logits[b], logits[a]) })
	top, sum := float64(logits[order[0]]), 0.0
	for _, id := range order {
		sum += math.Exp((float64(logits[id]) - top) / temperature)
	}
	left := random * sum
	for _, id := range order {
		if left -= math.Exp((float64(logits[id]) - top) / temperature); left < 0 {
			return id
		}
	}
	return order[len(order)-1]
}
