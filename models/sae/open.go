package sae

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/neuron2graph/neuron2graph/internal/lfs"
	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/models/internal/kernels"
)

// config is what a folder says of its auto-encoder.
type config struct {
	Architecture string
	Width        int
	Features     int
	HookName     string // blocks.7.hook_resid_post
	OutputName   string // of a transcoder; empty is the MLP's
	Model        string
	Subtract     bool   // b_dec from the input
	Normalise    string // layer_norm or constant_norm_rescale, empty for none
	K            int    // of topk
	RescaleNorm  bool
	Transcoder   bool // it gives what the layer's MLP makes of its input
	Skip         bool // W_skip takes its input straight to its output
}

// tensor is a matrix or a vector, its shape as the formulas have it.
type tensor struct {
	shape  []int
	values []float32
}

// Open reads a folder. Its own name, and those above it, say where it reads if no file does: layers.7 of sparsify, or
// layer_7 and res, mlp or att of Gemma Scope.
func Open(folder string) (*SAE, error) {
	full, err := filepath.Abs(folder)
	if err != nil {
		return nil, fmt.Errorf("open auto-encoder: %w", err)
	}
	return OpenFS(os.DirFS(folder), full)
}

// OpenFS is [Open] for the root of a file system; name is the folder's path.
func OpenFS(fsys fs.FS, name string) (*SAE, error) {
	s, err := open(lfs.FS(fsys), filepath.ToSlash(name))
	if err != nil {
		return nil, fmt.Errorf("open auto-encoder %s: %w", filepath.Base(name), err)
	}
	return s, nil
}

func open(fsys fs.FS, path string) (*SAE, error) {
	for _, layout := range []struct {
		file string
		read func(fsys fs.FS, path string) (config, map[string]tensor, error)
	}{{"sae_weights.safetensors", readSAELens}, {"sae.safetensors", readSparsify}, {"params.npz", readGemmaScope}} {
		if _, err := fs.Stat(fsys, layout.file); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		c, tensors, err := layout.read(fsys, path)
		if err != nil {
			return nil, err
		}
		return build(c, tensors)
	}
	return nil, errors.New("the folder holds none of sae_weights.safetensors (SAELens), sae.safetensors (sparsify) and " +
		"params.npz (Gemma Scope)")
}

// build checks the parts and puts them together.
func build(c config, tensors map[string]tensor) (*SAE, error) {
	s := &SAE{Architecture: c.Architecture, Width: c.Width, Features: c.Features, Model: c.Model, config: c}
	layer, hook, ok := strings.Cut(strings.TrimPrefix(c.HookName, "blocks."), ".")
	var err error
	if s.Layer, err = strconv.Atoi(layer); err != nil || !ok || s.Layer < 0 {
		return nil, fmt.Errorf("it reads at %q, which is no hook point of a layer", c.HookName)
	}
	s.Hook, s.Output = hook, hook
	if c.Transcoder {
		s.Output = "hook_mlp_out"
		if c.OutputName != "" {
			outLayer, out, _ := strings.Cut(strings.TrimPrefix(c.OutputName, "blocks."), ".")
			if s.Output = out; outLayer != layer || out == "" {
				return nil, fmt.Errorf("it reads at %q and gives %q, but only what gives a hook point of the same layer is read",
					c.HookName, c.OutputName)
			}
		}
	}
	const most = 1 << 24
	if c.Width < 1 || c.Features < 1 || c.Width > most || c.Features > most {
		return nil, fmt.Errorf("it has %d inputs and %d features, but both must lie between 1 and %d", c.Width, c.Features,
			most)
	}
	get := func(name string, shape ...int) []float32 {
		t, there := tensors[name]
		switch {
		case err != nil:
			return nil
		case !there:
			err = fmt.Errorf("the weights have no tensor %s", name)
		case len(shape) == 2 && shape[0] != shape[1] && len(t.shape) == 2 && t.shape[0] == shape[1] && t.shape[1] == shape[0]:
			err = fmt.Errorf("tensor %s is transposed: it has shape %v, but must have %v", name, t.shape, shape)
		case !slices.Equal(t.shape, shape):
			err = fmt.Errorf("tensor %s has shape %v, but must have %v", name, t.shape, shape)
		}
		if err == nil {
			for i, v := range t.values {
				if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
					err = fmt.Errorf("tensor %s holds %g at place %d: the file is damaged, or training went wrong", name, v, i)
					break
				}
			}
		}
		return t.values
	}
	weight := get("W_enc", c.Width, c.Features)
	biasName := "b_enc"
	switch c.Architecture {
	case "gated":
		biasName = "b_gate"
		s.gateBias = get("b_gate", c.Features)
		r := get("r_mag", c.Features)
		s.magnitudeBias = get("b_mag", c.Features)
		for _, v := range r {
			s.scale = append(s.scale, float32(math.Exp(float64(v))))
		}
	case "jumprelu", "jumprelu_transcoder":
		s.threshold = get("threshold", c.Features)
	case "topk":
		if c.K < 1 {
			return nil, fmt.Errorf("the number of features that stay (k) is %d, but must be at least 1", c.K)
		}
	case "standard", "transcoder", "skip_transcoder":
	default:
		return nil, fmt.Errorf("its architecture is %q: standard, gated, jumprelu, topk, transcoder, skip_transcoder "+
			"and jumprelu_transcoder can be read", c.Architecture)
	}
	bias := get(biasName, c.Features)
	out := c.Width
	if decoder, ok := tensors["W_dec"]; ok && len(decoder.shape) == 2 && c.Transcoder {
		out = decoder.shape[1]
	}
	s.decoder, s.bias = get("W_dec", c.Features, out), get("b_dec", out)
	if c.Skip {
		s.skip = get("W_skip", out, c.Width)
	}
	if err != nil {
		return nil, err
	}
	switch c.Normalise {
	case "layer_norm", "constant_norm_rescale":
	case "", "none", "expected_average_only_in", "covariance_whitening": // part of the weights once training is over
		s.config.Normalise = ""
	default:
		return nil, fmt.Errorf("its inputs are normalised by %q, which is not implemented", c.Normalise)
	}
	if c.Subtract {
		if out != c.Width {
			return nil, errors.New("apply_b_dec_to_input makes no sense of a transcoder whose output is wider than its input")
		}
		s.minus = s.bias
	}
	if c.RescaleNorm {
		for row := range slices.Chunk(s.decoder, out) {
			squares := 0.0
			for _, v := range row {
				squares += float64(v) * float64(v)
			}
			s.decoderNorm = append(s.decoderNorm, float32(math.Sqrt(squares)))
		}
	}
	s.encoder = kernels.NewMatrix(c.Width, c.Features)
	s.encoder.Set(0, c.Features, weight, bias)
	return s, nil
}

