package family

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/weights"
)

// Config is the shape of a causal model, and where its weights come from.
type Config struct {
	transformer.Decoder
	// Family is one of [Names].
	Family string
	// AttentionBias and MLPBias say whether dense layers have biases, in families where that differs.
	AttentionBias, QKVBias, MLPBias bool
	// FoldedNorms says that the norms have no weights and biases of their own (TransformerLens's LNPre and RMSPre).
	FoldedNorms bool
}

// family is how the models of one architecture are written.
type family struct {
	// name is the model_type of config.json.
	name string
	// parse reads config.json.
	parse func(text []byte) (Config, error)
	// anchors are tensors that every model of the family has, by what stands before which in the files its prefix is
	// found.
	anchors []string
	// layout says where the parameters lie.
	layout func(c Config, files tensors) weights.Layout
	// fixed are keys of config.json that change what a model of the family computes, and are not implemented: a file may
	// give them these values, null, or nothing. What Hugging Face's own class does not read, we ignore as well.
	fixed map[string]string
}

// families are all there are.
var families = []family{transformerLens, gpt2, gptNeo, gptNeoX, opt, llama, mistral, qwen2, olmo}

// Names lists the causal families that can be opened: transformer_lens, and those that Hugging Face's config.json names
// in model_type.
func Names() []string {
	names := make([]string, 0, len(families))
	for _, f := range families {
		names = append(names, f.name)
	}
	slices.Sort(names)
	return names
}

// IsMasked says whether a model_type is that of a masked model.
func IsMasked(name string) bool { return name == "bert" || name == "distilbert" }

// named finds a family.
func named(name string) (family, bool) {
	at := slices.IndexFunc(families, func(f family) bool { return f.name == name })
	if at < 0 {
		return family{}, false
	}
	return families[at], true
}

// Parse reads config.json of a causal model.
func Parse(text []byte) (Config, error) {
	var probe struct {
		ModelType string `json:"model_type"`
		Format    string `json:"format"`
		NLayers   int    `json:"n_layers"`
		NContext  int    `json:"n_ctx"`
	}
	if err := read(text, &probe); err != nil {
		return Config{}, err
	}
	name := probe.ModelType
	// TransformerLens's own files do not name their family, and name sizes as nobody else does.
	if probe.Format == transformerLens.name || name == "" && probe.NLayers > 0 && probe.NContext > 0 {
		name = transformerLens.name
	}
	f, ok := named(name)
	switch {
	case IsMasked(name):
		return Config{}, fmt.Errorf("%s is a masked model: open it as one (-masked), and give a causal model here", name)
	case !ok && name == "":
		return Config{}, fmt.Errorf("it names no family (model_type); those that can be opened are %s",
			strings.Join(Names(), ", "))
	case !ok:
		return Config{}, fmt.Errorf("the %s family is not among those that can be opened, %s", name,
			strings.Join(Names(), ", "))
	}
	if err := checkKeys(text, f.fixed); err != nil {
		return Config{}, err
	}
	config, err := f.parse(text)
	if err != nil {
		return Config{}, err
	}
	config.Family = name
	if config.Epsilon == 0 {
		config.Epsilon = 1e-5
	}
	return config, config.check()
}

// Layout says where the parameters of a model lie in its files.
func (c Config) Layout(files safetensors.Weights) (weights.Layout, error) {
	f, ok := named(c.Family)
	if !ok {
		return nil, fmt.Errorf("nothing is known of where the weights of the %q family lie", c.Family)
	}
	found, err := findTensors(files, f.anchors)
	if err != nil {
		return nil, err
	}
	return f.layout(c, found), nil
}

// read fills the fields of file from JSON.
func read(text []byte, file any) error {
	if err := json.Unmarshal(text, file); err != nil {
		return fmt.Errorf("not JSON of the expected form: %w", err)
	}
	return nil
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
	for _, frequency := range c.RotaryFrequencies {
		if !(frequency > 0 && frequency <= 1) {
			return fmt.Errorf("a plane of rotary positions turns by %g a token, but it must lie between 0 and 1", frequency)
		}
	}
	switch {
	case c.RotaryScale < 0 || c.RotaryScale > 100:
		return fmt.Errorf("the rotary attention_factor is %g, but must lie between 0 and 100", c.RotaryScale)
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
	// Hugging Face has several names for one function.
	synonyms := map[string]string{
		"gelu_fast": "gelu_new", "gelu_pytorch_tanh": "gelu_new", "gelu_python_tanh": "gelu_new", "gelu_python": "gelu",
		"swish": "silu",
	}
	if synonym, ok := synonyms[name]; ok {
		name = synonym
	}
	if !transformer.KnownActivation(name) {
		return "", fmt.Errorf("the activation function %q is not among those known: %s", name,
			strings.Join(transformer.Activations(), ", "))
	}
	return name, nil
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

// splitName takes "blocks.3.attn.W_Q" apart: the part of the name behind the layer, and the layer. Parameters outside
// the blocks have layer -1.
func splitName(name string) (part string, layer int) {
	rest, inBlock := strings.CutPrefix(name, "blocks.")
	if !inBlock {
		return name, -1
	}
	number, part, _ := strings.Cut(rest, ".")
	if _, err := fmt.Sscanf(number, "%d", &layer); err != nil {
		return name, -1
	}
	return part, layer
}

// modules are a family's names of dense layers and norms, each given once: the tensors are name.weight and name.bias.
type modules struct {
	names func(layer int, module string) string
	// norms maps ln1, ln2 and ln_final to the family's module.
	norms map[string]string
	// dense maps attn.W_Q and its like to the family's module and sizes; biases are called b where weights are called W.
	dense map[string]linear
	// stored says how a dense layer's weight lies: [weights.Transposed], as PyTorch's Linear does, or [weights.Plain].
	stored func(file string, in, out int) weights.View
	width  int // of norms
}

// linear is a dense layer.
type linear struct {
	module  string
	in, out int
	bias    bool
}

// blockNames are names under a prefix, and of layers under blocks too: transformer.h.3.mlp.c_fc.
func blockNames(prefix, blocks string) func(layer int, module string) string {
	return func(layer int, module string) string {
		if layer < 0 {
			return prefix + module
		}
		return fmt.Sprintf("%s%s.%d.%s", prefix, blocks, layer, module)
	}
}

// find is the view of a parameter of a layer, -1 outside the blocks.
func (m modules) find(part string, layer int) (weights.View, bool) {
	module, kind, _ := strings.Cut(part, ".")
	if theirs, ok := m.norms[module]; ok {
		switch kind {
		case "w":
			return weights.Plain(m.names(layer, theirs)+".weight", m.width), true
		case "b":
			return weights.Plain(m.names(layer, theirs)+".bias", m.width), true
		}
	}
	if d, ok := m.dense[part]; ok {
		return m.stored(m.names(layer, d.module)+".weight", d.in, d.out), true
	}
	if d, ok := m.dense[strings.Replace(part, ".b_", ".W_", 1)]; ok {
		return weights.Plain(m.names(layer, d.module)+".bias", d.out), d.bias
	}
	return weights.View{}, false
}

// head is the unembedding that a model has beside its body; none where it is tied to the token embedding or the files,
// those of a base model, lack it.
func head(c Config, files tensors, names ...string) (weights.View, bool) {
	for _, name := range names {
		if full, ok := files.beside(name); ok {
			return weights.Transposed(full, c.DModel, c.DVocab), !c.Tied
		}
	}
	return weights.View{}, false
}

// plainMatrix is a dense layer stored [in, out].
func plainMatrix(file string, in, out int) weights.View { return weights.Plain(file, in, out) }
