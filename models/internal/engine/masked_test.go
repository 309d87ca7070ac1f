package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/backends"
	"github.com/neuron2graph/neuron2graph/models/internal/checkpoint"
	"github.com/neuron2graph/neuron2graph/models/internal/family"
	"github.com/neuron2graph/neuron2graph/models/internal/weights"
)

const goldenModels = "../../../testdata/golden/models/"

// golden is what a golden model is opened from on the processor. parse reads its config.json.
func golden[C interface {
	Layout(safetensors.Weights) (weights.Layout, error)
}](t *testing.T, name string, parse func([]byte) (C, error)) (config C, files safetensors.Weights,
	layout weights.Layout) {
	t.Helper()
	text, err := os.ReadFile(goldenModels + name + "/config.json")
	if err != nil {
		t.Fatal(err)
	}
	if config, err = parse(text); err != nil {
		t.Fatal(err)
	}
	if files, err = checkpoint.OpenFolder(os.DirFS(goldenModels + name)); err != nil {
		t.Fatal(err)
	}
	if layout, err = config.Layout(files); err != nil {
		t.Fatal(err)
	}
	return config, files, layout
}

// openGolden opens a causal golden model.
func openGolden(t *testing.T, name string) *Causal {
	t.Helper()
	config, files, layout := golden(t, name, family.Parse)
	backend, info, err := backends.Open(backends.Go)
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(config.Decoder, backend, info, files, layout)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// openMaskedGolden opens a masked golden model.
func openMaskedGolden(t *testing.T, name string) *Masked {
	t.Helper()
	config, files, layout := golden(t, name, family.ParseMasked)
	backend, info, err := backends.Open(backends.Go)
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewMasked(config.BERT, backend, info, files, layout)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// checkNear fails unless got agrees with want to 1e-4, absolute and relative.
func checkNear(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range want {
		g, w := float64(got[i]), float64(want[i])
		if difference := math.Abs(g - w); !(difference <= 1e-4*max(1, math.Abs(w))) {
			t.Fatalf("%s: value %d is %g, want %g", what, i, got[i], want[i])
		}
	}
}

// TestMaskedBatches takes texts of every length from the queue, batch by batch.
func TestMaskedBatches(t *testing.T) {
	for _, positions := range []int{20, 512} {
		shape := transformer.BERT{Positions: positions}
		device, host := &maskedPrograms{shape: shape}, &maskedPrograms{shape: shape, host: true}
		for _, runner := range []maskedRunner{device, host, &maskedKernels{}} {
			programs := runner == device || runner == host
			waiting := map[maskedTask][]maskedPiece{}
			texts := 0
			for n := 1; n <= positions; n++ {
				for range 1 + n%3 {
					task := runner.task(n)
					waiting[task] = append(waiting[task], maskedPiece{sequence: Sequence{IDs: make([]int, n), Rows: []int{0}}})
					texts++
				}
			}
			distinct := map[[2]int]bool{}
			for task, list := range waiting {
				for len(list) > 0 {
					chosen := chooseMasked(task, list, 1)
					b := maskedBatch{task: task}
					tokens := 0
					for k, i := range chosen {
						if i != k {
							t.Fatalf("text %d is taken before %d", i, k)
						}
						b.sequences = append(b.sequences, list[i].sequence)
						tokens += len(list[i].sequence.IDs)
						if programs && len(list[i].sequence.IDs) > task.padded {
							t.Errorf("a text of %d tokens is padded to %d", len(list[i].sequence.IDs), task.padded)
						}
					}
					if programs {
						tokens = b.size() * task.padded
						if empty := b.size() - len(chosen); 4*empty > b.size() && (runner == device || len(list) > len(chosen)) ||
							task.padded > positions {
							t.Errorf("%d places of [%d %d] are empty", empty, b.size(), task.padded)
						}
						distinct[[2]int{b.size(), task.padded}] = true
					}
					if tokens > max(maskedBatchTokens, positions) {
						t.Errorf("a batch of %d tokens", tokens)
					}
					if runner != host && 2*len(chosen) <= len(list) && 3*tokens < maskedBatchTokens {
						t.Errorf("a batch of %d texts, %d tokens, though %d wait", len(chosen), tokens, len(list))
					}
					texts -= len(chosen)
					list = list[len(chosen):]
				}
			}
			if texts != 0 {
				t.Errorf("%d texts are left", texts)
			}
			if most := len(hostLengths); runner == host && len(distinct) > most {
				t.Errorf("%d shapes on the processor, want at most %d", len(distinct), most)
			}
		}
	}
}

// TestMaskedProgramsAgreeWithTheProcessor compares the two ways to the logits, on texts of lengths that are padded
// differently, asked with many masks, and alone.
func TestMaskedProgramsAgreeWithTheProcessor(t *testing.T) {
	for _, name := range []string{"distilbert", "bert"} {
		m := openMaskedGolden(t, name)
		rng := rand.New(rand.NewPCG(1, 2))
		var sequences []Sequence
		for _, n := range []int{1, 2, 5, 15, 16, 17, 30, 30, 31, 60, 100, 200} {
			sequence := Sequence{IDs: make([]int, n)}
			for i := range sequence.IDs {
				sequence.IDs[i] = rng.IntN(m.shape.DVocab)
			}
			for range 1 + rng.IntN(3) {
				sequence.Rows = append(sequence.Rows, rng.IntN(n))
			}
			sequences = append(sequences, sequence)
		}
		want, err := m.Logits(t.Context(), sequences)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := m.runner.(*maskedKernels); !ok {
			t.Fatal("the pure Go backend runs programs")
		}
		m.UsePrograms()
		for _, part := range [][2]int{{0, len(sequences)}, {3, 4}} {
			got, err := m.Logits(t.Context(), sequences[part[0]:part[1]])
			if err != nil {
				t.Fatal(err)
			}
			for i, rows := range got {
				i += part[0]
				if len(rows) != len(sequences[i].Rows) {
					t.Fatalf("text %d: %d rows of %d", i, len(rows), len(sequences[i].Rows))
				}
				for k := range rows {
					checkNear(t, fmt.Sprintf("%s: text of %d tokens, row %d", name, len(sequences[i].IDs), k), rows[k], want[i][k])
				}
			}
		}
	}
}
