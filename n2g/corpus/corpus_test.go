package corpus_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// byteModel's tokens are bytes (id = byte + 1, BOS is 0), so that a window can end within a character. The activation
// of neuron n of layer l on a token is a fixed pseudo-random function of the token and its predecessor.
type byteModel struct{ neurons int }

func (m byteModel) Name() string              { return "bytes" }
func (m byteModel) BOS() int                  { return 0 }
func (m byteModel) MaskID() int               { return 0 }
func (m byteModel) ContextLength() int        { return 64 }
func (m byteModel) TokenString(id int) string { return m.Decode([]int{id}) }

func (m byteModel) Tokenize(text string) ([]int, error) {
	var ids []int
	for _, b := range []byte(text) {
		ids = append(ids, int(b)+1)
	}
	return ids, nil
}

func (m byteModel) Decode(ids []int) string {
	var b []byte
	for _, id := range ids {
		b = append(b, byte(id-1))
	}
	return strings.ToValidUTF8(string(b), "\uFFFD")
}

func (m byteModel) activation(layer, neuron, previous, id int) float32 {
	r := rand.New(rand.NewPCG(uint64(layer*1000+neuron), uint64(previous*1000+id)))
	return float32(r.NormFloat64())
}

func (m byteModel) Activations(_ context.Context, layer int, _ string, index int, prompts,
	positions [][]int) ([][]float32, error) {
	if positions != nil {
		return nil, errors.New("only whole prompts here")
	}
	var all [][]float32
	for _, ids := range prompts {
		row := make([]float32, len(ids))
		row[0] = 99 // BOS must never count
		for j := 1; j < len(ids); j++ {
			row[j] = m.activation(layer, index, ids[j-1], ids[j])
		}
		all = append(all, row)
	}
	return all, nil
}

func (m byteModel) Width(int, string) (int, error) { return m.neurons, nil }

func (m byteModel) Vocabulary() int { return 257 }

// Scan gives the windows last to first, and each in two parts.
func (m byteModel) Scan(ctx context.Context, layers []int, hook string, windows [][]int,
	visit func(layer, first int, values []float32)) error {
	for l, layer := range layers {
		first := 0
		for _, ids := range windows {
			first += len(ids)
		}
		for _, ids := range slices.Backward(windows) {
			first -= len(ids)
			values := make([]float32, len(ids)*m.neurons)
			for n := range m.neurons {
				row, _ := m.Activations(ctx, layer, hook, n, [][]int{ids}, nil)
				for j, v := range row[0] {
					values[j*m.neurons+n] = v
				}
			}
			half := len(ids) / 2
			visit(l, first+half, values[half*m.neurons:])
			visit(l, first, values[:half*m.neurons])
		}
	}
	return nil
}

// documents are texts with characters of one to four bytes, duplicates, and files that are no text.
func documents() fstest.MapFS {
	r := rand.New(rand.NewPCG(1, 2))
	letters := []rune("abcdef \nøé漢字🙂")
	fsys := fstest.MapFS{
		"binary":       {Data: []byte("a\x00b")},
		"latin1.txt":   {Data: []byte("caf\xe9 au lait")},
		".git/config":  {Data: []byte("hidden folder")},
		"sub/.profile": {Data: []byte("hidden file")},
		"one-letter":   {Data: []byte("a")},
		"empty":        {Data: nil},
	}
	for i := range 12 {
		var text strings.Builder
		for range 100 + r.IntN(200) {
			text.WriteRune(letters[r.IntN(len(letters))])
		}
		fsys[fmt.Sprintf("sub/%02d.txt", i)] = &fstest.MapFile{Data: []byte(text.String())}
		if i == 3 {
			fsys["sub/copy.txt"] = fsys["sub/03.txt"]
		}
	}
	return fsys
}

func TestWindowsCoverTheDocuments(t *testing.T) {
	fsys := documents()
	covered := map[string]string{}
	for window, err := range corpus.Windows(byteModel{}, corpus.FS(fsys), 10) {
		if err != nil {
			t.Fatal(err)
		}
		if window.Start != len(covered[window.Document]) {
			t.Errorf("%s: a window starts at byte %d, want %d", window.Document, window.Start, len(covered[window.Document]))
		}
		if strings.Contains(window.Text, "\uFFFD") {
			t.Errorf("%s: the window %q cuts through a character", window.Document, window.Text)
		}
		if len(window.IDs) > 11+3 || window.IDs[0] != 0 {
			t.Errorf("%s: ids %v, want BOS and about 10", window.Document, window.IDs)
		}
		covered[window.Document] += window.Text
	}
	for name, file := range fsys {
		want := string(file.Data)
		if slices.Contains([]string{"binary", "latin1.txt", ".git/config", "sub/.profile", "one-letter", "empty"}, name) {
			want = ""
		}
		got := covered[name]
		// A last window of one token is dropped.
		if got != want && len(want)-len(got) > 1 {
			t.Errorf("%s: windows cover %d bytes of %d", name, len(got), len(want))
		}
	}
}

