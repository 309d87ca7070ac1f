package train

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/neuron2graph/neuron2graph/models/internal/gradient"
	"github.com/neuron2graph/neuron2graph/models/internal/kernels"
)

// saeMachine computes the steps of an auto-encoder. Every sum has an order of its own, whatever the number of
// processors.
type saeMachine struct {
	ctx  context.Context
	opts SAEOptions
	from Activations

	// The buffer holds rows of some windows; order mixes them.
	buffer  int // its number, -1 for none
	windows []int
	rows    []float32
	order   []int

	product *kernels.Matrix
	x       []float32 // the batch, scaled [row, width]
	in      []float32 // less b_dec
	pre     []float32 // [row, features]
	missed  []float32 // x̂ - x
	unsaid  []float32 // what dead features give, and what is missed
	fires   [][]fire  // of each row
	byFeat  []fire
	starts  []int // of each feature's in byFeat
}

// fire is a feature that stays at a row.
type fire struct {
	row, feature int32
	dead         bool // it learns from what the others leave
	a, da        float32
}

// deadWeight is what the loss of dead features counts.
const deadWeight = 1. / 32

// saeBlocks is in how many parts features and rows are shared out: part of what a result depends on.
const saeBlocks = 16

func newSAEMachine(ctx context.Context, opts SAEOptions, from Activations) *saeMachine {
	b, d := opts.Batch, from.Width
	return &saeMachine{
		ctx: ctx, opts: opts, from: from, buffer: -1, product: kernels.NewMatrix(d, opts.Features),
		x: make([]float32, b*d), in: make([]float32, b*d), pre: make([]float32, b*opts.Features),
		missed: make([]float32, b*d), unsaid: make([]float32, b*d), fires: make([][]fire, b),
		starts: make([]int, opts.Features+1),
	}
}

func (m *saeMachine) read(*trainer) error { return nil }

func (m *saeMachine) written() {}

// held is how many windows a buffer holds.
func (m *saeMachine) held() int {
	return min(m.from.Windows, max(1, m.opts.Buffer<<20/(4*m.from.Width*max(1, m.from.Tokens))))
}

// steps is how many steps a buffer serves.
func (m *saeMachine) steps() int { return max(1, m.held()*m.from.Tokens/m.opts.Batch) }

// fill reads a buffer, which follows from its number: the windows stand in an order by chance, another in each round.
func (m *saeMachine) fill(number int) error {
	if m.buffer == number {
		return nil
	}
	var windows []int
	for at := number * m.held(); len(windows) < m.held(); {
		round, first := at/m.from.Windows, at%m.from.Windows
		r := rand.New(rand.NewPCG(m.opts.Seed, 1<<34+uint64(round)))
		part := r.Perm(m.from.Windows)[first:]
		part = part[:min(len(part), m.held()-len(windows))]
		windows = append(windows, part...)
		at += len(part)
	}
	slices.Sort(windows)
	if !slices.Equal(windows, m.windows) {
		rows, err := m.from.Read(m.ctx, windows)
		if err != nil {
			return fmt.Errorf("activations to learn from: %w", err)
		}
		if len(rows) == 0 {
			return fmt.Errorf("the %d windows to learn from hold no token", len(windows))
		}
		m.windows, m.rows = windows, rows
	}
	m.buffer = number
	m.order = rand.New(rand.NewPCG(m.opts.Seed, 1<<35+uint64(number))).Perm(len(m.rows) / m.from.Width)
	return nil
}

// batch takes the rows of a step to x and in.
func (m *saeMachine) batch(step int, w saeWeights) error {
	if err := m.fill(step / m.steps()); err != nil {
		return err
	}
	d, first := m.from.Width, step%m.steps()*m.opts.Batch
	for i := range m.opts.Batch {
		from := m.order[(first+i)%len(m.order)] * d
		x, in := m.x[i*d:(i+1)*d], m.in[i*d:(i+1)*d]
		for k, v := range m.rows[from : from+d] {
			x[k] = v * w.scales[0]
			in[k] = x[k] - w.decoderBias[k]
		}
	}
	return nil
}

func (m *saeMachine) step(t *trainer, _ []gradient.Part, rate float64) (float64, error) {
	if t.done == 0 {
		if err := m.begin(t); err != nil {
			return 0, err
		}
	}
	w, b, d, features := m.of(t), m.opts.Batch, m.from.Width, m.opts.Features
	if err := m.batch(t.done, w); err != nil {
		return 0, err
	}
	m.product.SetTransposed(0, features, w.encoder, w.encoderBias)
	var dead []int32
	for f, quiet := range w.quiet {
		if int(quiet) >= m.opts.Dead {
			dead = append(dead, int32(f))
		}
	}
	losses := make([]float64, saeBlocks)
	inParallel(saeBlocks, func(part int) {
		first, end := b*part/saeBlocks, b*(part+1)/saeBlocks
		if first == end {
			return
		}
		m.product.Mul(m.pre[first*features:end*features], m.in[first*d:end*d], end-first)
		var scratch saeScratch
		for row := first; row < end; row++ {
			losses[part] += m.forward(row, w, dead, &scratch)
		}
	})
	loss := 0.0
	for _, l := range losses {
		loss += l
	}
	loss /= float64(b) * float64(w.scales[1])
	if err := t.finite(loss); err != nil {
		return 0, err
	}
	m.sort()
	// b_dec is added behind the features, and taken off before them.
	factor := 2 / (float32(b) * w.scales[1])
	bias := make([]float32, d)
	for row := range b {
		kernels.Add(bias, m.missed[row*d:(row+1)*d])
	}
	scale(bias, factor)
	taken := make([]float32, saeBlocks*d)
	inParallel(saeBlocks, func(part int) {
		m.learn(t, w, factor, rate, features*part/saeBlocks, features*(part+1)/saeBlocks, taken[part*d:(part+1)*d])
	})
	for part := range saeBlocks {
		kernels.AddScaled(bias, taken[part*d:(part+1)*d], -1)
	}
	adam(t, saeDecoderBias, 0, bias, rate)
	return loss, nil
}

