package index

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// world is a small corpus with activations, which tests compare an index of it with.
type world struct {
	corpus    Corpus
	documents [][][]int     // of each document, its windows' ids
	values    [][][]float32 // [window][token][neuron]
}

const worldBOS = 3

func newWorld(seed uint64, documents, neurons int) *world {
	random := rand.New(rand.NewPCG(seed, 7))
	w := &world{corpus: Corpus{Name: "a test", Model: "by hand", Vocabulary: 50, BOS: worldBOS, Window: 16}}
	for d := range documents {
		var windows [][]int
		for range 1 + random.IntN(4) {
			ids := make([]int, 2+random.IntN(15))
			for j := range ids {
				ids[j] = int(50 * random.Float64() * random.Float64())
			}
			if d > 0 && random.IntN(6) == 0 {
				ids = slices.Clone(w.documents[0][0]) // repeats
			}
			windows = append(windows, ids)
		}
		w.documents = append(w.documents, windows)
	}
	for _, windows := range w.documents {
		for _, ids := range windows {
			rows := make([][]float32, len(ids))
			for j := range rows {
				rows[j] = make([]float32, neurons)
				for n := range rows[j] {
					switch n % 5 {
					case 0: // nearly always near 0
						rows[j][n] = float32(math.Exp(6*random.NormFloat64() - 9))
					case 1:
						rows[j][n] = float32(random.NormFloat64())
					case 2: // dense
						rows[j][n] = float32(5 + random.NormFloat64())
					case 3: // dead
						rows[j][n] = -float32(random.Float64())
					case 4: // few values, so that many are equal
						rows[j][n] = float32(max(0, random.IntN(40)-30))
					}
					if slices.Equal(ids, w.documents[0][0]) {
						rows[j][n] = float32(ids[j]) / float32(n+1) // equal content, equal activations
					}
				}
			}
			w.values = append(w.values, rows)
		}
	}
	return w
}

