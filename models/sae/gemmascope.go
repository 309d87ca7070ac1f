package sae

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

const (
	gemmaScopeFile  = "params.npz"
	gemmaScope2File = "params.safetensors"
)

var layerFolder = regexp.MustCompile(`layer_(\d+)`)

// readGemmaScope reads what Gemma Scope publishes (Lieberum et al. 2024, https://arxiv.org/abs/2408.05147): JumpReLU,
// with nothing subtracted.
func readGemmaScope(fsys fs.FS, path string) (config, map[string]tensor, error) {
	tensors, err := readNPZ(fsys, gemmaScopeFile)
	if err != nil {
		return config{}, nil, err
	}
	// The repository says what is read: gemma-scope-2b-pt-res, -mlp, -att, -transcoders.
	kinds := map[string]string{"res": residPost, "mlp": mlpOut, "att": headsOut, "transcoders": mlpIn}
	hook := residPost
	for part := range strings.SplitSeq(path, "/") {
		if !strings.HasPrefix(part, "gemma-scope") {
			continue
		}
		for word := range strings.SplitSeq(part, "-") {
			if of, ok := kinds[word]; ok {
				hook = of
			}
		}
	}
	return gemmaScope(tensors, path, hook)
}

// readGemmaScope2 reads what Gemma Scope 2 publishes: the same in safetensors, and the folder above the auto-encoder's
// own says what is read.
func readGemmaScope2(fsys fs.FS, path string) (config, map[string]tensor, error) {
	hook := ""
	for part := range strings.SplitSeq(path, "/") {
		for name, of := range map[string]string{"resid_post": residPost, "mlp_out": mlpOut, "attn_out": headsOut,
			"transcoder": mlpIn} {
			if strings.HasPrefix(part, name) {
				hook = of
			}
		}
	}
	if hook == "" {
		return config{}, nil, errors.New("no folder on its path is called resid_post, mlp_out, attn_out or transcoder, so " +
			"that it is not known what it reads")
	}
	var file struct {
		Architecture string `json:"architecture"`
		Model        string `json:"model_name"`
	}
	switch err := readJSONFile(fsys, "config.json", &file); {
	case errors.Is(err, fs.ErrNotExist): // of some it is not published
	case err != nil:
		return config{}, nil, err
	case file.Architecture != "jump_relu":
		return config{}, nil, fmt.Errorf("its architecture is %q, but Gemma Scope's is jump_relu", file.Architecture)
	}
	tensors, err := readTensors(fsys, gemmaScope2File)
	if err != nil {
		return config{}, nil, err
	}
	c, tensors, err := gemmaScope(tensors, path, hook)
	c.Model = file.Model
	return c, tensors, err
}

const (
	residPost = "hook_resid_post"
	mlpIn     = "ln2.hook_normalized"
	mlpOut    = "hook_mlp_out"
	headsOut  = "attn.hook_z"
)

// gemmaScope is what is read at a hook point of the layer that the path names.
func gemmaScope(tensors map[string]tensor, path, hook string) (config, map[string]tensor, error) {
	layers := layerFolder.FindAllStringSubmatch(path, -1)
	if layers == nil {
		return config{}, nil, errors.New("no folder on its path is called layer_7 or like it, so that it is not known " +
			"where it reads")
	}
	const affine = "affine_skip_connection" // [d_in, d_out]
	named := map[string]tensor{}
	for name, t := range tensors {
		if rest, ok := strings.CutPrefix(name, "w_"); ok {
			name = "W_" + rest
		}
		if name == affine {
			name, t = "W_skip", transposed(t)
		}
		if _, twice := named[name]; twice {
			return config{}, nil, fmt.Errorf("the weights have a tensor %s twice", name)
		}
		named[name] = t
	}
	c := config{Architecture: "jumprelu", HookName: "blocks." + layers[len(layers)-1][1] + "." + hook}
	if _, c.Skip = named["W_skip"]; c.Skip && hook != mlpIn {
		return config{}, nil, errors.New("it has a skip connection, but its path does not say that it is a transcoder")
	}
	if hook == mlpIn {
		c.Architecture, c.Transcoder = "jumprelu_transcoder", true
	}
	if w := named["W_enc"]; len(w.shape) == 2 {
		c.Width, c.Features = w.shape[0], w.shape[1]
		// Nothing else says how large it is: b_enc has a number for each feature.
		if c.Width != c.Features && slices.Equal(named["b_enc"].shape, []int{c.Width}) {
			return config{}, nil, fmt.Errorf("tensor W_enc is transposed: it has shape %v, and b_enc %v", w.shape,
				named["b_enc"].shape)
		}
	}
	return c, named, nil
}
