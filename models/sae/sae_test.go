package sae_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/internal/testfile"
	"github.com/neuron2graph/neuron2graph/models/sae"
)

// reference is an auto-encoder of testdata/make.py and what sae-lens computes with it.
type reference struct {
	Config   json.RawMessage  `json:"config"`
	Tensors  map[string][]int `json:"tensors"`
	Features []float32        `json:"features"`
	Output   []float32        `json:"output"`
}

const rows, width = 6, 12

// draw are the weights of a tensor, as make.py draws them.
func draw(name string, n int) []float32 {
	seed := uint64(14695981039346656037)
	for i := range len(name) {
		seed = (seed ^ uint64(name[i])) * 1099511628211
	}
	values := make([]float32, n)
	for i := range values {
		z := seed + uint64(i+1)*0x9E3779B97F4A7C15
		z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
		z = (z ^ z>>27) * 0x94D049BB133111EB
		z ^= z >> 31
		values[i] = float32(float64(z>>40)/(1<<24) - 0.5)
	}
	return values
}

func inputs() []float32 {
	x := draw("x", rows*width)
	for i := range x {
		x[i] *= 4
	}
	return x
}

func references(t *testing.T) []reference {
	t.Helper()
	var list []reference
	testfile.JSON(t, "testdata/reference.json.gz", &list)
	return list
}

// tensors are those of the reference's file.
func (r reference) tensors() []safetensors.Tensor {
	var list []safetensors.Tensor
	for _, name := range slices.Sorted(maps.Keys(r.Tensors)) {
		n := 1
		for _, d := range r.Tensors[name] {
			n *= d
		}
		list = append(list, safetensors.Tensor{Name: name, Shape: r.Tensors[name], Data: draw(name, n)})
	}
	return list
}

