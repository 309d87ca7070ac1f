package models

import (
	"fmt"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/models/safetensors"
	"github.com/neuron2graph/neuron2graph/models/transformer"
)

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

// wordEmbedding is the parameter that a tied decoder shares.
const wordEmbedding = "distilbert.embeddings.word_embeddings.weight"

// maskedNames lists what files call a parameter, the usual name first. Files of a bare encoder lack the prefix, and
// those converted from TensorFlow call the weight and bias of a LayerNorm gamma and beta.
func maskedNames(family, parameter string) []string {
	name := parameter
	if family == "bert" {
		name = bertModules.Replace(name)
	}
	names := []string{name}
	if name == "cls.predictions.bias" {
		names = append(names, "cls.predictions.decoder.bias")
	}
	if bare, ok := strings.CutPrefix(name, family+"."); ok {
		names = append(names, bare)
	}
	for _, name := range names {
		module, weight, _ := cutLast(name, ".")
		if !strings.HasSuffix(module, "LayerNorm") && !strings.HasSuffix(module, "layer_norm") {
			continue
		}
		names = append(names, module+"."+map[string]string{"weight": "gamma", "bias": "beta"}[weight])
	}
	return names
}

// cutLast is strings.Cut at the last separator.
func cutLast(s, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):], true
	}
	return s, "", false
}

// maskedSources finds every parameter in the files and checks its shape: source[i] is the name of parameters[i]
// there.
func maskedSources(config maskedConfig, parameters []transformer.Param, files safetensors.Weights) (sources []string, err error) {
	for _, parameter := range parameters {
		names := maskedNames(config.family, parameter.Name)
		if config.tied && parameter.Name == "vocab_projector.weight" {
			names = maskedNames(config.family, wordEmbedding)
		}
		at := slices.IndexFunc(names, func(name string) bool { _, ok := files.Info(name); return ok })
		if at < 0 {
			return nil, fmt.Errorf("the weights have no tensor %s: use a complete model of class ForMaskedLM", strings.Join(names, " or "))
		}
		info, _ := files.Info(names[at])
		if !slices.Equal(info.Shape, parameter.Shape) {
			return nil, fmt.Errorf("tensor %s has shape %v, but config.json makes it %v: the two belong to different models", names[at], info.Shape, parameter.Shape)
		}
		sources = append(sources, names[at])
	}
	return sources, nil
}
