package models_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/backends"
)

// The families without golden values, and old file formats, are compared with plain loops in float64 over the same
// random weights.

// smallOPT and smallLlama are configurations and the tensors of their files, as Hugging Face's classes name them.
const smallOPT = `{"model_type": "opt", "num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 2, "ffn_dim": 40,
	"max_position_embeddings": 30, "vocab_size": 50, "activation_function": "relu", "do_layer_norm_before": true,
	"word_embed_proj_dim": 16}`

func optTensors() []transformer.Param {
	list := []transformer.Param{
		{Name: "model.decoder.embed_tokens.weight", Shape: []int{50, 16}},
		{Name: "model.decoder.embed_positions.weight", Shape: []int{32, 16}},
		{Name: "model.decoder.final_layer_norm.weight", Shape: []int{16}},
		{Name: "model.decoder.final_layer_norm.bias", Shape: []int{16}},
	}
	for l := range 2 {
		at := fmt.Sprintf("model.decoder.layers.%d.", l)
		for _, name := range []string{"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"} {
			list = append(list, transformer.Param{Name: at + name + ".weight", Shape: []int{16, 16}},
				transformer.Param{Name: at + name + ".bias", Shape: []int{16}})
		}
		for _, name := range []string{"self_attn_layer_norm", "final_layer_norm"} {
			list = append(list, transformer.Param{Name: at + name + ".weight", Shape: []int{16}},
				transformer.Param{Name: at + name + ".bias", Shape: []int{16}})
		}
		list = append(list,
			transformer.Param{Name: at + "fc1.weight", Shape: []int{40, 16}},
			transformer.Param{Name: at + "fc1.bias", Shape: []int{40}},
			transformer.Param{Name: at + "fc2.weight", Shape: []int{16, 40}},
			transformer.Param{Name: at + "fc2.bias", Shape: []int{16}})
	}
	return list
}

const smallLlama = `{"model_type": %q, "num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 4,
	"num_key_value_heads": 2, "intermediate_size": 24, "max_position_embeddings": 30, "vocab_size": 50,
	"hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": 500000.0, "sliding_window": 5, "max_window_layers": 0, "use_sliding_window": %v}`

func llamaTensors(biases bool) []transformer.Param {
	list := []transformer.Param{
		{Name: "model.embed_tokens.weight", Shape: []int{50, 16}}, {Name: "model.norm.weight", Shape: []int{16}},
		{Name: "lm_head.weight", Shape: []int{50, 16}},
	}
	for l := range 2 {
		at := fmt.Sprintf("model.layers.%d.", l)
		for name, shape := range map[string][]int{
			"self_attn.q_proj": {16, 16}, "self_attn.k_proj": {8, 16}, "self_attn.v_proj": {8, 16}, "self_attn.o_proj": {16, 16},
			"mlp.gate_proj": {24, 16}, "mlp.up_proj": {24, 16}, "mlp.down_proj": {16, 24},
			"input_layernorm": {16}, "post_attention_layernorm": {16},
		} {
			list = append(list, transformer.Param{Name: at + name + ".weight", Shape: shape})
			if biases && slices.Contains([]string{"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"}, name) {
				list = append(list, transformer.Param{Name: at + name + ".bias", Shape: shape[:1]})
			}
		}
	}
	return list
}

// writeModel writes a folder without a tokenizer.
func writeModel(t *testing.T, config string, tensors []safetensors.Tensor) string {
	t.Helper()
	dir := t.TempDir()
	err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	writeWeights(t, filepath.Join(dir, "model.safetensors"), tensors)
	return dir
}

// file answers a tensor's values by name.
type file map[string][]float64

func fileOf(tensors []safetensors.Tensor) file {
	f := file{}
	for _, t := range tensors {
		values := make([]float64, len(t.Data))
		for i, x := range t.Data {
			values[i] = float64(x)
		}
		f[t.Name] = values
	}
	return f
}

// linear is PyTorch's: y = W·x + b with W [out, in]; b may be absent.
func (f file) linear(name string, x []float64) []float64 {
	w, b := f[name+".weight"], f[name+".bias"]
	y := make([]float64, len(w)/len(x))
	for o := range y {
		if b != nil {
			y[o] = b[o]
		}
		for i := range x {
			y[o] += w[o*len(x)+i] * x[i]
		}
	}
	return y
}

// norm is LayerNorm, RMSNorm where there is a weight but no bias.
func (f file) norm(name string, x []float64, eps float64) []float64 {
	w, b := f[name+".weight"], f[name+".bias"]
	mean, square := 0.0, 0.0
	for _, v := range x {
		mean += v / float64(len(x))
	}
	if w != nil && b == nil {
		mean = 0
	}
	for _, v := range x {
		square += (v - mean) * (v - mean) / float64(len(x))
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = (v - mean) / math.Sqrt(square+eps)
		if w != nil {
			y[i] *= w[i]
		}
		if b != nil {
			y[i] += b[i]
		}
	}
	return y
}

