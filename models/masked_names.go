package models

import (
	"fmt"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/models/safetensors"
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

// decoderWeight is the parameter that most models lack, since they use the word embedding in its place.
const decoderWeight = "vocab_projector.weight"

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

// maskedLayout finds the parameters of a masked model in its files.
func maskedLayout(config maskedConfig, files safetensors.Weights) (layout, error) {
	views := map[string]view{}
	for _, parameter := range append(config.BodyParameters(), config.HeadParameters()...) {
		if config.tied && parameter.Name == decoderWeight {
			continue // the graph takes the word embedding
		}
		names := maskedNames(config.family, parameter.Name)
		at := slices.IndexFunc(names, func(name string) bool { _, ok := files.Info(name); return ok })
		if at < 0 {
			return nil, fmt.Errorf("the weights have no tensor %s: use a complete model of class ForMaskedLM", strings.Join(names, " or "))
		}
		v := plain(names[at], parameter.Shape...)
		if err := v.check(files); err != nil {
			return nil, err
		}
		views[parameter.Name] = v
	}
	return func(name string) (view, bool) { v, ok := views[name]; return v, ok }, nil
}
