package family

import (
	"fmt"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models/internal/weights"
)

// Masked is what config.json says of a masked model.
type Masked struct {
	transformer.BERT
	Family string // bert or distilbert, which decides the names in the weight file
	Tied   bool   // the decoder is the word embedding
}

// bertFile holds the fields of Hugging Face's BertConfig and DistilBertConfig that matter here.
type bertFile struct {
	ModelType     string   `json:"model_type"`
	Architectures []string `json:"architectures"`
	Tied          *bool    `json:"tie_word_embeddings"`
	DVocab        int      `json:"vocab_size"`
	Positions     int      `json:"max_position_embeddings"`

	Layers            int      `json:"num_hidden_layers"`
	Heads             int      `json:"num_attention_heads"`
	DModel            int      `json:"hidden_size"`
	DMLP              int      `json:"intermediate_size"`
	Activation        string   `json:"hidden_act"`
	Epsilon           *float64 `json:"layer_norm_eps"`
	TokenTypes        *int     `json:"type_vocab_size"`
	PositionEmbedding string   `json:"position_embedding_type"`
	IsDecoder         bool     `json:"is_decoder"`

	DistilLayers     int    `json:"n_layers"`
	DistilHeads      int    `json:"n_heads"`
	DistilDModel     int    `json:"dim"`
	DistilDMLP       int    `json:"hidden_dim"`
	DistilActivation string `json:"activation"`
}

// ParseMasked reads config.json. What a file leaves out has the value that Hugging Face's classes give it.
func ParseMasked(text []byte) (Masked, error) {
	const published = 1e-12 // both papers' LayerNorm epsilon
	var file bertFile
	if err := read(text, &file); err != nil {
		return Masked{}, err
	}
	if err := checkKeys(text, nil); err != nil {
		return Masked{}, err
	}
	config := Masked{Family: maskedFamily(file), Tied: file.Tied == nil || *file.Tied}
	switch config.Family {
	case "bert":
		config.BERT = transformer.BERT{Layers: file.Layers, Heads: file.Heads, DModel: file.DModel, DMLP: file.DMLP,
			TokenTypes: 2, Epsilon: published, Activation: file.Activation}
		if file.Epsilon != nil {
			config.Epsilon = *file.Epsilon
		}
		if file.TokenTypes != nil {
			config.TokenTypes = *file.TokenTypes
		}
	case "distilbert":
		config.BERT = transformer.BERT{Layers: file.DistilLayers, Heads: file.DistilHeads, DModel: file.DistilDModel,
			DMLP: file.DistilDMLP, Epsilon: published, Activation: file.DistilActivation}
	default:
		family := config.Family
		if family == "" {
			family = "nameless"
		}
		return Masked{}, fmt.Errorf("the %s family is not known as a masked model: use one of model_type bert or distilbert",
			family)
	}
	config.DVocab, config.Positions = file.DVocab, file.Positions
	if config.Activation == "" {
		config.Activation = "gelu"
	}
	var err error
	if config.Activation, err = activation(config.Activation); err != nil {
		return Masked{}, err
	}
	return config, checkMasked(config, file)
}

// maskedFamily is the model type, taken from the class name where an old file has none.
func maskedFamily(file bertFile) string {
	if file.ModelType != "" {
		return file.ModelType
	}
	for _, class := range file.Architectures {
		if family, ok := strings.CutSuffix(strings.ToLower(class), "formaskedlm"); ok {
			return family
		}
	}
	return ""
}

