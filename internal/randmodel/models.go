package randmodel

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
)

// PaperSize is the model of the short paper: six layers, d_model 768, d_mlp 3072, a vocabulary of 48,262.
func PaperSize() transformer.Decoder {
	return transformer.Decoder{Layers: 6, DModel: 768, Heads: 12, DHead: 64, DMLP: 3072, DVocab: 48262,
		Positions: 1024, Activation: "solu_ln", Epsilon: 1e-5}
}

// DistilBERTSize is the size of distilbert-base-uncased, which the published program varies texts with.
func DistilBERTSize() transformer.BERT {
	return transformer.BERT{Layers: 6, Heads: 12, DModel: 768, DMLP: 3072, DVocab: 30522, Positions: 512, Epsilon: 1e-12,
		Activation: "gelu"}
}

// SoLU writes a model in TransformerLens's layout into dir, with the tokenizer of the folder tokenizer, whose
// vocabulary may be smaller than the model's.
func SoLU(dir string, c transformer.Decoder, tokenizer string) error {
	config := map[string]any{
		"format": "transformer_lens", "n_layers": c.Layers, "d_model": c.DModel, "n_ctx": c.Positions, "d_head": c.DHead,
		"n_heads": c.Heads, "d_mlp": c.DMLP, "d_vocab": c.DVocab, "act_fn": c.Activation, "eps": c.Epsilon,
	}
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json"} {
		text, err := os.ReadFile(filepath.Join(tokenizer, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return err
		}
	}
	return write(dir, config, c.Parameters())
}

// DistilBERT writes a masked model in Hugging Face's layout into dir, with the tokenizer of the folder tokenizer, whose
// vocabulary is filled up with made-up words to the model's size.
func DistilBERT(dir string, c transformer.BERT, tokenizer string) error {
	config := map[string]any{
		"model_type": "distilbert", "n_layers": c.Layers, "n_heads": c.Heads, "dim": c.DModel, "hidden_dim": c.DMLP,
		"vocab_size": c.DVocab, "max_position_embeddings": c.Positions, "activation": c.Activation,
	}
	text, err := os.ReadFile(filepath.Join(tokenizer, "tokenizer_config.json"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "tokenizer_config.json"), text, 0o600); err != nil {
		return err
	}
	if text, err = os.ReadFile(filepath.Join(tokenizer, "tokenizer.json")); err != nil {
		return err
	}
	if text, err = fillVocabulary(text, c.DVocab); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), text, 0o600); err != nil {
		return err
	}
	return write(dir, config, distilBERT(c))
}

// write writes configuration and weights.
func write(dir string, config map[string]any, parameters []transformer.Param) error {
	text, err := json.Marshal(config)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), text, 0o600); err != nil {
		return err
	}
	return Write(filepath.Join(dir, "model.safetensors"), Tensors(parameters, 1))
}

// fillVocabulary adds words to a WordPiece tokenizer.json until it has so many.
func fillVocabulary(text []byte, size int) ([]byte, error) {
	var file map[string]any
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, err
	}
	model, _ := file["model"].(map[string]any)
	vocabulary, ok := model["vocab"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the tokenizer has no WordPiece vocabulary")
	}
	for number := 0; len(vocabulary) < size; number++ {
		if word := madeUp(number); vocabulary[word] == nil {
			vocabulary[word] = len(vocabulary)
		}
	}
	return json.Marshal(file)
}

// madeUp is a word of two or more syllables, another one for each number.
func madeUp(number int) string {
	const consonants, vowels = "bdfgklmnprst", "aeiou"
	word := ""
	for number += 60; number > 0; number /= 60 {
		word += string(consonants[number%12]) + string(vowels[number/12%5])
	}
	return word
}

// distilBERT lists the parameters under Hugging Face's names.
func distilBERT(c transformer.BERT) []transformer.Param {
	const body = "distilbert."
	list := []transformer.Param{
		{Name: body + "embeddings.word_embeddings.weight", Shape: []int{c.DVocab, c.DModel}},
		{Name: body + "embeddings.position_embeddings.weight", Shape: []int{c.Positions, c.DModel}},
		{Name: "vocab_projector.bias", Shape: []int{c.DVocab}},
	}
	dense := func(name string, out, in int) {
		list = append(list, transformer.Param{Name: name + ".weight", Shape: []int{out, in}},
			transformer.Param{Name: name + ".bias", Shape: []int{out}})
	}
	norm := func(name string) {
		list = append(list, transformer.Param{Name: name + ".weight", Shape: []int{c.DModel}},
			transformer.Param{Name: name + ".bias", Shape: []int{c.DModel}})
	}
	norm(body + "embeddings.LayerNorm")
	dense("vocab_transform", c.DModel, c.DModel)
	norm("vocab_layer_norm")
	for layer := range c.Layers {
		at := fmt.Sprintf("%stransformer.layer.%d.", body, layer)
		for _, name := range []string{"q_lin", "k_lin", "v_lin", "out_lin"} {
			dense(at+"attention."+name, c.DModel, c.DModel)
		}
		norm(at + "sa_layer_norm")
		dense(at+"ffn.lin1", c.DMLP, c.DModel)
		dense(at+"ffn.lin2", c.DModel, c.DMLP)
		norm(at + "output_layer_norm")
	}
	return list
}
