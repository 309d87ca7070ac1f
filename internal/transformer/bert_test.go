package transformer_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
)

// goldenTensor reads a tensor of a golden file.
func goldenTensor(t *testing.T, f *safetensors.File, name string) (values []float32, shape []int) {
	t.Helper()
	info, ok := f.Info(name)
	if !ok {
		t.Fatalf("no tensor %s", name)
	}
	values = make([]float32, info.Len())
	if err := f.Float32s(name, values); err != nil {
		t.Fatal(err)
	}
	return values, info.Shape
}

// TestDistilBERTOnAPaddedBatch runs the graph functions alone, parameters looked up under the file's own names, on
// PyTorch's batch with its padding.
func TestDistilBERTOnAPaddedBatch(t *testing.T) {
	const folder = "../../testdata/golden/models/distilbert"
	weights, err := safetensors.Open(filepath.Join(folder, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer weights.Close()
	reference, err := safetensors.Open(filepath.Join(folder, "ref.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer reference.Close()
	text, err := os.ReadFile(filepath.Join(folder, "ref.json"))
	if err != nil {
		t.Fatal(err)
	}
	var batch struct {
		IDs  [][]int32 `json:"input_ids"`
		Mask [][]int   `json:"attention_mask"`
	}
	if err := json.Unmarshal(text, &batch); err != nil {
		t.Fatal(err)
	}
	lengths := make([]int32, len(batch.Mask))
	for i, mask := range batch.Mask {
		for _, m := range mask {
			lengths[i] += int32(m)
		}
	}

	config := transformer.BERT{Layers: 2, Heads: 4, DModel: 128, DMLP: 512, DVocab: 4096, Positions: 512, Epsilon: 1e-12,
		Activation: "gelu"}
	parameters := append(config.BodyParameters(), config.HeadParameters()...)
	hooks := []string{"hook_full_embed", "blocks.0.hook_normalized_resid_post", "blocks.1.hook_normalized_resid_post"}
	backend, err := gobackend.New("")
	if err != nil {
		t.Fatal(err)
	}
	out, err := graph.CallOnceN(backend, func(ids, lengths *graph.Node) []*graph.Node {
		lookup := map[string]*graph.Node{}
		for _, p := range parameters {
			name := p.Name
			if name == "vocab_projector.weight" {
				name = "distilbert.embeddings.word_embeddings.weight"
			}
			values, shape := goldenTensor(t, weights, name)
			lookup[p.Name] = graph.ConstTensor(ids.Graph(), tensors.FromFlatDataAndDimensions(values, shape...))
		}
		w := func(name string) *graph.Node { return lookup[name] }
		hooked := map[string]*graph.Node{}
		hook := func(name string, x *graph.Node) *graph.Node { hooked[name] = x; return x }
		x := config.Embed(w, ids, hook)
		for l := range config.Layers {
			x = config.Block(w, l, x, transformer.Bidirectional(lengths), hook)
		}
		row0 := graph.Reshape(graph.Slice(x, graph.AxisElem(0)), -1, config.DModel)
		outputs := []*graph.Node{config.Unembed(w, row0)}
		for _, name := range hooks {
			outputs = append(outputs, hooked[name])
		}
		return outputs
	}, batch.IDs, lengths)
	if err != nil {
		t.Fatal(err)
	}

	seq := len(batch.IDs[0])
	for i, name := range []string{"logits_row0", "hidden.0", "hidden.1", "hidden.2"} {
		got, err := tensors.CopyFlatData[float32](out[i])
		if err != nil {
			t.Fatal(err)
		}
		want, shape := goldenTensor(t, reference, name)
		width := shape[len(shape)-1]
		if len(got) != len(want) {
			t.Fatalf("%s: %d values, want %d", name, len(got), len(want))
		}
		worst := 0.0
		for k := range want {
			row, at := 0, k/width
			if strings.HasPrefix(name, "hidden") {
				row, at = at/seq, at%seq
			}
			if at >= int(lengths[row]) {
				continue // padding
			}
			difference := math.Abs(float64(got[k] - want[k]))
			worst = max(worst, difference/(1+math.Abs(float64(want[k]))))
		}
		t.Logf("%s: largest difference %.1e", name, worst)
		if !(worst < 1e-4) {
			t.Errorf("%s differs by %g", name, worst)
		}
	}
}
