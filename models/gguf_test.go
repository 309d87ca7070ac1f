package models_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/randmodel"
	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models"
)

// toGGUF writes the model of a folder as llama.cpp's convert_hf_to_gguf.py does, and returns the file. change edits
// settings and tensors before they are written.
func toGGUF(t *testing.T, dir string, change func(settings map[string]any,
	tensors map[string]safetensors.Tensor)) string {
	t.Helper()
	var config struct {
		Type      string  `json:"model_type"`
		Layers    int     `json:"num_hidden_layers"`
		Layers2   int     `json:"n_layer"`
		Width     int     `json:"hidden_size"`
		Width2    int     `json:"n_embd"`
		Inner     int     `json:"intermediate_size"`
		Heads     int     `json:"num_attention_heads"`
		Heads2    int     `json:"n_head"`
		KVHeads   int     `json:"num_key_value_heads"`
		Context   int     `json:"max_position_embeddings"`
		Context2  int     `json:"n_positions"`
		Theta     float64 `json:"rope_theta"`
		OldTheta  float64 `json:"rotary_emb_base"`
		Rotary    float64 `json:"rotary_pct"`
		Parallel  bool    `json:"use_parallel_residual"`
		Epsilon   float64 `json:"rms_norm_eps"`
		Epsilon2  float64 `json:"layer_norm_eps"`
		Epsilon3  float64 `json:"layer_norm_epsilon"`
		Stretched *llama3 `json:"rope_scaling"`
	}
	data, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &config); err != nil {
		t.Fatal(err)
	}
	layers, width, heads := max(config.Layers, config.Layers2), max(config.Width, config.Width2),
		max(config.Heads, config.Heads2)
	arch := strings.ReplaceAll(config.Type, "gpt_neox", "gptneox")
	inner := config.Inner
	if inner == 0 {
		inner = 4 * width
	}
	settings := map[string]any{
		"general.architecture": arch, arch + ".block_count": layers, arch + ".embedding_length": width,
		arch + ".feed_forward_length": inner, arch + ".attention.head_count": heads,
		arch + ".context_length": max(config.Context, config.Context2),
	}
	if config.KVHeads > 0 {
		settings[arch+".attention.head_count_kv"] = config.KVHeads
		settings[arch+".rope.dimension_count"] = width / heads
	}
	if config.Rotary > 0 {
		settings[arch+".rope.dimension_count"] = int(config.Rotary * float64(width/heads))
		settings[arch+".use_parallel_residual"] = config.Parallel
	}
	if base := max(config.Theta, config.OldTheta); base > 0 {
		settings[arch+".rope.freq_base"] = base
	}
	if arch == "llama" || arch == "qwen2" {
		settings[arch+".attention.layer_norm_rms_epsilon"] = config.Epsilon
	} else {
		settings[arch+".attention.layer_norm_epsilon"] = max(config.Epsilon2, config.Epsilon3, 1e-5)
	}
	source, err := safetensors.Open(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	tensors := map[string]safetensors.Tensor{}
	for _, name := range source.Names() {
		info, _ := source.Info(name)
		x := safetensors.Tensor{Name: ggufName(name), Shape: info.Shape, Data: make([]float32, info.Len())}
		if x.Name == "" {
			continue
		}
		if err := source.Float32s(name, x.Data); err != nil {
			t.Fatal(err)
		}
		switch {
		case arch == "gpt2" && len(x.Shape) == 2 && strings.HasPrefix(x.Name, "blk."):
			x = transpose(x)
		case arch == "gptneox" && strings.Contains(x.Name, "attn_qkv"):
			x = regroup(x, []int{heads, 3, width / heads}) // [head, 3, …] to [3, head, …]
		case (arch == "llama" || arch == "olmo") && strings.Contains(x.Name, "attn_q."):
			x = permute(x, heads)
		case (arch == "llama" || arch == "olmo") && strings.Contains(x.Name, "attn_k."):
			x = permute(x, config.KVHeads)
		}
		tensors[x.Name] = x
	}
	if s := config.Stretched; s != nil {
		tensors["rope_freqs.weight"] = s.table(config.Theta, width/heads)
	}
	if change != nil {
		change(settings, tensors)
	}
	var list []randmodel.Setting
	for key, value := range settings {
		list = append(list, randmodel.Setting{Key: key, Value: value})
	}
	var all []safetensors.Tensor
	for name, x := range tensors {
		x.Name = name
		all = append(all, x)
	}
	path := filepath.Join(t.TempDir(), "model.gguf")
	if err := randmodel.WriteGGUF(path, list, all); err != nil {
		t.Fatal(err)
	}
	return path
}

