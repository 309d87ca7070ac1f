package train

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/tagged"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/backends"
	"github.com/neuron2graph/neuron2graph/models/internal/gradient"
	"github.com/neuron2graph/neuron2graph/tokenizers/learn"
)

// writeCorpus writes files of a language that is easy to learn.
func writeCorpus(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	r := rand.New(rand.NewPCG(5, 6))
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	for i := range 60 {
		var text strings.Builder
		for range 40 {
			fmt.Fprintf(&text, "the %s %s %s the %s.\n", pick("old", "new", "red", "grey"), pick("cat", "dog", "bird"),
				pick("sees", "hears", "follows"), pick("house", "river", "mountain"))
		}
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("text%02d.txt", i)), []byte(text.String()),
			0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// small is a causal training of seconds.
func small(t testing.TB, corpus string) CausalOptions {
	return CausalOptions{Out: filepath.Join(t.TempDir(), "model"), Corpus: corpus, Backend: "go", Steps: 60, Batch: 4,
		Context: 16, Layers: 1,
		DModel: 16, DMLP: 32, Heads: 2, Vocabulary: 300, WarmUp: 5, HeldOut: 8, Checkpoint: 25}
}

func smallMasked(t testing.TB, corpus string) MaskedOptions {
	return MaskedOptions{Out: filepath.Join(t.TempDir(), "masked"), Corpus: corpus, Backend: "go", Steps: 150, Batch: 16,
		Context: 32, Layers: 1,
		DModel: 32, DMLP: 32, Heads: 2, Vocabulary: 80, WarmUp: 5, HeldOut: 40, LearningRate: 0.01}
}

// TestCausalLearns trains on a language whose entropy is about 1 nat a token, and compares the figure reported with
// what package models makes of the written folder.
func TestCausalLearns(t *testing.T) {
	opts := small(t, writeCorpus(t))
	report, err := Causal(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	if uniform := math.Log(300); report.HeldOutLoss > uniform/2 {
		t.Errorf("held-out loss %.2f after %d steps, want less than half of the uniform %.2f %+v", report.HeldOutLoss,
			report.Steps, uniform, report)
	}
	model, err := models.Open(opts.Out, models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	corpus, err := OpenCorpus(opts.Corpus)
	if err != nil {
		t.Fatal(err)
	}
	held, err := tokenize(t.Context(), corpus, true, model.Tokenizer(), model.BOS(), opts.Context)
	if err != nil {
		t.Fatal(err)
	}
	var loss, right float64
	picked := held.spread(opts.HeldOut)
	for _, i := range picked {
		ids := []int{model.BOS()}
		for _, id := range held.at(i) {
			ids = append(ids, int(id))
		}
		cache, err := model.RunWithCache(t.Context(), ids[:opts.Context])
		if err != nil {
			t.Fatal(err)
		}
		for position, logits := range cache.Logits {
			loss -= logProbability(logits, ids[position+1])
			if slices.Index(logits, slices.Max(logits)) == ids[position+1] {
				right++
			}
		}
	}
	n := float64(len(picked) * opts.Context)
	if loss /= n; math.Abs(loss-report.HeldOutLoss) > 1e-4 {
		t.Errorf("inference finds a held-out loss of %.6f, training reported %.6f", loss, report.HeldOutLoss)
	}
	if math.Abs(right/n-report.HeldOutTop1) > 1e-6 {
		t.Errorf("inference finds a held-out top-1 of %.4f, training reported %.4f", right/n, report.HeldOutTop1)
	}
	if report.HeldOutTokens != int(n) {
		t.Errorf("%d held-out tokens reported, want %d", report.HeldOutTokens, int(n))
	}
}

func logProbability(logits []float32, target int) float64 {
	var sum float64
	for _, l := range logits {
		sum += math.Exp(float64(l))
	}
	return float64(logits[target]) - math.Log(sum)
}

// TestMaskedLearns trains a masked model and asks package models to fill masks with it.
func TestMaskedLearns(t *testing.T) {
	opts := smallMasked(t, writeCorpus(t))
	report, err := Masked(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", report)
	if uniform := math.Log(80); report.HeldOutLoss > uniform/2 {
		t.Errorf("held-out loss %.2f after %d steps, want less than half of the uniform %.2f %+v", report.HeldOutLoss,
			report.Steps, uniform, report)
	}
	model, err := models.OpenMasked(opts.Out, models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	text := "the old cat sees [MASK] house."
	fills, err := model.Fill(t.Context(), []string{text}, []int{strings.Index(text, "[MASK]")})
	if err != nil {
		t.Fatal(err)
	}
	for token, p := range fills[0] {
		if token != "the" {
			t.Errorf("%q is filled with %q (%.2f), want the", text, token, p)
		}
		break
	}
}

// trainUntil runs a training whose context ends at a step; 0 is never.
func trainUntil(t *testing.T, opts CausalOptions, stop int) ([]float32, error) {
	t.Helper()
	tagged.Fill(&opts)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := opts.schedule()
	m, err := prepare(ctx, s, learn.NewByteLevelWords(), opts.Vocabulary, opts.Context, learn.ByteLevel)
	if err != nil {
		t.Fatal(err)
	}
	shape := causalShape(opts)
	trainer := newTrainer(causalMachine(t, opts, shape), causalParameters(shape), opts.Seed)
	_, err = trainer.run(ctx, s, m.fingerprint, s.batch*m.train.length, func(step int) []gradient.Part {
		picked := m.train.batch(s.seed, step, s.batch)
		if step+1 == stop {
			cancel()
		}
		return []gradient.Part{causalBatch(m.train, picked[:2], 0), causalBatch(m.train, picked[2:], 0)}
	})
	if err := trainer.machine.read(trainer); err != nil {
		t.Fatal(err)
	}
	return slices.Concat(trainer.weights...), err
}

// graphsOnGo, in place of a backend, trains on GoMLX's graphs where the kernels would.
const graphsOnGo = "graphs"

// causalMachine is what trains a shape.
func causalMachine(t testing.TB, opts CausalOptions, shape transformer.Decoder) machine {
	t.Helper()
	parameters := causalParameters(shape)
	if opts.Backend == backends.Go {
		model, err := gradient.NewSoLU(shape, params(parameters), balance)
		if err != nil {
			t.Fatal(err)
		}
		return newOnKernels(model, parameters)
	}
	name := opts.Backend
	if name == graphsOnGo {
		name = backends.Go
	}
	backend, _, err := backends.Open(name)
	if err != nil {
		t.Skip(err)
	}
	m, err := newGraphs(backend, parameters, causalObjective(shape), shards)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Kernels and graphs move weights alike, on every backend that is here.
func TestMachinesAgree(t *testing.T) {
	corpus := writeCorpus(t)
	opts := small(t, corpus)
	opts.Steps, opts.Decay, opts.Layers = 8, 4, 2
	want, err := trainUntil(t, opts, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, backend := range []string{graphsOnGo, backends.XLACPU, backends.XLACUDA} {
		t.Run(backend, func(t *testing.T) {
			opts := opts
			opts.Backend, opts.Out = backend, filepath.Join(t.TempDir(), "model")
			got, err := trainUntil(t, opts, 0)
			if err != nil {
				t.Fatal(err)
			}
			shape, i := causalShape(opts), 0
			for _, p := range causalParameters(shape) {
				for range size(p.Shape) {
					// A bias of the keys changes no attention: its gradient is rounding, of which AdamW makes steps.
					if math.Abs(float64(want[i]-got[i])) > 2e-4 && !strings.HasSuffix(p.Name, "b_K") {
						t.Fatalf("%s: a weight is %g on the kernels, %g here", p.Name, want[i], got[i])
					}
					i++
				}
			}
		})
	}
}

// A model that is not trained keeps its first weights, whatever checkpoint lies there, and knows nothing.
func TestRandomWeights(t *testing.T) {
	opts := small(t, writeCorpus(t))
	if _, err := Causal(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	opts.Random = true
	report, err := Causal(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	if uniform := math.Log(300); report.Steps != 0 || report.HeldOutLoss < 0.95*uniform {
		t.Errorf("%+v, the uniform loss is %.2f", report, uniform)
	}
	if config, err := os.ReadFile(filepath.Join(opts.Out, "config.json")); err != nil ||
		bytes.Contains(config, []byte("train_loss")) || !bytes.Contains(config, []byte("heldout_loss")) {
		t.Errorf("a loss of no steps is told: %s, %v", config, err)
	}
	if _, err := models.Open(opts.Out, models.Options{Backend: "go"}); err != nil {
		t.Error(err)
	}
}

// Every neuron's input weights keep one norm and no bias, so that none of them drops out of SoLU's softmax.
func TestNeuronsKeepTheirNorm(t *testing.T) {
	opts := small(t, writeCorpus(t))
	opts.Steps = 5
	weights, err := trainUntil(t, opts, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range causalParameters(causalShape(opts)) {
		values := weights[:size(p.Shape)]
		weights = weights[len(values):]
		switch {
		case strings.HasSuffix(p.Name, "mlp.W_in"):
			for column := range opts.DMLP {
				var squares float64
				for i := column; i < len(values); i += opts.DMLP {
					squares += float64(values[i]) * float64(values[i])
				}
				if norm := math.Sqrt(squares); math.Abs(norm-neuronNorm) > 1e-5 {
					t.Fatalf("%s: the weights of neuron %d have norm %g, want %g", p.Name, column, norm, float64(neuronNorm))
				}
			}
		case strings.HasSuffix(p.Name, "mlp.b_in"):
			if slices.ContainsFunc(values, func(v float32) bool { return v != 0 }) {
				t.Fatalf("%s moved", p.Name)
			}
		}
	}
}

func TestResumedTrainingEqualsUninterrupted(t *testing.T) {
	corpus := writeCorpus(t)
	opts := small(t, corpus)
	opts.Steps, opts.Checkpoint = 12, 5
	want, err := trainUntil(t, opts, 0)
	if err != nil {
		t.Fatal(err)
	}
	opts.Out = filepath.Join(t.TempDir(), "model")
	for _, stop := range []int{4, 9} {
		if _, err := trainUntil(t, opts, stop); !errors.Is(err, context.Canceled) ||
			!strings.Contains(err.Error(), fmt.Sprintf("after step %d of 12", stop)) {
			t.Fatalf("stopped at %d: error %v", stop, err)
		}
	}
	got, err := trainUntil(t, opts, 0)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(want, got) {
		t.Error("a training stopped twice and taken up again ends with other weights than one that was not")
	}
	other := opts
	other.Seed = 2
	if _, err := Causal(t.Context(), other); err == nil || !strings.Contains(err.Error(), "belongs to another run") {
		t.Errorf("taking up a checkpoint with another seed: error %v", err)
	}
	if err := os.WriteFile(CheckpointPath(opts.Out), []byte("no checkpoint"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Causal(t.Context(), opts); err == nil || !strings.Contains(err.Error(), "remove the file") {
		t.Errorf("taking up a damaged checkpoint: error %v", err)
	}
}

func TestSameSeedSameFiles(t *testing.T) {
	corpus := writeCorpus(t)
	var files [2][]byte
	for i := range files {
		opts := smallMasked(t, corpus)
		opts.Steps = 4
		if _, err := Masked(t.Context(), opts); err != nil {
			t.Fatal(err)
		}
		var err error
		if files[i], err = os.ReadFile(filepath.Join(opts.Out, "model.safetensors")); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("two trainings with one seed give different weights")
	}
}

func TestHeldOut(t *testing.T) {
	// The split may never change: the embedded sample must stay text that the embedded models have not seen.
	for name, want := range map[string]bool{
		"fmt/print.go": false, "bufio/scan.go": false, "strings/builder.go": true, "text/tabwriter/tabwriter.go": false,
	} {
		if got := HeldOut(name); got != want {
			t.Errorf("HeldOut(%q) = %v, want %v", name, got, want)
		}
	}
	var held int
	for i := range 10_000 {
		if HeldOut(fmt.Sprintf("a/b%d.go", i)) {
			held++
		}
	}
	if held < 400 || held > 600 {
		t.Errorf("%d of 10,000 files are held out, want about 500", held)
	}
}

func TestOpenCorpus(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"a.go": "package a", "b/c.md": "text", "b/d.txt": "text", "b/e.py": "no", "testdata/f.go": "no", "vendor/g.go": "no",
		".git/h.txt": "no",
		"made.go":    "// Code generated by x. DO NOT EDIT.\n", "latin.txt": "caf\xe9",
		"long.txt": strings.Repeat("x", maxFile+1), "_i/j.go": "no",
	} {
		path := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	corpus, err := OpenCorpus(folder)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, held := range []bool{false, true} {
		for name, text := range corpus.Texts(held) {
			if text.Err != nil {
				t.Fatal(text.Err)
			}
			got = append(got, name)
		}
	}
	slices.Sort(got)
	if want := []string{"a.go", "b/c.md", "b/d.txt"}; !slices.Equal(got, want) {
		t.Errorf("texts %q, want %q", got, want)
	}
	before, err := corpus.Fingerprint()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "a.go"), []byte("package ab"), 0o644); err != nil {
		t.Fatal(err)
	}
	if after, err := corpus.Fingerprint(); err != nil || after == before {
		t.Errorf("a longer file leaves the fingerprint %s (%v)", after, err)
	}
}

func TestBatchesCoverAnEpoch(t *testing.T) {
	w := &windows{ids: make([]int32, 103), length: 5}
	seen := make(map[int]int)
	for step := range 5 {
		for _, i := range w.batch(7, step, 4) {
			seen[i]++
		}
	}
	for i := range w.count() {
		if seen[i] != 1 {
			t.Errorf("window %d is seen %d times in the first epoch, want once", i, seen[i])
		}
	}
	if slices.Equal(w.batch(7, 0, 20), w.batch(7, 1, 20)) {
		t.Error("two epochs have one order")
	}
	if !slices.Equal(w.batch(7, 3, 6), w.batch(7, 3, 6)) {
		t.Error("one step has two batches")
	}
}

func TestMasking(t *testing.T) {
	w := &windows{length: 40}
	for i := range 400 {
		w.ids = append(w.ids, int32(5+i%50))
	}
	m := masker{vocabulary: 60, asked: 6}
	m.special.CLS, m.special.Sep, m.special.Mask = 2, 3, 4
	var counts [3]int
	random := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		parts := m.batch(w, []int{0, 3}, random, maskedShare, replacedShare)
		ids, places, targets := parts.IDs, parts.Places, parts.Targets
		asked := make(map[int]bool)
		for k, target := range targets {
			row, at := int(places[2*k]), int(places[2*k+1])
			asked[row*42+at] = true
			if original := w.at([]int{0, 3}[row])[at-1]; target != original {
				t.Fatalf("target %d at row %d, position %d, want %d", target, row, at, original)
			}
			switch ids[row*42+at] {
			case 4:
				counts[0]++
			case target:
				counts[2]++
			default:
				counts[1]++
			}
		}
		if len(asked) != 12 {
			t.Fatalf("%d different places are asked for, want 12", len(asked))
		}
		for row := range 2 {
			if ids[row*42] != 2 || ids[row*42+41] != 3 {
				t.Fatalf("row %d is not between [CLS] and [SEP]", row)
			}
			for at := 1; at < 41; at++ {
				if !asked[row*42+at] && ids[row*42+at] != w.at([]int{0, 3}[row])[at-1] {
					t.Fatalf("row %d, position %d is changed, though not asked for", row, at)
				}
			}
		}
	}
	if total := 1200; math.Abs(float64(counts[0])-0.8*float64(total)) > 60 ||
		math.Abs(float64(counts[1])-0.1*float64(total)) > 45 {
		t.Errorf("masked, replaced, kept: %v of %d", counts, total)
	}
}

func TestOrthogonalDirections(t *testing.T) {
	for _, dims := range [][]int{{6, 9}, {9, 6}, {2, 8, 4}} {
		r := rand.New(rand.NewPCG(8, 9))
		values := make([]float32, size(dims))
		for i := range values {
			values[i] = float32(r.NormFloat64())
		}
		singular := orthogonalized(t, values, dims)
		for _, s := range singular {
			// Muon's quintic brings singular values to between 0.7 and 1.2, not to 1.
			if s < 0.6 || s > 1.25 {
				t.Errorf("%v: a squared singular value's root of %.2f, want about 1", dims, s)
			}
		}
	}
}

func TestLearningRate(t *testing.T) {
	for _, test := range []struct {
		steps, decay, step int
		want               float64
	}{
		{110, 0, 0, 0.1}, {110, 0, 9, 1}, {110, 0, 10, 1}, {110, 0, 60, 0.5}, {110, 0, 110, 0},
		{110, 40, 9, 1}, {110, 40, 69, 1}, {110, 40, 70, 1}, {110, 40, 80, 0.5}, {110, 40, 110, 0},
	} {
		s := schedule{rate: 1, steps: test.steps, warmUp: 10, decay: test.decay}
		if got := s.learningRate(test.step); math.Abs(got-test.want) > 1e-12 {
			t.Errorf("rate at step %d of %d, decay %d, is %g, want %g", test.step, test.steps, test.decay, got, test.want)
		}
	}
}

// A run whose learning rate fell to zero is made longer: it goes on from the weights before the fall, and ends as one
// that was meant to be that long from the beginning.
func TestLengthened(t *testing.T) {
	corpus := writeCorpus(t)
	opts := small(t, corpus)
	opts.Steps, opts.Decay, opts.Checkpoint = 20, 5, 3
	want, err := trainUntil(t, opts, 0)
	if err != nil {
		t.Fatal(err)
	}
	opts.Out = filepath.Join(t.TempDir(), "model")
	opts.Steps, opts.Decay = 30, 4
	if _, err := trainUntil(t, opts, 7); err == nil || !strings.Contains(err.Error(), "-steps 11") {
		t.Errorf("stopped at 7 of 30 with a decay of 4: error %v", err)
	}
	for _, end := range []struct{ steps, decay int }{{11, 4}, {20, 5}} { // decayed from where it stopped, then lengthened
		opts.Steps, opts.Decay = end.steps, end.decay
		got, err := trainUntil(t, opts, 0)
		if err != nil {
			t.Fatal(err)
		}
		if same := slices.Equal(want, got); same != (end.steps == 20) {
			t.Errorf("after %d steps: equal to an uninterrupted run of 20 is %v", end.steps, same)
		}
	}
	if err := os.Remove(stablePath(opts.Out)); err != nil {
		t.Fatal(err)
	}
	opts.Steps = 40
	if _, err := trainUntil(t, opts, 0); err == nil || !strings.Contains(err.Error(), "falling since step 15") {
		t.Errorf("lengthened without the weights before the fall: error %v", err)
	}
}

func TestRefusals(t *testing.T) {
	corpus := writeCorpus(t)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range []struct {
		name   string
		ctx    context.Context
		change func(*CausalOptions)
		want   string
	}{
		{"no output folder", t.Context(), func(o *CausalOptions) { o.Out = "" }, "no output folder"},
		{"no blocks", t.Context(), func(o *CausalOptions) { o.Layers = -1 }, "layers is -1"},
		{"negative width", t.Context(), func(o *CausalOptions) { o.DMLP = -512 }, "d-mlp is -512"},
		{"odd batch", t.Context(), func(o *CausalOptions) { o.Batch = 3 }, "even number"},
		{"heads that do not fit", t.Context(), func(o *CausalOptions) { o.Heads = 3 }, "choose a divisor"},
		{"negative rate", t.Context(), func(o *CausalOptions) { o.LearningRate = -1 }, "choose a positive one"},
		{"no such corpus", t.Context(), func(o *CausalOptions) { o.Corpus = filepath.Join(corpus, "none") }, "none"},
		{"empty corpus", t.Context(), func(o *CausalOptions) { o.Corpus = t.TempDir() }, "name a folder that holds some"},
		{"vocabulary too large", t.Context(), func(o *CausalOptions) { o.Vocabulary = 5000 }, "ask for fewer"},
		{"no such backend", t.Context(), func(o *CausalOptions) { o.Backend = "abacus" }, "abacus"},
		{"cancelled", cancelled, func(*CausalOptions) {}, "canceled"},
	} {
		opts := small(t, corpus)
		test.change(&opts)
		if _, err := Causal(test.ctx, opts); err == nil || !strings.Contains(err.Error(), test.want) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one line with %q", test.name, err, test.want)
		}
	}
}

func TestDefaultsFollowTheTags(t *testing.T) {
	var causal CausalOptions
	masked := MaskedOptions{Layers: 5}
	tagged.Fill(&causal)
	tagged.Fill(&masked)
	if causal.Vocabulary != 4096 || causal.LearningRate == 0 || causal.Name != "tiny" || masked.Layers != 5 ||
		masked.DModel != 128 {
		t.Errorf("defaults %+v %+v", causal, masked)
	}
}

func TestConfigNamesTheShape(t *testing.T) {
	opts := small(t, writeCorpus(t))
	opts.Steps = 1
	if _, err := Causal(t.Context(), opts); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(opts.Out, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{"format": "transformer_lens", "act_fn": "solu_ln", "d_mlp": 32.0, "n_ctx": 16.0,
		"model_name": "tiny", "train_steps": 1.0} {
		if config[key] != want {
			t.Errorf("%s is %v, want %v", key, config[key], want)
		}
	}
	if entries, err := os.ReadDir(opts.Out); err != nil || len(entries) != 4 {
		t.Errorf("the folder holds %v (%v), want the four files of a model", entries, err)
	}
}

func TestSample(t *testing.T) {
	folder := writeCorpus(t)
	var first, second bytes.Buffer
	if err := errors.Join(Sample(t.Context(), folder, &first), Sample(t.Context(), folder, &second)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("one corpus gives two archives")
	}
	archive, err := zip.NewReader(bytes.NewReader(first.Bytes()), int64(first.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if archive.File[0].Name != "LICENSE" || len(archive.File) < 2 {
		t.Errorf("the archive begins with %s and has %d files", archive.File[0].Name, len(archive.File))
	}
	for _, file := range archive.File[1:] {
		if !HeldOut(file.Name) {
			t.Errorf("%s is no held-out file", file.Name)
		}
	}
}
