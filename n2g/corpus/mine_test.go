package corpus_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/neuron2graph/neuron2graph/n2g/corpus"
)

// TestMineEqualsBruteForce compares every neuron's examples, peaks, histogram and density with what sorting all windows
// and counting all activations gives.
func TestMineEqualsBruteForce(t *testing.T) {
	ctx, fsys, model := t.Context(), documents(), byteModel{neurons: 4}
	for _, every := range []int{1, 3} {
		o := corpus.Options{Window: 16, Examples: 6, Batch: 9, HistogramEvery: every}
		index, err := corpus.Mine(ctx, model, []int{2, 0}, "hook_mid", corpus.FS(fsys), o)
		if err != nil {
			t.Fatal(err)
		}
		if len(index.Neurons) != 8 {
			t.Fatalf("%d neurons, want 8", len(index.Neurons))
		}
		for _, neuron := range index.Neurons {
			wants, counts, sampled, activations := bruteForceNeuron(t, model, fsys, neuron.Layer, neuron.Neuron, 16, every)
			wants = wants[:6]
			if neuron.MaxActivation != float64(wants[0].score) {
				t.Errorf("layer %d neuron %d: maximum %g, want %g", neuron.Layer, neuron.Neuron, neuron.MaxActivation, wants[0].score)
			}
			for i, want := range wants {
				span := index.Spans[neuron.Examples[i]]
				text := string(fsys[span.Document].Data[span.Start:span.End])
				if text != want.text || neuron.Activations[i] != want.score || int(neuron.Positions[i]) != want.at || span.Text != "" {
					t.Errorf("layer %d neuron %d example %d: %q %g at %d, want %+v", neuron.Layer, neuron.Neuron, i, text, neuron.Activations[i], neuron.Positions[i], want)
				}
			}
			if index.HistogramTokens != sampled {
				t.Errorf("histograms of %d tokens, want %d", index.HistogramTokens, sampled)
			}
			for b := range corpus.HistogramBins {
				got := uint32(0)
				if i := b - neuron.Histogram.First; i >= 0 && i < len(neuron.Histogram.Counts) {
					got = neuron.Histogram.Counts[i]
				}
				if got != counts[b] {
					t.Errorf("layer %d neuron %d bin %d: %d, want %d", neuron.Layer, neuron.Neuron, b, got, counts[b])
				}
			}
			// The documented error of a density: less than what the bin of the threshold holds.
			exact, inBin := 0, 0
			for _, a := range activations {
				if float64(a) >= neuron.MaxActivation/2 {
					exact++
				}
				if math.Abs(float64(a)-neuron.MaxActivation/2) <= neuron.MaxActivation/2/16 {
					inBin++
				}
			}
			if off := math.Abs(neuron.Density*float64(sampled) - float64(exact)); off > float64(inBin) {
				t.Errorf("layer %d neuron %d: density %g is off by %g tokens, more than %d", neuron.Layer, neuron.Neuron, neuron.Density, off, inBin)
			}
		}
	}
}

type peak struct {
	text  string
	score float32
	at    int
}

// bruteForceNeuron returns all windows, best first, and how many activations of the sampled ones lie in each bin.
func bruteForceNeuron(t *testing.T, model byteModel, fsys fstest.MapFS, layer, neuron, size, every int) (peaks []peak, counts []uint32, sampled int, activations []float32) {
	t.Helper()
	counts = make([]uint32, corpus.HistogramBins)
	number := 0
	for window, err := range corpus.Windows(model, corpus.FS(fsys), size) {
		if err != nil {
			t.Fatal(err)
		}
		rows, _ := model.Activations(context.Background(), layer, "", neuron, [][]int{window.IDs}, nil)
		row := rows[0][1:]
		best := slices.Max(row)
		if !slices.ContainsFunc(peaks, func(p peak) bool { return p.text == window.Text }) {
			peaks = append(peaks, peak{window.Text, best, 1 + slices.Index(row, best)})
		}
		if number%every == 0 {
			sampled += len(row)
			activations = append(activations, row...)
			for _, a := range row {
				for b := range counts {
					if float64(a) >= corpus.HistogramEdge(b) && (b == len(counts)-1 || float64(a) < corpus.HistogramEdge(b+1)) {
						counts[b]++
					}
				}
			}
		}
		number++
	}
	slices.SortStableFunc(peaks, func(a, b peak) int { return cmp.Compare(b.score, a.score) })
	return peaks, counts, sampled, activations
}