// readTensors reads all tensors of a safetensors file.
func readTensors(fsys fs.FS, name string) (map[string]tensor, error) {
	file, err := safetensors.OpenFS(fsys, name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	tensors := map[string]tensor{}
	for _, name := range file.Names() {
		info, _ := file.Info(name)
		t := tensor{info.Shape, make([]float32, info.Len())}
		if err := file.Float32s(name, t.values); err != nil {
			return nil, err
		}
		tensors[name] = t
	}
	return tensors, nil
}

// readJSON reads cfg.json.
func readJSON(fsys fs.FS, into any) error {
	text, err := fs.ReadFile(fsys, "cfg.json")
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("cfg.json is not JSON of the expected form: %w", err)
	}
	return nil
}

// readSAELens reads what sae-lens 3 to 6 write; since 6 the hook stands in metadata.
func readSAELens(fsys fs.FS, _ string) (config, map[string]tensor, error) {
	var file struct {
		Architecture  string `json:"architecture"`
		Width         int    `json:"d_in"`
		Features      int    `json:"d_sae"`
		Subtract      *bool  `json:"apply_b_dec_to_input"`
		Normalise     any    `json:"normalize_activations"` // its name, or in old files whether
		K             int    `json:"k"`
		RescaleNorm   bool   `json:"rescale_acts_by_decoder_norm"`
		HookName      string `json:"hook_name"`
		HookPoint     string `json:"hook_point"`
		Head          *int   `json:"hook_head_index"`
		PointHead     *int   `json:"hook_point_head_index"`
		Model         string `json:"model_name"`
		Activation    string `json:"activation_fn"`
		ActivationStr string `json:"activation_fn_str"`
		Arguments     struct {
			K int `json:"k"`
		} `json:"activation_fn_kwargs"`
		Finetuned  bool   `json:"finetuning_scaling_factor"`
		OutputName string `json:"hook_name_out"`
		Metadata   struct {
			HookName   string `json:"hook_name"`
			OutputName string `json:"hook_name_out"`
			Head       *int   `json:"hook_head_index"`
			Model      string `json:"model_name"`
		} `json:"metadata"`
	}
	if err := readJSON(fsys, &file); err != nil {
		return config{}, nil, err
	}
	c := config{
		Architecture: file.Architecture, Width: file.Width, Features: file.Features,
		K: max(file.K, file.Arguments.K), RescaleNorm: file.RescaleNorm,
		HookName:   firstOf(file.Metadata.HookName, file.HookName, file.HookPoint),
		OutputName: firstOf(file.Metadata.OutputName, file.OutputName),
		Model:      firstOf(file.Metadata.Model, file.Model),
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
		return config{}, nil, fmt.Errorf("its inputs are normalised by %v (normalize_activations), which is no name", how)
	}
	topk := firstOf(file.ActivationStr, file.Activation) == "topk"
	switch {
	case file.Head != nil || file.PointHead != nil || file.Metadata.Head != nil:
		return config{}, nil, errors.New("it reads one head (hook_head_index), which is not implemented")
	case file.Finetuned:
		return config{}, nil, errors.New("it was fine-tuned with a factor of its own (finetuning_scaling_factor), which " +
			"is not implemented")
	case topk && (c.Architecture == "" || c.Architecture == "standard"): // before sae-lens 6
		c.Architecture = "topk"
	case c.Architecture == "":
		c.Architecture = "standard"
	}
	if c.Architecture != "topk" {
		c.K, c.RescaleNorm = 0, false
	}
	c.Transcoder, c.Skip = strings.Contains(c.Architecture, "transcoder"), c.Architecture == "skip_transcoder"
	c.Subtract = !c.Transcoder
	if file.Subtract != nil {
		c.Subtract = *file.Subtract
	}
	tensors, err := readTensors(fsys, "sae_weights.safetensors")
	return c, tensors, err
}

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
		Signed     bool   `json:"signed"`
		Activation string `json:"activation"`
	}
	if err := readJSON(fsys, &file); err != nil {
		return config{}, nil, err
	}
	if file.Signed || file.Activation != "" && file.Activation != "topk" {
		return config{}, nil, errors.New("signed features and activations other than topk are not implemented for " +
			"sparsify's folders")
	}
	match := regexp.MustCompile(`(?:layers|h)[._](\d+)(?:\.(mlp|attn|attention|self_attn))?$`).FindStringSubmatch(path)
	if match == nil {
		return config{}, nil, fmt.Errorf("the folder's name %q does not say where it reads: sparsify calls it layers.7 "+
			"or layers.7.mlp", filepath.Base(path))
	}
	c := config{
		Architecture: "topk", Width: file.Width, Features: file.Features, K: file.K, Subtract: !file.Transcode,
		Transcoder: file.Transcode, Skip: file.Skip,
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
	tensors, err := readTensors(fsys, "sae.safetensors")
	if err != nil {
		return config{}, nil, err
	}
	for theirs, ours := range map[string]string{"encoder.weight": "W_enc", "encoder.bias": "b_enc"} {
		if t, ok := tensors[theirs]; ok {
			tensors[ours] = transposed(t)
		}
	}
	return c, tensors, nil
}

