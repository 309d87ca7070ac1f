package family

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/models/internal/gguf"
	"github.com/neuron2graph/neuron2graph/models/internal/weights"
)

// ggufForm is how llama.cpp writes the models of a family into a GGUF file (its convert_hf_to_gguf.py and gguf-py's
// constants.py).
type ggufForm struct {
	// arch is general.architecture, and family what Hugging Face calls it.
	arch, family string
	// config is the config.json of such a model, of which the caller adds model_type, vocab_size and tie_word_embeddings.
	config func(s *gguf.Settings) object
	// layout finds what lies otherwise than in [ggufModules]: queries, keys and values.
	layout func(c Config, part string, layer int) (weights.View, bool)
}

type object map[string]any

// The tensors outside the blocks.
const (
	ggufTokens    = "token_embd.weight"
	ggufPositions = "position_embd.weight"
	ggufOutput    = "output.weight"
	ggufRotary    = "rope_freqs.weight"
)

// ggufArchitectures lists what GGUF files of causal models may hold, sorted.
func ggufArchitectures() []string {
	var names []string
	for _, form := range ggufForms {
		names = append(names, form.arch)
	}
	slices.Sort(names)
	return names
}

// ParseGGUF is [Parse] for a file that holds its configuration with its tensors.
func ParseGGUF(file *gguf.File) (Config, error) {
	s := file.Settings()
	at := slices.IndexFunc(ggufForms, func(f ggufForm) bool { return f.arch == s.Architecture() })
	if at < 0 {
		return Config{}, fmt.Errorf("its architecture is %q; those that can be opened are %s", s.Architecture(),
			strings.Join(ggufArchitectures(), ", "))
	}
	form := ggufForms[at]
	if experts, _ := s.Number(".expert_count"); experts > 0 {
		s.Refuse("its layers are mixtures of %d experts, which are not supported", experts)
	}
	config := form.config(s)
	if err := s.Err(); err != nil {
		return Config{}, err
	}
	// The table's rows are the vocabulary, whatever else the file says of it.
	tokens, ok := file.Info(ggufTokens)
	if !ok || len(tokens.Shape) != 2 {
		return Config{}, fmt.Errorf("it lacks the tensor %s, or it is no matrix", ggufTokens)
	}
	_, untied := file.Info(ggufOutput)
	config["model_type"], config["vocab_size"], config["tie_word_embeddings"] = form.family, tokens.Shape[0], !untied
	text, err := json.Marshal(config)
	if err != nil {
		return Config{}, err
	}
	c, err := Parse(text)
	if err != nil {
		return Config{}, err
	}
	err = slowRotary(&c, file)
	return c, err
}

// LayoutGGUF is [Config.Layout] for such a file.
func (c Config) LayoutGGUF(file safetensors.Weights) (weights.Layout, error) {
	at := slices.IndexFunc(ggufForms, func(f ggufForm) bool { return f.family == c.Family })
	if at < 0 {
		return nil, fmt.Errorf("nothing is known of where the weights of the %q family lie in a GGUF file", c.Family)
	}
	m := ggufModules(c)
	return func(name string) (weights.View, bool) {
		part, layer := splitName(name)
		switch part {
		case "embed.W_E":
			return weights.Plain(ggufTokens, c.DVocab, c.DModel), true
		case "pos_embed.W_pos":
			return weights.Plain(ggufPositions, c.Positions, c.DModel), c.RotaryDims == 0
		case "unembed.W_U":
			return weights.Transposed(ggufOutput, c.DModel, c.DVocab), !c.Tied
		}
		v, ok := ggufForms[at].layout(c, part, layer)
		if !ok {
			v, ok = m.find(part, layer)
		}
		switch {
		case strings.HasPrefix(part, "ln"):
			ok = ok && !c.FoldedNorms && (!c.RMSNorm || strings.HasSuffix(part, ".w"))
		case strings.Contains(part, ".b_") && c.Gated: // Llama's kin have biases or have none
			_, present := file.Info(v.File)
			ok = ok && present
		}
		return v, ok
	}, nil
}

