package index

import (
	"math"
	"slices"
	"testing"
)

// derived is an index of a world with what tests count by themselves.
type derived struct {
	*world
	x       *Index
	ids     []int
	windows []int // of each position
	first   []int // of each window
}

func newDerived(t *testing.T, seed uint64) *derived {
	o := Options{Keep: 0.02, Dense: 0.1, Examples: 4, SampleEvery: 5}
	w := newWorld(seed, 60, 15)
	x, err := w.collect(t, w.build(t, o), o, upTo(len(w.values))).Index()
	if err != nil {
		t.Fatal(err)
	}
	d := &derived{world: w, x: x}
	for _, document := range w.documents {
		for _, ids := range document {
			d.first = append(d.first, len(d.ids))
			d.ids = append(d.ids, ids...)
			for range ids {
				d.windows = append(d.windows, len(d.first)-1)
			}
		}
	}
	return d
}

// value is a neuron's activation at a position, -Inf on BOS.
func (d *derived) value(n, position int) float64 {
	if d.ids[position] == worldBOS {
		return math.Inf(-1)
	}
	w := d.windows[position]
	return float64(d.values[w][position-d.first[w]][n])
}

func TestBands(t *testing.T) {
	d := newDerived(t, 11)
	for n := range 15 {
		stats, err := d.x.Stats(n)
		if err != nil {
			t.Fatal(err)
		}
		bands, err := d.x.Bands(n, 10, 3, 1)
		if err != nil {
			t.Fatal(err)
		}
		if stats.Dead() != (len(bands) == 0) {
			t.Fatalf("neuron %d has %d bands", n, len(bands))
		}
		for b, band := range bands {
			count := 0
			for w, rows := range d.values {
				window, _ := d.x.Window(w)
				top := math.Inf(-1)
				for j := range rows {
					top = max(top, d.value(n, d.first[w]+j))
				}
				if !window.Repeats && top > band.Low && top <= band.High {
					count++
				}
			}
			if known := band.Low >= float64(stats.Level); known != (band.Windows >= 0) || known && band.Windows != count {
				t.Errorf("neuron %d band %d: %d windows, not %d", n, b, band.Windows, count)
			}
			for _, e := range band.Examples {
				if v := float64(e.Value); v <= band.Low || v > band.High || math.Abs(v-d.value(n, e.Position)) > math.Abs(v)/256 {
					t.Errorf("neuron %d band %d: an example of %g at %d", n, b, v, e.Position)
				}
			}
		}
	}
}

func TestHardNegatives(t *testing.T) {
	d := newDerived(t, 12)
	some := 0
	for n := range 15 {
		stats, err := d.x.Stats(n)
		if err != nil {
			t.Fatal(err)
		}
		list, err := d.x.HardNegatives(n, 6, 1)
		if err != nil {
			t.Fatal(err)
		}
		fires := map[int]bool{}
		for p, id := range d.ids {
			if d.value(n, p) >= stats.Maximum()/2 && !stats.Dead() {
				fires[id] = true
			}
		}
		windows := map[int]bool{}
		for _, e := range list {
			some++
			if !fires[d.ids[e.Position]] || windows[e.Window.Number] || d.value(n, e.Position) >= stats.Maximum()/2 &&
				!stats.Dense {
				t.Errorf("neuron %d: %d with %g is no hard negative of a maximum of %g", n, e.Position, d.value(n, e.Position),
					stats.Maximum())
			}
			windows[e.Window.Number] = true
		}
	}
	if some < 20 {
		t.Errorf("only %d hard negatives", some)
	}
}

func TestTokensAndDensity(t *testing.T) {
	d := newDerived(t, 13)
	for n := range 15 {
		stats, err := d.x.Stats(n)
		if err != nil {
			t.Fatal(err)
		}
		tokens, err := d.x.Tokens(n)
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range tokens {
			count, firing := 0, 0
			for p, id := range d.ids {
				if id != token.Token {
					continue
				}
				count++
				if v := d.value(n, p); v >= stats.Maximum()/2 && v >= float64(stats.Level) {
					firing++
				}
			}
			if count != token.Count || firing != token.Firing {
				t.Errorf("neuron %d token %d: %+v, not %d of %d", n, token.Token, token, firing, count)
			}
		}
	}
}

