package sae_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/internal/testfile"
	"github.com/neuron2graph/neuron2graph/models/sae"
)

// layout is an auto-encoder of testdata/make.py in another layout than that of today's sae-lens, and what NumPy
// computes with it.
type layout struct {
	Path       string `json:"path"`
	Layer      int    `json:"layer"`
	Hook       string `json:"hook"`
	OutputHook string `json:"output_hook"`
	reference
}

// files are the folder's.
func (l layout) files(t *testing.T) fstest.MapFS {
	t.Helper()
	switch {
	case strings.HasPrefix(l.Path, "sparsify"):
		return fstest.MapFS{"cfg.json": {Data: l.Config}, "sae.safetensors": {Data: packed(t, l.tensors())}}
	case strings.HasPrefix(l.Path, "gemma-scope-2-"):
		return fstest.MapFS{"params.safetensors": {Data: packed(t, l.tensors())}}
	case strings.HasPrefix(l.Path, "gemma-scope"):
		return fstest.MapFS{"params.npz": {Data: npz(t, l.tensors(), "<f4", false)}}
	}
	return fstest.MapFS{"cfg.json": {Data: l.Config}, "sae_weights.safetensors": {Data: packed(t, l.tensors())}}
}

// npz is an archive as numpy.savez writes it, of numbers of a type, row by row or column by column.
func npz(t *testing.T, tensors []safetensors.Tensor, kind string, byColumn bool) []byte {
	t.Helper()
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	for _, tensor := range tensors {
		w, err := z.Create(tensor.Name + ".npy")
		if err != nil {
			t.Fatal(err)
		}
		values, order := tensor.Data, "False"
		if byColumn && len(tensor.Shape) == 2 {
			values, order = make([]float32, len(tensor.Data)), "True"
			for i, v := range tensor.Data {
				values[i%tensor.Shape[1]*tensor.Shape[0]+i/tensor.Shape[1]] = v
			}
		}
		shape := strings.Trim(strings.ReplaceAll(fmt.Sprint(tensor.Shape), " ", ", "), "[]")
		header := fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': (%s,), }", kind, order, shape)
		header += strings.Repeat(" ", 63-(len(header)+10)%64) + "\n"
		data := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), byte(len(header)>>8))
		data = append(data, header...)
		for _, v := range values {
			switch kind {
			case "<f2":
				data = binary.LittleEndian.AppendUint16(data, half(v))
			case "<f8":
				data = binary.LittleEndian.AppendUint64(data, math.Float64bits(float64(v)))
			default:
				data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
			}
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

// half are the 16 bits of a number that they hold exactly, 0 or no smaller than 2⁻¹⁴.
func half(v float32) uint16 {
	b := math.Float32bits(v)
	if v == 0 {
		return 0
	}
	return uint16(b>>31)<<15 | uint16(b>>13&0x3ffff-112<<10)
}

func layouts(t *testing.T) []layout {
	t.Helper()
	var list []layout
	testfile.JSON(t, "testdata/layouts.json.gz", &list)
	return list
}

// Folders of sparsify, Gemma Scope 1 and 2 and older versions of sae-lens read what they say, and compute what NumPy
// does.
func TestLayouts(t *testing.T) {
	for _, l := range layouts(t) {
		t.Run(l.Path, func(t *testing.T) {
			s, err := sae.OpenFS(l.files(t), "/models/"+l.Path)
			if err != nil {
				t.Fatal(err)
			}
			if s.Layer != l.Layer || s.Hook != l.Hook || s.Output != l.OutputHook || s.Outputs() != len(l.Output)/rows {
				t.Errorf("it reads layer %d at %s and gives %s", s.Layer, s.Hook, s.Output)
			}
			check(t, s, l.Features, l.Output)
		})
	}
}

// Archives of NumPy's that hold other floats, or matrices column by column, give the same.
func TestNPZ(t *testing.T) {
	list := layouts(t)
	l := list[slices.IndexFunc(list, func(l layout) bool { return strings.HasPrefix(l.Path, "gemma-scope") })]
	tensors := l.tensors()
	for _, tensor := range tensors {
		for i, v := range tensor.Data { // what 16 bits hold exactly
			tensor.Data[i] = float32(math.Round(float64(v)*512) / 512)
		}
	}
	var want []float32
	for _, kind := range []string{"<f4", "<f2", "<f8"} {
		for _, byColumn := range []bool{false, true} {
			s, err := sae.OpenFS(fstest.MapFS{"params.npz": {Data: npz(t, tensors, kind, byColumn)}}, "/models/"+l.Path)
			if err != nil {
				t.Fatal(err)
			}
			got := make([]float32, rows*s.Features)
			s.Encode(got, inputs(), rows)
			if want == nil {
				want = got
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s, column by column %t: other features", kind, byColumn)
			}
		}
	}
	if _, err := sae.OpenFS(fstest.MapFS{"params.npz": {Data: npz(t, tensors, ">f4", false)}}, "/models/"+l.Path); err ==
		nil || !strings.Contains(err.Error(), "holds >f4") {
		t.Error(err)
	}
}

// An archive that claims more than it holds is refused without room being made for it.
func TestHostileNPZ(t *testing.T) {
	of := func(entries int, size uint64) []byte {
		header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d,), }", size/4)
		header += strings.Repeat(" ", 117-len(header)) + "\n"
		var packed bytes.Buffer
		w, err := flate.NewWriter(&packed, flate.DefaultCompression)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), 0))
		w.Write([]byte(header))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		var archive bytes.Buffer
		z := zip.NewWriter(&archive)
		for i := range entries {
			w, err := z.CreateRaw(&zip.FileHeader{Name: fmt.Sprint(i, ".npy"), Method: zip.Deflate,
				CompressedSize64: uint64(packed.Len()), UncompressedSize64: size + 128})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(packed.Bytes()); err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return archive.Bytes()
	}
	for entries, want := range map[int]string{1: "cut short", 2: "more than any auto-encoder has"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := sae.OpenFS(fstest.MapFS{"params.npz": {Data: of(entries, 9<<30)}}, "/gemma-scope-2b-pt-res/layer_7")
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d arrays: %v, want %q", entries, err, want)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
			t.Errorf("%d arrays: %d MiB were allocated", entries, grown>>20)
		}
	}
}

