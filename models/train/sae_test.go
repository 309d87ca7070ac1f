package train

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/tagged"
	"github.com/neuron2graph/neuron2graph/models/sae"
)

// mixture is rows that are sums of a few known directions, and the directions.
func mixture(windows, tokens, width, directions int) (Activations, [][]float32) {
	rng := rand.New(rand.NewPCG(8, 9))
	var known [][]float32
	for range directions {
		v := make([]float32, width)
		for i := range v {
			v[i] = float32(rng.NormFloat64())
		}
		unit(v)
		known = append(known, v)
	}
	rows := make([][]float32, windows)
	for w := range rows {
		for range tokens {
			x := make([]float32, width)
			for i := range x {
				x[i] = 2 + 0.01*float32(rng.NormFloat64())
			}
			for range 3 {
				v, size := known[rng.IntN(directions)], 3+float32(rng.Float64())
				for i := range x {
					x[i] += size * v[i]
				}
			}
			rows[w] = append(rows[w], x...)
		}
	}
	return Activations{
		Layer: 1, Hook: "hook_resid_post", Width: width, Model: "mixture", Fingerprint: "x", Windows: windows, Tokens: tokens,
		Read: func(_ context.Context, picked []int) ([]float32, error) {
			var list []float32
			for _, w := range picked {
				list = append(list, rows[w]...)
			}
			return list, nil
		},
	}, known
}

// An auto-encoder finds the directions that its rows are sums of, and few features stay dead.
func TestSAEFindsDirections(t *testing.T) {
	from, known := mixture(40, 100, 24, 40)
	out := filepath.Join(t.TempDir(), "sae")
	report, err := SAE(t.Context(), SAEOptions{Out: out, Features: 64, K: 3, Steps: 1500, Batch: 256, Dead: 50,
		LearningRate: 0.003}, from)
	if err != nil {
		t.Fatal(err)
	}
	if report.Steps != 1500 || report.Unexplained > 0.08 || report.Tokens != 1500*256 {
		t.Errorf("%+v", report)
	}
	s, err := sae.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	if s.Layer != 1 || s.Hook != "hook_resid_post" || s.Width != 24 || s.Features != 64 || s.Model != "mixture" {
		t.Errorf("%+v", s)
	}
	found := 0
	for _, v := range known {
		best := 0.0
		for f := range s.Features {
			dot := 0.0
			for i, w := range s.Direction(f) {
				dot += float64(w) * float64(v[i])
			}
			best = max(best, dot)
		}
		if best > 0.95 {
			found++
		}
	}
	if found < 36 {
		t.Errorf("%d of 40 directions were found", found)
	}
	rows, err := from.Read(t.Context(), []int{0, 7, 39})
	if err != nil {
		t.Fatal(err)
	}
	meter, features := s.Meter(), make([]float32, 64)
	for row := range slices.Chunk(rows, 24) {
		s.Encode(features, row, 1)
		meter.Add(features, s.Decode(features, row), row)
	}
	if q := meter.Quality(); q.Explained < 0.92 || q.L0 > 3 || q.Rows != 300 {
		t.Errorf("%+v", q)
	}
}