// TestFires compares with looking at every token.
func TestFires(t *testing.T) {
	d := newDerived(t, 14)
	for _, pattern := range [][]int{{0}, {1}, {2, 0}} {
		_, positions, err := d.x.Occurrences(pattern, 1000)
		if err != nil || len(positions) == 0 {
			t.Fatal(pattern, err)
		}
		var places [][2]int
		for _, p := range positions {
			places = append(places, [2]int{p, p + len(pattern)})
		}
		fires, err := d.x.Fires(places)
		if err != nil {
			t.Fatal(err)
		}
		got := map[int]int{}
		for i, f := range fires {
			got[f.Neuron] = f.Fired
			if i > 0 && f.Score > fires[i-1].Score {
				t.Errorf("%v: %+v stands behind %+v", pattern, f, fires[i-1])
			}
		}
		for n := range 15 {
			stats, _ := d.x.Stats(n)
			want := 0
			for _, place := range places {
				for p := place[0]; p < place[1]; p++ {
					if v := d.value(n, p); !stats.Dead() && v >= max(stats.Maximum()/2, float64(stats.Level)) {
						want++
						break
					}
				}
			}
			if got[n] != want {
				t.Errorf("%v: neuron %d fires on %d of %d places, not %d", pattern, n, got[n], len(places), want)
			}
		}
	}
}

// TestCoFiring: neurons that fire together come first.
func TestCoFiring(t *testing.T) {
	w := newWorld(3, 60, 15)
	for _, rows := range w.values {
		for j := range rows {
			rows[j][9] = 0
			if rows[j][0] > 1 {
				rows[j][9] = 3
			}
			rows[j][0] = rows[j][9] * 2
		}
	}
	o := Options{Keep: 0.2, Dense: 0.2}
	x, err := w.collect(t, w.build(t, o), o, upTo(len(w.values))).Index()
	if err != nil {
		t.Fatal(err)
	}
	list, err := x.CoFiring(0, 3)
	if err != nil || len(list) == 0 || list[0].Neuron != 9 {
		t.Errorf("with neuron 0 fire %+v, %v", list, err)
	}
}

func TestRandomWindows(t *testing.T) {
	d := newDerived(t, 15)
	a, err := d.x.Random(10, 4)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := d.x.Random(10, 4)
	c, _ := d.x.Random(10, 5)
	if len(a) != 10 || !slices.Equal(a, b) || slices.Equal(a, c) {
		t.Errorf("drawn: %v, %v, %v", a, b, c)
	}
	all, err := d.x.Random(1000, 1)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, w := range all {
		if seen[w.Number] || w.Repeats {
			t.Errorf("window %d was drawn twice, or repeats another", w.Number)
		}
		seen[w.Number] = true
	}
}

// Half of the examples are of build documents where there are so many; all others are the highest there are.
func TestExamplesKeepDocumentsForTesting(t *testing.T) {
	replaced := 0
	for k := range 15 * 8 {
		d, n := newDerived(t, uint64(k/15)), k%15
		wanted := d.x.Meta().Examples
		list, testOnly, err := d.x.Examples(n)
		if err != nil {
			t.Fatal(err)
		}
		top, err := d.x.Top(n, 4*wanted)
		if err != nil {
			t.Fatal(err)
		}
		isBuild := func(e Example) bool {
			document, err := d.x.Document(e.Window.Document)
			if err != nil {
				t.Fatal(err)
			}
			return document.Split() == Build
		}
		builds, there := 0, 0
		for _, e := range top {
			there += btoi(isBuild(e))
		}
		for i, e := range list {
			builds += btoi(isBuild(e))
			if isBuild(e) == slices.Contains(testOnly, i) {
				t.Errorf("neuron %d: example %d of document %d, test only %v", n, i, e.Window.Document, testOnly)
			}
			if i > 0 && e.Value > list[i-1].Value {
				t.Errorf("neuron %d: example %d is stronger than the one before", n, i)
			}
			if !slices.Contains(top[:min(wanted, len(top))], e) {
				replaced++
				if !isBuild(e) || builds > wanted/2 {
					t.Errorf("neuron %d: example %d stands in place of a stronger one", n, i)
				}
			}
		}
		if len(list) != min(wanted, len(top)) || builds < min(wanted/2, there) {
			t.Errorf("neuron %d: %d examples, %d of build documents, of which there are %d", n, len(list), builds, there)
		}
	}
	if replaced == 0 {
		t.Error("no example was replaced, so that nothing was tested")
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
