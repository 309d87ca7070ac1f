package models

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/models/backends"
	"github.com/neuron2graph/neuron2graph/models/internal/queue"
	"github.com/neuron2graph/neuron2graph/n2g/n2gtest"
)

const goldenModels = "../testdata/golden/models"

// maskedReference is ref.json of a golden masked model.
type maskedReference struct {
	Texts  []string  `json:"texts"`
	IDs    [][]int   `json:"input_ids"`
	Mask   [][]int   `json:"attention_mask"`
	Top    [][][]any `json:"top8_at_mask"`
	values *safetensors.File
}

// text returns the ids of text i without padding.
func (r *maskedReference) text(i int) []int {
	n := 0
	for _, m := range r.Mask[i] {
		n += m
	}
	return r.IDs[i][:n]
}

// tensor returns a reference tensor and its width, the last dimension.
func (r *maskedReference) tensor(t *testing.T, name string) (values []float32, width int) {
	t.Helper()
	info, ok := r.values.Info(name)
	if !ok {
		t.Fatalf("no reference tensor %s", name)
	}
	values = make([]float32, info.Len())
	if err := r.values.Float32s(name, values); err != nil {
		t.Fatal(err)
	}
	return values, info.Shape[len(info.Shape)-1]
}

// testBackend is what masked models run on: pure Go, unless N2G_BACKEND names another, as make test-xla does.
func testBackend() string { return cmp.Or(os.Getenv(backends.EnvVar), backends.Go) }