// attend mixes the values of the positions a token sees: the last window ones, or all where that is 0.
func attend(q, k, v [][]float64, heads, kvHeads, window int) [][]float64 {
	dHead := len(q[0]) / heads
	out := make([][]float64, len(q))
	for p := range q {
		out[p] = make([]float64, len(q[0]))
		from := 0
		if window > 0 {
			from = max(0, p-window+1)
		}
		for h := range heads {
			shared := h / (heads / kvHeads)
			var scores []float64
			top := math.Inf(-1)
			for s := from; s <= p; s++ {
				score := 0.0
				for e := range dHead {
					score += q[p][h*dHead+e] * k[s][shared*dHead+e] / math.Sqrt(float64(dHead))
				}
				scores, top = append(scores, score), max(top, score)
			}
			sum := 0.0
			for i := range scores {
				scores[i] = math.Exp(scores[i] - top)
				sum += scores[i]
			}
			for i, score := range scores {
				for e := range dHead {
					out[p][h*dHead+e] += score / sum * v[from+i][shared*dHead+e]
				}
			}
		}
	}
	return out
}

// turn applies rotary positions to each head of x: dimension i and its partner half a head further.
func turn(x []float64, dHead, position int, base float64) []float64 {
	y := slices.Clone(x)
	half := dHead / 2
	for h := 0; h < len(x); h += dHead {
		for i := range half {
			angle := float64(position) * math.Pow(base, -float64(2*i)/float64(dHead))
			a, b := x[h+i], x[h+half+i]
			y[h+i], y[h+half+i] = a*math.Cos(angle)-b*math.Sin(angle), b*math.Cos(angle)+a*math.Sin(angle)
		}
	}
	return y
}

func add(x, y []float64) []float64 {
	sum := make([]float64, len(x))
	for i := range x {
		sum[i] = x[i] + y[i]
	}
	return sum
}

// loops is a plain forward pass: hook_pre and hook_post of each layer by position, and the logits.
type loops struct {
	pre, post [][][]float64
	logits    [][]float64
}

func optLoops(f file, ids []int) loops {
	const d, layers = 16, 2
	var out loops
	x := make([][]float64, len(ids))
	for p, id := range ids {
		x[p] = add(f["model.decoder.embed_tokens.weight"][id*d:(id+1)*d],
			f["model.decoder.embed_positions.weight"][(p+2)*d:(p+3)*d])
	}
	for l := range layers {
		at := fmt.Sprintf("model.decoder.layers.%d.", l)
		var q, k, v, pre, post [][]float64
		for p := range x {
			n := f.norm(at+"self_attn_layer_norm", x[p], 1e-5)
			q = append(q, f.linear(at+"self_attn.q_proj", n))
			k = append(k, f.linear(at+"self_attn.k_proj", n))
			v = append(v, f.linear(at+"self_attn.v_proj", n))
		}
		for p, z := range attend(q, k, v, 2, 2, 0) {
			x[p] = add(x[p], f.linear(at+"self_attn.out_proj", z))
			h := f.linear(at+"fc1", f.norm(at+"final_layer_norm", x[p], 1e-5))
			pre = append(pre, slices.Clone(h))
			for i := range h {
				h[i] = max(0, h[i])
			}
			post = append(post, h)
			x[p] = add(x[p], f.linear(at+"fc2", h))
		}
		out.pre, out.post = append(out.pre, pre), append(out.post, post)
	}
	f["unembed.weight"] = f["model.decoder.embed_tokens.weight"]
	for p := range x {
		out.logits = append(out.logits, f.linear("unembed", f.norm("model.decoder.final_layer_norm", x[p], 1e-5)))
	}
	return out
}

func llamaLoops(f file, ids []int, window int, eps float64) loops {
	const d, layers, heads, kvHeads, base = 16, 2, 4, 2, 500000.0
	var out loops
	x := make([][]float64, len(ids))
	for p, id := range ids {
		x[p] = f["model.embed_tokens.weight"][id*d : (id+1)*d]
	}
	for l := range layers {
		at := fmt.Sprintf("model.layers.%d.", l)
		var q, k, v, pre, post [][]float64
		for p := range x {
			n := f.norm(at+"input_layernorm", x[p], eps)
			q = append(q, turn(f.linear(at+"self_attn.q_proj", n), d/heads, p, base))
			k = append(k, turn(f.linear(at+"self_attn.k_proj", n), d/heads, p, base))
			v = append(v, f.linear(at+"self_attn.v_proj", n))
		}
		for p, z := range attend(q, k, v, heads, kvHeads, window) {
			x[p] = add(x[p], f.linear(at+"self_attn.o_proj", z))
			n := f.norm(at+"post_attention_layernorm", x[p], eps)
			gate, up := f.linear(at+"mlp.gate_proj", n), f.linear(at+"mlp.up_proj", n)
			pre = append(pre, slices.Clone(gate))
			for i := range gate {
				gate[i] *= up[i] / (1 + math.Exp(-gate[i]))
			}
			post = append(post, gate)
			x[p] = add(x[p], f.linear(at+"mlp.down_proj", gate))
		}
		out.pre, out.post = append(out.pre, pre), append(out.post, post)
	}
	for p := range x {
		out.logits = append(out.logits, f.linear("lm_head", f.norm("model.norm", x[p], eps)))
	}
	return out
}