// The moments after one step are the gradient, which differences of the loss give too, b_dec on both sides among it,
// and of dead features that of what the others leave.
func TestSAEGradient(t *testing.T) {
	for _, dead := range []int{1000, 1} {
		from, _ := mixture(2, 16, 6, 9)
		opts := SAEOptions{Features: 12, K: 2, Steps: 5, Batch: 16, Dead: dead, WarmUp: 1}
		tagged.Fill(&opts)
		m := newSAEMachine(t.Context(), opts, from)
		tr := newTrainer(m, saeParameters(12, 6), 1)
		if err := m.begin(tr); err != nil {
			t.Fatal(err)
		}
		w := m.of(tr)
		rng := rand.New(rand.NewPCG(5, 5))
		for _, part := range [][]float32{w.encoder, w.encoderBias, w.decoderBias} {
			for i := range part {
				part[i] += 0.3 * float32(rng.NormFloat64())
			}
		}
		if dead == 1 {
			for f := 6; f < 12; f++ {
				w.quiet[f] = 5
			}
		}
		if err := m.batch(1, w); err != nil {
			t.Fatal(err)
		}
		x := slices.Clone(m.x)
		before := make([][]float32, len(tr.weights))
		for i, values := range tr.weights {
			before[i] = slices.Clone(values)
		}
		// What stays where is found once: differences do not cross from one choice to another.
		chosen := saeChoice(opts, before, x)
		var missed [][]float64
		for row := range slices.Chunk(x, 6) {
			missed = append(missed, saeMissed(before, row, chosen[len(missed)].live))
		}
		tr.done = 1 // so that it does not begin
		if _, err := m.step(tr, nil, 1e-9); err != nil {
			t.Fatal(err)
		}
		for p := saeEncoder; p <= saeDecoderBias; p++ {
			numeric := make([]float64, len(before[p]))
			for i := range numeric {
				const h = 1e-3
				was := before[p][i]
				before[p][i] = was + h
				above := saeLoss(before, x, chosen, missed)
				before[p][i] = was - h
				below := saeLoss(before, x, chosen, missed)
				before[p][i] = was
				numeric[i] = (above - below) / (2 * h)
			}
			if p == saeDecoder { // rows keep their length
				for f := range 12 {
					g, own := numeric[f*6:(f+1)*6], before[p][f*6:(f+1)*6]
					along := 0.0
					for i, v := range own {
						along += g[i] * float64(v)
					}
					for i, v := range own {
						g[i] -= along * float64(v)
					}
				}
			}
			for i, want := range numeric {
				if got := float64(tr.first[p][i]) / 0.1; math.Abs(got-want) > 2e-3*(1+math.Abs(want)) {
					t.Errorf("dead %d: gradient of %s[%d] is %g, differences give %g", dead, tr.params[p].Name, i, got, want)
				}
			}
		}
	}
}

// choice is what stays of a row, and of the dead features.
type choice struct{ live, dead []int }

// saePre is what the encoder gives for a feature of a row.
func saePre(w [][]float32, x []float32, f int) float64 {
	sum := float64(w[saeEncoderBias][f])
	for i, v := range x {
		sum += (float64(v) - float64(w[saeDecoderBias][i])) * float64(w[saeEncoder][f*len(x)+i])
	}
	return sum
}

func saeChoice(o SAEOptions, w [][]float32, x []float32) (list []choice) {
	for row := range slices.Chunk(x, 6) {
		var c choice
		order := []int{}
		for f := range o.Features {
			if saePre(w, row, f) > 0 {
				order = append(order, f)
			}
		}
		slices.SortFunc(order, func(a, b int) int {
			if saePre(w, row, a) > saePre(w, row, b) {
				return -1
			}
			return 1
		})
		c.live = order[:min(o.K, len(order))]
		for _, f := range order {
			if int(w[saeQuiet][f]) >= o.Dead && !slices.Contains(c.live, f) && len(c.dead) < 3 {
				c.dead = append(c.dead, f)
			}
		}
		// The highest of the dead ones are chosen before those that stay anyway are left out.
		all := 0
		for _, f := range order {
			if int(w[saeQuiet][f]) < o.Dead {
				continue
			}
			if all++; all > 3 {
				c.dead = slices.DeleteFunc(c.dead, func(d int) bool { return d == f })
			}
		}
		list = append(list, c)
	}
	return list
}

// saeMissed is what the features that stay of a row miss.
func saeMissed(w [][]float32, row []float32, live []int) []float64 {
	missed := make([]float64, len(row))
	for i := range missed {
		missed[i] = float64(w[saeDecoderBias][i]) - float64(row[i])
	}
	return saeAdd(w, row, live, missed)
}

