package models_test

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/internal/transformer"
	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/internal/checkpoint"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/n2gtest"
)

// A causal model is what the method asks for.
var _ n2g.LanguageModel = (*models.Causal)(nil)

var texts = []string{
	"// The caller must hold the lock. It returns an error!",
	"x",
	"func (t *Template) Execute(wr io.Writer, data any) error {\n\treturn t.execute(wr, data)\n}",
	"  two blanks, naïve café 日本語 😀",
	"package main",
	strings.Repeat("if err != nil { return err } ", 12),
}

// Every family keeps the contract, in every way it can compute here.
func TestContract(t *testing.T) {
	folders := readableModels(t)
	for _, name := range causalGolden {
		folders[name] = golden(name)
	}
	for _, name := range slices.Sorted(maps.Keys(folders)) {
		for _, way := range ways {
			if testing.Short() && way.programs && name != inShort {
				continue
			}
			t.Run(name+" by "+way.name, func(t *testing.T) {
				m := way.open(t, folders[name])
				n2gtest.TestLanguageModel(t, m, n2g.Site{Layer: 1, Index: 17}, texts...)
			})
		}
	}
}

// readableModels are random models of the families without golden values, with the tokenizer of one that has them.
func readableModels(t *testing.T) map[string]string {
	t.Helper()
	const vocabulary, positions = 4096, 500
	grow := func(list []transformer.Param) []transformer.Param {
		for i, p := range list {
			list[i].Shape = slices.Clone(p.Shape)
			switch p.Shape[0] {
			case 50: // the vocabulary of the small models
				list[i].Shape[0] = vocabulary
			case 32: // OPT's table of positions, two more than there are
				list[i].Shape[0] = positions + 2
			}
		}
		return list
	}
	larger := strings.NewReplacer(`"vocab_size": 50`, fmt.Sprintf(`"vocab_size": %d`, vocabulary),
		`"max_position_embeddings": 30`, fmt.Sprintf(`"max_position_embeddings": %d`, positions))
	llama := func(family string, window, biases bool) string {
		return writeModel(t, larger.Replace(fmt.Sprintf(smallLlama, family, window)),
			randomTensors(grow(llamaTensors(biases)), 6))
	}
	folders := map[string]string{
		"opt":     writeModel(t, larger.Replace(smallOPT), randomTensors(grow(optTensors()), 7)),
		"llama":   llama("llama", false, false),
		"mistral": llama("mistral", true, false),
		"qwen2":   llama("qwen2", true, true),
		"olmo": writeModel(t, larger.Replace(fmt.Sprintf(smallLlama, "olmo", false)),
			randomTensors(slices.DeleteFunc(grow(llamaTensors(false)),
				func(p transformer.Param) bool { return strings.Contains(p.Name, "norm") }), 8)),
	}
	for _, dir := range folders {
		for _, name := range []string{"tokenizer.json", "tokenizer_config.json"} {
			text, err := os.ReadFile(golden("solu") + "/" + name)
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return folders
}

// folder copies the files of a golden model but those in changed, which are written instead; an empty one is left out.
func folder(t *testing.T, name string, changed map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for _, file := range []string{"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} {
		text, err := os.ReadFile(golden(name) + "/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if replacement, ok := changed[file]; ok {
			text = []byte(replacement)
		}
		if len(text) == 0 {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// replaced is a golden model's file with a part replaced.
func replaced(t *testing.T, name, file, old, new string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(golden(name) + "/" + file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("%s of %s does not hold %q", file, name, old)
	}
	return map[string]string{file: strings.Replace(string(text), old, new, 1)}
}

func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct {
		what, model string
		changed     map[string]string
		want        []string // parts of the message
	}{
		{"no config", "solu", map[string]string{"config.json": ""}, []string{"config.json"}},
		{"config that is no JSON", "solu", map[string]string{"config.json": "{"}, []string{"config.json", "JSON"}},
		{"unknown family", "gpt2", replaced(t, "gpt2", "config.json", `"model_type": "gpt2"`, `"model_type": "t5"`),
			[]string{"t5", "gpt_neox"}},
		{"masked model", "bert", nil, []string{"masked"}},
		{"no weights", "solu", map[string]string{"model.safetensors": ""}, []string{"model.safetensors"}},
		{"truncated weights", "solu", map[string]string{"model.safetensors": "12345678"}, []string{"model.safetensors"}},
		{"more layers than weights", "solu", replaced(t, "solu", "config.json", `"n_layers": 3`, `"n_layers": 4`),
			[]string{"blocks.3."}},
		{"another width", "gptneo", replaced(t, "gptneo", "config.json", `"hidden_size": 64`, `"hidden_size": 32`),
			[]string{"[4096 64]", "[4096 32]"}},
		{"attention-only", "solu", replaced(t, "solu", "config.json", `"eps"`, `"attn_only": true, "eps"`),
			[]string{"attention-only"}},
		{"unknown activation", "pythia", replaced(t, "pythia", "config.json", `"hidden_act": "gelu"`, `"hidden_act": "sine"`),
			[]string{"sine", "relu"}},
		{"stretched rotary positions", "pythia",
			replaced(t, "pythia", "config.json", `"rope_type": "default"`, `"rope_type": "longrope"`), []string{"longrope"}},
		{"uneven heads", "gpt2", replaced(t, "gpt2", "config.json", `"n_head": 4`, `"n_head": 5`), []string{"d_head"}},
		{"absurd size", "gpt2", replaced(t, "gpt2", "config.json", `"n_layer": 2`, `"n_layer": 2000000000`),
			[]string{"layers"}},
		{"broken tokenizer", "solu", map[string]string{"tokenizer.json": "{"}, []string{"tokenizer"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			m, err := models.Open(folder(t, c.model, c.changed), models.Options{Backend: "go"})
			if err == nil {
				m.Close()
				t.Fatal("no error")
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in: %v", part, err)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("an error of several lines: %v", err)
			}
		})
	}
	_, err := models.Open(filepath.Join(t.TempDir(), "nothing"), models.Options{})
	if err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("a missing folder: %v", err)
	}
	if _, err := models.Open(golden("solu")+"/config.json", models.Options{}); err == nil ||
		!strings.Contains(err.Error(), "folder") {
		t.Errorf("a file: %v", err)
	}
	if _, err := models.Open(golden("solu"), models.Options{Backend: "abacus"}); err == nil ||
		!strings.Contains(err.Error(), "abacus") {
		t.Errorf("an unknown backend: %v", err)
	}
}

// A model without a tokenizer runs on ids alone.
func TestNoTokenizer(t *testing.T) {
	m, err := models.Open(folder(t, "pythia", map[string]string{"tokenizer.json": "", "tokenizer_config.json": ""}),
		models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := m.Tokenize("text"); err == nil || !strings.Contains(err.Error(), "tokenizer.json") {
		t.Errorf("tokenize: %v", err)
	}
	if m.Tokenizer() != nil || m.BOS() != -1 || m.Decode([]int{5}) != "#5" {
		t.Error("a tokenizer out of nowhere")
	}
	if got, err := m.Activations(t.Context(), 0, "", 0, [][]int{{0, 5}}, nil); err != nil || len(got[0]) != 2 {
		t.Errorf("%v, error %v", got, err)
	}
}

// Opening reads the files' headers alone, and neurons of layer 0 read the embeddings and what stands before the MLP's
// activation in layer 0: of every format and type, since half-precision tensors are widened as they are read. No byte
// is read a second time but those of W_out that SoLU's last norm is folded into: its bias needs them before.
func TestReadsOnlyWhatIsNeeded(t *testing.T) {
	embeddings := []string{"embed.W_E", "pos_embed.W_pos"}
	first := []string{"attn.W_Q", "attn.b_Q", "attn.W_K", "attn.b_K", "attn.W_V", "attn.b_V", "attn.W_O", "attn.b_O",
		"ln1.w", "ln1.b", "ln2.w", "ln2.b", "mlp.W_in", "mlp.b_in"}
	solu := slices.Clone(embeddings)
	for _, name := range first {
		solu = append(solu, "blocks.0."+name)
	}
	foldedTwice := []string{"blocks.0.mlp.W_out", "blocks.1.mlp.W_out"}
	gpt2 := []string{"transformer.wte.weight", "transformer.wpe.weight"}
	for _, name := range []string{"attn.c_attn", "attn.c_proj", "ln_1", "ln_2", "mlp.c_fc"} {
		gpt2 = append(gpt2, "transformer.h.0."+name+".weight", "transformer.h.0."+name+".bias")
	}
	halves := func(list []safetensors.Tensor) []safetensors.Tensor {
		for i := range list {
			list[i].DType = safetensors.F16
		}
		return list
	}
	for _, c := range []struct {
		what, model, file string
		tensors           func(list []safetensors.Tensor) []safetensors.Tensor
		want, twice       []string
	}{
		{"SoLU", "solu", "model.safetensors", nil, solu, foldedTwice},
		{"GPT-2", "gpt2", "model.safetensors", nil, gpt2, nil},
		{"GPT-2 in half precision", "gpt2", "model.safetensors", halves, gpt2, nil},
		{"SoLU in a .pth", "solu", "model.pth", nil, solu, foldedTwice},
	} {
		t.Run(c.what, func(t *testing.T) {
			tensors := readTensors(t, c.model)
			if c.tensors != nil {
				tensors = c.tensors(tensors)
			}
			dir := folder(t, c.model, map[string]string{"model.safetensors": ""})
			if c.file == "model.pth" {
				writePickle(t, filepath.Join(dir, c.file), tensors)
			} else {
				writeWeights(t, filepath.Join(dir, c.file), tensors)
			}
			files := &watchedFS{FS: os.DirFS(dir), watched: c.file}
			weights, err := checkpoint.OpenFolder(os.DirFS(dir))
			if err != nil {
				t.Fatal(err)
			}
			defer weights.Close()
			m, err := models.OpenFS(files, c.model, models.Options{Backend: "go"})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			// Headers are small reads; tensors are told from them by when they are read.
			files.reads = nil
			run := func(layer int) {
				if _, err := m.Activations(t.Context(), layer, "", 0, [][]int{{0, 5}}, nil); err != nil {
					t.Fatal(err)
				}
			}
			run(0)
			if got, want := files.tensors(t, weights, nil), slices.Sorted(slices.Values(c.want)); !slices.Equal(got, want) {
				t.Errorf("layer 0 reads\n%v, want\n%v", got, want)
			}
			for layer := range m.Config().Layers {
				run(layer)
			}
			files.tensors(t, weights, c.twice)
		})
	}
}

// watchedFS notes what is read of one file.
type watchedFS struct {
	fs.FS
	watched string

	mu    sync.Mutex
	reads [][2]int64 // ranges of bytes
}

func (w *watchedFS) Open(name string) (fs.File, error) {
	f, err := w.FS.Open(name)
	if err != nil || name != w.watched {
		return f, err
	}
	return &watchedFile{f, w}, nil
}

type watchedFile struct {
	fs.File
	fs *watchedFS
}

func (f *watchedFile) ReadAt(p []byte, offset int64) (int, error) {
	f.fs.mu.Lock()
	f.fs.reads = append(f.fs.reads, [2]int64{offset, offset + int64(len(p))})
	f.fs.mu.Unlock()
	return f.File.(io.ReaderAt).ReadAt(p, offset)
}

// tensors lists the tensors of which bytes were read, and complains of tensors but twice of which bytes were read
// again.
func (w *watchedFS) tensors(t *testing.T, weights safetensors.Weights, twice []string) []string {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	// A safetensors file's ranges count from the end of its header, those of a pickle from the file's beginning.
	start := int64(0)
	if strings.HasSuffix(w.watched, ".safetensors") {
		stat, err := fs.Stat(w.FS, w.watched)
		if err != nil {
			t.Fatal(err)
		}
		start = stat.Size()
		for _, name := range weights.Names() {
			info, _ := weights.Info(name)
			start = min(start, stat.Size()-info.End)
		}
	}
	var names, again []string
	for _, name := range weights.Names() {
		info, _ := weights.Info(name)
		bytes := int64(0)
		for _, r := range w.reads {
			bytes += max(0, min(r[1], start+info.End)-max(r[0], start+info.Begin))
		}
		if bytes > 0 {
			names = append(names, name)
		}
		if bytes > info.End-info.Begin {
			again = append(again, name)
		}
	}
	if !slices.Equal(again, twice) {
		t.Errorf("read more than once: %v, want %v", again, twice)
	}
	return names
}

func TestTiny(t *testing.T) {
	m, err := models.Open("tiny", models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if m.Name() != "tiny" || m.DefaultHook() != "hook_mid" {
		t.Errorf("%s read at %s", m.Name(), m.DefaultHook())
	}
	n2gtest.TestLanguageModel(t, m, n2g.Site{Layer: 1, Index: 3}, texts...)
}