func packed(t *testing.T, tensors []safetensors.Tensor) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := safetensors.Write(&b, tensors, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func closeTo(a, b float32) bool { return math.Abs(float64(a-b)) <= 1e-5*(1+math.Abs(float64(b))) }

func check(t *testing.T, s *sae.SAE, wantFeatures, wantOutput []float32) {
	t.Helper()
	x := inputs()
	features := make([]float32, rows*s.Features)
	s.Encode(features, x, rows)
	for i, want := range wantFeatures {
		if !closeTo(features[i], want) {
			t.Fatalf("feature %d of row %d is %g, want %g", i%s.Features, i/s.Features, features[i], want)
		}
	}
	one := make([]float32, rows)
	for index := range s.Features {
		s.Feature(one, x, rows, index)
		for row, got := range one {
			if got != features[row*s.Features+index] {
				t.Fatalf("feature %d of row %d is %g alone, %g among all", index, row, got, features[row*s.Features+index])
			}
		}
	}
	out := len(wantOutput) / rows
	for row := range rows {
		y := s.Decode(features[row*s.Features:(row+1)*s.Features], x[row*width:(row+1)*width])
		for i, got := range y {
			if want := wantOutput[row*out+i]; !closeTo(got, want) {
				t.Fatalf("output %d of row %d is %g, want %g", i, row, got, want)
			}
		}
	}
}

// Every architecture and normalisation computes what sae-lens computes.
func TestAgreesWithSAELens(t *testing.T) {
	for _, r := range references(t) {
		var named struct {
			Architecture string `json:"architecture"`
			Normalise    string `json:"normalize_activations"`
		}
		if err := json.Unmarshal(r.Config, &named); err != nil {
			t.Fatal(err)
		}
		t.Run(named.Architecture+" "+named.Normalise, func(t *testing.T) {
			s, err := sae.OpenFS(fstest.MapFS{
				"cfg.json": {Data: r.Config}, "sae_weights.safetensors": {Data: packed(t, r.tensors())},
			}, "x")
			if err != nil {
				t.Fatal(err)
			}
			if s.Layer != 1 || s.Hook != "hook_resid_post" || s.Width != width || s.Features != 40 {
				t.Errorf("%+v", s)
			}
			check(t, s, r.Features, r.Output)
			out := s.Hook
			if strings.Contains(named.Architecture, "transcoder") {
				out = "hook_mlp_out"
			}
			if s.Output != out {
				t.Errorf("it gives %s, want %s", s.Output, out)
			}
		})
	}
}

// smolLM2Case is an auto-encoder of testdata/smollm2 on blocks.7.hook_resid_post. sae-lens 6.54.12 wrote it with random
// weights; every sixth column of W_enc (of topk all, since they compete) and every 16th of W_dec are kept, the others
// are 0.
type smolLM2Case struct {
	config, weights []byte
	stride          int // the features that can be compared lie so far apart
}

const smolLM2Width, smolLM2Features, keptOutputs = 576, 96, 16

func smolLM2Cases(t *testing.T) map[string]smolLM2Case {
	cases := map[string]smolLM2Case{}
	for name, stride := range map[string]int{"standard": 6, "jumprelu": 6, "topk": 1} {
		folder := "testdata/smollm2/" + name
		cases[name] = smolLM2Case{testfile.Read(t, folder+"/cfg.json"),
			testfile.Read(t, folder+"/sae_weights.safetensors.gz"), stride}
	}
	return cases
}

// Auto-encoders that sae-lens wrote compute what it computes with them on a real model's residual stream, whose first
// row is many times as long as the others.
func TestAgreesWithSAELensOnSmolLM2(t *testing.T) {
	reference, err := safetensors.Parse(testfile.Read(t, "testdata/smollm2/reference.safetensors.gz"))
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) []float32 {
		info, _ := reference.Info(name)
		values := make([]float32, info.Len())
		if err := reference.Float32s(name, values); err != nil {
			t.Fatal(err)
		}
		return values
	}
	for name, c := range smolLM2Cases(t) {
		s, err := sae.OpenFS(fstest.MapFS{"cfg.json": {Data: c.config}, "sae_weights.safetensors": {Data: c.weights}}, "x")
		if err != nil {
			t.Fatal(err)
		}
		if s.Layer != 7 || s.Hook != "hook_resid_post" || s.Architecture != name || s.Features != smolLM2Features ||
			s.Model != "smollm2" {
			t.Errorf("%+v", s)
		}
		for _, input := range []string{"in0.", "in1."} {
			x, features := read(input+"rows"), read(input+name+".features")
			output := read(input + name + ".reconstruction")
			rows := len(x) / smolLM2Width
			got := make([]float32, len(features))
			s.Encode(got, x, rows)
			active := 0
			for i := 0; i < len(got); i += c.stride {
				if got[i] != 0 {
					active++
				}
				if (got[i] != 0) != (features[i] != 0) || !closeTo(got[i], features[i]) {
					t.Fatalf("%s%s: feature %d of row %d is %g, want %g", input, name, i%smolLM2Features, i/smolLM2Features, got[i],
						features[i])
				}
			}
			if active < rows {
				t.Errorf("%s%s: %d features are active", input, name, active)
			}
			for row := range rows {
				y := s.Decode(features[row*smolLM2Features:][:smolLM2Features], x[row*smolLM2Width:][:smolLM2Width])
				for i := 0; i < smolLM2Width; i += keptOutputs {
					if want := output[(row*smolLM2Width+i)/keptOutputs]; !closeTo(y[i], want) {
						t.Fatalf("%s%s: output %d of row %d is %g, want %g", input, name, i, row, y[i], want)
					}
				}
			}
		}
	}
}