// ggufModules are the names that llama.cpp has for all architectures. A dense layer is stored as PyTorch's Linear.
func ggufModules(c Config) modules {
	d, queries, keys := c.DModel, c.Heads*c.DHead, c.KeyHeads()*c.DHead
	return modules{
		names:  blockNames("", "blk"),
		norms:  map[string]string{"ln1": "attn_norm", "ln2": "ffn_norm", "ln_final": "output_norm"},
		stored: weights.Transposed,
		dense: map[string]linear{
			"attn.W_Q":   {"attn_q", d, queries, true},
			"attn.W_K":   {"attn_k", d, keys, true},
			"attn.W_V":   {"attn_v", d, keys, true},
			"attn.W_O":   {"attn_output", queries, d, true},
			"mlp.W_gate": {"ffn_gate", d, c.DMLP, true},
			"mlp.W_in":   {"ffn_up", d, c.DMLP, true},
			"mlp.W_out":  {"ffn_down", c.DMLP, d, true},
		},
		width: d,
	}
}

// permuted finds queries and keys whose rotary dimensions were moved: llama.cpp turns neighbours (0 and 1, 2 and 3 …)
// where Hugging Face's models turn the halves of a head, so the rows of a head lie [d_head/2, 2] instead of [2,
// d_head/2].
func permuted(c Config, part string, layer int) (weights.View, bool) {
	heads, module := c.Heads, "attn_q"
	switch part {
	case "attn.W_Q", "attn.b_Q":
	case "attn.W_K", "attn.b_K":
		heads, module = c.KeyHeads(), "attn_k"
	default:
		return weights.View{}, false
	}
	d, e, half := c.DModel, c.DHead, c.DHead/2
	name := blockNames("", "blk")(layer, module)
	if strings.HasPrefix(part, "attn.b") {
		return weights.View{File: name + ".bias", Stored: []int{heads * e}, Dims: []int{heads, 2, half},
			Strides: []int{e, 1, 2}, Shape: []int{heads * e}}, true
	}
	return weights.View{File: name + ".weight", Stored: []int{heads * e, d}, Dims: []int{d, heads, 2, half},
		Strides: []int{1, e * d, d, 2 * d}, Shape: []int{d, heads * e}}, true
}

// fused finds queries, keys and values behind each other in one tensor.
func fused(c Config, part string, layer int) (weights.View, bool) {
	d := c.DModel
	for i, which := range []string{"Q", "K", "V"} {
		name := blockNames("", "blk")(layer, "attn_qkv")
		switch part {
		case "attn.W_" + which:
			return weights.View{File: name + ".weight", Stored: []int{3 * d, d}, Offset: i * d * d,
				Dims: []int{d, d}, Strides: []int{1, d}, Shape: []int{d, d}}, true
		case "attn.b_" + which:
			return weights.View{File: name + ".bias", Stored: []int{3 * d}, Offset: i * d,
				Dims: []int{d}, Strides: []int{1}, Shape: []int{d}}, true
		}
	}
	return weights.View{}, false
}

// apart leaves all to [ggufModules].
func apart(Config, string, int) (weights.View, bool) { return weights.View{}, false }

// ggufForms are the families that GGUF files hold.
var ggufForms = []ggufForm{
	{"llama", "llama", ggufLlamaConfig, permuted},
	{"qwen2", "qwen2", ggufLlamaConfig, apart},
	{"olmo", "olmo", ggufOLMoConfig, permuted},
	{"gpt2", "gpt2", ggufGPT2Config, fused},
	{"gptneox", "gpt_neox", ggufGPTNeoXConfig, fused},
}

// put sets a key of config.json to a setting, if there is one.
func put[T any](config object, key string, value T, ok bool) {
	if ok {
		config[key] = value
	}
}

func putNumber(config object, key string, s *gguf.Settings, setting string) {
	n, ok := s.Number(setting)
	put(config, key, n, ok)
}

func putFloat(config object, key string, s *gguf.Settings, setting string) {
	x, ok := s.Float(setting)
	put(config, key, x, ok)
}

// ggufLlamaConfig writes Hugging Face's LlamaConfig.
func ggufLlamaConfig(s *gguf.Settings) object {
	config := object{}
	putNumber(config, "num_hidden_layers", s, ".block_count")
	putNumber(config, "hidden_size", s, ".embedding_length")
	putNumber(config, "intermediate_size", s, ".feed_forward_length")
	putNumber(config, "num_attention_heads", s, ".attention.head_count")
	putNumber(config, "num_key_value_heads", s, ".attention.head_count_kv")
	putNumber(config, "max_position_embeddings", s, ".context_length")
	putFloat(config, "rms_norm_eps", s, ".attention.layer_norm_rms_epsilon")
	putFloat(config, "rope_theta", s, ".rope.freq_base")
	if window, ok := s.Number(".attention.sliding_window"); ok && window > 0 {
		config["sliding_window"] = window
	}
	rotary, hasRotary := s.Number(".rope.dimension_count")
	head, hasHead := s.Number(".attention.key_length")
	if !hasHead {
		head, hasHead = rotary, hasRotary
	}
	put(config, "head_dim", head, hasHead)
	if value, ok := s.Number(".attention.value_length"); ok && hasHead && value != head {
		s.Refuse("heads of keys are %d wide and those of values %d, which is not supported", head, value)
	}
	if hasRotary && rotary != head {
		s.Refuse("rotary positions on %d of the %d dimensions of a head are not supported for this architecture",
			rotary, head)
	}
	if scaling := ggufScaling(s); scaling != nil {
		config["rope_scaling"] = scaling
	}
	return config
}

