package heatmap_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/neuron2graph/neuron2graph/internal/testfile"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/heatmap"
	"github.com/neuron2graph/neuron2graph/n2g/internal/chromium"
)

//go:generate go test -run ^TestGolden -update

var update = flag.Bool("update", false, "write the golden files")

// hostile are the tokens that other programs stumble over.
var hostile = []string{
	"<|endoftext|>", " The", " thought", "\n", "\n\n\t", "\t\tif", " <b>", "</script>", ` "q"`, "'", "&amp;", "שלום",
	"مرحبا", " 漢字",
	"👨‍👩‍👧", "e\u0301", "\u0301", "\x00", "\x1b[31m", "\ufffd", "\xff\xfe", "\u202eabc", "\u2028", "\ufeff", "\\u{41}",
	"-->", "]]>", "", " ",
	strings.Repeat("long", 40),
}

// sample is a map with every kind of value and mark.
func sample(form heatmap.Form) heatmap.HeatMap {
	h := heatmap.HeatMap{
		Title:  `Layer 3, neuron 1 of "tiny" <b>`,
		Tokens: hostile,
		Rows: []heatmap.Row{
			{Name: "activation", Values: make([]float64, len(hostile)), Note: "= 3.21"},
			{Name: "importance", Values: make([]float64, len(hostile)-1), Color: heatmap.Blue},
		},
		Marks: []heatmap.Mark{0, heatmap.Peak, heatmap.Missed, heatmap.FalseAlarm},
		Form:  form,
	}
	for i := range h.Rows[0].Values {
		h.Rows[0].Values[i] = float64(i) / 28
	}
	copy(h.Rows[1].Values, []float64{0.5, -0.25, math.NaN(), math.Inf(1), math.Inf(-1), -1234567, 2000,
		math.Copysign(0, -1), -0.001})
	return h
}

var forms = map[string]heatmap.Form{"figure": heatmap.Figure, "strips": heatmap.Strips, "compact": heatmap.Compact}

// golden compares a file's text with what it should be, or writes it.
func golden(t *testing.T, name string, got []byte) []byte {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return want
}

func TestGolden(t *testing.T) {
	for name, form := range forms {
		for ending, got := range map[string]string{"html": sample(form).HTML(), "svg": sample(form).SVG()} {
			if want := golden(t, name+"."+ending, []byte(got)); got != string(want) {
				t.Errorf("%s.%s changed; look at it, then run go generate", name, ending)
			}
		}
	}
}

// walkthrough returns a neuron's pruned prompt as the published walkthrough measures it.
func walkthrough(t testing.TB, layer, index int) heatmap.HeatMap {
	t.Helper()
	var entries []struct {
		Layer, Neuron int
		Importance    struct {
			Importances [][3]any `json:"tokens_and_importances"` // token, activation when masked, importance
			Activations [][2]any `json:"tokens_and_activations"`
		}
	}
	testfile.JSON(t, "../../testdata/golden/walkthrough/walkthrough.json.gz", &entries)
	for _, e := range entries {
		if e.Layer != layer || e.Neuron != index {
			continue
		}
		var m n2g.Measured
		for i, a := range e.Importance.Activations {
			m.Tokens = append(m.Tokens, a[0].(string))
			m.Activations = append(m.Activations, a[1].(float64))
			m.Importances = append(m.Importances, e.Importance.Importances[i][2].(float64))
			if m.Activations[i] > m.Activations[m.Peak] {
				m.Peak = i
			}
		}
		m.Importances[m.Peak] = 1 // the published column gives the peak's value when masked, which is nearly all of it
		h := heatmap.FromMeasured(m)
		h.Title = fmt.Sprintf("Layer %d, neuron %d", layer, index)
		return h
	}
	t.Fatalf("no layer %d neuron %d in the golden file", layer, index)
	return heatmap.HeatMap{}
}

// The picture that documents the package: a neuron of the golden model, drawn without a browser.
func TestGoldenPicture(t *testing.T) {
	got, err := walkthrough(t, 1, 288).PNG(context.Background(), heatmap.PNGOptions{NoBrowser: true})
	if err != nil {
		t.Fatal(err)
	}
	want := golden(t, "walkthrough.png", got)
	gotDots, gotSize := decode(t, got)
	wantDots, wantSize := decode(t, want)
	if gotSize != wantSize {
		t.Fatalf("the picture is %v, it was %v", gotSize, wantSize)
	}
	if difference := distance(gotDots, wantDots); difference > 0.5 {
		t.Errorf("the picture differs by %.2f of 255 on the mean; look at it, then run go generate", difference)
	}
}

