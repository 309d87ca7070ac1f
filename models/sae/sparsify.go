package sae

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
)

const sparsifyFile = "sae.safetensors"

// hookpoint is how sparsify calls a module whose output it reads: layers.7, or with the model's own prefix and what the
// module is in the layer. Where several were trained, each has a folder of its seed in it.
var hookpoint = regexp.MustCompile(`(?:layers|h)[._](\d+)(?:\.(mlp|attn|attention|self_attn))?(?:/seed\d+)?$`)

// readSparsify reads what EleutherAI's sparsify writes: the encoder is stored as PyTorch's Linear is, and the folder
// says where it reads, layers.7 for what layer 7 gives or layers.7.mlp for what its MLP adds.
func readSparsify(fsys fs.FS, path string) (config, map[string]tensor, error) {
	var file struct {
		Width      int    `json:"d_in"`
		Features   int    `json:"num_latents"`
		Expansion  int    `json:"expansion_factor"`
		K          int    `json:"k"`
		Transcode  bool   `json:"transcode"`
		Skip       bool   `json:"skip_connection"`
		EmbedSkip  bool   `json:"embed_skip"`
		GramLookup bool   `json:"gram_lookup"`
		Signed     bool   `json:"signed"`
		Activation string `json:"activation"`
	}
	if err := readJSON(fsys, &file); err != nil {
		return config{}, nil, err
	}
	switch activation := firstOf(file.Activation, "topk"); {
	case activation != "topk" && activation != "groupmax":
		return config{}, nil, fmt.Errorf("its activation function is %q: topk and groupmax can be read", activation)
	case file.Signed:
		return config{}, nil, errors.New("signed features are not implemented for sparsify's folders")
	case file.EmbedSkip || file.GramLookup:
		return config{}, nil, errors.New("what reads the embedding or the tokens besides its hook point (embed_skip, " +
			"gram_lookup) is not implemented")
	}
	match := hookpoint.FindStringSubmatch(path)
	if match == nil {
		return config{}, nil, fmt.Errorf("the folder's name %q does not say where it reads: sparsify calls it layers.7 "+
			"or layers.7.mlp", filepath.Base(path))
	}
	c := config{
		Architecture: firstOf(file.Activation, "topk"), Width: file.Width, Features: file.Features, K: file.K,
		Subtract: !file.Transcode, Transcoder: file.Transcode, Skip: file.Skip,
		HookName: "blocks." + match[1] + "." + map[string]string{"": "hook_resid_post", "mlp": "hook_mlp_out"}[match[2]],
	}
	if match[2] != "" && match[2] != "mlp" {
		c.HookName = "blocks." + match[1] + ".hook_attn_out"
	}
	if file.Transcode {
		if match[2] != "mlp" {
			return config{}, nil, errors.New("a transcoder of anything but an MLP is not implemented")
		}
		c.HookName = "blocks." + match[1] + ".ln2.hook_normalized"
	}
	if c.Features == 0 {
		c.Features = file.Width * file.Expansion
	}
	tensors, err := readTensors(fsys, sparsifyFile)
	if err != nil {
		return config{}, nil, err
	}
	for theirs, ours := range map[string]string{"encoder.weight": "W_enc", "encoder.bias": "b_enc"} {
		if t, ok := tensors[theirs]; ok {
			delete(tensors, theirs)
			tensors[ours] = transposed(t)
		}
	}
	return c, tensors, nil
}