func openMaskedGolden(t testing.TB, name string) (*Masked, *maskedReference) {
	t.Helper()
	folder := filepath.Join(goldenModels, name)
	m, err := OpenMasked(folder, Options{Backend: testBackend()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	text, err := os.ReadFile(filepath.Join(folder, "ref.json"))
	if err != nil {
		t.Fatal(err)
	}
	reference := &maskedReference{}
	if err := json.Unmarshal(text, reference); err != nil {
		t.Fatal(err)
	}
	if reference.values, err = safetensors.Open(filepath.Join(folder, "ref.safetensors")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reference.values.Close() })
	return m, reference
}

// near fails unless got agrees with want to 1e-4, absolute and relative.
func near(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range want {
		difference := math.Abs(float64(got[i]) - float64(want[i]))
		if !(difference <= 1e-4*max(1, math.Abs(float64(want[i])))) {
			t.Fatalf("%s: value %d is %g, want %g", what, i, got[i], want[i])
		}
	}
}

// take collects the first n of a sequence.
func take(n int, sequence iter.Seq2[string, float64]) (words []string, probabilities []float64) {
	for word, p := range sequence {
		words, probabilities = append(words, word), append(probabilities, p)
		if len(words) == n {
			break
		}
	}
	return words, probabilities
}

func TestMaskedAgreesWithPyTorch(t *testing.T) {
	for _, name := range []string{"distilbert", "bert"} {
		t.Run(name, func(t *testing.T) {
			m, reference := openMaskedGolden(t, name)
			if m.Name() != name || m.MaskToken() != "[MASK]" {
				t.Errorf("name %q, mask token %q", m.Name(), m.MaskToken())
			}
			offsets := make([]int, len(reference.Texts))
			for i, text := range reference.Texts {
				offsets[i] = strings.Index(text, "[MASK]")
			}
			filled, err := m.Fill(t.Context(), reference.Texts, offsets)
			if err != nil {
				t.Fatal(err)
			}
			for i, sequence := range filled {
				words, probabilities := take(8, sequence)
				for k, pair := range reference.Top[i] {
					if words[k] != pair[0].(string) || math.Abs(probabilities[k]-pair[1].(float64)) > 1e-4 {
						t.Errorf("text %d, substitute %d: %q %g, want %v", i, k, words[k], probabilities[k], pair)
					}
				}
			}

			atMask, width := reference.tensor(t, "logits_at_mask")
			row0, _ := reference.tensor(t, "logits_row0")
			for i := range reference.Texts {
				ids := reference.text(i)
				fills, err := m.FillIDs(t.Context(), ids)
				if err != nil {
					t.Fatal(err)
				}
				if len(fills) != 1 || ids[fills[0].Position] != m.special.Mask {
					t.Fatalf("text %d: fills %+v", i, fills)
				}
				near(t, fmt.Sprintf("text %d: logits at mask", i), fills[0].Logits, atMask[i*width:(i+1)*width])

				cache, err := m.RunWithCache(t.Context(), ids)
				if err != nil {
					t.Fatal(err)
				}
				for l := range m.Config().Layers + 1 {
					hidden, d := reference.tensor(t, fmt.Sprintf("hidden.%d", l))
					hook := "hook_full_embed"
					if l > 0 {
						hook = fmt.Sprintf("blocks.%d.hook_normalized_resid_post", l-1)
					}
					rows := cache.Values[hook]
					if len(rows) != len(ids) {
						t.Fatalf("%s has %d positions, want %d", hook, len(rows), len(ids))
					}
					begin := i * len(reference.IDs[0]) * d
					near(t, fmt.Sprintf("text %d: %s", i, hook), slices.Concat(rows...), hidden[begin:begin+len(ids)*d])
				}
				if i == 0 {
					near(t, "logits of text 0", slices.Concat(cache.Logits...), row0[:len(ids)*width])
				}
			}
		})
	}
}

// TestMaskedKeepsTheContract runs texts of many lengths, so that they fall into several padded shapes.
func TestMaskedKeepsTheContract(t *testing.T) {
	m, reference := openMaskedGolden(t, "bert")
	texts := []string{"if [MASK] != nil { return [MASK] }"}
	for i := range 7 {
		texts = append(texts, strings.Repeat("x ", i*i)+reference.Texts[i%len(reference.Texts)])
	}
	n2gtest.TestMaskedModel(t, m, texts...)

	// To the last bit, where the processor answers.
	var offsets []int
	for _, text := range texts {
		offsets = append(offsets, strings.Index(text, "[MASK]"))
	}
	together, err := m.Fill(t.Context(), texts, offsets)
	if err != nil {
		t.Fatal(err)
	}
	for i := range texts {
		alone, err := m.Fill(t.Context(), texts[i:i+1], offsets[i:i+1])
		if err != nil {
			t.Fatal(err)
		}
		words, probabilities := take(40, together[i])
		otherWords, others := take(40, alone[0])
		if !slices.Equal(words, otherWords) || !slices.Equal(probabilities, others) {
			t.Errorf("%q: %q alone, %q among %d", texts[i], otherWords[:3], words[:3], len(texts))
		}
	}
}

func TestMaskedProbabilitiesSumToOne(t *testing.T) {
	m, reference := openMaskedGolden(t, "distilbert")
	filled, err := m.Fill(t.Context(), reference.Texts[:1], []int{strings.Index(reference.Texts[0], "[MASK]")})
	if err != nil {
		t.Fatal(err)
	}
	words, probabilities := take(-1, filled[0])
	again, _ := take(3, filled[0])
	sum := 0.0
	for _, p := range probabilities {
		sum += p
	}
	if len(words) != 4096 || math.Abs(sum-1) > 1e-9 {
		t.Errorf("%d substitutes with probability %g in all, want 4096 with 1", len(words), sum)
	}
	if !slices.IsSortedFunc(probabilities, func(a, b float64) int { return -compareFloat(a, b) }) {
		t.Error("probabilities are not in descending order")
	}
	if !slices.Equal(again, words[:3]) {
		t.Errorf("walked again: %q, first %q", again, words[:3])
	}
	if !slices.Contains(words, "[PAD]") || !slices.Contains(words, "##s") {
		t.Error("special tokens or word pieces are missing")
	}
}

func compareFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// TestMaskedReadsTheWindowAroundTheMask: of a text beyond the model's 512 positions, the answer is that for the 510
// tokens around the mask.
func TestMaskedReadsTheWindowAroundTheMask(t *testing.T) {
	m, _ := openMaskedGolden(t, "distilbert")
	words := strings.Fields(strings.Repeat("the error is nil if func returns . ", 90)) // 720 tokens
	for _, at := range []int{10, 350, 720} {
		text := strings.Join(slices.Insert(slices.Clone(words), at, "[MASK]"), " ")
		filled, err := m.Fill(t.Context(), []string{text}, []int{strings.Index(text, "[MASK]")})
		if err != nil {
			t.Fatal(err)
		}
		body := m.Tokenizer().Encode(text).IDs
		if len(body) != 721 {
			t.Fatalf("%d tokens, want 721", len(body))
		}
		start := min(max(0, at-255), 721-510)
		ids := slices.Concat([]int{m.special.CLS}, body[start:start+510], []int{m.special.Sep})
		fills, err := m.FillIDs(t.Context(), ids)
		if err != nil {
			t.Fatal(err)
		}
		got, gotP := take(20, filled[0])
		want, wantP := take(20, fills[0].Substitutes)
		if !slices.Equal(got, want) || !slices.Equal(gotP, wantP) {
			t.Errorf("mask at word %d: %q, want %q", at, got, want)
		}
	}
}

func TestMaskedFillsEachMaskOfIDs(t *testing.T) {
	m, _ := openMaskedGolden(t, "bert")
	const text = "return [MASK], fmt.[MASK]([MASK])"
	var offsets []int
	for i := range text {
		if strings.HasPrefix(text[i:], "[MASK]") {
			offsets = append(offsets, i)
		}
	}
	filled, err := m.Fill(t.Context(), []string{text, text, text}, offsets)
	if err != nil {
		t.Fatal(err)
	}
	fills, err := m.FillIDs(t.Context(), m.Tokenizer().EncodeSpecial(text).IDs)
	if err != nil {
		t.Fatal(err)
	}
	if len(fills) != 3 {
		t.Fatalf("%d masks, want 3", len(fills))
	}
	for i := range fills {
		want, wantP := take(10, filled[i])
		got, gotP := take(10, fills[i].Substitutes)
		if !slices.Equal(got, want) || !slices.Equal(gotP, wantP) {
			t.Errorf("mask %d: %q, want %q", i, got, want)
		}
		k := 0
		for id, p := range fills[i].IDs() {
			if want, _ := m.Tokenizer().ID(got[k]); id != want || p != gotP[k] {
				t.Errorf("mask %d, id %d is %d, want %d", i, k, id, want)
			}
			if k++; k == 10 {
				break
			}
		}
	}
}

func TestMaskedRefusesBadInput(t *testing.T) {
	m, _ := openMaskedGolden(t, "distilbert")
	ctx := t.Context()
	fill := func(text string, offset int) func() error {
		return func() error { _, err := m.Fill(ctx, []string{text}, []int{offset}); return err }
	}
	ids := func(ids ...int) func() error {
		return func() error { _, err := m.FillIDs(ctx, ids); return err }
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	for want, run := range map[string]func() error{
		"no [MASK] at byte 3":  fill("the [MASK]", 3),
		"no [MASK] at byte -1": fill("the [MASK]", -1),
		"no [MASK] at byte 99": fill("the [MASK]", 99),
		"1 texts but 2 offsets": func() error {
			_, err := m.Fill(ctx, []string{"[MASK]"}, []int{0, 1})
			return err
		},
		"is the mask token 4 ([MASK]): put [MASK] where":                          ids(2, 5, 3),
		"token id 4096 at position 2 lies outside the model's vocabulary of 4096": ids(2, 4, 4096, 3),
		"513 tokens, but the model reads from 1 to 512":                           ids(slices.Repeat([]int{4}, 513)...),
		"0 tokens": func() error { _, err := m.RunWithCache(ctx, nil); return err },
		"context canceled": func() error {
			_, err := m.Fill(canceled, []string{"[MASK]"}, []int{0})
			return err
		},
	} {
		err := run()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want one sentence with %q", err, want)
		}
	}
	if filled, err := m.Fill(ctx, nil, nil); err != nil || len(filled) != 0 {
		t.Errorf("no texts: %v, %v", filled, err)
	}
	if filled, err := m.FillAt(ctx, []int{2, 3}, nil); err != nil || len(filled) != 0 {
		t.Errorf("no positions: %v, %v", filled, err)
	}
}

// goldenFS is a golden folder in memory, for tests that change it.
func goldenFS(t *testing.T, name string) fstest.MapFS {
	t.Helper()
	fsys := fstest.MapFS{}
	for _, file := range []string{"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} {
		data, err := os.ReadFile(filepath.Join(goldenModels, name, file))
		if err != nil {
			t.Fatal(err)
		}
		fsys[file] = &fstest.MapFile{Data: data}
	}
	return fsys
}

// rewrite replaces the weights of fsys by what change makes of them.
func rewrite(t *testing.T, fsys fstest.MapFS, change func([]safetensors.Tensor) []safetensors.Tensor) {
	t.Helper()
	f, err := safetensors.Parse(fsys["model.safetensors"].Data)
	if err != nil {
		t.Fatal(err)
	}
	var list []safetensors.Tensor
	for _, name := range f.Names() {
		info, _ := f.Info(name)
		values := make([]float32, info.Len())
		if err := f.Float32s(name, values); err != nil {
			t.Fatal(err)
		}
		list = append(list, safetensors.Tensor{Name: name, Shape: info.Shape, Data: values})
	}
	var out strings.Builder
	if err := safetensors.Write(&out, change(list), nil); err != nil {
		t.Fatal(err)
	}
	fsys["model.safetensors"] = &fstest.MapFile{Data: []byte(out.String())}
}

// TestMaskedReadsEveryNaming: the same weights under the names that other versions of the libraries wrote.
func TestMaskedReadsEveryNaming(t *testing.T) {
	rename := func(pairs ...string) func(*testing.T, fstest.MapFS) {
		replacer := strings.NewReplacer(pairs...)
		return func(t *testing.T, fsys fstest.MapFS) {
			rewrite(t, fsys, func(list []safetensors.Tensor) []safetensors.Tensor {
				for i := range list {
					list[i].Name = replacer.Replace(list[i].Name)
				}
				return list
			})
		}
	}
	// The decoder beside the word embedding it is tied to.
	untied := func(name, decoder string) func(*testing.T, fstest.MapFS) {
		return func(t *testing.T, fsys fstest.MapFS) {
			rewrite(t, fsys, func(list []safetensors.Tensor) []safetensors.Tensor {
				words := list[slices.IndexFunc(list, func(t safetensors.Tensor) bool { return t.Name == name })]
				words.Name = decoder
				return append(list, words)
			})
			config := string(fsys["config.json"].Data)
			fsys["config.json"] = &fstest.MapFile{Data: []byte(
				strings.Replace(config, `"tie_word_embeddings": true`, `"tie_word_embeddings": false`, 1))}
		}
	}
	for name, variants := range map[string]map[string]func(*testing.T, fstest.MapFS){
		"distilbert": {
			"no prefix": rename("distilbert.", ""),
			"gamma and beta": rename("layer_norm.weight", "layer_norm.gamma", "layer_norm.bias", "layer_norm.beta",
				"LayerNorm.weight", "LayerNorm.gamma", "LayerNorm.bias", "LayerNorm.beta"),
			"not tied": untied("distilbert.embeddings.word_embeddings.weight", "vocab_projector.weight"),
		},
		"bert": {
			"no prefix":           rename("bert.", ""),
			"gamma and beta":      rename("LayerNorm.weight", "LayerNorm.gamma", "LayerNorm.bias", "LayerNorm.beta"),
			"bias of the decoder": rename("cls.predictions.bias", "cls.predictions.decoder.bias"),
			"not tied":            untied("bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"),
			"no model_type": func(t *testing.T, fsys fstest.MapFS) {
				config := string(fsys["config.json"].Data)
				fsys["config.json"] = &fstest.MapFile{Data: []byte(strings.Replace(config, `"model_type": "bert",`, "", 1))}
			},
		},
	} {
		plain, reference := openMaskedGolden(t, name)
		ids := reference.text(1)
		want, err := plain.FillIDs(t.Context(), ids)
		if err != nil {
			t.Fatal(err)
		}
		for _, variant := range slices.Sorted(maps.Keys(variants)) {
			t.Run(name+"/"+variant, func(t *testing.T) {
				fsys := goldenFS(t, name)
				variants[variant](t, fsys)
				m, err := OpenMaskedFS(fsys, name, Options{Backend: testBackend()})
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				got, err := m.FillIDs(t.Context(), ids)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got[0].Logits, want[0].Logits) {
					t.Error("logits differ from those of the plain file")
				}
			})
		}
	}
}

