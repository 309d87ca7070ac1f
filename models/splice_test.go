package models_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/sae"
)

// spliceReference is testdata/sites/splice.json, which make.py there wrote.
type spliceReference struct {
	Splices    []spliceCase
	Directions []struct {
		Model               string
		Layer, Heads, Width int
		Results             [][][]float32 // [direction][position][head]
	}
}

type spliceCase struct {
	Model                              string
	Layer                              int
	Hook                               string
	Width                              [2]int
	Loss, Spliced, Zero, Explained, L0 float64
}

func readSplices(t *testing.T) (r spliceReference) {
	t.Helper()
	data, err := os.ReadFile("testdata/sites/splice.json")
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// An auto-encoder spliced into a model, at each hook point that something is computed from, costs what it costs in
// transformers, both ways.
func TestSplicesAgreeWithTransformers(t *testing.T) {
	reference := readSplices(t)
	for _, c := range readTransformersCases(t) {
		if !slices.ContainsFunc(reference.Splices, func(s spliceCase) bool { return s.Model == c.Name }) {
			continue
		}
		for _, way := range quickWays() {
			t.Run(c.Name+" by "+way.name, func(t *testing.T) {
				m := way.open(t, c.folder(t, c.tensors("")))
				for _, want := range reference.Splices {
					if want.Model != c.Name {
						continue
					}
					architecture := "standard"
					if strings.HasPrefix(want.Hook, "ln2") {
						architecture = "transcoder"
					}
					dir, features := t.TempDir(), 20
					config := fmt.Sprintf(`{"architecture": %q, "apply_b_dec_to_input": false, "d_in": %d, "d_out": %d, "d_sae": %d,
						"metadata": {"hook_name": "blocks.%d.%s"}}`, architecture, want.Width[0], want.Width[1], features, want.Layer,
						want.Hook)
					if err := os.WriteFile(filepath.Join(dir, "cfg.json"), []byte(config), 0o600); err != nil {
						t.Fatal(err)
					}
					encoder := draw("sae.W_enc", want.Width[0]*features)
					for i := range encoder {
						encoder[i] *= 2
					}
					writeWeights(t, filepath.Join(dir, "sae_weights.safetensors"), []safetensors.Tensor{
						{Name: "W_enc", Shape: []int{want.Width[0], features}, Data: encoder},
						{Name: "b_enc", Shape: []int{features}, Data: draw("sae.b_enc", features)},
						{Name: "W_dec", Shape: []int{features, want.Width[1]}, Data: draw("sae.W_dec", features*want.Width[1])},
						{Name: "b_dec", Shape: []int{want.Width[1]}, Data: draw("sae.b_dec", want.Width[1])},
					})
					s, err := sae.Open(dir)
					if err != nil {
						t.Fatal(err)
					}
					with, err := m.WithSAE(s)
					if err != nil {
						t.Fatal(err)
					}
					name := fmt.Sprintf("blocks.%d.%s", want.Layer, want.Hook)
					quality, splice, err := with.MeasureSAE(t.Context(), [][]int{c.IDs}, 1, nil)
					if err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					for what, pair := range map[string][2]float64{
						"loss": {splice.Loss, want.Loss}, "spliced": {splice.Spliced, want.Spliced}, "zero": {splice.Zero, want.Zero},
						"explained": {quality.Explained, want.Explained}, "L0": {quality.L0, want.L0},
					} {
						if math.Abs(pair[0]-pair[1]) > 2e-5*(1+math.Abs(pair[1])) {
							t.Errorf("%s: %s %g, want %g", name, what, pair[0], pair[1])
						}
					}
					if splice.Tokens != 28 || quality.Rows != 29 {
						t.Errorf("%s: %d tokens, %d rows", name, splice.Tokens, quality.Rows)
					}
				}
			})
		}
	}
}

// What heads add along directions is what transformers adds, asked alone, all at once and by a scan, every way.
func TestDirectionsAgreeWithTransformers(t *testing.T) {
	for _, want := range readSplices(t).Directions {
		for _, c := range readTransformersCases(t) {
			if c.Name != want.Model {
				continue
			}
			vectors := slices.Collect(slices.Chunk(draw("directions", 2*want.Width), want.Width))
			text, err := json.Marshal(vectors)
			if err != nil {
				t.Fatal(err)
			}
			d, err := models.ReadDirections(string(text))
			if err != nil {
				t.Fatal(err)
			}
			for _, way := range quickWays() {
				t.Run(c.Name+" by "+way.name, func(t *testing.T) {
					m := way.open(t, c.folder(t, c.tensors(""))).WithDirections(d)
					const hook = "attn.hook_result[dir]"
					if n, err := m.Width(want.Layer, hook); err != nil || n != 2*want.Heads {
						t.Fatalf("width %d, %v", n, err)
					}
					all, err := m.LayerActivations(t.Context(), want.Layer, hook, [][]int{c.IDs})
					if err != nil {
						t.Fatal(err)
					}
					for i, positions := range want.Results {
						for head := range want.Heads {
							index := i*want.Heads + head
							one, err := m.Activations(t.Context(), want.Layer, hook, index, [][]int{c.IDs}, nil)
							if err != nil {
								t.Fatal(err)
							}
							for p, heads := range positions {
								if !near(all[0][p][index], heads[head]) || !near(one[0][p], heads[head]) {
									t.Fatalf("head %d at %d along direction %d: %g and %g, want %g", head, p, i, all[0][p][index],
										one[0][p], heads[head])
								}
							}
						}
					}
					// Along a direction of the stream, the coordinates are multiplied by it.
					for _, hook := range []string{"hook_resid_pre", "-hook_resid_post", "hook_mlp_out"} {
						plain, err := m.LayerActivations(t.Context(), want.Layer, hook, [][]int{c.IDs})
						if err != nil {
							t.Fatal(err)
						}
						err = m.Scan(t.Context(), []int{0, want.Layer}, hook+"[dir]", [][]int{c.IDs},
							func(layer, first int, values []float32) {
								for k := 0; k < len(values) && layer == 1; k++ {
									sum := 0.0
									for j, v := range vectors[k%2] {
										sum += float64(v) * float64(plain[0][first+k/2][j])
									}
									if !near(values[k], float32(sum)) {
										t.Errorf("%s at %d along %d: %g, want %g", hook, first+k/2, k%2, values[k], sum)
									}
								}
							})
						if err != nil {
							t.Fatal(err)
						}
					}
				})
			}
		}
	}
}

func TestDirectionsRefuse(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	two := filepath.Join(dir, "two.safetensors")
	writeWeights(t, two, []safetensors.Tensor{{Name: "a", Shape: []int{1}, Data: []float32{1}},
		{Name: "b", Shape: []int{1}, Data: []float32{1}}})
	cube := filepath.Join(dir, "cube.safetensors")
	writeWeights(t, cube, []safetensors.Tensor{{Name: "a", Shape: []int{1, 1, 1}, Data: []float32{1}}})
	for text, want := range map[string]string{
		"[]": "no direction", "[[]]": "no direction", "[[1,2],[3]]": "direction 1 has 1", "[0,0]": "all zeros",
		"[1,": "JSON list", "[1] x": "behind the list", `["a"]`: "JSON list", "[1e39]": "JSON list",
		filepath.Join(dir, "none.json"): "no such file", dir: "no file of vectors", two: "2 tensors", cube: "[1 1 1]",
		write("x.json", "7"): "JSON list",
	} {
		if _, err := models.ReadDirections(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %s", text, err, want)
		}
	}
	one := filepath.Join(dir, "one.safetensors")
	writeWeights(t, one, []safetensors.Tensor{{Name: "a", Shape: []int{2, 64}, Data: draw("x", 128)}})
	m, err := models.Open(golden("gpt2"), models.Options{Backend: "go", Directions: one})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for hook, want := range map[string]string{
		"hook_mid[dir]": "64 numbers, but mlp.hook_mid", "attn.hook_result": "along a direction", "hook_x[dir]": "hook_x",
		"hook_result[dir]": "", "hook_resid_pre[dir]": "", "-attn.hook_result[dir]": "",
	} {
		if n, err := m.Width(1, hook); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %d, error %v, want %q", hook, n, err, want)
		}
	}
	if _, err := m.Activations(t.Context(), 1, "hook_resid_pre[dir]", 2, [][]int{{1}}, nil); err == nil ||
		!strings.Contains(err.Error(), "direction 2 is out of range") {
		t.Error(err)
	}
	if _, err := openGolden(t, "gpt2").Width(1, "hook_resid_pre[dir]"); err == nil ||
		!strings.Contains(err.Error(), "-direction") {
		t.Error(err)
	}
}
