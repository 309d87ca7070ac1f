package models_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models"
)

// randomPrompts makes a mixture as the method asks it: texts of all lengths, masked variants of some, truncations.
func randomPrompts(m *models.Causal, rng *rand.Rand, n int) [][]int {
	longest := min(m.ContextLength(), 200)
	bos := max(m.BOS(), 0) // without a tokenizer any
	var prompts [][]int
	for len(prompts) < n {
		ids := []int{bos}
		for range rng.IntN(longest) {
			ids = append(ids, rng.IntN(m.Config().DVocab))
			if rng.IntN(12) == 0 {
				break
			}
		}
		prompts = append(prompts, ids)
		if rng.IntN(2) == 0 {
			for i := range ids[:min(len(ids), 30)] {
				variant := slices.Clone(ids)
				variant[i] = m.MaskID()
				prompts = append(prompts, variant)
			}
		}
		prompts = append(prompts, ids[:1+rng.IntN(len(ids))])
	}
	rng.Shuffle(len(prompts), func(i, j int) { prompts[i], prompts[j] = prompts[j], prompts[i] })
	return prompts
}

// smallModels writes a random model of every family that has no golden values.
func smallModels(t *testing.T) map[string]string {
	t.Helper()
	llama := func(family string, window, biases bool) string {
		return writeModel(t, fmt.Sprintf(smallLlama, family, window), randomTensors(llamaTensors(biases), 6))
	}
	plain := slices.DeleteFunc(llamaTensors(false),
		func(p transformer.Param) bool { return strings.Contains(p.Name, "norm") })
	return map[string]string{
		"opt":     writeModel(t, smallOPT, randomTensors(optTensors(), 7)),
		"llama":   llama("llama", false, false),
		"mistral": llama("mistral", true, false),
		"qwen2":   llama("qwen2", true, true),
		"olmo":    writeModel(t, fmt.Sprintf(smallLlama, "olmo", false), randomTensors(plain, 8)),
	}
}

// inShort is the model that -short, which the race detector runs with, leaves of those computed by programs: these run
// the same Go whatever the family, and minutes of it under the detector. Without -short all are compared.
const inShort = "llama"

// eachModel runs a test with a model of every family, once by package kernels and once by compiled programs, and the
// same model by programs beside it; with -short only with small ones.
func eachModel(t *testing.T, test func(t *testing.T, m, programs *models.Causal)) {
	folders := smallModels(t)
	for _, name := range causalGolden {
		if !testing.Short() {
			folders[name] = golden(name)
		}
	}
	for name, folder := range folders {
		for _, way := range []string{"kernels", "programs"} {
			if testing.Short() && way == "programs" && name != inShort {
				continue
			}
			t.Run(name+" by "+way, func(t *testing.T) {
				open := func() *models.Causal {
					m, err := models.Open(folder, models.Options{Backend: "go"})
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { m.Close() })
					return m
				}
				m, programs := open(), open()
				programs.OnPrograms()
				if way == "programs" {
					m.OnPrograms()
				}
				test(t, m, programs)
			})
		}
	}
}

// A prompt's activations are the same whatever is asked with it, bit by bit on the processor, and near those of a plain
// pass: of every family, at every hook of every layer.
func TestActivationsDoNotDependOnTheBatch(t *testing.T) {
	eachModel(t, func(t *testing.T, m, programs *models.Causal) {
		rng := rand.New(rand.NewPCG(1, 2))
		n := 60
		if testing.Short() {
			n = 15
		}
		prompts := randomPrompts(m, rng, n)
		for layer := range m.Config().Layers {
			for _, hook := range []string{"hook_pre", "hook_mid", "hook_post"} {
				checkActivations(t, m, programs, rng, layer, hook, prompts)
			}
		}
	})
}