// Weights in bfloat16 and in half precision are read as the numbers that they are: the auto-encoder of the same numbers
// in float32 gives the same bits.
func TestShortFloats(t *testing.T) {
	for _, r := range references(t) {
		exact, short := r.tensors(), map[string]any{}
		var data []byte
		for _, tensor := range exact {
			first := len(data)
			for i, v := range tensor.Data {
				upper := math.Float32bits(v) >> 16
				data = binary.LittleEndian.AppendUint16(data, uint16(upper))
				tensor.Data[i] = math.Float32frombits(upper << 16) // no more than 8 digits, which half precision holds too
			}
			offsets := []int{first, len(data)}
			short[tensor.Name] = map[string]any{"dtype": "BF16", "shape": tensor.Shape, "data_offsets": offsets}
		}
		header, err := json.Marshal(short)
		if err != nil {
			t.Fatal(err)
		}
		bfloat := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
		bfloat = append(bfloat, data...)
		want := encodeAndDecode(t, r.Config, packed(t, exact))
		if got := encodeAndDecode(t, r.Config, bfloat); !slices.Equal(got, want) {
			t.Errorf("%s: weights in bfloat16 give other bits", r.Config)
		}
		for i := range exact {
			exact[i].DType = safetensors.F16
			for k, v := range exact[i].Data { // below 2⁻¹⁴ half precision has fewer digits
				if math.Abs(float64(v)) < 1.0/(1<<14) {
					exact[i].Data[k] = 0
				}
			}
		}
		half := packed(t, exact)
		for i := range exact {
			exact[i].DType = safetensors.F32
		}
		if !slices.Equal(encodeAndDecode(t, r.Config, half), encodeAndDecode(t, r.Config, packed(t, exact))) {
			t.Errorf("%s: weights in half precision give other bits", r.Config)
		}
	}
}

// encodeAndDecode are the features of the inputs and what they are decoded to.
func encodeAndDecode(t *testing.T, config, weights []byte) []float32 {
	t.Helper()
	s, err := sae.OpenFS(fstest.MapFS{"cfg.json": {Data: config}, "sae_weights.safetensors": {Data: weights}}, "x")
	if err != nil {
		t.Fatal(err)
	}
	x, all := inputs(), make([]float32, rows*s.Features)
	s.Encode(all, x, rows)
	for row := range rows {
		all = append(all, s.Decode(all[row*s.Features:(row+1)*s.Features], x[row*width:(row+1)*width])...)
	}
	return all
}

// A feature whose row of W_dec is 0 never fires and has no direction, and leaves the others as they are.
func TestDeadFeature(t *testing.T) {
	const dead = 7
	tested := 0
	for _, r := range references(t) {
		if !strings.Contains(string(r.Config), `"rescale_acts_by_decoder_norm":true`) {
			continue
		}
		tensors := r.tensors()
		for _, tensor := range tensors {
			if tensor.Name == "W_dec" {
				clear(tensor.Data[dead*width : (dead+1)*width])
			}
		}
		s, err := sae.OpenFS(fstest.MapFS{"cfg.json": {Data: r.Config},
			"sae_weights.safetensors": {Data: packed(t, tensors)}}, "x")
		if err != nil {
			t.Fatal(err)
		}
		x, features := inputs(), make([]float32, rows*s.Features)
		s.Encode(features, x, rows)
		for row := range rows {
			if a := features[row*s.Features+dead]; a != 0 {
				t.Errorf("%s: it is %g on row %d", r.Config, a, row)
			}
			y := s.Decode(features[row*s.Features:(row+1)*s.Features], x[row*width:(row+1)*width])
			if slices.ContainsFunc(y, func(v float32) bool { return v != v }) {
				t.Errorf("%s: row %d is decoded to %v", r.Config, row, y)
			}
		}
		if d := s.Direction(dead); !slices.Equal(d, make([]float32, width)) {
			t.Errorf("%s: its direction is %v", r.Config, d)
		}
		tested++
	}
	if tested < 3 {
		t.Errorf("%d auto-encoders were tested", tested)
	}
}

