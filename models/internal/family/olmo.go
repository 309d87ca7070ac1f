package family

import (
	"strings"

	"github.com/neuron2graph/neuron2graph/models/internal/weights"
)

// olmo is Hugging Face's OlmoForCausalLM (Groeneveld et al. 2024, https://arxiv.org/abs/2402.00838).
var olmo = family{
	name: "olmo", parse: parseOLMo, layout: olmoLayout,
	anchors: []string{"embed_tokens.weight", "layers.0.mlp.up_proj.weight"},
	fixed:   map[string]string{"clip_qkv": "null", "partial_rotary_factor": "1"},
}

// parseOLMo reads Hugging Face's OlmoConfig: Llama with LayerNorms that have no parameters
// (Groeneveld et al. 2024, https://arxiv.org/abs/2402.00838).
func parseOLMo(text []byte) (Config, error) {
	c, err := parseLlama(text)
	c.RMSNorm, c.FoldedNorms, c.Epsilon, c.MLPBias = false, true, 1e-5, false
	return c, err
}

// olmoLayout is Llama's, without norms.
func olmoLayout(c Config, files tensors) weights.Layout {
	llama := llamaLayout(c, files)
	return func(name string) (weights.View, bool) {
		if part, _ := splitName(name); strings.HasPrefix(part, "ln") {
			return weights.View{}, false
		}
		return llama(name)
	}
}