// decode returns a PNG's dots, as all of ours are: 8 bits a channel, four of them, no transparency in use.
func decode(t testing.TB, data []byte) (dots []uint8, size image.Point) {
	t.Helper()
	picture, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	size = picture.Bounds().Size()
	switch picture := picture.(type) {
	case *image.RGBA:
		return picture.Pix, size
	case *image.NRGBA:
		return picture.Pix, size
	}
	t.Fatalf("the picture is a %T", picture)
	return nil, size
}

// distance is the mean difference of two pictures' channels, of 255. Processors round differently.
func distance(a, b []uint8) float64 {
	sum := 0
	for i := range a {
		d := int(a[i]) - int(b[i])
		sum += max(d, -d)
	}
	return float64(sum) / float64(len(a))
}

func TestPNG(t *testing.T) {
	for name, form := range forms {
		for theme := range heatmap.Dark + 1 {
			h := sample(form)
			h.Theme = theme
			h.Width = 500
			data, err := h.PNG(context.Background(), heatmap.PNGOptions{NoBrowser: true, Scale: 1})
			if err != nil {
				t.Fatal(err)
			}
			dots, size := decode(t, data)
			if size.X != 500 {
				t.Errorf("%s: width %d", name, size.X)
			}
			colors := map[[4]uint8]bool{}
			var last [4]uint8
			for i := 0; i < len(dots); i += 4 {
				if dot := [4]uint8(dots[i:]); dot != last {
					colors[dot] = true
					last = dot
				}
			}
			if len(colors) < 50 {
				t.Errorf("%s theme %d: %d colours: nothing is drawn", name, theme, len(colors))
			}
			again, err := h.PNG(context.Background(), heatmap.PNGOptions{NoBrowser: true, Scale: 1})
			if err != nil || !bytes.Equal(data, again) {
				t.Errorf("%s theme %d: a second drawing differs (%v)", name, theme, err)
			}
		}
	}
}

// A browser draws the same picture at the same size, with the text that the built-in font lacks.
func TestPNGBrowser(t *testing.T) {
	if _, err := chromium.Find(); err != nil {
		t.Skip(err)
	}
	h := heatmap.HeatMap{Tokens: []string{"שלום", " world"}, Rows: []heatmap.Row{{Values: []float64{1, 0}}},
		Form: heatmap.Compact, Width: 200}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	data, err := h.PNG(ctx, heatmap.PNGOptions{})
	if err != nil {
		t.Fatal(err)
	}
	dots, size := decode(t, data)
	if size.X != 400 || size.Y < 60 {
		t.Fatalf("size %v", size)
	}
	at := 4 * (35*size.X + 30) // the left end of the first token, on its colour
	if r, g, b := dots[at], dots[at+1], dots[at+2]; r < 180 || g > 80 || b > 90 {
		t.Errorf("the first token is drawn on %d %d %d, not on red", r, g, b)
	}
}