// llama3 is the stretching of rotary positions of Llama 3.1.
type llama3 struct {
	Factor   float64 `json:"factor"`
	Low      float64 `json:"low_freq_factor"`
	High     float64 `json:"high_freq_factor"`
	Original float64 `json:"original_max_position_embeddings"`
}

// table is what each frequency is divided by.
func (s llama3) table(base float64, dims int) safetensors.Tensor {
	x := safetensors.Tensor{Shape: []int{dims / 2}}
	for i := 0; i < dims; i += 2 {
		length := 2 * math.Pi * math.Pow(base, float64(i)/float64(dims))
		divisor := 1.0
		switch {
		case length < s.Original/s.High:
		case length > s.Original/s.Low:
			divisor = s.Factor
		default:
			smooth := (s.Original/length - s.Low) / (s.High - s.Low)
			divisor = 1 / ((1-smooth)/s.Factor + smooth)
		}
		x.Data = append(x.Data, float32(divisor))
	}
	return x
}

// ggufName is gguf-py's name of a tensor, empty for buffers that are no weights.
func ggufName(name string) string {
	kind := name[strings.LastIndexByte(name, '.')+1:]
	name = strings.TrimSuffix(name, "."+kind)
	for _, prefix := range []string{"transformer.", "gpt_neox.", "model."} {
		name = strings.TrimPrefix(name, prefix)
	}
	block := ""
	for _, prefix := range []string{"h.", "layers."} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			block, name, _ = strings.Cut(rest, ".")
			block = "blk." + block + "."
		}
	}
	ours, ok := map[string]string{
		"wte": "token_embd", "embed_in": "token_embd", "embed_tokens": "token_embd", "wpe": "position_embd",
		"ln_f": "output_norm", "final_layer_norm": "output_norm", "norm": "output_norm", "lm_head": "output",
		"embed_out": "output",
		"ln_1":      "attn_norm", "input_layernorm": "attn_norm", "ln_2": "ffn_norm", "post_attention_layernorm": "ffn_norm",
		"attn.c_attn": "attn_qkv", "attention.query_key_value": "attn_qkv", "attn.c_proj": "attn_output",
		"attention.dense":  "attn_output",
		"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
		"self_attn.o_proj": "attn_output",
		"mlp.c_fc":         "ffn_up", "mlp.dense_h_to_4h": "ffn_up", "mlp.up_proj": "ffn_up", "mlp.gate_proj": "ffn_gate",
		"mlp.c_proj": "ffn_down", "mlp.dense_4h_to_h": "ffn_down", "mlp.down_proj": "ffn_down",
	}[name]
	if !ok {
		return ""
	}
	return block + ours + "." + kind
}

func transpose(x safetensors.Tensor) safetensors.Tensor {
	rows, columns := x.Shape[0], x.Shape[1]
	y := safetensors.Tensor{Name: x.Name, Shape: []int{columns, rows}, Data: make([]float32, len(x.Data))}
	for i := range rows {
		for j := range columns {
			y.Data[j*rows+i] = x.Data[i*columns+j]
		}
	}
	return y
}

