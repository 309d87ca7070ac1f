package scene

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"image"
	"image/png"
	"io"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g/internal/chromium"
)

// sample has every shape.
func sample(Face) Scene {
	s := Scene{Width: 200, Height: 100, Title: `a "scene" & <more>`}
	s.Add(Rect{X: 10, Y: 10, W: 40, H: 30, Fill: Solid(Red), Radius: 5})
	s.Add(Rect{X: 60, Y: 10, W: 40, H: 30, Stroke: Solid(Ink), Pen: 4})
	s.Add(Path{Points: []Point{{10, 60}, {60, 60}, {60, 90}, {110, 90}}, Curved: true, Stroke: Solid(Blue), Pen: 6})
	s.Add(Path{Points: []Point{{120, 10}, {150, 10}, {150, 40}}, Closed: true, Fill: FixedColor(RGB{1, 2, 3}, 1)})
	s.Add(Path{Points: []Point{{120, 60}, {180, 60}}, Stroke: Solid(Mark), Pen: 4, Dashed: true})
	s.AddTitled("a token", Text{X: 130, Y: 90, Text: "a·b", Size: TokenSize, Mono: true, Fill: Solid(Ink)})
	return s
}

func at(t *testing.T, picture image.Image, x, y int) RGB {
	t.Helper()
	r, g, b, _ := picture.At(x, y).RGBA()
	return RGB{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8)}
}

// TestPNG looks at dots whose colour is known, as our raster and as a browser draw them from the SVG.
func TestPNG(t *testing.T) {
	for _, theme := range []Theme{Light, Dark} {
		p := theme.Palette()
		data, err := PNG(t.Context(), sample, PNGOptions{Theme: theme, Scale: 2, NoBrowser: true})
		if err != nil {
			t.Fatal(err)
		}
		pictures := map[string][]byte{"raster": data}
		if data, err = sample(nil).browse(t.Context(), PNGOptions{Theme: theme, Scale: 2}); err == nil {
			pictures["browser"] = data
		} else if !errors.Is(err, chromium.ErrMissing) {
			t.Fatal(err)
		}
		for name, data := range pictures {
			picture, err := png.Decode(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if size := picture.Bounds().Size(); size != (image.Point{400, 200}) {
				t.Fatalf("%s: size %v", name, size)
			}
			for _, dot := range []struct {
				what string
				x, y int
				want RGB
			}{
				{"ground", 220, 120, p[Surface]}, {"box", 60, 50, p[Red]}, {"corner", 21, 21, p[Surface]},
				{"border", 124, 50, p[Ink]},
				{"inside", 160, 50, p[Surface]}, {"line's start", 24, 120, p[Blue]}, {"line's end", 214, 180, p[Blue]},
				{"triangle", 294, 40, RGB{1, 2, 3}}, {"dash", 242, 120, p[Mark]}, {"gap", 248, 120, p[Surface]},
			} {
				if got := at(t, picture, dot.x, dot.y); got != dot.want {
					t.Errorf("%s, theme %d: the %s is %v, want %v", name, theme, dot.what, got, dot.want)
				}
			}
		}
	}
}

// TestSVG: viewers without style sheets find all colours in attributes, and a fixed theme needs no style sheet.
func TestSVG(t *testing.T) {
	for theme, sheets := range map[Theme]int{Auto: 1, Light: 0, Dark: 0} {
		svg := sample(nil).SVG(theme, false)
		if n := strings.Count(svg, "<style"); n != sheets {
			t.Errorf("theme %d: %d style sheets", theme, n)
		}
		if strings.Contains(svg, "style=") {
			t.Errorf("theme %d: a style attribute, which a strict page refuses", theme)
		}
		decoder := xml.NewDecoder(strings.NewReader(svg))
		for {
			token, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			e, ok := token.(xml.StartElement)
			if !ok || e.Name.Local != "rect" && e.Name.Local != "path" && e.Name.Local != "text" {
				continue
			}
			painted := false
			for _, a := range e.Attr {
				painted = painted || strings.HasPrefix(a.Value, "#")
			}
			if !painted {
				t.Errorf("theme %d: <%s %v> has no colour", theme, e.Name.Local, e.Attr)
			}
		}
	}
	if svg := sample(nil).SVG(Auto, true); strings.Contains(svg, "<style") || !strings.Contains(svg, `class="ink`) {
		t.Error("an inline SVG brings its style sheet, or no classes")
	}
}

func TestTooLarge(t *testing.T) {
	if _, err := PNG(t.Context(), sample, PNGOptions{Scale: 1e4}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := PNG(ctx, sample, PNGOptions{NoBrowser: true}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestFit(t *testing.T) {
	for _, test := range []struct {
		text  string
		room  int
		want  string
		cells int
	}{
		{"word", 4, "word", 4}, {"word", 3, "wo…", 3}, {"漢字漢字", 5, "漢字…", 5}, {"漢字漢字", 4, "漢…", 3},
		{"👨‍👩‍👧👨‍👩‍👧", 3, "👨‍👩‍👧…", 3}, {"", 3, "", 0},
	} {
		if got, cells := Fit(test.text, test.room); got != test.want || cells != test.cells {
			t.Errorf("Fit(%q, %d) = %q, %d; want %q, %d", test.text, test.room, got, cells, test.want, test.cells)
		}
	}
}

// Blanks that stand together are told apart, single ones are left.
func TestLabel(t *testing.T) {
	for text, want := range map[string]string{
		"": "", " ": " ", "a b\tc": "a b→c", "`\n   `/`  `": "`↵···`/`··`", " a  b ": " a··b ", "x \n y": "x ↵ y",
	} {
		if got := Label(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