func (w *world) build(t testing.TB, o Options) *Index {
	t.Helper()
	b := NewCorpusBuilder(w.corpus, o)
	for d, windows := range w.documents {
		if err := b.Begin(fmt.Sprintf("d%d.txt", d)); err != nil {
			t.Fatal(err)
		}
		b.Hash(fmt.Sprint(windows))
		for _, ids := range windows {
			if err := b.Window(WindowIDs{IDs: ids, Start: -1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	x, err := b.Corpus()
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func (w *world) sites() []Site {
	n := len(w.values[0][0])
	return []Site{{Layer: 2, Hook: "hook_post", Neurons: n / 2},
		{Layer: 4, Hook: "hook_post", First: 10, Neurons: n - n/2}}
}

func flat(rows [][]float32, first, end int) []float32 {
	var values []float32
	for _, row := range rows {
		values = append(values, row[first:end]...)
	}
	return values
}

func (w *world) collect(t testing.TB, corpus *Index, o Options, windows []int) *Collector {
	t.Helper()
	c, err := NewCollector(corpus, w.sites(), o)
	if err != nil {
		t.Fatal(err)
	}
	half := w.sites()[0].Neurons
	for _, n := range windows {
		for site, part := range [][2]int{{0, half}, {half, len(w.values[0][0])}} {
			if err := c.Add(site, n, flat(w.values[n], part[0], part[1])); err != nil {
				t.Fatal(err)
			}
		}
	}
	return c
}

func upTo(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

func TestIndexAgreesWithCounting(t *testing.T) {
	for seed := range uint64(5) {
		for _, o := range []Options{{}, {Keep: 0.05, Dense: 0.2, Examples: 3, SampleEvery: 4, Signs: 2},
			{Keep: 1e-9, Dense: 1e-9, Examples: 5, NoSuffixes: true}} {
			w := newWorld(seed, 60, 15)
			corpus := w.build(t, o)
			windows := upTo(len(w.values))
			rand.New(rand.NewPCG(seed, 1)).Shuffle(len(windows),
				func(i, j int) { windows[i], windows[j] = windows[j], windows[i] })
			x, err := w.collect(t, corpus, o, windows).Index()
			if err != nil {
				t.Fatal(err)
			}
			w.compare(t, x, o.resolved())
		}
	}
}

// compare counts everything anew.
func (w *world) compare(t *testing.T, x *Index, o Options) {
	t.Helper()
	type token struct{ position, window, id int }
	var tokens []token
	ends, position := []int{}, 0
	flatIDs, windows := []int{}, [][]int{}
	for _, document := range w.documents {
		for _, ids := range document {
			for _, id := range ids {
				tokens = append(tokens, token{position, len(windows), id})
				flatIDs = append(flatIDs, id)
				position++
			}
			windows = append(windows, ids)
		}
		ends = append(ends, position)
	}
	if x.Meta().Positions != len(tokens) || x.Meta().Documents != len(w.documents) || x.Meta().Windows != len(windows) {
		t.Fatalf("sizes %+v", x.Meta())
	}
	if ids, err := x.IDs(0, len(tokens)); err != nil || !slices.Equal(ids, flatIDs) {
		t.Fatalf("ids differ: %v", err)
	}
	for d, end := range ends {
		document, err := x.Document(d)
		if err != nil || document.End != end || document.Origin != fmt.Sprintf("d%d.txt", d) ||
			document.Hash != HashText(fmt.Sprint(w.documents[d])) {
			t.Fatalf("document %d: %+v %v", d, document, err)
		}
	}
	for n := range len(w.values[0][0]) {
		for sign := range o.Signs {
			var values []float32 // on tokens that count
			first := 0
			type peak struct {
				value  float32
				window int
			}
			var peaks []peak
			for number, rows := range w.values {
				top := float32(math.Inf(-1))
				for j, row := range rows {
					v := row[n]
					if sign == 1 {
						v = -v
					}
					if windows[number][j] != worldBOS {
						values = append(values, v)
						top = max(top, v)
					}
				}
				first += len(rows)
				if top > 0 && !slices.ContainsFunc(peaks,
					func(p peak) bool { return slices.Equal(windows[p.window], windows[number]) }) {
					peaks = append(peaks, peak{top, number})
				}
			}
			slices.SortStableFunc(peaks, func(a, b peak) int { return cmp.Compare(b.value, a.value) })
			stats, err := x.statsOf(n, sign)
			if err != nil {
				t.Fatal(err)
			}
			highest, sum := slices.Max(values), 0.0
			for _, v := range values {
				sum += float64(v)
			}
			if stats.Highest != highest || stats.Lowest != slices.Min(values) || stats.Counted != len(values) ||
				math.Abs(stats.Mean-sum/float64(len(values))) > 1e-6*(1+math.Abs(stats.Mean)) {
				t.Fatalf("neuron %d: %+v, highest %g of %d, mean %g", n, stats, highest, len(values), sum/float64(len(values)))
			}
			firing, above, counted := 0, 0, 0
			for _, v := range values {
				if highest > 0 && v >= highest/2 {
					firing++
				}
				if v >= stats.Level && v > 0 {
					above++
				}
			}
			for _, c := range stats.Histogram.Counts {
				counted += int(c)
			}
			if stats.Postings != above {
				t.Fatalf("neuron %d keeps %d postings of %d", n, stats.Postings, above)
			}
			if !stats.Dense && stats.Firing != firing || stats.Dense &&
				(stats.Firing == 0 || math.Abs(float64(stats.Firing-firing)) > 0.5*float64(firing)+2) {
				t.Fatalf("neuron %d fires on %d, not %d (dense: %v)", n, firing, stats.Firing, stats.Dense)
			}
			over := 0
			for _, v := range values {
				if v >= 1.0/(1<<14) {
					over++
				}
			}
			if counted != over {
				t.Fatalf("the histogram counts %d of %d", counted, over)
			}
			postings, err := x.postingsOf(n, sign)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range postings {
				at := tokens[p.Position]
				v := w.values[at.window][int(p.Position)-tokenOf(windows, at.window)][n]
				if sign == 1 {
					v = -v
				}
				// 16 bits: rounded down by 2^-11 at most, unless it is next to nothing; what fires does so after rounding.
				if p.Value < v*(1-1.0/2048) || p.Value > max(v, highest/(1<<31)) || (v >= highest/2) != (p.Value >= highest/2) {
					t.Fatalf("neuron %d at %d: %g, not %g", n, p.Position, p.Value, v)
				}
			}
			top, err := x.topOf(n, sign, o.Examples)
			if err != nil {
				t.Fatal(err)
			}
			want := peaks[:min(o.Examples, len(peaks))]
			got := make([]peak, len(top))
			for i, e := range top {
				got[i] = peak{e.Value, e.Window.Number}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("neuron %d sign %d: top %v, not %v", n, sign, got, want)
			}
		}
	}
	for _, pattern := range [][]int{{0}, {1, 0}, {0, 0, 1}, {49}, w.documents[0][0]} {
		count := 0
		begin := 0
		for _, end := range ends {
			for p := begin; p+len(pattern) <= end; p++ {
				if slices.Equal(flatIDs[p:p+len(pattern)], pattern) {
					count++
				}
			}
			begin = end
		}
		n, positions, err := x.Occurrences(pattern, 10)
		if err != nil || n != count || len(positions) != min(10, count) {
			t.Fatalf("%v: %d occurrences at %v, not %d: %v", pattern, n, positions, count, err)
		}
		for _, p := range positions {
			if !slices.Equal(flatIDs[p:p+len(pattern)], pattern) {
				t.Fatalf("%v is not at %d", pattern, p)
			}
		}
	}
	if diff := gocmp.Diff(o.SampleEvery > 0 && len(x.Sample()) > 0, x.file.has(sampledSection)); diff != "" {
		t.Fatal("sample", diff)
	}
	for _, window := range x.Sample() {
		values, err := x.SampleValues(1, window)
		if err != nil {
			t.Fatal(err)
		}
		for j, v := range values {
			if want := w.values[window][j][1]; math.Abs(float64(v-want)) > math.Abs(float64(want))/256 {
				t.Fatalf("sample %g, not %g", v, want)
			}
		}
	}
}

func tokenOf(windows [][]int, number int) int {
	first := 0
	for _, ids := range windows[:number] {
		first += len(ids)
	}
	return first
}