// Configurations as sae-lens wrote them before version 6 say the same by other keys.
func TestOlderConfigurations(t *testing.T) {
	for config, like := range map[string][]string{
		`"architecture": "standard", "activation_fn_str": "topk", "activation_fn_kwargs": {"k": 5},
			"normalize_activations": "none", "hook_name": "blocks.1.hook_resid_post", "hook_layer": 1`: {"topk", `"k":5`},
		`"activation_fn": "topk", "activation_fn_kwargs": {"k": 5}, "normalize_activations": false,
			"hook_point": "blocks.1.hook_resid_post", "hook_point_layer": 1`: {"topk", `"k":5`},
		`"activation_fn_str": "relu", "activation_fn_kwargs": {}, "normalize_activations": true,
			"hook_point": "blocks.1.hook_resid_post", "hook_point_head_index": null`: {"standard", `"normalize_activations":"none"`},
		`"architecture": "standard", "apply_b_dec_to_input": true, "hook_head_index": null,
			"hook_name": "blocks.1.hook_resid_post"`: {"standard", `"normalize_activations":"none"`},
	} {
		list := references(t)
		r := list[slices.IndexFunc(list, func(r reference) bool {
			text := string(r.Config)
			return strings.Contains(text, `"architecture":"`+like[0]+`"`) && strings.Contains(text, like[1]) &&
				strings.Contains(text, `"apply_b_dec_to_input":true`)
		})]
		s, err := sae.OpenFS(fstest.MapFS{
			"cfg.json":                {Data: []byte(`{"d_in": 12, "d_sae": 40, ` + config + `}`)},
			"sae_weights.safetensors": {Data: packed(t, r.tensors())},
		}, "x")
		if err != nil {
			t.Errorf("%s: %v", config, err)
			continue
		}
		if s.Architecture != like[0] || s.Layer != 1 || s.Hook != "hook_resid_post" {
			t.Errorf("%s: it is %s and reads blocks.%d.%s", config, s.Architecture, s.Layer, s.Hook)
		}
		check(t, s, r.Features, r.Output)
	}
}

