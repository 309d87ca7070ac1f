package models

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/models/transformer"
)

// maskedConfig is what config.json says of a masked model.
type maskedConfig struct {
	transformer.BERT
	family string // bert or distilbert, which decides the names in the weight file
	tied   bool   // the decoder is the word embedding
}

// maskedConfigFile holds the fields of Hugging Face's BertConfig and DistilBertConfig that matter here.
type maskedConfigFile struct {
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

// parseMaskedConfig reads config.json. What a file leaves out has the value that Hugging Face's classes give it.
func parseMaskedConfig(text []byte) (maskedConfig, error) {
	const published = 1e-12 // both papers' LayerNorm epsilon
	var file maskedConfigFile
	if err := json.Unmarshal(text, &file); err != nil {
		return maskedConfig{}, fmt.Errorf("not JSON of the expected form: %w", err)
	}
	config := maskedConfig{family: maskedFamily(file), tied: file.Tied == nil || *file.Tied}
	switch config.family {
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
		family := config.family
		if family == "" {
			family = "nameless"
		}
		return maskedConfig{}, fmt.Errorf("the %s family is not known as a masked model: use one of model_type bert or distilbert", family)
	}
	config.DVocab, config.Positions = file.DVocab, file.Positions
	if config.Activation == "" {
		config.Activation = "gelu"
	}
	return config, checkMaskedConfig(config, file)
}

// maskedFamily is the model type, taken from the class name where an old file has none.
func maskedFamily(file maskedConfigFile) string {
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

// checkMaskedConfig refuses what the graph functions cannot run.
func checkMaskedConfig(config maskedConfig, file maskedConfigFile) error {
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
	case !slices.Contains(transformer.BERTActivations(), config.Activation):
		return fmt.Errorf("activation %q is not known, only %s", config.Activation, strings.Join(transformer.BERTActivations(), ", "))
	case file.PositionEmbedding != "" && file.PositionEmbedding != "absolute":
		return fmt.Errorf("position_embedding_type %q is not known, only absolute", file.PositionEmbedding)
	case file.IsDecoder:
		return fmt.Errorf("is_decoder is true: this BERT predicts the next word, use one trained to fill masks")
	}
	return nil
}