// checkMasked refuses what the graph functions cannot run.
func checkMasked(config Masked, file bertFile) error {
	const limit = 1 << 24 // far beyond any model, and small enough for products of two to be counted
	for _, size := range []struct {
		what  string
		value int
	}{
		{"layers", config.Layers}, {"heads", config.Heads}, {"width", config.DModel}, {"MLP width", config.DMLP},
		{"vocabulary", config.DVocab}, {"positions", config.Positions},
	} {
		if size.value < 1 || size.value > limit {
			return fmt.Errorf("%s of %d, but it must lie between 1 and %d", size.what, size.value, limit)
		}
	}
	switch {
	case config.DModel%config.Heads != 0:
		return fmt.Errorf("width %d is not a multiple of the %d heads", config.DModel, config.Heads)
	case config.Positions < 3:
		return fmt.Errorf("%d positions leave no room for a word between [CLS] and [SEP]", config.Positions)
	case config.TokenTypes < 0 || config.TokenTypes > limit:
		return fmt.Errorf("type_vocab_size of %d, but it must lie between 0 and %d", config.TokenTypes, limit)
	case !(config.Epsilon >= 0 && config.Epsilon < 1):
		return fmt.Errorf("layer_norm_eps of %g, but it must lie between 0 and 1", config.Epsilon)
	case file.PositionEmbedding != "" && file.PositionEmbedding != "absolute":
		return fmt.Errorf("position_embedding_type %q is not known, only absolute", file.PositionEmbedding)
	case file.IsDecoder:
		return fmt.Errorf("is_decoder is true: this BERT predicts the next word, use one trained to fill masks")
	}
	return nil
}

// bertModules translates the module names of DistilBERT, which the graph functions use, into those of BERT.
var bertModules = strings.NewReplacer(
	"distilbert.transformer.layer.", "bert.encoder.layer.",
	"distilbert.embeddings.", "bert.embeddings.",
	"attention.q_lin", "attention.self.query",
	"attention.k_lin", "attention.self.key",
	"attention.v_lin", "attention.self.value",
	"attention.out_lin", "attention.output.dense",
	"sa_layer_norm", "attention.output.LayerNorm",
	"ffn.lin1", "intermediate.dense",
	"ffn.lin2", "output.dense",
	"output_layer_norm", "output.LayerNorm",
	"vocab_transform", "cls.predictions.transform.dense",
	"vocab_layer_norm", "cls.predictions.transform.LayerNorm",
	"vocab_projector.weight", "cls.predictions.decoder.weight",
	"vocab_projector.bias", "cls.predictions.bias",
)

// Layout finds the parameters of a masked model in its files. Files of a bare encoder lack its prefix, and those
// converted from TensorFlow call the weight and bias of a LayerNorm gamma and beta.
func (config Masked) Layout(files safetensors.Weights) (weights.Layout, error) {
	body := "distilbert."
	if config.Family == "bert" {
		body = "bert."
	}
	found, err := findTensors(files, []string{"embeddings.word_embeddings.weight"})
	if err != nil {
		return nil, err
	}
	views := map[string]weights.View{}
	for _, parameter := range append(config.BodyParameters(), config.HeadParameters()...) {
		if config.Tied && parameter.Name == transformer.BERTDecoder {
			continue // the graph takes the word embedding
		}
		var tried []string
		there := false
		for _, name := range config.fileNames(parameter.Name) {
			full, isBody := strings.CutPrefix(name, body)
			if isBody {
				full = found.prefix + full
				_, there = files.Info(full)
			} else {
				full, there = found.beside(name)
			}
			if tried = append(tried, full); there {
				break
			}
		}
		if !there {
			return nil, fmt.Errorf("the weights have no tensor %s: use a complete model of class ForMaskedLM",
				strings.Join(tried, " or "))
		}
		v := weights.Plain(tried[len(tried)-1], parameter.Shape...)
		if err := v.Check(files); err != nil {
			return nil, err
		}
		views[parameter.Name] = v
	}
	return func(name string) (weights.View, bool) { v, ok := views[name]; return v, ok }, nil
}

// fileNames lists what files may call a parameter, the usual name first.
func (config Masked) fileNames(parameter string) []string {
	name := parameter
	if config.Family == "bert" {
		name = bertModules.Replace(name)
	}
	names := []string{name}
	if name == "cls.predictions.bias" {
		// Two names of one parameter, unless the decoder is not tied: then the one that is added is the decoder's.
		names = append(names, "cls.predictions.decoder.bias")
		if !config.Tied {
			slices.Reverse(names)
		}
	}
	module, kind := name[:strings.LastIndexByte(name, '.')], name[strings.LastIndexByte(name, '.')+1:]
	if strings.HasSuffix(module, "LayerNorm") || strings.HasSuffix(module, "layer_norm") {
		names = append(names, module+"."+map[string]string{"weight": "gamma", "bias": "beta"}[kind])
	}
	return names
}