// saeScratch is what one row needs at a time.
type saeScratch struct {
	at     []int32
	values []float32
}

// forward finds what stays of a row, and what that misses; it returns the squares of the latter.
func (m *saeMachine) forward(row int, w saeWeights, dead []int32, s *saeScratch) float64 {
	d, features := m.from.Width, m.opts.Features
	pre := m.pre[row*features : (row+1)*features]
	missed := m.missed[row*d : (row+1)*d]
	copy(missed, w.decoderBias)
	kernels.AddScaled(missed, m.x[row*d:(row+1)*d], -1)
	fires := m.fires[row][:0]
	s.at = kernels.TopK(s.at, pre, m.opts.K)
	for _, f := range s.at {
		kernels.AddScaled(missed, w.decoder[int(f)*d:(int(f)+1)*d], pre[f])
		fires = append(fires, fire{row: int32(row), feature: f, a: pre[f]})
	}
	for i := range fires {
		f := int(fires[i].feature)
		fires[i].da = kernels.Dot(missed, w.decoder[f*d:(f+1)*d])
	}
	if len(dead) > 0 {
		s.values = s.values[:0]
		for _, f := range dead {
			s.values = append(s.values, pre[f])
		}
		unsaid := m.unsaid[row*d : (row+1)*d]
		copy(unsaid, missed)
		first := len(fires)
		s.at = kernels.TopK(s.at, s.values, max(1, d/2))
		for _, i := range s.at {
			f := int(dead[i])
			if pre[f] > 0 && !slices.ContainsFunc(fires[:first], func(o fire) bool { return int(o.feature) == f }) {
				kernels.AddScaled(unsaid, w.decoder[f*d:(f+1)*d], pre[f])
				fires = append(fires, fire{row: int32(row), feature: int32(f), dead: true, a: pre[f]})
			}
		}
		scale(unsaid, deadWeight)
		for i := range fires[first:] {
			f := int(fires[first+i].feature)
			fires[first+i].da = kernels.Dot(unsaid, w.decoder[f*d:(f+1)*d])
		}
	}
	m.fires[row] = fires
	squares := 0.0
	for _, v := range missed {
		squares += float64(v) * float64(v)
	}
	return squares
}

// sort brings what stays of the rows into the order of features, of one in that of rows.
func (m *saeMachine) sort() {
	clear(m.starts)
	n := 0
	for _, fires := range m.fires {
		for _, f := range fires {
			m.starts[f.feature+1]++
		}
		n += len(fires)
	}
	for f := range m.opts.Features {
		m.starts[f+1] += m.starts[f]
	}
	m.byFeat = slices.Grow(m.byFeat[:0], n)[:n]
	next := slices.Clone(m.starts)
	for _, fires := range m.fires {
		for _, f := range fires {
			m.byFeat[next[f.feature]] = f
			next[f.feature]++
		}
	}
}

// learn moves the features first … end-1. taken gets what they take off the gradient of b_dec.
func (m *saeMachine) learn(t *trainer, w saeWeights, factor float32, rate float64, first, end int, taken []float32) {
	d := m.from.Width
	encoder, decoder, bias := make([]float32, d), make([]float32, d), make([]float32, end-first)
	for f := first; f < end; f++ {
		clear(encoder)
		clear(decoder)
		w.quiet[f]++
		for _, fire := range m.byFeat[m.starts[f]:m.starts[f+1]] {
			at := int(fire.row) * d
			missed := m.missed
			if fire.dead {
				missed = m.unsaid
			} else {
				w.quiet[f] = 0
			}
			kernels.AddScaled(decoder, missed[at:at+d], fire.a*factor)
			kernels.AddScaled(encoder, m.in[at:at+d], fire.da*factor)
			bias[f-first] += fire.da * factor
		}
		own := w.decoder[f*d : (f+1)*d]
		kernels.AddScaled(taken, w.encoder[f*d:(f+1)*d], bias[f-first])
		// A row of W_dec keeps its length.
		kernels.AddScaled(decoder, own, -kernels.Dot(decoder, own))
		adam(t, saeEncoder, f*d, encoder, rate)
		adam(t, saeDecoder, f*d, decoder, rate)
		unit(own)
	}
	adam(t, saeEncoderBias, first, bias, rate)
}

// adam moves part of a parameter, from an element on, by its gradient (Kingma and Ba 2015,
// https://arxiv.org/abs/1412.6980).
func adam(t *trainer, parameter, from int, gradient []float32, rate float64) {
	const beta1, beta2, epsilon = 0.9, 0.999, 1e-8
	step := float64(t.done + 1)
	size := float32(rate / (1 - math.Pow(beta1, step)))
	unbias := 1 / (1 - math.Pow(beta2, step))
	weights := t.weights[parameter][from:][:len(gradient)]
	first, second := t.first[parameter][from:][:len(gradient)], t.second[parameter][from:][:len(gradient)]
	for k, g := range gradient {
		f, s := first[k]*beta1+g*(1-beta1), second[k]*beta2+g*g*(1-beta2)
		first[k], second[k] = f, s
		weights[k] -= size * f / (float32(math.Sqrt(float64(s)*unbias)) + epsilon)
	}
}