// compareLoops compares a model with a plain forward pass, at every hook, for a prompt and for those that share parts
// of it.
func compareLoops(t *testing.T, dir string, forward func(ids []int) loops) {
	t.Helper()
	m, err := models.Open(dir, models.Options{Backend: cmp.Or(os.Getenv(backends.EnvVar), backends.Go)})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ids := []int{2, 7, 40, 12, 12, 3, 49, 0, 5, 21, 8}
	variant := slices.Clone(ids)
	variant[4] = 1
	prompts := [][]int{ids, variant, ids[:6]}
	for i, prompt := range prompts {
		want := forward(prompt)
		for layer := range m.Config().Layers {
			for hook, values := range map[string][][][]float64{"hook_pre": want.pre, "hook_post": want.post} {
				got, err := m.LayerActivations(t.Context(), layer, hook, prompts)
				if err != nil {
					t.Fatal(err)
				}
				compareFloats(t, fmt.Sprintf("%s of layer %d, prompt %d", hook, layer, i), got[i], values[layer])
			}
		}
		cache, err := m.RunWithCache(t.Context(), prompt)
		if err != nil {
			t.Fatal(err)
		}
		compareFloats(t, "logits", cache.Logits, want.logits)
	}
}

func compareFloats(t *testing.T, what string, got [][]float32, want [][]float64) {
	t.Helper()
	if len(got) != len(want) || len(got[0]) != len(want[0]) {
		t.Fatalf("%s: [%d, %d], want [%d, %d]", what, len(got), len(got[0]), len(want), len(want[0]))
	}
	for p := range want {
		for i := range want[p] {
			if !near(got[p][i], float32(want[p][i])) {
				t.Fatalf("%s: %g at position %d, index %d, want %g", what, got[p][i], p, i, want[p][i])
			}
		}
	}
}

func TestOPTAgreesWithPlainLoops(t *testing.T) {
	tensors := randomTensors(optTensors(), 3)
	compareLoops(t, writeModel(t, smallOPT, tensors), func(ids []int) loops { return optLoops(fileOf(tensors), ids) })
}

func TestLlamaAgreesWithPlainLoops(t *testing.T) {
	for _, c := range []struct {
		family    string
		biases    bool
		useWindow bool
		window    int
	}{{"llama", false, false, 0}, {"mistral", false, true, 5}, {"qwen2", true, false, 0}, {"qwen2", true, true, 5}} {
		t.Run(fmt.Sprintf("%s window %d", c.family, c.window), func(t *testing.T) {
			tensors := randomTensors(llamaTensors(c.biases), 4)
			dir := writeModel(t, fmt.Sprintf(smallLlama, c.family, c.useWindow), tensors)
			compareLoops(t, dir, func(ids []int) loops { return llamaLoops(fileOf(tensors), ids, c.window, 1e-6) })
		})
	}
}

// OLMo is Llama with LayerNorms that have no parameters.
func TestOLMoAgreesWithPlainLoops(t *testing.T) {
	tensors := slices.DeleteFunc(randomTensors(llamaTensors(false), 5), func(tensor safetensors.Tensor) bool {
		return strings.Contains(tensor.Name, "norm")
	})
	dir := writeModel(t, fmt.Sprintf(smallLlama, "olmo", false), tensors)
	compareLoops(t, dir, func(ids []int) loops { return llamaLoops(fileOf(tensors), ids, 0, 1e-5) })
}