// transposed is a matrix the other way round; a vector stays.
func transposed(t tensor) tensor {
	if len(t.shape) != 2 {
		return t
	}
	rows, columns := t.shape[0], t.shape[1]
	turned := tensor{[]int{columns, rows}, make([]float32, len(t.values))}
	for i := range rows {
		for j := range columns {
			turned.values[j*rows+i] = t.values[i*columns+j]
		}
	}
	return turned
}

// readGemmaScope reads what Gemma Scope publishes (Lieberum et al. 2024, https://arxiv.org/abs/2408.05147): JumpReLU,
// with nothing subtracted.
func readGemmaScope(fsys fs.FS, path string) (config, map[string]tensor, error) {
	tensors, err := readNPZ(fsys, "params.npz")
	if err != nil {
		return config{}, nil, err
	}
	layer := regexp.MustCompile(`layer_(\d+)`).FindStringSubmatch(path)
	if layer == nil {
		return config{}, nil, errors.New("no folder on its path is called layer_7 or like it, so that it is not known " +
			"where it reads")
	}
	hook := "hook_resid_post"
	for part := range strings.SplitSeq(path, "/") {
		for kind, name := range map[string]string{"-mlp": "hook_mlp_out", "-att": "attn.hook_z",
			"-transcoders": "ln2.hook_normalized"} {
			if strings.HasPrefix(part, "gemma-scope") && strings.Contains(part, kind) {
				hook = name
			}
		}
	}
	c := config{Architecture: "jumprelu", HookName: "blocks." + layer[1] + "." + hook}
	if strings.HasPrefix(hook, "ln2") {
		c.Architecture, c.Transcoder = "jumprelu_transcoder", true
	}
	if w := tensors["W_enc"]; len(w.shape) == 2 {
		c.Width, c.Features = w.shape[0], w.shape[1]
	}
	return c, tensors, nil
}

// firstOf is the first that is not empty.
func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