// checkActivations compares a call for all prompts with calls for one, and with a program for the whole model.
func checkActivations(t *testing.T, m, programs *models.Causal, rng *rand.Rand, layer int, hook string,
	prompts [][]int) {
	t.Helper()
	same := func(a, b float32) bool { return a == b }
	if !m.Exact() {
		same = near
	}
	index := rng.IntN(m.Config().DMLP)
	together, err := m.Activations(t.Context(), layer, hook, index, prompts, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range rng.Perm(len(prompts))[:5] {
		alone, err := m.Activations(t.Context(), layer, hook, index, prompts[i:i+1], nil)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(alone[0], together[i], same) {
			t.Fatalf("%s of layer %d: a prompt of %d tokens gives\n%v alone,\n%v among others", hook, layer, len(prompts[i]),
				alone[0], together[i])
		}
		positions := [][]int{{rng.IntN(len(prompts[i])), rng.IntN(len(prompts[i]))}}
		some, err := m.Activations(t.Context(), layer, hook, index, prompts[i:i+1], positions)
		if err != nil {
			t.Fatal(err)
		}
		for k, p := range positions[0] {
			if !same(some[0][k], together[i][p]) {
				t.Fatalf("%s of layer %d: %g at position %d of %d asked alone, %g among all", hook, layer, some[0][k], p,
					len(prompts[i]), together[i][p])
			}
		}
	}
	i := rng.IntN(len(prompts))
	cache, err := programs.RunWithCache(t.Context(), prompts[i])
	if err != nil {
		t.Fatal(err)
	}
	all, err := m.LayerActivations(t.Context(), layer, hook, prompts[i:i+1])
	if err != nil {
		t.Fatal(err)
	}
	plain := cache.Values[transformer.BlockName(layer, "mlp."+hook)]
	for p, got := range together[i] {
		if !near(got, plain[p][index]) {
			t.Fatalf("%s of layer %d, position %d: %g in a batch, %g in a plain pass", hook, layer, p, got, plain[p][index])
		}
		for n, got := range all[0][p] {
			if !near(got, plain[p][n]) {
				t.Fatalf("%s of layer %d, position %d: neuron %d is %g, in a plain pass %g", hook, layer, p, n, got, plain[p][n])
			}
		}
	}
}

// Every value of a pass by kernels is that of a compiled program, for every family.
func TestRunWithCacheBothWays(t *testing.T) {
	eachModel(t, func(t *testing.T, m, programs *models.Causal) {
		for _, ids := range randomPrompts(m, rand.New(rand.NewPCG(9, 10)), 3) {
			got, err := m.RunWithCache(t.Context(), ids)
			if err != nil {
				t.Fatal(err)
			}
			want, err := programs.RunWithCache(t.Context(), ids)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Hooks(), want.Hooks()) {
				t.Fatalf("hooks %v, want %v", got.Hooks(), want.Hooks())
			}
			got.Values["logits"], want.Values["logits"] = got.Logits, want.Logits
			for hook, rows := range want.Values {
				for p, row := range rows {
					for i, w := range row {
						if g := got.Values[hook][p][i]; !near(g, w) {
							t.Fatalf("%s, position %d, element %d: %g, want %g", hook, p, i, g, w)
						}
					}
				}
			}
		}
	})
}

