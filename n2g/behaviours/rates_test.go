package behaviours

import (
	"context"
	"encoding/json"
	"flag"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/index"
)

// What TestRates measures: by default 60 neurons of each layer of tiny but the first.
var (
	ratesModel   = flag.String("model", tiny.Name, "the model whose neurons TestRates looks at")
	ratesIndex   = flag.String("index", "", "an index of it (default: that of tiny, which is embedded)")
	ratesNeurons = flag.Int("neurons", 60, "neurons of each layer")
	ratesSeed    = flag.Uint64("seed", 1, "of the choice of neurons")
)

// rate counts in how many cases what should be found was.
type rate struct{ right, all int }

func (r *rate) add(right bool) {
	r.all++
	if right {
		r.right++
	}
}

func (r rate) share() float64 { return float64(r.right) / float64(max(r.all, 1)) }

// TestRates asks for behaviours where the answer is known. A neuron that is the sum of two, a direction of the norm's
// output that both neurons' inputs are added up to, has two at the places where either of them fires, and a neuron that
// fires on spellings of one word has one.
func TestRates(t *testing.T) {
	m, x := OpenTiny(t)
	first := 1 // the first layer of tiny sees positions more than words; docs/findings.md
	if *ratesModel != tiny.Name || *ratesIndex != "" {
		first = 0
		var err error
		if m, err = models.Open(*ratesModel, models.Options{Backend: "go"}); err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if x, err = index.Open(*ratesIndex); err != nil {
			t.Fatal(err)
		}
		defer x.Close()
	}
	var sums, words, all rate
	for _, site := range x.Meta().Sites {
		if site.Layer < first {
			continue
		}
		weights, err := m.NeuronWeights(site.Layer)
		if err != nil {
			t.Fatal(err)
		}
		reads := weights.In
		if weights.Gate != nil {
			reads = weights.Gate
		}
		var layerSums, layerWords, layerAll rate
		var before *fires // a neuron that waits for another
		order := rand.New(rand.NewPCG(*ratesSeed, uint64(site.Layer))).Perm(site.Neurons)
		for _, i := range order[:min(*ratesNeurons, len(order))] {
			own := findOne(t, m, x, n2g.Site{Layer: site.Layer, Hook: site.Hook, Index: site.First + i})
			if own.found.Examples < 12 {
				continue
			}
			layerAll.add(len(own.found.List) > 1)
			if own.oneWord {
				layerWords.add(len(own.found.List) == 1)
			}
			switch {
			case len(own.main) < 8:
			case before == nil:
				before = &own
			default:
				layerSums.add(twoOf(t, m, site.Layer, reads, before, &own))
				before = nil
			}
		}
		t.Logf("layer %d: two or more behaviours %d of %d; sums of two told apart %d of %d; one word, one behaviour %d of %d",
			site.Layer, layerAll.right, layerAll.all, layerSums.right, layerSums.all, layerWords.right, layerWords.all)
		sums = rate{sums.right + layerSums.right, sums.all + layerSums.all}
		words = rate{words.right + layerWords.right, words.all + layerWords.all}
		all = rate{all.right + layerAll.right, all.all + layerAll.all}
	}
	t.Logf("all: %v sums, %v words, %v neurons", sums, words, all)
	if *ratesModel == tiny.Name && *ratesIndex == "" && (sums.share() < 0.65 || words.share() < 0.95) {
		t.Errorf("of the sums of two neurons %.2f are told apart, of those of one word %.2f are one", sums.share(),
			words.share())
	}
}

// OpenTiny opens what is part of the program, for the external tests too.
func OpenTiny(t testing.TB) (*models.Causal, *index.Index) {
	t.Helper()
	m, err := models.Open(tiny.Name, models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	x, err := index.Read(tiny.Index())
	if err != nil {
		t.Fatal(err)
	}
	return m, x
}

// fires is what is known of a neuron.
type fires struct {
	index   int
	found   *n2g.Behaviours
	main    []Example // of the behaviour that has most
	oneWord bool
}

func findOne(t *testing.T, m *models.Causal, x *index.Index, s n2g.Site) fires {
	t.Helper()
	examples, err := OfIndex(x, s, DefaultExamples)
	if err != nil {
		t.Fatal(err)
	}
	g, err := group(context.Background(), m, s, examples)
	if err != nil {
		t.Fatal(err)
	}
	f := fires{index: s.Index, found: &n2g.Behaviours{Examples: len(g.examples)}}
	f.found.List = make([]n2g.Behaviour, len(g.groups))
	if len(g.groups) > 0 {
		for _, i := range g.groups[0] {
			f.main = append(f.main, g.examples[i])
		}
	}
	words := map[string]bool{}
	for _, e := range examples {
		words[strings.ToLower(strings.TrimSpace(m.TokenString(e.IDs[e.Position])))] = true
	}
	f.oneWord = len(words) == 1
	return f
}

// twoOf says whether the sum of two neurons' inputs, each at length 1, has behaviours of which none mixes examples of
// both, at up to 12 examples of each one's main behaviour.
func twoOf(t *testing.T, m *models.Causal, layer int, reads [][]float32, a, b *fires) bool {
	t.Helper()
	direction := make([]float64, len(reads[a.index]))
	for _, row := range [][]float32{reads[a.index], reads[b.index]} {
		squares := 0.0
		for _, v := range row {
			squares += float64(v) * float64(v)
		}
		for i, v := range row {
			direction[i] += float64(v) / math.Sqrt(squares)
		}
	}
	text, err := json.Marshal(direction)
	if err != nil {
		t.Fatal(err)
	}
	d, err := models.ReadDirections(string(text))
	if err != nil {
		t.Fatal(err)
	}
	var examples []Example
	isOfA := map[*int]bool{}
	for _, f := range []*fires{a, b} {
		for _, e := range f.main[:min(12, len(f.main))] {
			examples = append(examples, e)
			isOfA[&e.IDs[0]] = f == a
		}
	}
	s := n2g.Site{Layer: layer, Hook: "ln2.hook_normalized[dir]"}
	g, err := group(context.Background(), m.WithDirections(d), s, examples)
	if err != nil {
		t.Fatal(err)
	}
	var ofA, ofB bool
	for _, members := range g.groups {
		first := isOfA[&g.examples[members[0]].IDs[0]]
		for _, i := range members {
			if isOfA[&g.examples[i].IDs[0]] != first {
				return false
			}
		}
		ofA, ofB = ofA || first, ofB || !first
	}
	return ofA && ofB
}

// BenchmarkNeuron is what one neuron of tiny costs, on all processors.
func BenchmarkNeuron(b *testing.B) {
	m, err := models.Open(tiny.Name, models.Options{Backend: "go"})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	x, err := index.Read(tiny.Index())
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		site := n2g.Site{Layer: 2, Hook: m.DefaultHook(), Index: i % 512}
		examples, err := OfIndex(x, site, DefaultExamples)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := Find(context.Background(), m, &n2g.Explanation{Site: site}, examples); err != nil {
			b.Fatal(err)
		}
	}
}
