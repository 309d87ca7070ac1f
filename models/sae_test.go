package models_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/internal/testfile"
	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/sae"
)

// saeFolder writes an auto-encoder of drawn weights that reads a hook point of d_in numbers.
func saeFolder(t *testing.T, hook string, width int) string {
	t.Helper()
	const features = 20
	dir := t.TempDir()
	config := fmt.Sprintf(`{"architecture": "topk", "k": 4, "d_in": %d, "d_sae": %d, "metadata": {"hook_name": %q}}`,
		width, features, hook)
	if err := os.WriteFile(filepath.Join(dir, "cfg.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var tensors []safetensors.Tensor
	for _, name := range []string{"W_enc", "b_enc", "W_dec", "b_dec"} {
		shape := map[string][]int{"W_enc": {width, features}, "b_enc": {features}, "W_dec": {features, width},
			"b_dec": {width}}[name]
		n := shape[0]
		if len(shape) == 2 {
			n *= shape[1]
		}
		tensors = append(tensors, safetensors.Tensor{Name: name, Shape: shape, Data: draw(name, n)})
	}
	writeWeights(t, filepath.Join(dir, "sae_weights.safetensors"), tensors)
	return dir
}

// A feature of an auto-encoder, and the negative side of anything, is asked as a neuron is.
func TestFeaturesAndNegativeSides(t *testing.T) {
	m, err := models.Open(golden("gpt2"), models.Options{Backend: "go", SAE: saeFolder(t, "blocks.1.hook_resid_post", 64)})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	prompts := [][]int{{0, 5, 6, 7, 8}, {0, 5, 9}, {0, 5, 6, 7, 8}}
	stream, err := m.LayerActivations(t.Context(), 1, "hook_resid_post", prompts)
	if err != nil {
		t.Fatal(err)
	}
	for _, hook := range []string{"hook_resid_post[sae]", "-hook_resid_post[sae]", "-hook_resid_post", "-hook_mid"} {
		width, err := m.Width(1, hook)
		if err != nil {
			t.Fatal(err)
		}
		all, err := m.LayerActivations(t.Context(), 1, hook, prompts)
		if err != nil {
			t.Fatal(err)
		}
		positive, err := m.LayerActivations(t.Context(), 1, strings.TrimPrefix(hook, "-"), prompts)
		if err != nil {
			t.Fatal(err)
		}
		index := width / 2
		column, err := m.Activations(t.Context(), 1, hook, index, prompts, [][]int{nil, {2}, {4, 1}})
		if err != nil {
			t.Fatal(err)
		}
		of := func(prompt int, positions ...int) (values []float32) {
			for _, p := range positions {
				values = append(values, all[prompt][p][index])
			}
			return values
		}
		for k, want := range [][]float32{of(0, 0, 1, 2, 3, 4), of(1, 2), of(2, 4, 1)} {
			for i := range want {
				if !near(column[k][i], want[i]) {
					t.Errorf("%s of prompt %d: %v, want %v", hook, k, column[k], want)
				}
			}
		}
		var mu sync.Mutex
		rows := 0
		err = m.Scan(t.Context(), []int{1}, hook, prompts, func(_, first int, values []float32) {
			mu.Lock()
			defer mu.Unlock()
			rows += len(values) / width
			for k, got := range values {
				prompt, row := 0, first+k/width
				for row >= len(prompts[prompt]) {
					row -= len(prompts[prompt])
					prompt++
				}
				if !near(got, all[prompt][row][k%width]) {
					t.Errorf("%s by a scan: %g, want %g", hook, got, all[prompt][row][k%width])
				}
			}
		})
		if err != nil || rows != 13 {
			t.Errorf("%d rows, error %v", rows, err)
		}
		for i := range all {
			for p := range all[i] {
				for k, got := range all[i][p] {
					want := positive[i][p][k]
					if strings.HasPrefix(hook, "-") {
						want = -want
					}
					if got != want || len(all[i][p]) != width {
						t.Fatalf("%s: %g, want %g", hook, got, want)
					}
				}
			}
		}
		if hook == "hook_resid_post[sae]" {
			want := make([]float32, width)
			m.SAE().Encode(want, stream[0][3], 1)
			for k := range want {
				if !near(all[0][3][k], want[k]) {
					t.Errorf("feature %d: %g, want %g", k, all[0][3][k], want[k])
				}
			}
		}
	}
	for hook, want := range map[string]string{
		"hook_resid_pre[sae]": "blocks.1.hook_resid_post, not blocks.1.hook_resid_pre", "hook_x[sae]": "hook_x",
	} {
		if _, err := m.Width(1, hook); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", hook, err)
		}
	}
	if _, err := m.Activations(t.Context(), 1, "hook_resid_post[sae]", 20, prompts, nil); err == nil ||
		!strings.Contains(err.Error(), "feature 20") {
		t.Errorf("a feature behind the last: %v", err)
	}
	for folder, want := range map[string]string{
		saeFolder(t, "blocks.9.hook_resid_post", 64): "layer 9",
		saeFolder(t, "blocks.1.hook_resid_post", 65): "65 numbers",
		saeFolder(t, "blocks.1.hook_embed", 64):      "hook_embed",
		t.TempDir():                                  "SAELens",
	} {
		if m, err := models.Open(golden("gpt2"), models.Options{Backend: "go", SAE: folder}); err == nil ||
			!strings.Contains(err.Error(), want) {
			if err == nil {
				m.Close()
			}
			t.Errorf("error %v, want one with %s", err, want)
		}
	}
	plain := openGolden(t, "gpt2")
	if _, err := plain.Width(1, "hook_resid_post[sae]"); err == nil || !strings.Contains(err.Error(), "-sae") {
		t.Errorf("no auto-encoder: %v", err)
	}
}

// Features of auto-encoders that sae-lens wrote are, on a real model and both ways, what it computes with PyTorch: all
// of them at once and one alone. Those that are compared are those whose weights package sae's testdata keeps.
func TestSmolLM2Features(t *testing.T) {
	file := smolLM2(t)
	const layer, hook, folder = 7, "hook_resid_post[sae]", "sae/testdata/smollm2/"
	reference, err := safetensors.Parse(testfile.Read(t, folder+"reference.safetensors.gz"))
	if err != nil {
		t.Fatal(err)
	}
	strides := map[string]int{"standard": 6, "jumprelu": 6, "topk": 1}
	for _, way := range quickWays() {
		t.Run(way.name, func(t *testing.T) {
			plain := way.open(t, file)
			for name, stride := range strides {
				s, err := sae.OpenFS(fstest.MapFS{
					"cfg.json":                {Data: testfile.Read(t, folder+name+"/cfg.json")},
					"sae_weights.safetensors": {Data: testfile.Read(t, folder+name+"/sae_weights.safetensors.gz")},
				}, name)
				if err != nil {
					t.Fatal(err)
				}
				m, err := plain.WithSAE(s)
				if err != nil {
					t.Fatal(err)
				}
				for i, ids := range smolLM2Prompts {
					info, _ := reference.Info(fmt.Sprintf("in%d.%s.features", i, name))
					want := make([]float32, info.Len())
					if err := reference.Float32s(info.Name, want); err != nil {
						t.Fatal(err)
					}
					all, err := m.LayerActivations(t.Context(), layer, hook, [][]int{ids})
					if err != nil {
						t.Fatal(err)
					}
					for k := 0; k < len(want); k += stride {
						if got := all[0][k/s.Features][k%s.Features]; !near(got, want[k]) {
							t.Errorf("%s: feature %d at %d is %g, want %g", info.Name, k%s.Features, k/s.Features, got, want[k])
						}
					}
					index := 2 * stride
					one, err := m.Activations(t.Context(), layer, hook, index, [][]int{ids}, nil)
					if err != nil {
						t.Fatal(err)
					}
					for p, got := range one[0] {
						if w := want[p*s.Features+index]; !near(got, w) {
							t.Errorf("%s: feature %d alone at %d is %g, want %g", info.Name, index, p, got, w)
						}
					}
				}
			}
		})
	}
}
