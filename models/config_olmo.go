package models

import (
	"encoding/json"
	"errors"
	"fmt"
)

// parseOLMo reads Hugging Face's OlmoConfig: Llama with LayerNorms that have no parameters
// (Groeneveld et al. 2024, https://arxiv.org/abs/2402.00838).
func parseOLMo(text []byte) (Config, error) {
	var file struct {
		Clip *float64 `json:"clip_qkv"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return Config{}, fmt.Errorf("not JSON of the expected form: %w", err)
	}
	if file.Clip != nil {
		return Config{}, errors.New("clipped queries, keys and values (clip_qkv) are not supported")
	}
	c, err := parseLlama(text)
	c.RMSNorm, c.FoldedNorms, c.Epsilon = false, true, 1e-5
	return c, err
}
