package n2g

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/safetensors"
	"github.com/neuron2graph/neuron2graph/models/transformer"
)

// writeRandom writes a model with random weights to a temporary folder, with a golden model's tokenizer.
func writeRandom(b *testing.B, tokenizer, config string, parameters []transformer.Param) string {
	b.Helper()
	dir := b.TempDir()
	rng := rand.New(rand.NewPCG(1, 0))
	var tensors []safetensors.Tensor
	for _, p := range parameters {
		n := 1
		for _, d := range p.Shape {
			n *= d
		}
		values := make([]float32, n)
		scale := 1 / math.Sqrt(float64(p.Shape[len(p.Shape)-1]))
		for i := range values {
			values[i] = float32((rng.Float64()*2 - 1) * scale)
			if len(p.Shape) == 1 && (strings.HasSuffix(p.Name, ".w") || strings.HasSuffix(p.Name, "orm.weight")) {
				values[i]++ // of a norm
			}
		}
		tensors = append(tensors, safetensors.Tensor{Name: p.Name, Shape: p.Shape, Data: values})
	}
	f, err := os.Create(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		b.Fatal(err)
	}
	text, errRead := os.ReadFile("../testdata/golden/models/" + tokenizer + "/tokenizer_config.json")
	if err := errors.Join(safetensors.Write(f, tensors, nil), f.Close(), errRead,
		os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600),
		os.WriteFile(filepath.Join(dir, "tokenizer_config.json"), text, 0o600)); err != nil {
		b.Fatal(err)
	}
	return dir
}

// copyTokenizer copies a golden model's tokenizer.json to a folder; change may alter it.
func copyTokenizer(b *testing.B, name, dir string, change func(map[string]any)) {
	b.Helper()
	text, err := os.ReadFile("../testdata/golden/models/" + name + "/tokenizer.json")
	if err != nil {
		b.Fatal(err)
	}
	var file map[string]any
	if err := json.Unmarshal(text, &file); err != nil {
		b.Fatal(err)
	}
	change(file)
	if text, err = json.Marshal(file); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), text, 0o600); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkExplainPaperSize explains neurons of a random model of the short paper's size, with a random masked model of
// DistilBERT's size. One neuron runs at a time; its examples are those of a golden neuron. What it costs depends on its
// layer, and on how many tokens its prompts need, which differs from neuron to neuron.
func BenchmarkExplainPaperSize(b *testing.B) {
	causal := transformer.Decoder{Layers: 6, DModel: 768, Heads: 12, DHead: 64, DMLP: 3072, DVocab: 48262, Positions: 1024,
		Activation: "solu_ln", Epsilon: 1e-5}
	dir := writeRandom(b, "solu", `{"format": "transformer_lens", "n_layers": 6, "d_model": 768, "n_ctx": 1024, "d_head": 64,
		"n_heads": 12, "d_mlp": 3072, "d_vocab": 48262, "act_fn": "solu_ln", "eps": 1e-5}`, causal.Parameters())
	copyTokenizer(b, "solu", dir, func(map[string]any) {})
	model, err := models.Open(dir, models.Options{Backend: "go"})
	if err != nil {
		b.Fatal(err)
	}
	defer model.Close()

	bert := transformer.BERT{Layers: 6, Heads: 12, DModel: 768, DMLP: 3072, DVocab: 30522, Positions: 512}
	parameters := append(bert.BodyParameters(), bert.HeadParameters()...)
	dir = writeRandom(b, "distilbert", `{"model_type": "distilbert", "n_layers": 6, "n_heads": 12, "dim": 768, "hidden_dim": 3072,
		"vocab_size": 30522, "max_position_embeddings": 512, "activation": "gelu"}`, parameters[:len(parameters)-1]) // tied
	copyTokenizer(b, "distilbert", dir, func(file map[string]any) {
		vocabulary := file["model"].(map[string]any)["vocab"].(map[string]any)
		for id := len(vocabulary); id < bert.DVocab; id++ {
			vocabulary[fmt.Sprintf("word%d", id)] = id
		}
	})
	masked, err := models.OpenMasked(dir, models.Options{Backend: "go"})
	if err != nil {
		b.Fatal(err)
	}
	defer masked.Close()

	files, _ := filepath.Glob("../testdata/golden/neurons/neuron_*")
	ref := readGoldenGraph[refNeuron](b, "neurons/"+filepath.Base(files[0]))
	for _, layer := range []int{0, 3, 5} {
		b.Run(fmt.Sprintf("layer %d", layer), func(b *testing.B) {
			examples := Examples{Layer: layer, Neuron: 100, Prompts: ref.Prompts}
			explain := func() *Explanation {
				e, err := Explain(context.Background(), model, masked, examples, Options{})
				if err != nil {
					b.Fatal(err)
				}
				return e
			}
			work := explain().Work // reads the weights
			for b.Loop() {
				explain()
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/neuron")
			b.ReportMetric(float64(work.Rows), "rows")
			b.ReportMetric(float64(work.PlainRows), "plain-rows")
			b.ReportMetric(float64(work.MaskedTexts), "masked-texts")
		})
	}
}