// bruteForce sorts all windows instead of keeping a few.
func bruteForce(t *testing.T, model byteModel, fsys fstest.MapFS, layer, neuron, size, k int) (prompts []string,
	highest float64, density float64) {
	type scored struct {
		text  string
		score float32
	}
	var all []scored
	var activations []float32
	for window, err := range corpus.Windows(model, corpus.FS(fsys), size) {
		if err != nil {
			t.Fatal(err)
		}
		row, _ := model.Activations(context.Background(), layer, "", neuron, [][]int{window.IDs}, nil)
		activations = append(activations, row[0][1:]...)
		if !slices.ContainsFunc(all, func(s scored) bool { return s.text == window.Text }) {
			all = append(all, scored{window.Text, slices.Max(row[0][1:])})
		}
	}
	slices.SortStableFunc(all, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	for _, s := range all[:k] {
		prompts = append(prompts, s.text)
	}
	highest = float64(all[0].score)
	fired := 0
	for _, a := range activations {
		if float64(a) >= highest/2 {
			fired++
		}
	}
	return prompts, highest, float64(fired) / float64(len(activations))
}

func TestTopEqualsBruteForce(t *testing.T) {
	fsys, model := documents(), byteModel{neurons: 1}
	prompts, highest, density := bruteForce(t, model, fsys, 1, 7, 16, 20)
	for _, batch := range []int{1, 7, 1000} {
		read := 0
		got, err := corpus.Top(context.Background(), model, n2g.Site{Layer: 1, Index: 7, Hook: "hook_mid"}, corpus.FS(fsys),
			corpus.Options{Window: 16, Batch: batch, Progress: func(done, _ int) { read = done }})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Prompts, prompts) || got.MaxActivation != highest {
			t.Errorf("batches of %d: got %q, maximum %g; want %q, %g", batch, got.Prompts, got.MaxActivation, prompts, highest)
		}
		if math.Abs(*got.Density-density) > density/16 { // the neuron is dense: it is counted by bins
			t.Errorf("batches of %d: density %g, want %g", batch, *got.Density, density)
		}
		if read < 20 {
			t.Errorf("progress ended at %d windows", read)
		}
	}
}

// mined is what Mine writes.
func mined(t testing.TB, model corpus.Scanner, layers []int, source corpus.Source, o corpus.Options) *index.Index {
	t.Helper()
	out := filepath.Join(t.TempDir(), "mined.n2g")
	if err := corpus.Mine(t.Context(), model, layers, []string{"hook_mid"}, source, out, o); err != nil {
		t.Fatal(err)
	}
	x, err := index.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

func TestMineEqualsTop(t *testing.T) {
	fsys, model := documents(), byteModel{neurons: 5}
	o := corpus.Options{Window: 16, Batch: 9, Index: index.Options{Examples: 6}}
	x := mined(t, model, []int{2, 0}, corpus.FS(fsys), o)
	for _, layer := range []int{0, 2} {
		for n := range 5 {
			site := n2g.Site{Layer: layer, Index: n, Hook: "hook_mid"}
			want, err := corpus.Top(t.Context(), model, site, corpus.FS(fsys), o)
			if err != nil {
				t.Fatal(err)
			}
			got, err := corpus.Examples(x, model, site)
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("layer %d neuron %d: %s", layer, n, diff)
			}
			prompts, highest, density := bruteForce(t, model, fsys, layer, n, 16, 6)
			number, err := x.Meta().Number(layer, "hook_mid", n)
			if err != nil {
				t.Fatal(err)
			}
			top, err := x.Top(number, 6)
			if err != nil {
				t.Fatal(err)
			}
			var texts []string // some give way in the examples to others of build documents
			for _, e := range top {
				text, err := corpus.WindowText(x, model, e.Window)
				if err != nil {
					t.Fatal(err)
				}
				texts = append(texts, text)
			}
			// counted by bins, and these activations take few values
			if !slices.Equal(texts, prompts) || got.MaxActivation != highest ||
				math.Abs(*got.Density-density) > density/2 {
				t.Errorf("layer %d neuron %d: %q, %g, %g; want %q, %g, %g", layer, n, texts, got.MaxActivation, *got.Density,
					prompts, highest, density)
			}
		}
	}
	if _, err := corpus.Examples(x, model, n2g.Site{Layer: 1}); err == nil ||
		!strings.Contains(err.Error(), "not layer 1") {
		t.Errorf("a layer that was not mined: %v", err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := corpus.Top(ctx, byteModel{neurons: 1}, n2g.Site{}, corpus.FS(documents()), corpus.Options{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// silent is a model whose neurons never fire.
type silent struct{ byteModel }

func (m silent) Activations(ctx context.Context, layer int, hook string, index int, prompts,
	positions [][]int) ([][]float32, error) {
	result := make([][]float32, len(prompts))
	for i, prompt := range prompts {
		result[i] = slices.Repeat([]float32{-1}, len(prompt))
	}
	return result, nil
}

func TestBadInput(t *testing.T) {
	if _, err := corpus.Top(context.Background(), byteModel{}, n2g.Site{}, corpus.FS(fstest.MapFS{}),
		corpus.Options{}); err == nil {
		t.Error("an empty corpus has examples")
	}
	if _, err := corpus.Top(context.Background(), silent{byteModel{neurons: 1}}, n2g.Site{Layer: 1, Index: 7},
		corpus.FS(documents()), corpus.Options{}); err == nil || !strings.Contains(err.Error(), "excites layer 1 neuron 7") {
		t.Errorf("a neuron that never fires: %v", err)
	}
}

func ExampleTop() {
	texts := corpus.FS(fstest.MapFS{
		"a.txt": {Data: []byte("the cat sat on the mat")},
		"b.txt": {Data: []byte("a dog dug a ditch")},
	})
	examples, err := corpus.Top(context.Background(), byteModel{neurons: 1},
		n2g.Site{Layer: 0, Index: 3, Hook: "hook_mid"}, texts,
		corpus.Options{Index: index.Options{Examples: 1}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%q\n", examples.Prompts)
	// Output: ["the cat sat on the mat"]
}
