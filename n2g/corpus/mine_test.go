package corpus_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

func TestLongDocumentsComeInPieces(t *testing.T) {
	long := strings.Repeat("Zeile mit ä und 漢字 und 🙂\n", 2*corpus.PieceBytes/30)
	unbroken := strings.Repeat("漢", corpus.PieceBytes)
	fsys := fstest.MapFS{
		"long":     {Data: []byte(long)},
		"unbroken": {Data: []byte(unbroken)},
		"spoilt":   {Data: []byte(long + "\xff")},
	}
	joined := map[string]string{}
	pieces := map[string]int{}
	for text, err := range corpus.FS(fsys) {
		if err != nil {
			t.Fatal(err)
		}
		if text.Offset != len(joined[text.Name]) || len(text.Content) > corpus.PieceBytes+1 {
			t.Errorf("%s: a piece of %d bytes at %d, want one at %d", text.Name, len(text.Content), text.Offset,
				len(joined[text.Name]))
		}
		joined[text.Name] += text.Content
		pieces[text.Name]++
	}
	if joined["long"] != long || joined["unbroken"] != unbroken || pieces["long"] < 2 || pieces["unbroken"] < 3 {
		t.Errorf("pieces %v do not make up the documents", pieces)
	}
	if !strings.HasPrefix(long, joined["spoilt"]) {
		t.Error("what is not text came through")
	}
}

// TestPiecesAreOneDocument, whose hash is that of its text.
func TestPiecesAreOneDocument(t *testing.T) {
	long := strings.Repeat("a line of text\n", corpus.PieceBytes/10)
	fsys := fstest.MapFS{"long": {Data: []byte(long)}, "short": {Data: []byte("a short one")}}
	x, err := corpus.IndexNeuron(t.Context(), byteModel{neurons: 1}, n2g.Site{}, corpus.FS(fsys),
		corpus.Options{Index: index.Options{NoSuffixes: true}})
	if err != nil {
		t.Fatal(err)
	}
	if x.Meta().Documents != 2 {
		t.Fatalf("%d documents", x.Meta().Documents)
	}
	for d, text := range []string{long, "a short one"} {
		document, err := x.Document(d)
		if err != nil || document.Hash != index.HashText(text) || document.Split() != index.SplitOf(index.HashText(text)) {
			t.Errorf("document %d: %+v, %v", d, document, err)
		}
	}
}

// broken has neurons whose activations are no finite numbers on some tokens.
type broken struct{ byteModel }

func (m broken) Scan(ctx context.Context, layers []int, hook string, windows [][]int,
	visit func(layer, first int, values []float32)) error {
	return m.byteModel.Scan(ctx, layers, hook, windows, func(layer, first int, values []float32) {
		values[1] = float32(math.NaN())
		values[2] = float32(math.Inf(1))
		visit(layer, first, values)
	})
}

// TestNotFinite: a neuron that is NaN or infinite somewhere is named, and the others are what they were.
func TestNotFinite(t *testing.T) {
	x := mined(t, broken{byteModel{neurons: 4}}, []int{3}, corpus.FS(documents()), corpus.Options{Window: 16})
	want := mined(t, byteModel{neurons: 4}, []int{3}, corpus.FS(documents()), corpus.Options{Window: 16})
	list, err := x.NotFinite()
	if err != nil || fmt.Sprint(list) != "[1 2]" {
		t.Fatalf("not finite: %v %v", list, err)
	}
	if dead, err := x.Dead(); err != nil || len(dead) != 0 {
		t.Errorf("dead: %v %v", dead, err)
	}
	for n := range 4 {
		site := n2g.Site{Layer: 3, Index: n}
		got, err := corpus.Examples(x, byteModel{}, site)
		if n == 1 || n == 2 {
			if err == nil || !strings.Contains(err.Error(),
				fmt.Sprintf("layer 3 neuron %d of bytes: its activation is NaN or infinite on", n)) {
				t.Errorf("neuron %d: %v", n, err)
			}
			continue
		}
		right, rightErr := corpus.Examples(want, byteModel{}, site)
		if err != nil || rightErr != nil ||
			fmt.Sprint(*got.Density, got.Prompts) != fmt.Sprint(*right.Density, right.Prompts) {
			t.Errorf("neuron %d: %v %v", n, got, err)
		}
	}
}

func TestMineRefuses(t *testing.T) {
	model, out := byteModel{neurons: 1}, filepath.Join(t.TempDir(), "x")
	if err := corpus.Mine(t.Context(), model, nil, nil, corpus.FS(documents()), out, corpus.Options{}); err == nil {
		t.Error("no layers were mined")
	}
	if err := corpus.Mine(t.Context(), model, []int{0}, nil, corpus.FS(fstest.MapFS{}), out,
		corpus.Options{}); err == nil {
		t.Error("an empty corpus was mined")
	}
	if err := corpus.Mine(t.Context(), model, []int{0}, nil, corpus.FS(documents()), out,
		corpus.Options{Shard: 3, Shards: 2}); err == nil {
		t.Error("the third of two shards was mined")
	}
}

func ExampleMine() {
	folder, err := os.MkdirTemp("", "mine")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	out := filepath.Join(folder, "index.n2g")
	texts := fstest.MapFS{
		"a.txt": {Data: []byte("the cat sat on the mat")},
		"b.txt": {Data: []byte("a dog dug a ditch")},
	}
	model := byteModel{neurons: 4}
	if err := corpus.Mine(context.Background(), model, []int{0}, []string{"hook_mid"}, corpus.FS(texts), out,
		corpus.Options{}); err != nil {
		fmt.Println(err)
		return
	}
	x, err := index.Open(out)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer x.Close()
	examples, err := corpus.Examples(x, model, n2g.Site{Layer: 0, Index: 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d neurons, %d tokens; %q\n", x.Meta().Neurons(), x.Meta().Counted, examples.Prompts[:1])
	// Output: 4 neurons, 39 tokens; ["the cat sat on the mat"]
}