// The same weights in the other layouts give the same features.
func TestOtherLayouts(t *testing.T) {
	list := references(t)
	find := func(part ...string) reference {
		return list[slices.IndexFunc(list, func(r reference) bool {
			return !slices.ContainsFunc(part, func(p string) bool { return !strings.Contains(string(r.Config), p) })
		})]
	}
	topk := find(`"architecture":"topk"`, `"k":5`, `"rescale_acts_by_decoder_norm":false`)
	var tensors []safetensors.Tensor
	for _, tensor := range topk.tensors() {
		switch tensor.Name {
		case "W_enc": // as PyTorch's Linear has it
			turned := make([]float32, len(tensor.Data))
			for i := range width {
				for j := range 40 {
					turned[j*width+i] = tensor.Data[i*40+j]
				}
			}
			tensor = safetensors.Tensor{Name: "encoder.weight", Shape: []int{40, width}, Data: turned}
		case "b_enc":
			tensor.Name = "encoder.bias"
		}
		tensors = append(tensors, tensor)
	}
	s, err := sae.OpenFS(fstest.MapFS{
		"cfg.json": {Data: []byte(
			`{"expansion_factor": 32, "normalize_decoder": true, "num_latents": 40, "k": 5, "d_in": 12}`)},
		"sae.safetensors": {Data: packed(t, tensors)},
	}, "/models/sae-x/layers.1.mlp")
	if err != nil {
		t.Fatal(err)
	}
	if s.Layer != 1 || s.Hook != "hook_mlp_out" {
		t.Errorf("it reads layer %d at %s", s.Layer, s.Hook)
	}
	check(t, s, topk.Features, topk.Output)

	// A transcoder subtracts nothing, and may take its input straight to its output.
	plain := find(`"architecture":"topk"`, `"k":40`, `"apply_b_dec_to_input":false`)
	skip, output := draw("W_skip", width*width), slices.Clone(plain.Output)
	for i, x := range inputs() {
		for out := range width {
			output[i/width*width+out] += skip[out*width+i%width] * x
		}
	}
	s, err = sae.OpenFS(fstest.MapFS{
		"cfg.json": {Data: []byte(
			`{"num_latents": 40, "k": 40, "d_in": 12, "transcode": true, "skip_connection": true}`)},
		"sae.safetensors": {Data: packed(t, append(tensors,
			safetensors.Tensor{Name: "W_skip", Shape: []int{width, width}, Data: skip}))},
	}, "/models/transcoder-x/layers.3.mlp")
	if err != nil {
		t.Fatal(err)
	}
	if s.Layer != 3 || s.Hook != "ln2.hook_normalized" || s.Output != "hook_mlp_out" {
		t.Errorf("it reads layer %d at %s and gives %s", s.Layer, s.Hook, s.Output)
	}
	check(t, s, plain.Features, output)

	jump := list[slices.IndexFunc(list, func(r reference) bool {
		return strings.Contains(string(r.Config), `"architecture":"jumprelu"`)
	})]
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	for _, tensor := range jump.tensors() {
		if tensor.Name == "b_dec" { // which Gemma Scope does not subtract: nothing is
			clear(tensor.Data)
		}
		w, err := z.Create(tensor.Name + ".npy")
		if err != nil {
			t.Fatal(err)
		}
		shape := strings.Trim(strings.ReplaceAll(fmt.Sprint(tensor.Shape), " ", ", "), "[]")
		header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%s,), }", shape)
		header += strings.Repeat(" ", 63-(len(header)+10)%64) + "\n"
		w.Write(append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), byte(len(header)>>8)))
		w.Write([]byte(header))
		if err := binary.Write(w, binary.LittleEndian, tensor.Data); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	s, err = sae.OpenFS(fstest.MapFS{"params.npz": {Data: archive.Bytes()}},
		"/x/gemma-scope-2b-pt-res/layer_7/width_16k/average_l0_71")
	if err != nil {
		t.Fatal(err)
	}
	if s.Layer != 7 || s.Hook != "hook_resid_post" || s.Output != s.Hook || s.Features != 40 ||
		s.Architecture != "jumprelu" {
		t.Errorf("%+v", s)
	}
	// By the formula, in plain loops.
	f := map[string][]float32{}
	for _, tensor := range jump.tensors() {
		f[tensor.Name] = tensor.Data
	}
	x, got := inputs(), make([]float32, rows*40)
	s.Encode(got, x, rows)
	for row := range rows {
		for k := range 40 {
			pre := float64(f["b_enc"][k])
			for i := range width {
				pre += float64(x[row*width+i]) * float64(f["W_enc"][i*40+k])
			}
			if pre <= float64(f["threshold"][k]) || pre < 0 {
				pre = 0
			}
			if math.Abs(pre-float64(got[row*40+k])) > 1e-5 {
				t.Fatalf("feature %d of row %d is %g, want %g", k, row, got[row*40+k], pre)
			}
		}
	}
}