func TestOpenMaskedRefuses(t *testing.T) {
	config := func(old, new string) func(*testing.T, fstest.MapFS) {
		return func(t *testing.T, fsys fstest.MapFS) {
			text := string(fsys["config.json"].Data)
			if !strings.Contains(text, old) {
				t.Fatalf("config.json has no %s", old)
			}
			fsys["config.json"] = &fstest.MapFile{Data: []byte(strings.Replace(text, old, new, 1))}
		}
	}
	for want, change := range map[string]func(*testing.T, fstest.MapFS){
		`the roberta family is not known`: config(`"model_type": "bert"`, `"model_type": "roberta"`),
		"not JSON":                        config(`{`, `[`),
		"multiple of the 5 heads":         config(`"num_attention_heads": 4`, `"num_attention_heads": 5`),
		"layers of -1":                    config(`"num_hidden_layers": 2`, `"num_hidden_layers": -1`),
		"width of 0":                      config(`"hidden_size": 128`, `"hidden_size": 0`),
		`activation function "sine" is not among those known`: config(`"hidden_act": "gelu"`, `"hidden_act": "sine"`),
		"is_decoder":   config(`"is_decoder": false`, `"is_decoder": true`),
		"relative_key": config(`"hidden_size"`, `"position_embedding_type": "relative_key", "hidden_size"`),
		"bert.encoder.layer.2.attention.self.query.weight":      config(`"num_hidden_layers": 2`, `"num_hidden_layers": 3`),
		"has shape [4096 128], but config.json says [4097 128]": config(`"vocab_size": 4096`, `"vocab_size": 4097`),
		"config.json":       func(t *testing.T, fsys fstest.MapFS) { delete(fsys, "config.json") },
		"model.safetensors": func(t *testing.T, fsys fstest.MapFS) { delete(fsys, "model.safetensors") },
		"cut short": func(t *testing.T, fsys fstest.MapFS) {
			data := fsys["model.safetensors"].Data
			fsys["model.safetensors"] = &fstest.MapFile{Data: data[:len(data)/2]}
		},
		"no mask token": func(t *testing.T, fsys fstest.MapFS) {
			delete(fsys, "tokenizer_config.json")
			text, err := os.ReadFile(filepath.Join(goldenModels, "gpt2", "tokenizer.json"))
			if err != nil {
				t.Fatal(err)
			}
			fsys["tokenizer.json"] = &fstest.MapFile{Data: text}
		},
	} {
		fsys := goldenFS(t, "bert")
		change(t, fsys)
		m, err := OpenMaskedFS(fsys, "bert", Options{Backend: "go"})
		if err == nil {
			m.Close()
			t.Errorf("opened, want an error with %q", want)
		} else if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want one sentence with %q", err, want)
		}
	}
	for ref, want := range map[string]string{
		filepath.Join(goldenModels, "nowhere"):             "name a folder that holds config.json",
		filepath.Join(goldenModels, "bert", "config.json"): "is a file",
	} {
		if _, err := OpenMasked(ref, Options{Backend: "go"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// TestMaskedClose: calls that wait or come late get an error.
func TestMaskedClose(t *testing.T) {
	m, err := OpenMasked(filepath.Join(goldenModels, "distilbert"), Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			for {
				if _, err := m.Fill(context.Background(), []string{"a [MASK]"}, []int{2}); err != nil {
					if !errors.Is(err, queue.ErrClosed) {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	calls.Wait()
	if _, err := m.RunWithCache(t.Context(), []int{2, 3}); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("run after Close: %v", err)
	}
}

func TestRanked(t *testing.T) {
	logits := []float32{0, 2, 1, 2, -1, 1, float32(math.Inf(-1))}
	var order []int
	for id := range ranked(logits) {
		order = append(order, id)
	}
	if want := []int{1, 3, 2, 5, 0, 4, 6}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
	for range ranked(nil) {
		t.Error("something of nothing")
	}
}

func BenchmarkRankTen(b *testing.B) {
	logits := make([]float32, 30522)
	for i := range logits {
		logits[i] = float32(i*7919%30011) / 3000
	}
	for b.Loop() {
		n := 0
		for range ranked(logits) {
			if n++; n == 10 {
				break
			}
		}
	}
}
