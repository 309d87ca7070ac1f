package models

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/models/transformer"
)

// Config is the shape of a causal model, and where its weights come from.
type Config struct {
	transformer.Decoder
	// Family is one of [Families].
	Family string
	// Tied says that the unembedding is the token embedding, transposed.
	Tied bool
	// FoldedNorms says that the norms have no weights and biases of their own (TransformerLens's LNPre and RMSPre).
	FoldedNorms bool
}

// ContextLength is the longest prompt in tokens, BOS included.
func (c Config) ContextLength() int { return c.Positions }

// DefaultHook is where the method reads a neuron: hook_mid of SoLU models, hook_post of all others.
func (c Config) DefaultHook() string {
	if strings.HasPrefix(c.Activation, "solu") {
		return transformer.HookMid
	}
	return transformer.HookPost
}

// families maps what config.json calls a family to how its configuration is read.
var families = map[string]func([]byte) (Config, error){
	"transformer_lens": parseTransformerLens,
	"gpt2":             parseGPT2,
	"gpt_neo":          parseGPTNeo,
	"gpt_neox":         parseGPTNeoX,
	"opt":              parseOPT,
	"llama":            parseLlama,
	"olmo":             parseOLMo,
	"mistral":          parseLlama,
	"qwen2":            parseLlama,
}

// Families lists the causal families that can be opened: transformer_lens, and those that Hugging Face's config.json
// names in model_type.
func Families() []string {
	names := make([]string, 0, len(families))
	for name := range families {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// parseConfig reads config.json of a causal model.
func parseConfig(text []byte) (Config, error) {
	var probe struct {
		ModelType string `json:"model_type"`
		Format    string `json:"format"`
		NLayers   int    `json:"n_layers"`
		NContext  int    `json:"n_ctx"`
	}
	if err := json.Unmarshal(text, &probe); err != nil {
		return Config{}, fmt.Errorf("not JSON of the expected form: %w", err)
	}
	family := probe.ModelType
	// TransformerLens's own files do not name their family, and name sizes as nobody else does.
	if probe.Format == "transformer_lens" || family == "" && probe.NLayers > 0 && probe.NContext > 0 {
		family = "transformer_lens"
	}
	parse, ok := families[family]
	if !ok {
		if slices.Contains([]string{"bert", "distilbert"}, family) {
			return Config{}, fmt.Errorf("%s is a masked model: open it as one (-masked), and give a causal model here", family)
		}
		if family == "" {
			family = "nameless"
		}
		return Config{}, fmt.Errorf("the %s family is not among those that can be opened, %s", family, strings.Join(Families(), ", "))
	}
	config, err := parse(text)
	if err != nil {
		return Config{}, err
	}
	config.Family = family
	if config.Epsilon == 0 {
		config.Epsilon = 1e-5
	}
	return config, config.check()
}

// maxLayers is far more than any model has, and little enough for a list.
const maxLayers = 1 << 12

// check refuses sizes that no model has.
func (c Config) check() error {
	const most = 1 << 24 // no size of a real model comes near it, and no product of two overflows
	for _, size := range []struct {
		name  string
		value int
	}{
		{"number of layers", c.Layers}, {"width d_model", c.DModel}, {"number of heads", c.Heads},
		{"head width d_head", c.DHead}, {"MLP width d_mlp", c.DMLP}, {"vocabulary size", c.DVocab},
		{"context length", c.Positions},
	} {
		if size.name == "number of layers" && size.value > maxLayers {
			return fmt.Errorf("the number of layers is %d, but must not exceed %d", size.value, maxLayers)
		}
		if size.value < 1 || size.value > most {
			return fmt.Errorf("the %s is %d, but must lie between 1 and %d", size.name, size.value, most)
		}
	}
	switch {
	case c.Epsilon <= 0 || c.Epsilon >= 1:
		return fmt.Errorf("the norms' epsilon is %g, but must lie between 0 and 1", c.Epsilon)
	case c.KVHeads < 0 || c.KVHeads > 0 && c.Heads%c.KVHeads != 0:
		return fmt.Errorf("%d query heads cannot share %d heads of keys and values evenly", c.Heads, c.KVHeads)
	case c.RotaryDims < 0 || c.RotaryDims > c.DHead || c.RotaryDims%2 != 0:
		return fmt.Errorf("%d rotary dimensions of a head of %d are not an even part of it", c.RotaryDims, c.DHead)
	case c.RotaryDims > 0 && c.RotaryBase <= 1:
		return fmt.Errorf("the rotary base is %g, but must exceed 1", c.RotaryBase)
	}
	for _, window := range c.Windows {
		if window < 0 || window > most {
			return fmt.Errorf("an attention window of %d tokens makes no sense", window)
		}
	}
	return nil
}

// activation translates the name of an activation function.
func activation(name string) (string, error) {
	known := map[string]string{
		"solu": "solu", "solu_ln": "solu_ln", "gelu": "gelu", "gelu_new": "gelu_new", "gelu_fast": "gelu_new",
		"gelu_pytorch_tanh": "gelu_new", "relu": "relu", "silu": "silu", "swish": "silu",
	}
	if known[name] == "" {
		return "", fmt.Errorf("the activation function %q is not among those known: solu, solu_ln, gelu, gelu_new, relu, silu", name)
	}
	return known[name], nil
}

// orDefault is value, or fallback where the file leaves it out.
func orDefault[T any](value *T, fallback T) T {
	if value == nil {
		return fallback
	}
	return *value
}

// perHead is total/heads, 0 where it does not divide, which check refuses.
func perHead(total, heads int) int {
	if heads < 1 || total%heads != 0 {
		return 0
	}
	return total / heads
}