// ggufScaling is rope_scaling, nil where rotary positions are not stretched.
func ggufScaling(s *gguf.Settings) object {
	kind, _ := s.Text(".rope.scaling.type")
	if kind == "" || kind == "none" {
		return nil
	}
	scaling := object{"rope_type": kind}
	putFloat(scaling, "factor", s, ".rope.scaling.factor")
	putNumber(scaling, "original_max_position_embeddings", s, ".rope.scaling.original_context_length")
	if factor, ok := s.Float(".rope.scaling.attn_factor"); ok && factor != 1 {
		s.Refuse("rotary positions that scale attention by %g are not supported", factor)
	}
	return scaling
}

// slowRotary divides the frequencies of rotary positions by the table that llama.cpp makes of Llama 3.1's stretching,
// if the file has one.
func slowRotary(c *Config, file *gguf.File) error {
	info, ok := file.Info(ggufRotary)
	if !ok {
		return nil
	}
	if info.Len() != c.RotaryDims/2 || c.RotaryFrequencies != nil {
		return fmt.Errorf("the table %s of %v numbers does not fit rotary positions of %d dimensions",
			ggufRotary, info.Shape, c.RotaryDims)
	}
	c.RotaryFrequencies = make([]float32, info.Len())
	if err := file.Float32s(ggufRotary, c.RotaryFrequencies); err != nil {
		return err
	}
	for i, divisor := range c.RotaryFrequencies {
		if !(divisor > 0) || math.IsInf(float64(divisor), 0) {
			return fmt.Errorf("the table %s divides frequencies by %g", ggufRotary, divisor)
		}
		frequency := math.Pow(c.RotaryBase, -2*float64(i)/float64(c.RotaryDims))
		c.RotaryFrequencies[i] = float32(frequency / float64(divisor))
	}
	return nil
}

// ggufOLMoConfig writes Hugging Face's OlmoConfig.
func ggufOLMoConfig(s *gguf.Settings) object {
	config := ggufLlamaConfig(s)
	putFloat(config, "clip_qkv", s, ".attention.clamp_kqv")
	return config
}

// ggufGPT2Config writes Hugging Face's GPT2Config.
func ggufGPT2Config(s *gguf.Settings) object {
	config := object{"activation_function": "gelu_new"}
	putNumber(config, "n_layer", s, ".block_count")
	putNumber(config, "n_embd", s, ".embedding_length")
	putNumber(config, "n_inner", s, ".feed_forward_length")
	putNumber(config, "n_head", s, ".attention.head_count")
	putNumber(config, "n_positions", s, ".context_length")
	putFloat(config, "layer_norm_epsilon", s, ".attention.layer_norm_epsilon")
	return config
}

// ggufGPTNeoXConfig writes Hugging Face's GPTNeoXConfig.
func ggufGPTNeoXConfig(s *gguf.Settings) object {
	config := object{"hidden_act": "gelu"}
	putNumber(config, "num_hidden_layers", s, ".block_count")
	putNumber(config, "hidden_size", s, ".embedding_length")
	putNumber(config, "intermediate_size", s, ".feed_forward_length")
	putNumber(config, "num_attention_heads", s, ".attention.head_count")
	putNumber(config, "max_position_embeddings", s, ".context_length")
	putFloat(config, "layer_norm_eps", s, ".attention.layer_norm_epsilon")
	putFloat(config, "rotary_emb_base", s, ".rope.freq_base")
	parallel, ok := s.Bool(".use_parallel_residual")
	put(config, "use_parallel_residual", parallel, ok)
	width, _ := s.Number(".embedding_length")
	heads, _ := s.Number(".attention.head_count")
	if rotary, ok := s.Number(".rope.dimension_count"); ok && heads > 0 && width >= heads {
		config["rotary_pct"] = float64(rotary) / float64(width/heads)
	}
	return config
}
