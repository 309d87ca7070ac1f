package sae

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
)

// Weights are a trained top-k auto-encoder that subtracts b_dec from its input.
type Weights struct {
	Layer           int
	Hook            string // where it reads, without the layer
	Model           string
	Width, Features int
	K               int
	Half            bool      // write float16
	Encoder         []float32 // W_enc, transposed: [Features, Width]
	EncoderBias     []float32 // [Features]
	Decoder         []float32 // W_dec [Features, Width]
	DecoderBias     []float32 // [Width]
}

// Write writes a folder as sae-lens 6 does: cfg.json and sae_weights.safetensors.
func (w *Weights) Write(folder string) error {
	type metadata struct {
		Version  string `json:"sae_lens_version"` // of the layout: without it sae-lens looks for that of version 5
		HookName string `json:"hook_name"`
		Model    string `json:"model_name"`
	}
	config, err := json.MarshalIndent(struct {
		Architecture string   `json:"architecture"`
		Width        int      `json:"d_in"`
		Features     int      `json:"d_sae"`
		K            int      `json:"k"`
		Rescale      bool     `json:"rescale_acts_by_decoder_norm"`
		Subtract     bool     `json:"apply_b_dec_to_input"`
		Normalise    string   `json:"normalize_activations"`
		Reshape      string   `json:"reshape_activations"`
		DType        string   `json:"dtype"`
		Device       string   `json:"device"`
		Metadata     metadata `json:"metadata"`
	}{
		Architecture: "topk", Width: w.Width, Features: w.Features, K: w.K, Subtract: true, Normalise: "none",
		Reshape: "none", DType: "float32", Device: "cpu",
		Metadata: metadata{"6.0.0", fmt.Sprintf("blocks.%d.%s", w.Layer, w.Hook), w.Model},
	}, "", " ")
	if err != nil {
		return fmt.Errorf("write auto-encoder: %w", err)
	}
	encoder := transposed(tensor{[]int{w.Features, w.Width}, w.Encoder})
	kind := safetensors.F32
	if w.Half {
		kind = safetensors.F16
	}
	var b bytes.Buffer
	err = safetensors.Write(&b, []safetensors.Tensor{
		{Name: "W_enc", DType: kind, Shape: encoder.shape, Data: encoder.values},
		{Name: "b_enc", DType: kind, Shape: []int{w.Features}, Data: w.EncoderBias},
		{Name: "W_dec", DType: kind, Shape: []int{w.Features, w.Width}, Data: w.Decoder},
		{Name: "b_dec", DType: kind, Shape: []int{w.Width}, Data: w.DecoderBias},
	}, map[string]string{"format": "pt"})
	if err != nil {
		return fmt.Errorf("write auto-encoder: %w", err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("write auto-encoder: %w", err)
	}
	for _, file := range []struct {
		name string
		data []byte
	}{{"cfg.json", append(config, '\n')}, {"sae_weights.safetensors", b.Bytes()}} {
		path := filepath.Join(folder, file.name)
		if err := os.WriteFile(path+".part", file.data, 0o644); err != nil {
			return fmt.Errorf("write auto-encoder: %w", err)
		}
		if err := os.Rename(path+".part", path); err != nil {
			return fmt.Errorf("write auto-encoder: %w", err)
		}
	}
	return nil
}
