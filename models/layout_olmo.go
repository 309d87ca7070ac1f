package models

import (
	"strings"

	"github.com/neuron2graph/neuron2graph/models/safetensors"
)

// olmoLayout is Hugging Face's OlmoForCausalLM: Llama's names, without norms.
func olmoLayout(c Config, files safetensors.Weights, prefix string) layout {
	llama := llamaLayout(c, files, prefix)
	return func(name string) (view, bool) {
		if part, _ := splitName(name); strings.HasPrefix(part, "ln") {
			return view{}, false
		}
		return llama(name)
	}
}
