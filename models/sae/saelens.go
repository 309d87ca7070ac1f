package sae

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"
)

const (
	saeLensFile   = "sae_weights.safetensors"
	scalingFactor = "scaling_factor"
)

// where is where an auto-encoder of sae-lens reads, as its configuration and the metadata in that name it.
type where struct {
	HookName   string `json:"hook_name"`
	OutputName string `json:"hook_name_out"`
	Head       *int   `json:"hook_head_index"`
	OutputHead *int   `json:"hook_head_index_out"`
	Model      string `json:"model_name"`
}

// readSAELens reads what sae-lens 3 to 6 write; since 6 the hook stands in metadata. A training checkpoint of 6 has the
// same files, with what training needs beside.
func readSAELens(fsys fs.FS, _ string) (config, map[string]tensor, error) {
	var file struct {
		where
		Metadata      where   `json:"metadata"`
		Meta          where   `json:"meta"` // of candidates for version 6
		Architecture  string  `json:"architecture"`
		Width         int     `json:"d_in"`
		Features      int     `json:"d_sae"`
		Subtract      *bool   `json:"apply_b_dec_to_input"`
		Normalise     any     `json:"normalize_activations"` // its name, or in old files whether
		Reshape       string  `json:"reshape_activations"`
		K             float64 `json:"k"` // of batchtopk a mean
		RescaleNorm   bool    `json:"rescale_acts_by_decoder_norm"`
		HookPoint     string  `json:"hook_point"`
		PointHead     *int    `json:"hook_point_head_index"`
		Activation    string  `json:"activation_fn"`
		ActivationStr string  `json:"activation_fn_str"`
		Arguments     struct {
			K      float64 `json:"k"`
			Signed bool    `json:"signed"`
		} `json:"activation_fn_kwargs"`
		Finetuned bool `json:"finetuning_scaling_factor"`
	}
	if err := readJSON(fsys, &file); err != nil {
		return config{}, nil, err
	}
	c := config{
		Architecture: file.Architecture, Width: file.Width, Features: file.Features, RescaleNorm: file.RescaleNorm,
		HookName:   firstOf(file.Metadata.HookName, file.Meta.HookName, file.HookName, file.HookPoint),
		OutputName: firstOf(file.Metadata.OutputName, file.Meta.OutputName, file.OutputName),
		Model:      firstOf(file.Metadata.Model, file.Meta.Model, file.Model),
	}
	switch how := file.Normalise.(type) {
	case nil:
	case string:
		c.Normalise = how
	case bool:
		if how {
			c.Normalise = "expected_average_only_in"
		}
	default:
		return c, nil, fmt.Errorf("its inputs are normalised by %v (normalize_activations), which is no name", how)
	}
	for _, at := range []*int{file.Head, file.PointHead, file.Metadata.Head, file.Meta.Head, file.OutputHead,
		file.Metadata.OutputHead, file.Meta.OutputHead} {
		if at != nil {
			return c, nil, errors.New("it reads one head (hook_head_index), which is not implemented")
		}
	}
	// Before version 6 top-k is an activation function of the standard architecture.
	activation := firstOf(file.ActivationStr, file.Activation, "relu")
	switch {
	case file.Reshape != "" && file.Reshape != "none" && file.Reshape != "hook_z":
		return c, nil, fmt.Errorf("its inputs are reshaped by %q (reshape_activations), which is not implemented",
			file.Reshape)
	case activation == "topk" && (c.Architecture == "" || c.Architecture == "standard" || c.Architecture == "topk"):
		c.Architecture = "topk"
	case activation != "relu":
		return c, nil, fmt.Errorf("its activation function is %q, but with the architecture %q only relu is read", activation,
			firstOf(c.Architecture, "standard"))
	case c.Architecture == "":
		c.Architecture = "standard"
	}
	if c.Architecture == "topk" {
		k := file.K
		if k == 0 {
			k = file.Arguments.K
		}
		if file.Arguments.Signed || k != math.Trunc(k) || math.Abs(k) > 1<<24 {
			return c, nil, fmt.Errorf("of its features %g stay (k), signed %t: only a whole number of features above 0 is read",
				k, file.Arguments.Signed)
		}
		c.K = int(k)
	}
	if !strings.HasSuffix(c.Architecture, "topk") {
		c.RescaleNorm = false
	}
	c.Transcoder = strings.HasSuffix(c.Architecture, "transcoder")
	c.Skip = strings.HasSuffix(c.Architecture, "skip_transcoder")
	c.Subtract = !c.Transcoder
	if file.Subtract != nil {
		c.Subtract = *file.Subtract
	}
	tensors, err := readTensors(fsys, saeLensFile)
	if err != nil {
		return c, nil, err
	}
	c.Finetuned, err = finetuned(tensors, file.Finetuned)
	return c, tensors, err
}

// finetuned says whether features are decoded with factors of their own, which fine-tuning gave them. Files of some
// versions hold factors of 1 whether they were fine-tuned or not.
func finetuned(tensors map[string]tensor, said bool) (bool, error) {
	const later = "finetuning_scaling_factor"
	if t, ok := tensors[later]; ok {
		tensors[scalingFactor] = t
		delete(tensors, later)
	}
	t, ok := tensors[scalingFactor]
	if !ok {
		return false, nil // sae-lens then takes the configuration's word for nothing
	}
	ones := true
	for _, v := range t.values {
		ones = ones && math.Abs(float64(v)-1) <= 1e-5
	}
	switch {
	case ones:
		delete(tensors, scalingFactor)
		return false, nil
	case !said:
		return false, errors.New("it holds factors of fine-tuning (scaling_factor), but its configuration says that it was " +
			"not fine-tuned (finetuning_scaling_factor)")
	}
	return true, nil
}
