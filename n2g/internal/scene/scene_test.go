package scene

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"image"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"regexp"
	"strconv"
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

// TestShortPath: the short form of a path leads through the places that the long one names, to a tenth of a pixel.
func TestShortPath(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	for range 2000 {
		p := Path{Curved: random.IntN(2) == 0, Closed: random.IntN(2) == 0}
		for range 1 + 3*(1+random.IntN(4)) {
			q := Point{random.Float64()*200 - 50, random.Float64()*200 - 50}
			if last := len(p.Points) - 1; last >= 0 && random.IntN(2) == 0 { // lines along the axes
				if q.Y = p.Points[last].Y; random.IntN(3) == 0 {
					q = Point{p.Points[last].X, random.Float64()}
				}
			}
			p.Points = append(p.Points, q)
		}
		text := p.short()
		rest, closed := strings.CutSuffix(text, "Z")
		if closed != p.Closed {
			t.Fatalf("%s: closed %v", text, closed)
		}
		var at Point
		var ends []Point
		for _, command := range regexp.MustCompile(`[Mlhvc][^Mlhvc]*`).FindAllString(rest, -1) {
			var v []float64
			for _, number := range regexp.MustCompile(`-?[0-9]*\.?[0-9]+`).FindAllString(command[1:], -1) {
				n, err := strconv.ParseFloat(number, 64)
				if err != nil {
					t.Fatal(err)
				}
				v = append(v, n)
			}
			if n := map[byte]int{'M': 2, 'l': 2, 'h': 1, 'v': 1, 'c': 6}[command[0]]; len(v) != n {
				t.Fatalf("%s: %s has %d numbers", text, command, len(v))
			}
			switch command[0] {
			case 'h':
				at.X += v[0]
			case 'v':
				at.Y += v[0]
			default:
				at.X, at.Y = at.X+v[len(v)-2], at.Y+v[len(v)-1]
			}
			ends = append(ends, at)
		}
		step := 1
		if p.Curved {
			step = 3
		}
		for i, end := range ends {
			if q := p.Points[i*step]; math.Abs(end.X-q.X) > .051 || math.Abs(end.Y-q.Y) > .051 {
				t.Fatalf("%s leads to %v, not %v", text, end, q)
			}
		}
		if len(ends) != (len(p.Points)-1)/step+1 {
			t.Fatalf("%s has %d ends of %d points", text, len(ends), len(p.Points))
		}
	}
}
