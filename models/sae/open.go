package sae

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
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
	K            int    // of topk and groupmax
	RescaleNorm  bool   // of topk and batchtopk
	Finetuned    bool   // what a feature is decoded with is multiplied by a factor of its own
	Transcoder   bool   // it gives what the layer's MLP makes of its input
	Skip         bool   // W_skip takes its input straight to its output
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
	}{
		{saeLensFile, readSAELens}, {sparsifyFile, readSparsify}, {gemmaScopeFile, readGemmaScope},
		{gemmaScope2File, readGemmaScope2},
	} {
		if _, err := fs.Stat(fsys, layout.file); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		c, tensors, err := layout.read(fsys, path)
		if err != nil {
			return nil, err
		}
		return build(c, tensors)
	}
	return nil, fmt.Errorf("the folder holds none of %s (SAELens), %s (sparsify), %s and %s (Gemma Scope)", saeLensFile,
		sparsifyFile, gemmaScopeFile, gemmaScope2File)
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
	known := map[string]bool{}
	get := func(name string, shape ...int) []float32 {
		t, there := tensors[name]
		known[name] = true
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
	case "batchtopk", "matryoshka_batchtopk": // what is kept while they are trained, instead of one for each feature
		if _, one := tensors["topk_threshold"]; one {
			if threshold := get("topk_threshold"); err == nil {
				s.threshold = slices.Repeat(threshold, c.Features)
			}
			break
		}
		s.threshold = get("threshold", c.Features)
	case "jumprelu", "jumprelu_transcoder", "jumprelu_skip_transcoder":
		s.threshold = get("threshold", c.Features)
	case "topk", "groupmax":
		if c.K < 1 {
			return nil, fmt.Errorf("the number of features that stay (k) is %d, but must be at least 1", c.K)
		}
		if c.Architecture == "groupmax" && c.Features%c.K != 0 {
			return nil, fmt.Errorf("its %d features make no %d groups of one size (k)", c.Features, c.K)
		}
	case "standard", "transcoder", "skip_transcoder":
	default:
		return nil, fmt.Errorf("its architecture is %q: standard, gated, jumprelu, topk, batchtopk, matryoshka_batchtopk, "+
			"transcoder, skip_transcoder, jumprelu_transcoder and jumprelu_skip_transcoder can be read", c.Architecture)
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
	var factors []float32
	if c.Finetuned {
		factors = get(scalingFactor, c.Features)
	}
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		if !known[name] {
			return nil, fmt.Errorf("the weights have a tensor %s, which has no place in what is %s", name, c.Architecture)
		}
	}
	switch c.Normalise {
	case "layer_norm", "constant_norm_rescale":
	case "", "none", "expected_average_only_in", "covariance_whitening": // part of the weights once training is over
		s.config.Normalise = ""
	default:
		return nil, fmt.Errorf("its inputs are normalised by %q, which is not implemented", c.Normalise)
	}
	if c.Subtract {
		if c.Transcoder {
			return nil, errors.New("apply_b_dec_to_input makes no sense of a transcoder, whose b_dec is of its output")
		}
		s.minus = s.bias
	}
	for f, factor := range factors {
		for i := range out {
			s.decoder[f*out+i] *= factor
		}
	}
	if c.RescaleNorm {
		s.decoderNorm = lengths(s.decoder, out)
	}
	if s.decoderNorm != nil && s.threshold != nil {
		// As sae-lens writes it when training is over: the lengths become a part of the weights.
		for f, norm := range s.decoderNorm {
			for i := range c.Width {
				weight[i*c.Features+f] *= norm
			}
			bias[f] *= norm
			if norm == 0 { // a dead feature, of direction 0 and not NaN
				continue
			}
			for i := range out {
				s.decoder[f*out+i] /= norm
			}
		}
		s.decoderNorm = nil
	}
	s.encoder = kernels.NewMatrix(c.Width, c.Features)
	s.encoder.Set(0, c.Features, weight, bias)
	return s, nil
}

// lengths are those of the rows of a matrix of so many columns.
func lengths(matrix []float32, columns int) (list []float32) {
	for row := range slices.Chunk(matrix, columns) {
		squares := 0.0
		for _, v := range row {
			squares += float64(v) * float64(v)
		}
		list = append(list, float32(math.Sqrt(squares)))
	}
	return list
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
func readJSON(fsys fs.FS, into any) error { return readJSONFile(fsys, "cfg.json", into) }

func readJSONFile(fsys fs.FS, name string, into any) error {
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s is not JSON of the expected form: %w", name, err)
	}
	return nil
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

// firstOf is the first that is not empty.
func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
