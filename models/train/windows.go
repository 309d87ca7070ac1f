package train

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/neuron2graph/neuron2graph/tokenizers"
)

// windows is one part of a corpus as token ids, cut into windows of equal length.
type windows struct {
	ids    []int32
	length int // tokens of a window
}

// tokenize encodes one part of the corpus. Each text is followed by the token end, if that is no less than 0.
func tokenize(ctx context.Context, corpus *Corpus, heldOut bool, tok tokenizers.Tokenizer, end, length int) (*windows,
	error) {
	w := &windows{length: length}
	for name, text := range corpus.Texts(heldOut) {
		if text.Err != nil {
			return nil, text.Err
		}
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("encoding the corpus, at %s: %w", name, err)
		}
		for _, id := range tok.Encode(text.Body).IDs {
			w.ids = append(w.ids, int32(id))
		}
		if end >= 0 {
			w.ids = append(w.ids, int32(end))
		}
	}
	if w.count() == 0 {
		return nil, fmt.Errorf("the corpus holds fewer than %d tokens in one of its parts: name a larger folder", length)
	}
	return w, nil
}

// count is the number of windows; what remains at the end is left out.
func (w *windows) count() int { return len(w.ids) / w.length }

// at is window i.
func (w *windows) at(i int) []int32 { return w.ids[i*w.length : (i+1)*w.length] }

// spread picks at most n windows at equal distances.
func (w *windows) spread(n int) []int {
	total := w.count()
	n = min(n, total)
	picked := make([]int, n)
	for i := range picked {
		picked[i] = i * total / n
	}
	return picked
}

// batch lists the windows of a step: every window comes once in an epoch, in an order that depends on the seed and the
// epoch alone, so a run can be taken up at any step.
func (w *windows) batch(seed uint64, step, size int) []int {
	total := w.count()
	picked := make([]int, size)
	epoch, order := -1, []int(nil)
	for i := range picked {
		n := step*size + i
		if n/total != epoch {
			epoch = n / total
			order = rand.New(rand.NewPCG(seed, uint64(epoch))).Perm(total)
		}
		picked[i] = order[n%total]
	}
	return picked
}