// readTensors reads a golden model's weights.
func readTensors(t *testing.T, name string) []safetensors.Tensor {
	t.Helper()
	f, err := safetensors.Open(golden(name) + "/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []safetensors.Tensor
	for _, tensor := range f.Names() {
		info, _ := f.Info(tensor)
		values := make([]float32, info.Len())
		if err := f.Float32s(tensor, values); err != nil {
			t.Fatal(err)
		}
		list = append(list, safetensors.Tensor{Name: tensor, Shape: info.Shape, Data: values})
	}
	return list
}

// Older checkpoints, half precision and shards hold the same model.
func TestOtherFilesOfTheSameModel(t *testing.T) {
	exact, half := near, func(a, b float32) bool { return math.Abs(float64(a-b)) <= 2e-2*(1+math.Abs(float64(b))) }
	for _, c := range []struct {
		what, model string
		config      func(text string) string
		tensors     func(list []safetensors.Tensor) []safetensors.Tensor
		near        func(a, b float32) bool
	}{
		{"GPT-2 of the hub", "gpt2", nil, func(list []safetensors.Tensor) []safetensors.Tensor {
			for i := range list {
				list[i].Name = strings.TrimPrefix(list[i].Name, "transformer.")
			}
			return append(list, safetensors.Tensor{Name: "h.0.attn.bias", Shape: []int{1, 1, 2, 2}, Data: make([]float32, 4)},
				safetensors.Tensor{Name: "h.0.attn.masked_bias", Shape: []int{}, Data: make([]float32, 1)})
		}, exact},
		{"Pythia of the hub", "pythia", func(text string) string {
			var config map[string]any
			if err := json.Unmarshal([]byte(text), &config); err != nil {
				t.Fatal(err)
			}
			delete(config, "rope_parameters")
			older, err := json.Marshal(config)
			if err != nil {
				t.Fatal(err)
			}
			return string(older)
		}, nil, exact},
		{"GPT-Neo with attention_types alone", "gptneo", func(text string) string {
			return strings.Replace(text, `"attention_layers"`, `"unused"`, 1)
		}, nil, exact},
		{"half precision", "solu", nil, func(list []safetensors.Tensor) []safetensors.Tensor {
			for i := range list {
				list[i].DType = safetensors.F16
			}
			return list
		}, half},
		{"old transposed SoLU", "solu", nil, func(list []safetensors.Tensor) []safetensors.Tensor {
			for i := range list {
				list[i] = older(list[i])
			}
			return list
		}, exact},
	} {
		t.Run(c.what, func(t *testing.T) {
			config, err := os.ReadFile(golden(c.model) + "/config.json")
			if err != nil {
				t.Fatal(err)
			}
			text, tensors := string(config), readTensors(t, c.model)
			if c.config != nil {
				text = c.config(text)
			}
			if c.tensors != nil {
				tensors = c.tensors(tensors)
			}
			m, err := models.Open(writeModel(t, text, tensors), models.Options{Backend: "go"})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			ids := [][]int{readReference(t, c.model).Inputs[0].IDs}
			last := m.Config().Layers - 1
			got, err := m.LayerActivations(t.Context(), last, "hook_pre", ids)
			if err != nil {
				t.Fatal(err)
			}
			want, err := openGolden(t, c.model).LayerActivations(t.Context(), last, "hook_pre", ids)
			if err != nil {
				t.Fatal(err)
			}
			for p := range want[0] {
				for i := range want[0][p] {
					if !c.near(got[0][p][i], want[0][p][i]) {
						t.Fatalf("position %d, neuron %d: %g, want %g", p, i, got[0][p][i], want[0][p][i])
					}
				}
			}
		})
	}
}

// older is a tensor as the first SoLU models were saved: norms under another name, weights with the last axes
// exchanged.
func older(t safetensors.Tensor) safetensors.Tensor {
	t.Name = strings.Replace(strings.Replace(t.Name, "ln_final.", "norm.", 1), ".ln", ".norm", 1)
	if !strings.Contains(t.Name, "W_") {
		return t
	}
	n := len(t.Shape)
	rows, columns := t.Shape[n-2], t.Shape[n-1]
	data := make([]float32, len(t.Data))
	for block := 0; block < len(data); block += rows * columns {
		for i := range rows {
			for j := range columns {
				data[block+j*rows+i] = t.Data[block+i*columns+j]
			}
		}
	}
	t.Data, t.Shape = data, append(slices.Clone(t.Shape[:n-2]), columns, rows)
	return t
}

func FuzzConfig(f *testing.F) {
	for _, name := range causalGolden {
		text, err := os.ReadFile(golden(name) + "/config.json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(smallOPT))
	f.Add(fmt.Appendf(nil, smallLlama, "mistral", true))
	f.Add([]byte(`{"model_type": "gpt_neo", "num_layers": 3, "attention_types": [[["global", "local"], 1e9]]}`))
	dir := f.TempDir()
	writeWeights(f, filepath.Join(dir, "model.safetensors"),
		[]safetensors.Tensor{{Name: "x", Shape: []int{1}, Data: []float32{1}}})
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, "config.json"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		// No weights fit, so that every configuration ends in an error; what matters is that none ends otherwise.
		m, err := models.Open(dir, models.Options{Backend: "go"})
		if err == nil {
			t.Fatalf("opened without weights: %v", errors.Join(m.Close()))
		}
	})
}
