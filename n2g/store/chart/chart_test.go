package chart_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/index"
	"github.com/neuron2graph/neuron2graph/n2g/store"
	"github.com/neuron2graph/neuron2graph/n2g/store/chart"
)

func rows() []store.SummaryRow {
	var list []store.SummaryRow
	for layer := range 3 {
		for i, name := range []store.Predictor{store.Graph, store.TokenLookup, store.NGram} {
			r := store.SummaryRow{Predictor: name, Summary: n2g.Summary{Layer: layer, Neurons: 9, Counted: 9}}
			r.Firing.F1 = n2g.MeanStd{Mean: 0.7 - 0.1*float64(layer) - 0.15*float64(i), Std: 0.2}
			list = append(list, r)
		}
	}
	return list
}

// neurons are rows of three layers.
func neurons() []store.Row {
	random := rand.New(rand.NewPCG(1, 2))
	scores := func() *n2g.Scores {
		return &n2g.Scores{Firing: n2g.ClassScores{F1: float64(random.IntN(7)) / 6, Support: 1 + random.IntN(20)}}
	}
	var list []store.Row
	for i := range 300 {
		list = append(list, store.Row{Site: n2g.Site{Layer: i % 3, Index: i}, Nodes: random.IntN(30), Scores: scores(),
			TokenLookup: scores(), NGram: scores()})
	}
	return append(list, store.Row{Site: n2g.Site{Layer: 7}}) // not tested
}

func nodes(r store.Row) (float64, bool) { return float64(r.Nodes), r.Scores != nil }

// charts are one of each kind.
func charts(t *testing.T) map[string]*chart.Chart {
	t.Helper()
	drawn := map[string]*chart.Chart{}
	add := func(name string) func(c *chart.Chart, err error) {
		return func(c *chart.Chart, err error) {
			t.Helper()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			drawn[name] = c
		}
	}
	add("summary")(chart.Summary(rows()))
	add("token lookup")(chart.Against(neurons(), store.TokenLookup))
	add("n-gram")(chart.Against(neurons(), store.NGram))
	add("layers")(chart.Layers(neurons(), "nodes of the graph", nodes))
	counts := make([]uint32, 100)
	for i := range counts {
		counts[i] = uint32(1e6 * math.Exp(-float64(i)/8))
	}
	add("histogram")(chart.Histogram("layer 1 neuron 254", &index.Histogram{First: 160, Counts: counts}, 1))
	return drawn
}

func TestSVG(t *testing.T) {
	words := map[string][]string{
		"summary":      {"layer", "token lookup", "n-gram", "graph"},
		"token lookup": {"token lookup", "neuron graph", "layer 0", "layer 2"},
		"n-gram":       {"n-gram"},
		"layers":       {"nodes of the graph by layer"},
		"histogram":    {"layer 1 neuron 254", "fires", "below", "1000000", "activation"},
	}
	for name, c := range charts(t) {
		picture, err := c.SVG()
		if err != nil {
			t.Fatal(err)
		}
		decoder := xml.NewDecoder(bytes.NewReader(picture))
		for {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		for _, want := range words[name] {
			if !strings.Contains(string(picture), want) {
				t.Errorf("%s: the picture lacks %q", name, want)
			}
		}
		if strings.Contains(string(picture), "layer 7") {
			t.Errorf("%s: a layer without scores is drawn", name)
		}
	}
}

// TestPNG also checks that the same rows are drawn alike. N2G_CHARTS names a folder to look at them in.
func TestPNG(t *testing.T) {
	again := charts(t)
	for name, c := range charts(t) {
		picture, err := c.PNG()
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := png.Decode(bytes.NewReader(picture))
		if err != nil || decoded.Bounds().Dx() < 300 {
			t.Errorf("%s: %v, %v", name, decoded.Bounds(), err)
		}
		if second, err := again[name].PNG(); err != nil || !bytes.Equal(picture, second) {
			t.Errorf("%s: a second drawing differs, %v", name, err)
		}
		if folder := os.Getenv("N2G_CHARTS"); folder != "" {
			if err := os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestNothing(t *testing.T) {
	for name, draw := range map[string]func() (*chart.Chart, error){
		"summary":        func() (*chart.Chart, error) { return chart.Summary(nil) },
		"against":        func() (*chart.Chart, error) { return chart.Against(nil, store.NGram) },
		"graph itself":   func() (*chart.Chart, error) { return chart.Against(neurons(), store.Graph) },
		"layers":         func() (*chart.Chart, error) { return chart.Layers(neurons()[300:], "nodes", nodes) },
		"no activations": func() (*chart.Chart, error) { return chart.Histogram("x", nil, 1) },
	} {
		if _, err := draw(); err == nil {
			t.Errorf("%s: nothing is drawn without complaint", name)
		}
	}
}
