package chart_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
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

func TestSVG(t *testing.T) {
	picture, err := chart.SVG(rows())
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
	for _, want := range []string{"layer", "token lookup", "n-gram", "graph"} {
		if !strings.Contains(string(picture), want) {
			t.Errorf("the picture lacks %q", want)
		}
	}
}

func TestPNG(t *testing.T) {
	picture, err := chart.PNG(rows())
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := png.Decode(bytes.NewReader(picture))
	if err != nil || decoded.Bounds().Dx() < 500 {
		t.Errorf("%v, %v", decoded.Bounds(), err)
	}
}

func TestNothing(t *testing.T) {
	if _, err := chart.SVG(nil); err == nil {
		t.Error("nothing is drawn without complaint")
	}
}
