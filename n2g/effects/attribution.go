package effects

import (
	"context"
	"fmt"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Projector projects directions of the residual stream, [d_model] each, to the logits: W_U·(w ⊙ d) with w the final
// norm's weight, [d_vocab]. visit is called once for each direction, by several goroutines at once and in no order;
// logits are valid until it returns.
type Projector interface {
	ProjectToLogits(ctx context.Context, directions [][]float32, visit func(i int, logits []float32)) error
}

// Vocabulary is the tokens that a model may say: those of its tokenizer, which may be fewer than the rows of the
// unembedding, some of which models have for padding.
type Vocabulary struct {
	Size        int // 0: all rows
	TokenString func(id int) string
}

// DefaultTokens is how many tokens each way an Attribution has unless asked otherwise.
const DefaultTokens = 10

// Attribute finds the k most promoted and suppressed tokens of neurons, whose rows of W_out are given. No more than a
// block of logits is in memory at a time.
func Attribute(ctx context.Context, m Projector, out [][]float32, k int, v Vocabulary) ([]n2g.Attribution, error) {
	if k < 0 {
		return nil, fmt.Errorf("effects: %d tokens are asked", k)
	}
	result := make([]n2g.Attribution, len(out))
	err := m.ProjectToLogits(ctx, out, func(i int, logits []float32) {
		if v.Size > 0 && v.Size < len(logits) {
			logits = logits[:v.Size]
		}
		result[i] = attribution(logits, k, v.TokenString)
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

func attribution(logits []float32, k int, tokenString func(int) string) n2g.Attribution {
	a := n2g.Attribution{Kurtosis: kurtosis(logits)}
	name := func(ids []int) []n2g.TokenEffect {
		list := make([]n2g.TokenEffect, len(ids))
		for i, id := range ids {
			list[i] = n2g.TokenEffect{ID: id, Token: tokenString(id), Value: float64(logits[id])}
		}
		return list
	}
	a.Promoted = name(extremes(logits, k, 1))
	a.Suppressed = name(extremes(logits, k, -1))
	return a
}

// extremes are the ids of the k highest values times sign, best first, equals by id.
func extremes(values []float32, k int, sign float32) []int {
	k = min(k, len(values))
	if k == 0 {
		return nil
	}
	best := make([]int, 0, k+1)
	worst := float32(0) // of best, when it is full
	for id, v := range values {
		v *= sign
		if len(best) == k && v <= worst {
			continue
		}
		at, _ := slices.BinarySearchFunc(best, v, func(other int, v float32) int {
			if sign*values[other] >= v {
				return -1
			}
			return 1
		})
		best = slices.Insert(best, at, id)
		best = best[:min(len(best), k)]
		worst = sign * values[best[len(best)-1]]
	}
	return best
}

// kurtosis is the fourth moment about the mean by the square of the second, 0 where the values do not vary.
func kurtosis(values []float32) float64 {
	mean := 0.0
	for _, v := range values {
		mean += float64(v)
	}
	mean /= float64(max(len(values), 1))
	var m2, m4 float64
	for _, v := range values {
		d := (float64(v) - mean) * (float64(v) - mean)
		m2 += d
		m4 += d * d
	}
	if m2 == 0 {
		return 0
	}
	return m4 * float64(len(values)) / (m2 * m2)
}