// What a folder says and is not known, or does not fit, is an error of one sentence, never a guess.
func TestRefusesLayouts(t *testing.T) {
	list := layouts(t)
	find := func(path string) layout {
		return list[slices.IndexFunc(list, func(l layout) bool { return strings.HasPrefix(l.Path, path) })]
	}
	type change struct {
		l       layout
		config  string // of cfg.json, added in front
		tensors func(list []safetensors.Tensor) []safetensors.Tensor
		path    string // "": its own
	}
	without := func(name string) func(list []safetensors.Tensor) []safetensors.Tensor {
		return func(list []safetensors.Tensor) []safetensors.Tensor {
			return slices.DeleteFunc(list, func(t safetensors.Tensor) bool { return t.Name == name })
		}
	}
	with := func(name string, shape ...int) func(list []safetensors.Tensor) []safetensors.Tensor {
		n := 1
		for _, d := range shape {
			n *= d
		}
		return func(list []safetensors.Tensor) []safetensors.Tensor {
			return append(without(name)(list), safetensors.Tensor{Name: name, Shape: shape, Data: draw(name, n)})
		}
	}
	old, scope, scope2 := find("old"), find("gemma-scope-2b"), find("gemma-scope-2-1b-pt/resid")
	sparsify, group := find("sparsify"), list[slices.IndexFunc(list, func(l layout) bool {
		return strings.Contains(string(l.Config), "groupmax")
	})]
	for want, c := range map[string]change{
		`activation function is "tanh-relu"`: {l: old, config: `"activation_fn_str": "tanh-relu"`},
		`"gated" only relu`:                  {l: old, config: `"architecture": "gated", "activation_fn_str": "topk"`},
		"says that it was not fine-tuned":    {l: old, config: `"finetuning_scaling_factor": false`},
		`reshaped by "heads"`:                {l: old, config: `"reshape_activations": "heads"`},
		`architecture is "temporal"`:         {l: old, config: `"architecture": "temporal"`},
		"features 2.5 stay": {l: old, config: `"activation_fn_str": "topk",
			"activation_fn_kwargs": {"k": 2.5}`},
		"signed true": {l: old, config: `"activation_fn_str": "topk",
			"activation_fn_kwargs": {"k": 2, "signed": true}`},
		"k) is 0":                  {l: old, config: `"architecture": "topk"`},
		"no sense of a transcoder": {l: old, config: `"architecture": "transcoder"`},
		"a tensor W_skip, which has no place in what is standard": {l: old, tensors: with("W_skip", width, width)},
		"tensor scaling_factor has shape [12]":                    {l: old, tensors: with("scaling_factor", width)},
		"no tensor threshold":                                     {l: old, config: `"architecture": "batchtopk"`},
		"one head":                                                {l: old, config: `"metadata": {"hook_head_index": 0}`},
		"not JSON":                                                {l: old, config: `"k": "many"`},
		`gives "blocks.8.hook_mlp_out"`: {l: old, config: `"architecture": "transcoder", "apply_b_dec_to_input": false,
			"hook_name_out": "blocks.8.hook_mlp_out"`},

		`activation function is "relu"`: {l: sparsify, config: `"activation": "relu"`},
		"embed_skip":                    {l: sparsify, config: `"embed_skip": true`},
		"gram_lookup":                   {l: sparsify, config: `"gram_lookup": true`},
		"signed features":               {l: sparsify, config: `"signed": true`},
		"no tensor W_skip":              {l: sparsify, config: `"skip_connection": true`},
		"no tensor b_enc":               {l: sparsify, tensors: without("encoder.bias")},
		"W_enc is transposed":           {l: sparsify, tensors: with("encoder.weight", width, 40)},
		"W_dec is transposed":           {l: sparsify, tensors: with("W_dec", width, 40)},
		"no 7 groups":                   {l: group, config: `"k": 7`},
		"embed_tokens":                  {l: sparsify, path: "sparsify/embed_tokens"},
		"anything but an MLP":           {l: sparsify, config: `"transcode": true`},

		"tensor W_enc is transposed": {l: scope, tensors: with("W_enc", 40, width)},
		"no tensor W_dec":            {l: scope, tensors: without("W_dec")},
		"called layer_7":             {l: scope, path: "gemma-scope-2b-pt-res/embedding"},
		"does not say that it is a": {l: scope2,
			tensors: with("affine_skip_connection", width, width)},
		"called resid_post": {l: scope2, path: "gemma-scope-2-1b-pt/clt/layer_7"},
		"W_enc twice":       {l: scope2, tensors: with("W_enc", width, 40)},
		"tensor threshold has shape [3], but must have [4": {l: scope2, tensors: with("threshold", 3)},
	} {
		l := c.l
		tensors := l.tensors()
		if c.tensors != nil {
			tensors = c.tensors(tensors)
		}
		l.Tensors = map[string][]int{}
		files := l.files(t)
		for name := range files {
			switch {
			case name == "cfg.json" && c.config != "":
				config := map[string]json.RawMessage{}
				for _, text := range []string{string(l.Config), "{" + c.config + "}"} {
					if err := json.Unmarshal([]byte(text), &config); err != nil {
						t.Fatal(err)
					}
				}
				text, err := json.Marshal(config)
				if err != nil {
					t.Fatal(err)
				}
				files[name] = &fstest.MapFile{Data: text}
			case strings.HasSuffix(name, ".npz"):
				files[name] = &fstest.MapFile{Data: npz(t, tensors, "<f4", false)}
			case strings.HasSuffix(name, ".safetensors"):
				files[name] = &fstest.MapFile{Data: packed(t, tensors)}
			}
		}
		if c.path == "" {
			c.path = l.Path
		}
		if _, err := sae.OpenFS(files, "/models/"+c.path); err == nil || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want one sentence with %s", err, want)
		}
	}
}

// A file that ends anywhere before its end is an error.
func TestTruncated(t *testing.T) {
	for _, l := range layouts(t) {
		files := l.files(t)
		for name, file := range files {
			if !strings.HasSuffix(name, ".npz") && !strings.HasSuffix(name, ".safetensors") {
				continue
			}
			whole := file.Data
			for _, n := range []int{0, 5, 100, len(whole) / 2, len(whole) - 1} {
				file.Data = whole[:n]
				if _, err := sae.OpenFS(files, "/models/"+l.Path); err == nil || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s: %d of %d bytes of %s: error %v", l.Path, n, len(whole), name, err)
				}
			}
		}
	}
}