// What is wrong is said in one sentence.
func TestRefuses(t *testing.T) {
	r := references(t)[0]
	config := string(r.Config)
	change := func(f func(list []safetensors.Tensor) []safetensors.Tensor) []byte { return packed(t, f(r.tensors())) }
	all := packed(t, r.tensors())
	for want, fsys := range map[string]fstest.MapFS{
		"none of sae_weights": {},
		"cfg.json":            {"sae_weights.safetensors": {Data: all}},
		"JSON":                {"cfg.json": {Data: []byte("{")}, "sae_weights.safetensors": {Data: all}},
		"architecture is \"x\"": {"cfg.json": {Data: []byte(strings.Replace(config, `"standard"`, `"x"`, 1))},
			"sae_weights.safetensors": {Data: all}},
		"no hook point": {"cfg.json": {Data: []byte(
			strings.Replace(config, "blocks.1.hook_resid_post", "hook_embed", 1))}, "sae_weights.safetensors": {Data: all}},
		"normalised by \"soft\"": {"cfg.json": {Data: []byte(
			strings.Replace(config, `"normalize_activations":"none"`, `"normalize_activations":"soft"`, 1))},
			"sae_weights.safetensors": {Data: all}},
		"one head": {"cfg.json": {Data: []byte(
			strings.Replace(config, `{`, `{"hook_point_head_index": 2, `, 1))}, "sae_weights.safetensors": {Data: all}},
		"normalised by 3": {"cfg.json": {Data: []byte(
			strings.Replace(config, `"normalize_activations":"none"`, `"normalize_activations":3`, 1))},
			"sae_weights.safetensors": {Data: all}},
		"shape [12 40], but must have [13 40]": {
			"cfg.json":                {Data: []byte(strings.Replace(config, `"d_in":12`, `"d_in":13`, 1))},
			"sae_weights.safetensors": {Data: all}},
		"no tensor b_enc": {"cfg.json": {Data: r.Config},
			"sae_weights.safetensors": {Data: change(func(list []safetensors.Tensor) []safetensors.Tensor {
				return slices.DeleteFunc(list, func(t safetensors.Tensor) bool { return t.Name == "b_enc" })
			})}},
		"W_enc is transposed": {"cfg.json": {Data: r.Config},
			"sae_weights.safetensors": {Data: change(func(list []safetensors.Tensor) []safetensors.Tensor {
				for i := range list {
					if list[i].Name == "W_enc" {
						list[i].Shape = []int{40, 12}
					}
				}
				return list
			})}},
		"holds NaN": {"cfg.json": {Data: r.Config},
			"sae_weights.safetensors": {Data: change(func(list []safetensors.Tensor) []safetensors.Tensor {
				list[0].Data[3] = float32(math.NaN())
				return list
			})}},
		"Git LFS pointer": {"cfg.json": {Data: r.Config},
			"sae_weights.safetensors": {Data: []byte("version https://git-lfs.github.com/spec/v1\nsize 3\n")}},
	} {
		if _, err := sae.OpenFS(fsys, "x"); err == nil || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want one sentence with %s", err, want)
		}
	}
}

func FuzzNPZ(f *testing.F) {
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	w, err := z.Create("W_enc.npy")
	if err != nil {
		f.Fatal(err)
	}
	header := "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1), }                    \n"
	w.Write(append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), 0))
	w.Write([]byte(header + "\x00\x00\x80\x3f"))
	if err := z.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(archive.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := sae.OpenFS(fstest.MapFS{"params.npz": {Data: data}}, "/layer_1")
		if err == nil && (s.Width < 1 || s.Features < 1) {
			t.Errorf("%+v", s)
		}
	})
}

// Quality is what its definition gives.
func TestQuality(t *testing.T) {
	r := references(t)[0]
	s, err := sae.OpenFS(fstest.MapFS{
		"cfg.json": {Data: r.Config}, "sae_weights.safetensors": {Data: packed(t, r.tensors())},
	}, "x")
	if err != nil {
		t.Fatal(err)
	}
	if q := s.Meter().Quality(); q != (sae.Quality{}) {
		t.Errorf("of no rows: %+v", q)
	}
	m, x := s.Meter(), inputs()
	lost, total, active := 0.0, 0.0, 0
	fired := map[int]bool{}
	for row := range rows {
		features, own := r.Features[row*40:(row+1)*40], x[row*width:(row+1)*width]
		y := r.Output[row*width : (row+1)*width]
		m.Add(features, y, own)
		for f, a := range features {
			if a > 0 {
				active++
				fired[f] = true
			}
		}
		for i := range own {
			mean := 0.0
			for other := range rows {
				mean += float64(x[other*width+i]) / rows
			}
			lost += math.Pow(float64(own[i]-y[i]), 2)
			total += math.Pow(float64(own[i])-mean, 2)
		}
	}
	q := m.Quality()
	if math.Abs(q.Explained-(1-lost/total)) > 1e-6 || q.L0 != float64(active)/rows || q.Rows != rows ||
		q.Dead != 1-float64(len(fired))/40 {
		t.Errorf("%+v, want %g explained, %d active, %d alive", q, 1-lost/total, active, len(fired))
	}
}
