package models_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models"
)

// In the environment of a child process: the model that it runs, and on how many prompts of 32 tokens.
const (
	memoryFolder  = "N2G_MEMORY_TEST_FOLDER"
	memoryPrompts = "N2G_MEMORY_TEST_PROMPTS"
)

// TestMemoryChild is the child process of BenchmarkPeakMemory: it runs all layers of a model and prints the most memory
// that it ever had, in bytes, and then that after [models.Causal.RunWithCache].
func TestMemoryChild(t *testing.T) {
	dir := os.Getenv(memoryFolder)
	if dir == "" {
		t.Skip("runs as a child of BenchmarkPeakMemory")
	}
	m, err := models.Open(dir, models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	n, err := strconv.Atoi(os.Getenv(memoryPrompts))
	if err != nil {
		t.Fatal(err)
	}
	prompts := make([][]int, n)
	for i := range prompts {
		for p := range 32 {
			prompts[i] = append(prompts[i], i+7*p)
		}
	}
	for layer := range m.Config().Layers {
		if _, err := m.Activations(t.Context(), layer, "", 5, prompts, nil); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Println("peak bytes:", peakMemory(t))
	if _, err := m.RunWithCache(t.Context(), prompts[0]); err != nil {
		t.Fatal(err)
	}
	fmt.Println("with cache:", peakMemory(t))
}

// peakMemory is the process's VmHWM.
func peakMemory(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc/self/status tells the peak memory here")
	}
	found := regexp.MustCompile(`VmHWM:\s*(\d+) kB`).FindSubmatch(status)
	if found == nil {
		t.Fatal("/proc/self/status has no VmHWM")
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

// BenchmarkPeakMemory runs all layers of models of GPT-2 small's size in a process of its own and compares its peak
// resident memory with the file's size: it fails at 1.3 times the size. With 2,048 tokens at a time the garbage
// collector runs as often as in the program n2g, which sets GOGC likewise for large models.
func BenchmarkPeakMemory(b *testing.B) {
	for _, kind := range largeModels {
		dir, size := b.TempDir(), int64(0)
		for _, mode := range []struct {
			name, prompts string
			environment   []string
		}{{"32 tokens", "1", nil}, {"2048 tokens", "64", []string{"GOGC=10"}}} {
			b.Run(kind.name+"/"+mode.name, func(b *testing.B) {
				if size == 0 {
					size = kind.write(b, dir)
				}
				for b.Loop() {
					child := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^TestMemoryChild$", "-test.v")
					child.Env = slices.Concat(os.Environ(), mode.environment,
						[]string{memoryFolder + "=" + dir, memoryPrompts + "=" + mode.prompts})
					out, err := child.CombinedOutput()
					if err != nil {
						b.Fatalf("%v\n%s", err, out)
					}
					ratio := told(b, out, "peak bytes: ") / float64(size)
					b.ReportMetric(ratio, "peak/file")
					b.ReportMetric(told(b, out, "with cache: ")/float64(size), "peak/file-with-cache")
					if ratio >= 1.3 {
						b.Errorf("peak memory is %.2f times the file's %d bytes", ratio, size)
					}
				}
			})
		}
	}
}

// told is the number behind a word of the child's output.
func told(b *testing.B, out []byte, word string) float64 {
	b.Helper()
	_, after, ok := strings.Cut(string(out), word)
	if !ok {
		b.Skipf("the child did not tell its memory:\n%s", out)
	}
	n, err := strconv.ParseFloat(strings.Fields(after)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// largeModels are random models of GPT-2 small's size, in the layouts that differ in how much of a file is stored as it
// is used: each writes itself into a folder and returns the size of its weights.
var largeModels = []struct {
	name  string
	write func(b *testing.B, dir string) int64
}{
	{"gpt2", func(b *testing.B, dir string) int64 {
		const config = `{"model_type": "gpt2", "n_layer": 12, "n_embd": 768, "n_head": 12, "n_positions": 1024, "vocab_size": 50257}`
		shapes := map[string][]int{
			"attn.c_attn.weight": {768, 2304}, "attn.c_attn.bias": {2304}, "attn.c_proj.weight": {768, 768},
			"attn.c_proj.bias": {768},
			"mlp.c_fc.weight":  {768, 3072}, "mlp.c_fc.bias": {3072}, "mlp.c_proj.weight": {3072, 768}, "mlp.c_proj.bias": {768},
		}
		return writeLarge(b, dir, config, gptParameters("", shapes))
	}},
	{"gpt_neo, transposed", func(b *testing.B, dir string) int64 {
		const config = `{"model_type": "gpt_neo", "num_layers": 12, "hidden_size": 768, "num_heads": 12, "max_position_embeddings": 1024,
			"window_size": 256, "vocab_size": 50257, "attention_types": [[["global", "local"], 6]]}`
		shapes := map[string][]int{
			"attn.attention.q_proj.weight": {768, 768}, "attn.attention.k_proj.weight": {768, 768},
			"attn.attention.v_proj.weight":   {768, 768},
			"attn.attention.out_proj.weight": {768, 768}, "attn.attention.out_proj.bias": {768},
			"mlp.c_fc.weight": {3072, 768}, "mlp.c_fc.bias": {3072}, "mlp.c_proj.weight": {768, 3072}, "mlp.c_proj.bias": {768},
		}
		return writeLarge(b, dir, config, gptParameters("transformer.", shapes))
	}},
	{"old SoLU in a .pth", func(b *testing.B, dir string) int64 {
		c := transformer.Decoder{Layers: 6, DModel: 768, Heads: 12, DHead: 64, DMLP: 3072, DVocab: 50278, Positions: 1024,
			Activation: "solu_ln"}
		const config = `{"n_layers": 6, "d_model": 768, "n_ctx": 1024, "d_head": 64, "n_heads": 12, "d_mlp": 3072, "d_vocab": 50278,
			"act_fn": "solu_ln", "eps": 1e-5, "normalization": "LN"}`
		tensors := randomTensors(c.Parameters(), 1)
		for i := range tensors {
			tensors[i] = older(tensors[i])
		}
		path := filepath.Join(dir, "model_final.pth")
		writePickle(b, path, tensors)
		return writeConfig(b, dir, config, path)
	}},
}

// gptParameters are those of a GPT-2 or GPT-Neo with 12 layers of width 768.
func gptParameters(prefix string, shapes map[string][]int) []transformer.Param {
	list := []transformer.Param{
		{Name: prefix + "wte.weight", Shape: []int{50257, 768}}, {Name: prefix + "wpe.weight", Shape: []int{1024, 768}},
		{Name: prefix + "ln_f.weight", Shape: []int{768}}, {Name: prefix + "ln_f.bias", Shape: []int{768}},
	}
	for layer := range 12 {
		at := fmt.Sprintf("%sh.%d.", prefix, layer)
		for _, name := range []string{"ln_1.weight", "ln_1.bias", "ln_2.weight", "ln_2.bias"} {
			list = append(list, transformer.Param{Name: at + name, Shape: []int{768}})
		}
		for name, shape := range shapes {
			list = append(list, transformer.Param{Name: at + name, Shape: shape})
		}
	}
	return list
}

// writeLarge writes a folder of random weights without a tokenizer.
func writeLarge(b *testing.B, dir, config string, parameters []transformer.Param) int64 {
	path := filepath.Join(dir, "model.safetensors")
	writeWeights(b, path, randomTensors(parameters, 1))
	return writeConfig(b, dir, config, path)
}

// writeConfig writes config.json beside the weights and returns their size.
func writeConfig(b *testing.B, dir, config, weights string) int64 {
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
		b.Fatal(err)
	}
	stat, err := os.Stat(weights)
	if err != nil {
		b.Fatal(err)
	}
	return stat.Size()
}