// saeAdd adds what features give.
func saeAdd(w [][]float32, row []float32, features []int, to []float64) []float64 {
	for _, f := range features {
		a := saePre(w, row, f)
		for i := range to {
			to[i] += a * float64(w[saeDecoder][f*len(row)+i])
		}
	}
	return to
}

// saeLoss is the loss of rows; the dead features learn what was missed at first, which does not move with the others.
func saeLoss(w [][]float32, x []float32, chosen []choice, missed [][]float64) float64 {
	loss, r := 0.0, 0
	for row := range slices.Chunk(x, 6) {
		for _, v := range saeMissed(w, row, chosen[r].live) {
			loss += v * v
		}
		for _, v := range saeAdd(w, row, chosen[r].dead, slices.Clone(missed[r])) {
			loss += deadWeight * v * v
		}
		r++
	}
	return loss / float64(r) / float64(w[saeScales][1])
}

// A run that is stopped, or killed, goes on from its checkpoint and ends with the same bytes.
func TestSAEResumes(t *testing.T) {
	from, _ := mixture(3000, 20, 10, 15)
	opts := SAEOptions{Features: 32, K: 4, Steps: 60, Batch: 2048, Dead: 5, Buffer: 1, Checkpoint: 7}
	files := map[string][]byte{}
	for _, name := range []string{"whole", "stopped", "killed"} {
		opts.Out = filepath.Join(t.TempDir(), name)
		if name != "whole" {
			for range 2 { // at the second buffer that it reads
				ctx, cancel := context.WithCancel(t.Context())
				own, reads := from, 0
				own.Read = func(ctx context.Context, windows []int) ([]float32, error) {
					if reads++; reads > 1 && name == "stopped" {
						cancel()
					} else if reads > 1 {
						return nil, errors.New("killed")
					}
					return from.Read(ctx, windows)
				}
				_, err := SAE(ctx, opts, own)
				cancel()
				if err == nil {
					t.Fatal("it was not stopped")
				}
			}
		}
		if _, err := SAE(t.Context(), opts, from); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(opts.Out, "sae_weights.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = data
	}
	if !slices.Equal(files["whole"], files["stopped"]) || !slices.Equal(files["whole"], files["killed"]) {
		t.Error("the stopped run ended with other weights")
	}
}

func TestSAERefuses(t *testing.T) {
	from, _ := mixture(3, 20, 10, 15)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(o *SAEOptions, f *Activations){
		"no output folder":       func(o *SAEOptions, _ *Activations) { o.Out = "" },
		"33 features cannot":     func(o *SAEOptions, _ *Activations) { o.K = 33 },
		"no text to learn from":  func(_ *SAEOptions, f *Activations) { f.Windows = 0 },
		"is a file":              func(o *SAEOptions, _ *Activations) { o.Out = file },
		"batch is -1":            func(o *SAEOptions, _ *Activations) { o.Batch = -1 },
		"learning rate of -1":    func(o *SAEOptions, _ *Activations) { o.LearningRate = -1 },
		"has the variance 0":     func(_ *SAEOptions, f *Activations) { f.Read = same(0) },
		"has the variance NaN":   func(_ *SAEOptions, f *Activations) { f.Read = same(float32(math.NaN())) },
		"the training has diver": func(o *SAEOptions, _ *Activations) { o.LearningRate = 1e30 },
	} {
		opts := SAEOptions{Out: filepath.Join(t.TempDir(), "sae"), Features: 32, K: 4, Steps: 6, Batch: 8, WarmUp: 1}
		own := from
		change(&opts, &own)
		if _, err := SAE(t.Context(), opts, own); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %s", err, want)
		}
	}
}

func same(v float32) func(context.Context, []int) ([]float32, error) {
	return func(_ context.Context, windows []int) ([]float32, error) {
		return slices.Repeat([]float32{v}, 200*len(windows)), nil
	}
}