// regroup swaps the first two of three axes that the rows of x have.
func regroup(x safetensors.Tensor, axes []int) safetensors.Tensor {
	size := len(x.Data) / (axes[0] * axes[1])
	y := x
	y.Data = nil
	for b := range axes[1] {
		for a := range axes[0] {
			y.Data = append(y.Data, x.Data[(a*axes[1]+b)*size:][:size]...)
		}
	}
	return y
}

// permute is LlamaModel.permute: the rows of each head, [2, half], become [half, 2].
func permute(x safetensors.Tensor, heads int) safetensors.Tensor {
	y := x
	y.Data = nil
	head := len(x.Data) / heads
	for h := range heads {
		half := x.Shape[0] / heads / 2
		part := safetensors.Tensor{Data: x.Data[h*head:][:head]}
		y.Data = append(y.Data, regroup(part, []int{2, half}).Data...)
	}
	return y
}

// TestGGUFFamilies opens every architecture from a GGUF file and from the folder that it was made of: the weights are
// the same, so the values are.
func TestGGUFFamilies(t *testing.T) {
	folders := map[string]string{"gpt2": golden("gpt2"), "gptneox": golden("pythia")}
	for _, family := range []string{"llama", "qwen2", "olmo"} {
		tensors := llamaTensors(family == "qwen2")
		if family == "olmo" {
			tensors = slices.DeleteFunc(tensors, func(p transformer.Param) bool { return strings.Contains(p.Name, "norm") })
		}
		folders[family] = writeModel(t, fmt.Sprintf(smallLlama, family, false), randomTensors(tensors, 8))
	}
	stretched := strings.Replace(fmt.Sprintf(smallLlama, "llama", false), "{",
		`{"rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 16},`, 1)
	folders["llama3"] = writeModel(t, stretched, randomTensors(llamaTensors(false), 9))
	biased := strings.Replace(fmt.Sprintf(smallLlama, "llama", false), "{", `{"attention_bias": true, "mlp_bias": true,`,
		1)
	list := llamaTensors(false)
	for _, p := range list {
		if strings.Contains(p.Name, "_proj") {
			p.Name, p.Shape = strings.Replace(p.Name, ".weight", ".bias", 1), p.Shape[:1]
			list = append(list, p)
		}
	}
	folders["biases"] = writeModel(t, biased, randomTensors(list, 10))
	for name, dir := range folders {
		t.Run(name, func(t *testing.T) {
			want := ways[0].open(t, dir)
			got := ways[0].open(t, toGGUF(t, dir, nil))
			a, b := want.Config(), got.Config()
			if a != b {
				t.Fatalf("configuration %+v, want %+v", b, a)
			}
			ids := []int{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4, 6}
			x, err := want.RunWithCache(context.Background(), ids)
			if err != nil {
				t.Fatal(err)
			}
			y, err := got.RunWithCache(context.Background(), ids)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(x.Hooks(), y.Hooks()) {
				t.Fatalf("hooks %v, want %v", y.Hooks(), x.Hooks())
			}
			for p := range ids {
				if d := differ(x.Logits[p], y.Logits[p]); d > 1e-5 {
					t.Errorf("position %d: logits differ by %g", p, d)
				}
				for _, hook := range x.Hooks() {
					if d := differ(x.Values[hook][p], y.Values[hook][p]); d > 1e-5 {
						t.Errorf("position %d: %s differs by %g", p, hook, d)
					}
				}
			}
		})
	}
}

func differ(a, b []float32) float64 {
	worst := 0.0
	for i := range a {
		worst = max(worst, math.Abs(float64(a[i]-b[i])))
	}
	return worst
}