func TestPNGErrors(t *testing.T) {
	h := sample(heatmap.Figure)
	if _, err := h.PNG(t.Context(), heatmap.PNGOptions{Scale: 1e4}); err == nil ||
		!strings.Contains(err.Error(), "lower the scale") {
		t.Errorf("scale 1e4: %v", err)
	}
	h.Width = math.Inf(1)
	if _, err := h.PNG(t.Context(), heatmap.PNGOptions{}); err == nil {
		t.Error("an endless picture was drawn")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sample(heatmap.Figure).PNG(ctx, heatmap.PNGOptions{NoBrowser: true}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestFromTest(t *testing.T) {
	h := heatmap.FromTest(n2g.Test{
		Tokens:      []string{"a", "b", "c", "d", "e"},
		Activations: []float64{0.5, 0.5, 0.49, 0.1, math.NaN()},
		Predictions: []float64{0.5, 0.49, 0.5, 0.2, 1},
	}, 0.5)
	want := []heatmap.Mark{heatmap.NoMark, heatmap.Missed, heatmap.FalseAlarm, heatmap.NoMark, heatmap.FalseAlarm}
	if fmt.Sprint(h.Marks) != fmt.Sprint(want) {
		t.Errorf("marks %v, want %v", h.Marks, want)
	}
	if text := h.HTML(); !strings.Contains(text, "1 missed") || !strings.Contains(text, "2 false alarms") {
		t.Error("the legend does not count what is wrong")
	}
}

func TestFromMeasured(t *testing.T) {
	h := heatmap.FromMeasured(n2g.Measured{Tokens: []string{"<s>", " a"}, Activations: []float64{0, 1},
		Importances: []float64{0.1234, 0.9}, Peak: 1})
	text := h.Body()
	for _, part := range []string{
		`title="·a activation 1, importance 0.9"`, `title="&lt;s&gt; activation 0, importance 0.123"`, `>0.12</i>`, "peak",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("%s lacks %s", text, part)
		}
	}
	if strings.Contains(text, "<style") {
		t.Error("a body brings a style of its own")
	}
	if m := heatmap.FromMeasured(n2g.Measured{Peak: -1}); len(m.Marks) != 0 {
		t.Errorf("a peak that is none is marked: %v", m.Marks)
	}
}

func TestFold(t *testing.T) {
	long := heatmap.HeatMap{Tokens: make([]string, 400),
		Rows: []heatmap.Row{{Name: "activation", Values: make([]float64, 400)}}}
	for i := range long.Tokens {
		long.Tokens[i] = fmt.Sprintf("[%d]", i)
	}
	long.Rows[0].Values[300] = 0.875
	long.Rows[0].Values[10] = 0.25
	for _, form := range []heatmap.Form{heatmap.Compact, heatmap.Strips} {
		long.Form = form
		text := long.HTML()
		for _, part := range []string{"240 tokens before, activation up to 0.25<", "80 tokens after, activation up to 0<"} {
			if !strings.Contains(text, part) {
				t.Errorf("form %d lacks %q", form, part)
			}
		}
		open := text[strings.Index(text, "</details>"):strings.LastIndex(text, "<details>")]
		if !strings.Contains(open, ">[300]<") || !strings.Contains(open, ">[240]<") || !strings.Contains(open, ">[319]<") ||
			strings.Contains(open, ">[320]<") {
			t.Errorf("form %d: the peak's context is folded", form)
		}
		long.FoldAfter = -1
		if strings.Contains(long.HTML(), "<details>") {
			t.Errorf("form %d folds what should not fold", form)
		}
		long.FoldAfter = 0
	}
	short := long
	short.Tokens = long.Tokens[:160]
	if strings.Contains(short.HTML(), "<details>") {
		t.Error("160 tokens fold")
	}
	short.FoldAfter = 1
	if text := short.HTML(); strings.Count(text, `title="`) != 160 {
		t.Error("a small fold loses tokens")
	}
}

// TestLean: every token is still there, in order, and those that have a colour or a mark are boxes.
func TestLean(t *testing.T) {
	for _, form := range []heatmap.Form{heatmap.Compact, heatmap.Strips} {
		h := heatmap.HeatMap{
			Tokens: []string{"a", " b", "\n", "</q>", " d", " e"}, Form: form, NoLegend: true, Lean: true,
			Rows:  []heatmap.Row{{Name: "activation", Values: []float64{0, -0.06, 0.06, 0, 1, 0}}},
			Marks: []heatmap.Mark{0, 0, 0, 0, 0, heatmap.Missed},
		}
		text := h.Body()
		if n := strings.Count(text, "<span"); n != 2 || strings.Contains(text, "title=") {
			t.Errorf("form %d: %d boxes, want those of a value and of a mark", form, n)
		}
		if !strings.Contains(text, "<q>a<u>·</u>b<u>↵</u></q><br/><q>&lt;/q&gt;</q>") {
			t.Errorf("form %d: %s", form, text)
		}
	}
}

func TestThemes(t *testing.T) {
	h := sample(heatmap.Figure)
	h.Theme = heatmap.Dark
	for _, text := range []string{h.HTML(), h.Page()} {
		if !strings.Contains(text, "n2g-dark") {
			t.Error("the dark theme is not said")
		}
	}
	if strings.Contains(h.SVG(), "@media") {
		t.Error("an SVG of a fixed theme follows the viewer's")
	}
	h.Theme = heatmap.Auto
	for _, part := range []string{"prefers-color-scheme:dark", "data-jp-theme-light=false", "print-color-adjust"} {
		if !strings.Contains(h.HTML(), part) {
			t.Errorf("the style lacks %s", part)
		}
	}
}

func BenchmarkHeatMap(b *testing.B) {
	tokens, values := make([]string, 1000), make([]float64, 1000)
	for i := range tokens {
		tokens[i], values[i] = hostile[1+i%10], math.Mod(float64(i)*0.37, 1)
	}
	h := heatmap.HeatMap{Tokens: tokens, Rows: []heatmap.Row{{Name: "activation", Values: values},
		{Name: "importance", Values: values, Color: heatmap.Blue}}}
	for name, form := range forms {
		h.Form = form
		b.Run(name+"/HTML", func(b *testing.B) {
			for b.Loop() {
				b.SetBytes(int64(len(h.HTML())))
			}
		})
		b.Run(name+"/SVG", func(b *testing.B) {
			for b.Loop() {
				b.SetBytes(int64(len(h.SVG())))
			}
		})
		b.Run(name+"/PNG", func(b *testing.B) {
			for b.Loop() {
				if _, err := h.PNG(b.Context(), heatmap.PNGOptions{NoBrowser: true}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