// TestIndexHoldsTexts where it is asked to, or where the texts are in no plain file.
func TestIndexHoldsTexts(t *testing.T) {
	model := byteModel{neurons: 2}
	packed := func(yield func(corpus.Text, error) bool) {
		for text, err := range corpus.FS(documents()) {
			text.Packed = true
			if !yield(text, err) {
				return
			}
		}
	}
	for name, c := range map[string]struct {
		source corpus.Source
		texts  bool
	}{"asked": {corpus.FS(documents()), true}, "packed": {packed, false}} {
		index, err := corpus.Mine(t.Context(), model, []int{0}, "hook_mid", c.source, corpus.Options{Window: 16, Texts: c.texts})
		if err != nil {
			t.Fatal(err)
		}
		var file bytes.Buffer
		if err := index.Write(&file); err != nil {
			t.Fatal(err)
		}
		again, err := corpus.ReadIndex(&file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := again.Examples(0, 1, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want, _, _, _ := bruteForceNeuron(t, model, documents(), 0, 1, 16, 1)
		for i, prompt := range got.Prompts {
			if prompt != want[i].text {
				t.Errorf("%s: example %d is %q, want %q", name, i, prompt, want[i].text)
			}
		}
	}
}

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
			t.Errorf("%s: a piece of %d bytes at %d, want one at %d", text.Name, len(text.Content), text.Offset, len(joined[text.Name]))
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

func TestHistogramAbove(t *testing.T) {
	h := &corpus.Histogram{First: 16 * 14, Counts: []uint32{8, 0, 4}} // 1 to 1.0625: 8; 1.125 to 1.1875: 4
	for _, test := range []struct{ level, want float64 }{
		{0.5, 12}, {1, 12}, {1.03125, 8}, {1.0625, 4}, {1.125, 4}, {1.15625, 2}, {1.1875, 0}, {1e9, 0}, {0, 12},
	} {
		if got := h.Above(test.level); got != test.want {
			t.Errorf("above %g: %g, want %g", test.level, got, test.want)
		}
	}
	if got := (*corpus.Histogram)(nil).Above(1); got != 0 {
		t.Errorf("an empty histogram has %g", got)
	}
}

func TestMineRefuses(t *testing.T) {
	model := byteModel{neurons: 1}
	if _, err := corpus.Mine(t.Context(), model, nil, "", corpus.FS(documents()), corpus.Options{}); err == nil {
		t.Error("no layers were mined")
	}
	if _, err := corpus.Mine(t.Context(), model, []int{0}, "", corpus.FS(fstest.MapFS{}), corpus.Options{}); err == nil {
		t.Error("an empty corpus was mined")
	}
	for _, text := range []string{
		`{"format":"n2g-examples/2","spans":[{}],"neurons":[{"examples":[0],"activations":[1,2]}]}`,
		`{"format":"n2g-examples/2","neurons":[{"neuron":1,"examples":[]},{"neuron":0,"examples":[]}]}`,
		`{"format":"n2g-examples/2","neurons":[{"examples":[],"histogram":{"first":-1,"counts":[1]}}]}`,
		`{"format":"n2g-examples/2","neurons":[{"examples":[],"histogram":{"first":415,"counts":[1,2]}}]}`,
	} {
		if _, err := corpus.ReadIndex(strings.NewReader(text)); err == nil {
			t.Errorf("index %s was accepted", text)
		}
	}
}

func ExampleMine() {
	texts := fstest.MapFS{
		"a.txt": {Data: []byte("the cat sat on the mat")},
		"b.txt": {Data: []byte("a dog dug a ditch")},
	}
	index, err := corpus.Mine(context.Background(), byteModel{neurons: 4}, []int{0}, "hook_mid", corpus.FS(texts), corpus.Options{Examples: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	examples, err := index.Examples(0, 3, texts)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d neurons, %d tokens; %q\n", len(index.Neurons), index.Tokens, examples.Prompts)
	// Output: 4 neurons, 39 tokens; ["the cat sat on the mat"]
}
