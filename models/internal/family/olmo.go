package family

import (
	"errors"
	"strings"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/models/internal/weights"
)

// olmo is Hugging Face's OlmoForCausalLM (Groeneveld et al. 2024, https://arxiv.org/abs/2402.00838).
var olmo = family{name: "olmo", parse: parseOLMo, layout: olmoLayout}

// parseOLMo reads Hugging Face's OlmoConfig: Llama with LayerNorms that have no parameters
// (Groeneveld et al. 2024, https://arxiv.org/abs/2402.00838).
func parseOLMo(text []byte) (Config, error) {
	var file struct {
		Clip *float64 `json:"clip_qkv"`
	}
	if err := read(text, &file); err != nil {
		return Config{}, err
	}
	if file.Clip != nil {
		return Config{}, errors.New("clipped queries, keys and values (clip_qkv) are not supported")
	}
	c, err := parseLlama(text)
	c.RMSNorm, c.FoldedNorms, c.Epsilon = false, true, 1e-5
	return c, err
}

// olmoLayout is Llama's, without norms.
func olmoLayout(c Config, files safetensors.Weights) weights.Layout {
	llama := llamaLayout(c, files)
	return func(name string) (weights.View, bool) {
		if part, _ := splitName(name); strings.HasPrefix(part, "ln") {
			return weights.View{}, false
		}
		return llama(name)
	}
}
