package models

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/engine"
	"github.com/neuron2graph/neuron2graph/models/sae"
)

// Splice is what a model loses where the output of its auto-encoder takes the place of what that reads, or the output
// of a transcoder that of the MLP: mean losses of the next token, nats.
type Splice struct {
	Loss    float64 `json:"loss"` // of the model as it is
	Spliced float64 `json:"spliced"`
	Zero    float64 `json:"zero"`   // with zeros in place of the output
	Tokens  int     `json:"tokens"` // predicted
}

// Recovered is the share of what zeros cost that the auto-encoder does not: 1 where it costs nothing. SAELens calls it
// ce_loss_score.
func (s Splice) Recovered() float64 { return (s.Zero - s.Spliced) / (s.Zero - s.Loss) }

// splicePrompts is how many prompts are spliced at a time.
const splicePrompts = 32

// MeasureSAE runs prompts (ids, BOS included) through the model's auto-encoder, and the model with its output spliced
// in. The first skip positions of each prompt are left out, BOS for instance: they are not encoded, and keep what they
// have. progress, where it is set, hears how many prompts are done.
func (m *Causal) MeasureSAE(ctx context.Context, prompts [][]int, skip int, progress func(done int)) (q sae.Quality,
	s Splice, err error) {
	if m.sae == nil {
		return q, s, errors.New("no auto-encoder is open: name its folder with -sae")
	}
	if err := errors.Join(m.local("splicing"), m.HasLogits()); err != nil {
		return q, s, err
	}
	edit, err := m.spliceEdit()
	if err != nil {
		return q, s, err
	}
	meter, done := m.sae.Meter(), 0
	for part := range slices.Chunk(prompts, splicePrompts) {
		if err := m.splice(ctx, part, skip, edit, meter, &s); err != nil {
			return q, s, err
		}
		if done += len(part); progress != nil {
			progress(done)
		}
	}
	if s.Tokens == 0 {
		return q, s, fmt.Errorf("the texts hold no token behind the first %d that is followed by another", skip)
	}
	for _, sum := range []*float64{&s.Loss, &s.Spliced, &s.Zero} {
		*sum /= float64(s.Tokens)
	}
	return meter.Quality(), s, nil
}

// spliceEdit is the edit that puts the auto-encoder's output where it belongs, without its rows.
func (m *Causal) spliceEdit() (e engine.Edit, err error) {
	e = engine.Edit{Layer: m.sae.Layer, Op: engine.Replace}
	if e.Hook, err = m.point(m.sae.Layer, m.sae.Output); err != nil {
		return e, err
	}
	_, summary := transformer.PatternSummary(e.Hook)
	switch width := m.config.shape().Width(e.Hook); {
	case width != m.sae.Outputs():
		return e, fmt.Errorf("the auto-encoder gives %d numbers, but %s has %d", m.sae.Outputs(), e.Hook, width)
	case summary:
		return e, fmt.Errorf("nothing is computed from %s, so that nothing can be spliced in there", e.Hook)
	case e.Hook == transformer.HookResidPre && e.Layer > 0: // keys and values are computed from it before the layer runs
		e.Layer, e.Hook = e.Layer-1, transformer.HookResidPost
	}
	return e, nil
}

// splice adds the losses on some prompts.
func (m *Causal) splice(ctx context.Context, prompts [][]int, skip int, edit engine.Edit, meter *sae.Meter,
	s *Splice) error {
	read, err := m.LayerActivations(ctx, m.sae.Layer, m.sae.Hook, prompts)
	if err != nil {
		return err
	}
	want := read
	if m.sae.Output != m.sae.Hook {
		if want, err = m.LayerActivations(ctx, m.sae.Layer, m.sae.Output, prompts); err != nil {
			return err
		}
	}
	decoded := m.reconstruct(read, want, skip, meter)
	var bundles []engine.Bundle
	var targets [][]int
	for i, ids := range prompts {
		if len(ids) < skip+2 {
			continue
		}
		zeros := make([][]float32, len(ids))
		for p := skip; p < len(ids); p++ {
			zeros[p] = make([]float32, len(want[i][p]))
		}
		spliced, zeroed := edit, edit
		spliced.Rows, zeroed.Rows = decoded[i], zeros
		b := engine.Bundle{IDs: ids[:len(ids)-1], Variants: [][]engine.Edit{nil, {spliced}, {zeroed}}}
		for p := skip; p+1 < len(ids); p++ {
			b.Positions = append(b.Positions, p)
		}
		bundles, targets = append(bundles, b), append(targets, ids[skip+1:])
	}
	// Each position has its own place: sums do not depend on the order of the visits.
	losses := make([][][3]float64, len(bundles))
	for i, b := range bundles {
		losses[i] = make([][3]float64, len(b.Positions))
	}
	err = m.engine.Logits(ctx, bundles, func(i, at int, logits [][]float32) {
		for v, row := range logits {
			losses[i][at][v] = logSumExp(row) - float64(row[targets[i][at]])
		}
	})
	if err != nil {
		return fmt.Errorf("logits of %d prompts: %w", len(prompts), err)
	}
	for _, list := range losses {
		for _, l := range list {
			s.Loss += l[0]
			s.Spliced += l[1]
			s.Zero += l[2]
		}
		s.Tokens += len(list)
	}
	return nil
}

// reconstruct encodes and decodes the rows from skip on, [prompt][position][d_out], and tells meter of them in order.
func (m *Causal) reconstruct(read, want [][][]float32, skip int, meter *sae.Meter) [][][]float32 {
	decoded := make([][][]float32, len(read))
	many, n := runtime.GOMAXPROCS(0), m.sae.Features
	for first := 0; first < len(read); first += many {
		end := min(first+many, len(read))
		features := make([][]float32, end-first)
		var wait sync.WaitGroup
		for i := first; i < end; i++ {
			wait.Go(func() {
				decoded[i] = make([][]float32, len(read[i]))
				if len(read[i]) <= skip {
					return
				}
				own := make([]float32, (len(read[i])-skip)*n)
				m.sae.Encode(own, slices.Concat(read[i][skip:]...), len(read[i])-skip)
				for k := range len(read[i]) - skip {
					decoded[i][skip+k] = m.sae.Decode(own[k*n:(k+1)*n], read[i][skip+k])
				}
				features[i-first] = own
			})
		}
		wait.Wait()
		for i := first; i < end; i++ {
			for k := range len(features[i-first]) / n {
				meter.Add(features[i-first][k*n:(k+1)*n], decoded[i][skip+k], want[i][skip+k])
			}
		}
	}
	return decoded
}