// Positions asked out of order, twice or not at all are answered as asked, and do not change a value.
func TestActivationsAtPositions(t *testing.T) {
	m := openGolden(t, "solu")
	rng := rand.New(rand.NewPCG(3, 4))
	prompts := randomPrompts(m, rng, 40)
	all, err := m.Activations(context.Background(), 1, "", 7, prompts, nil)
	if err != nil {
		t.Fatal(err)
	}
	positions := make([][]int, len(prompts))
	for i, ids := range prompts {
		switch rng.IntN(3) {
		case 0: // nil: all
		case 1:
			positions[i] = []int{}
		default:
			for range 1 + rng.IntN(4) {
				positions[i] = append(positions[i], rng.IntN(len(ids)))
			}
		}
	}
	some, err := m.Activations(context.Background(), 1, "blocks.1.mlp.hook_mid", 7, prompts, positions)
	if err != nil {
		t.Fatal(err)
	}
	for i := range prompts {
		want := all[i]
		if positions[i] != nil {
			want = []float32{}
			for _, p := range positions[i] {
				want = append(want, all[i][p])
			}
		}
		if !slices.Equal(some[i], want) {
			t.Fatalf("prompt %d, positions %v: got %v, want %v", i, positions[i], some[i], want)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	m := openGolden(t, "pythia")
	prompts := randomPrompts(m, rand.New(rand.NewPCG(5, 6)), 40)
	want, err := m.Activations(context.Background(), 1, "", 3, prompts, nil)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(worker), 7))
			for range 5 {
				lo := rng.IntN(len(prompts) - 5)
				hi := lo + 1 + rng.IntN(len(prompts)-lo)
				hi = min(hi, len(prompts))
				got, err := m.Activations(context.Background(), 1, "", 3, prompts[lo:hi], nil)
				if err != nil {
					t.Error(err)
					return
				}
				for i := range got {
					if !slices.Equal(got[i], want[lo+i]) {
						t.Errorf("a prompt's activations changed while others ran")
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestScanAgreesWithActivations(t *testing.T) {
	ctx := context.Background()
	eachModel(t, func(t *testing.T, m, _ *models.Causal) {
		windows := randomPrompts(m, rand.New(rand.NewPCG(8, 9)), 30)
		layers := []int{m.Config().Layers - 1, 0}
		width, err := m.Width(0, "")
		if err != nil {
			t.Fatal(err)
		}
		rows := 0
		for _, ids := range windows {
			rows += len(ids)
		}
		var mu sync.Mutex
		got := make([][]float32, len(layers))
		for l := range got {
			got[l] = slices.Repeat([]float32{float32(math.NaN())}, rows*width)
		}
		err = m.Scan(ctx, layers, "", windows, func(layer, first int, values []float32) {
			mu.Lock()
			defer mu.Unlock()
			into := got[layer][first*width : first*width+len(values)]
			for _, v := range into {
				if v == v {
					t.Errorf("a row of layer %d came twice", layers[layer])
				}
			}
			copy(into, values)
		})
		if err != nil {
			t.Fatal(err)
		}
		for l, layer := range layers {
			all, err := m.LayerActivations(ctx, layer, "", windows)
			if err != nil {
				t.Fatal(err)
			}
			for n, want := range slices.Concat(slices.Concat(all...)...) {
				if !near(got[l][n], want) {
					t.Fatalf("layer %d, row %d, neuron %d: %g, not %g", layer, n/width, n%width, got[l][n], want)
				}
			}
		}
	})
}

func TestCancel(t *testing.T) {
	m := openGolden(t, "solu")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	prompts := [][]int{{0, 5, 6}}
	if _, err := m.Activations(ctx, 0, "", 0, prompts, nil); err == nil {
		t.Error("Activations ran under a cancelled context")
	}
	if err := m.Scan(ctx, []int{0}, "", prompts, func(int, int, []float32) {}); err == nil {
		t.Error("Scan ran under a cancelled context")
	}
	if _, err := m.RunWithCache(ctx, prompts[0]); err == nil {
		t.Error("RunWithCache ran under a cancelled context")
	}
}

// Rows counts each distinct prefix once, and nothing behind the last position asked.
func TestRows(t *testing.T) {
	m := openGolden(t, "solu")
	prompts := [][]int{{0, 5, 6, 7}, {0, 5, 6, 8, 9}, {0, 5}, {3}}
	for _, test := range []struct {
		positions [][]int
		want      int
	}{
		{nil, 7},
		{[][]int{{1, 0}, {2}, {}, nil}, 4},
		{[][]int{{}, {}, {}, {}}, 0},
		{[][]int{{9}, nil, nil, nil}, 0},
	} {
		if got := m.Rows(prompts, test.positions); got != test.want {
			t.Errorf("positions %v: %d rows, want %d", test.positions, got, test.want)
		}
	}
}