// TestGGUFRefused has files that say what cannot be computed, or hold something else than they say.
func TestGGUFRefused(t *testing.T) {
	dir := writeModel(t, fmt.Sprintf(smallLlama, "llama", false), randomTensors(llamaTensors(false), 8))
	type settings = map[string]any
	type tensors = map[string]safetensors.Tensor
	for want, change := range map[string]func(settings, tensors){
		`architecture is "mamba"`:       func(s settings, _ tensors) { s["general.architecture"] = "mamba" },
		`architecture is ""`:            func(s settings, _ tensors) { delete(s, "general.architecture") },
		"mixtures of 8 experts":         func(s settings, _ tensors) { s["llama.expert_count"] = 8 },
		"llama.block_count is no whole": func(s settings, _ tensors) { s["llama.block_count"] = "two" },
		"number of layers is 0":         func(s settings, _ tensors) { delete(s, "llama.block_count") },
		"is no whole number":            func(s settings, _ tensors) { s["llama.feed_forward_length"] = []int32{24, 24} },
		"type dynamic": func(s settings, _ tensors) {
			s["llama.rope.scaling.type"], s["llama.rope.scaling.factor"] = "dynamic", 2.0
		},
		"values 6":                 func(s settings, _ tensors) { s["llama.attention.value_length"] = 6 },
		"token_embd.weight":        func(_ settings, x tensors) { delete(x, "token_embd.weight") },
		`"blk.1.attn_norm.weight"`: func(_ settings, x tensors) { delete(x, "blk.1.attn_norm.weight") },
		`"blk.0.attn_q.weight"`:    func(_ settings, x tensors) { x["blk.0.attn_q.weight"] = x["blk.0.attn_k.weight"] },
		"does not fit": func(_ settings, x tensors) {
			x["rope_freqs.weight"] = safetensors.Tensor{Shape: []int{3}, Data: make([]float32, 3)}
		},
		"divides frequencies by 0": func(_ settings, x tensors) {
			x["rope_freqs.weight"] = safetensors.Tensor{Shape: []int{2}, Data: make([]float32, 2)}
		},
		"tokenizers of type": func(s settings, _ tensors) { s["tokenizer.ggml.model"] = "rwkv" },
	} {
		if m, err := models.Open(toGGUF(t, dir, change), models.Options{Backend: "go"}); err == nil {
			m.Close()
			t.Errorf("opened, though %s", want)
		} else if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestGGUFPlaces opens a file by its name, in its folder, and among others.
func TestGGUFPlaces(t *testing.T) {
	dir := writeModel(t, fmt.Sprintf(smallLlama, "llama", false), randomTensors(llamaTensors(false), 8))
	file := toGGUF(t, dir, nil)
	open := func(ref string) (string, error) {
		m, err := models.Open(ref, models.Options{Backend: "go"})
		if err != nil {
			return "", err
		}
		defer m.Close()
		print, err := m.Fingerprint()
		if err != nil || print == "" {
			t.Errorf("fingerprint of %s: %q, %v", ref, print, err)
		}
		return m.Name(), nil
	}
	if name, err := open(file); err != nil || name != "model" {
		t.Errorf("%q, %v", name, err)
	}
	if name, err := open(filepath.Dir(file)); err != nil || name != filepath.Base(filepath.Dir(file)) {
		t.Errorf("folder: %q, %v", name, err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(file), "other.gguf"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(filepath.Dir(file)); err == nil || !strings.Contains(err.Error(), "model.gguf, other.gguf") {
		t.Errorf("a folder of two: %v", err)
	}
	if name, err := open(file); err != nil || name != "model" {
		t.Errorf("one of two: %q, %v", name, err)
	}
	cut := filepath.Join(t.TempDir(), "cut.gguf")
	if err := os.WriteFile(cut, data[:len(data)-100], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(cut); err == nil || !strings.Contains(err.Error(), "cut short") {
		t.Errorf("a file cut short: %v", err)
	}
	if err := os.WriteFile(cut, []byte("no model"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(cut); err == nil || !strings.Contains(err.Error(), "no GGUF file") {
		t.Errorf("another file: %v", err)
	}
}
