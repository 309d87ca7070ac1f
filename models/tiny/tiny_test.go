package tiny_test

import (
	"encoding/json"
	"io/fs"
	"path"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/models/train"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// size is the number of bytes of all files below the root of a file system.
func size(t *testing.T, fsys fs.FS) (bytes int64) {
	t.Helper()
	err := fs.WalkDir(fsys, ".", func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		bytes += info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

func TestModelsStaySmall(t *testing.T) {
	if got := size(t, tiny.Causal()) + size(t, tiny.Masked()); got > 12<<20 {
		t.Errorf("the models take %d bytes, want at most 12 MiB", got)
	}
}

// TestFiguresReported holds the models to what docs/training.md says of them.
func TestFiguresReported(t *testing.T) {
	for _, test := range []struct {
		name        string
		folder      fs.FS
		loss, top1  float64 // the first at most, the second at least
		layers, mlp int
	}{
		{"causal", tiny.Causal(), 2.6, 0.5, 3, 512},
		{"masked", tiny.Masked(), 3.3, 0.4, 3, 512},
	} {
		text, err := fs.ReadFile(test.folder, "config.json")
		if err != nil {
			t.Fatal(err)
		}
		var config struct {
			Loss   float64 `json:"heldout_loss"`
			Top1   float64 `json:"heldout_top1"`
			Layers int     `json:"n_layers"`
			MLP    int     `json:"d_mlp"`
			Hidden int     `json:"hidden_dim"`
		}
		if err := json.Unmarshal(text, &config); err != nil {
			t.Fatal(err)
		}
		if config.Loss <= 0 || config.Loss > test.loss || config.Top1 < test.top1 || config.Layers != test.layers ||
			config.MLP+config.Hidden != test.mlp {
			t.Errorf("%s: %+v", test.name, config)
		}
	}
}

// TestSAE holds the auto-encoder to what docs/training.md says of it, on documents that it has not learned from.
func TestSAE(t *testing.T) {
	if got := size(t, tiny.SAE()); got > 300<<10 {
		t.Errorf("it takes %d bytes, want at most 300 kB", got)
	}
	model, err := models.Open(tiny.Name, models.Options{Backend: "go", SAE: tiny.Name})
	if err != nil {
		t.Fatal(err)
	}
	x, err := index.Read(tiny.Index())
	if err != nil {
		t.Fatal(err)
	}
	windows, err := corpus.SplitWindows(x, index.Test, 16)
	if err != nil {
		t.Fatal(err)
	}
	prompts := make([][]int, len(windows))
	for i, w := range windows {
		if prompts[i], err = corpus.WindowPrompt(x, w); err != nil {
			t.Fatal(err)
		}
	}
	quality, splice, err := model.MeasureSAE(t.Context(), prompts, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if quality.Explained < 0.8 || quality.L0 > 16 || splice.Recovered() < 0.9 {
		t.Errorf("%+v, %+v", quality, splice)
	}
}

// TestPredicts asks both models what any Go programmer knows.
func TestPredicts(t *testing.T) {
	causal, err := models.Open(tiny.Name, models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	if causal.Name() != tiny.Name {
		t.Errorf("the causal model is called %q", causal.Name())
	}
	ids, err := causal.Tokenize("\tif err !=")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := causal.RunWithCache(t.Context(), append([]int{causal.BOS()}, ids...))
	if err != nil {
		t.Fatal(err)
	}
	last := cache.Logits[len(cache.Logits)-1]
	best := 0
	for id, logit := range last {
		if logit > last[best] {
			best = id
		}
	}
	if got := causal.TokenString(best); got != " nil" {
		t.Errorf(`"if err !=" goes on with %q, want " nil"`, got)
	}

	masked, err := models.OpenMasked(tiny.Name, models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	text := "if err ! = [MASK] { return err }"
	fills, err := masked.Fill(t.Context(), []string{text}, []int{strings.Index(text, "[MASK]")})
	if err != nil {
		t.Fatal(err)
	}
	for token, p := range fills[0] {
		if token != "nil" {
			t.Errorf("%q is filled with %q (%.2f), want nil", text, token, p)
		}
		break
	}
}

func TestSampleIsHeldOut(t *testing.T) {
	var files, bytes int
	err := fs.WalkDir(tiny.Sample(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(tiny.Sample(), name)
		if name == "LICENSE" {
			if !strings.Contains(string(text), "The Go Authors") {
				t.Error("LICENSE is not that of Go")
			}
			return err
		}
		if files, bytes = files+1, bytes+len(text); !train.HeldOut(name) {
			t.Errorf("%s was trained on", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 200 || bytes < 2<<20 {
		t.Errorf("the sample has %d files with %d bytes", files, bytes)
	}
}

func TestEveryNeuronHasExamples(t *testing.T) {
	x, err := index.Read(tiny.Index())
	if err != nil {
		t.Fatal(err)
	}
	m := x.Meta()
	if m.Model != tiny.Name || m.Sites[0].Hook != "hook_mid" || m.Neurons() != 3*512 {
		t.Fatalf("the index is about %d neurons of %q at %s", m.Neurons(), m.Model, m.Sites[0].Hook)
	}
	model, err := models.Open(tiny.Name, models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	identity, err := model.Fingerprint()
	if err != nil || identity != m.Identity {
		t.Errorf("the index is of other weights, %v", err)
	}
	// Examples of a few neurons, run through the model: the index must belong to these very weights.
	for _, n := range []int{0, 511, 512, 1000, 1535} {
		neuron := m.Neuron(n)
		examples, err := corpus.Examples(x, model, n2g.Site{Layer: neuron.Layer, Index: neuron.Index})
		if err != nil {
			t.Fatal(err)
		}
		if len(examples.Prompts) != 20 {
			t.Errorf("layer %d, neuron %d has %d examples, want 20", neuron.Layer, neuron.Index, len(examples.Prompts))
		}
		ids, err := model.Tokenize(examples.Prompts[0])
		if err != nil {
			t.Fatal(err)
		}
		rows, err := model.Activations(t.Context(), neuron.Layer, neuron.Hook, neuron.Index,
			[][]int{append([]int{model.BOS()}, ids...)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var highest float64
		for _, a := range rows[0][1:] {
			highest = max(highest, float64(a))
		}
		if want := examples.MaxActivation; highest < want*0.9999 || highest > want*1.0001 {
			t.Errorf("layer %d, neuron %d reaches %g on its first example, want %g", neuron.Layer, neuron.Index, highest, want)
		}
	}
}

// TestIndexIsOfTheSample: its windows are the sample's texts, in order.
func TestIndexIsOfTheSample(t *testing.T) {
	x, err := index.Read(tiny.Index())
	if err != nil {
		t.Fatal(err)
	}
	model, err := models.Open(tiny.Name, models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	next := 0
	for window, err := range corpus.Windows(model, corpus.FS(tiny.Sample()), x.Meta().Window) {
		if err != nil {
			t.Fatal(err)
		}
		held, err := x.Window(next)
		if err != nil {
			t.Fatal(err)
		}
		text, err := corpus.WindowText(x, model, held)
		if err != nil || text != window.Text {
			t.Fatalf("window %d is %q, not %q of %s, %v", next, text, window.Text, window.Document, err)
		}
		next++
	}
	if next != x.Meta().Windows {
		t.Errorf("the index has %d windows, the sample %d", x.Meta().Windows, next)
	}
}

func TestReadSampleRefusesWhatIsNoArchive(t *testing.T) {
	if _, err := tiny.ReadSample([]byte("no zip")); err == nil || !strings.Contains(err.Error(), "sample") {
		t.Errorf("error %v", err)
	}
}

func TestFoldersAreComplete(t *testing.T) {
	for name, folder := range map[string]fs.FS{"causal": tiny.Causal(), "masked": tiny.Masked()} {
		for _, file := range []string{"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} {
			if _, err := fs.Stat(folder, file); err != nil {
				t.Errorf("%s: %v", path.Join(name, file), err)
			}
		}
	}
}
