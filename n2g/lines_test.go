package n2g

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// show spells lines: tokens with * for important, ! for activating ones, and the end.
func show(lines []Line) []string {
	var all []string
	for _, l := range lines {
		var b strings.Builder
		for _, e := range l.Elements {
			token := e.Token
			if e.Ignore {
				token = "_"
			}
			b.WriteString(token)
			if e.Important {
				b.WriteByte('*')
			}
			if e.Activator {
				b.WriteByte('!')
			}
			b.WriteByte(' ')
		}
		fmt.Fprint(&b, l.End)
		all = append(all, b.String())
	}
	return all
}

func TestLines(t *testing.T) {
	opts := Options{} // activation over 0.5, importance over 0.75
	matrix := func(n int, cells ...[3]float64) [][]float64 {
		m := make([][]float64, n)
		for i := range m {
			m[i] = make([]float64, n)
		}
		for _, c := range cells {
			m[int(c[0])][int(c[1])] = c[2]
		}
		return m
	}
	pruned := &Measured{
		Tokens:      []string{"<s>", " The", "cat", " Sat", "on"},
		Activations: []float64{0.9, 0.1, 0.6, 0.8, 0.5},
		Matrix: matrix(5, [3]float64{0, 3, 1}, [3]float64{1, 3, 0.8}, [3]float64{2, 3, 0.75}, [3]float64{1, 2, 0.7},
			[3]float64{2, 2, 0.9}),
	}
	for _, c := range []struct {
		name     string
		variants []*Measured
		want     []string
	}{
		// BOS makes no line and no element; thresholds are strict; " The" counts for "sat", not for "cat".
		{"pruned alone", nil, []string{"cat*! 0.6", "sat! _! the* 0.8"}},
		{"pruned again", []*Measured{pruned}, []string{"cat*! 0.6", "sat! _! the* 0.8", "cat*! 0.6", "sat! _! the* 0.8"}},
		{
			"a variant inherits by position",
			[]*Measured{{Tokens: []string{"<s>", "a", "b", "c", "d"}, Activations: []float64{0, 0, 0, 0.7, 0.9},
				Matrix: matrix(5, [3]float64{3, 3, 1})}},
			// Token 4 of the pruned prompt does not activate: nothing to inherit.
			[]string{"cat*! 0.6", "sat! _! the* 0.8", "c*! _ a* 0.7", "d! 0.9"},
		},
		{
			"BOS within a variant",
			[]*Measured{{Tokens: []string{"<s>", "a", "<s>", "c"}, Activations: []float64{0, 0, 1, 0.7},
				Matrix: matrix(4, [3]float64{2, 3, 1})}},
			[]string{"cat*! 0.6", "sat! _! the* 0.8", "c! a* 0.7"},
		},
		{
			"no matrix",
			[]*Measured{{Tokens: []string{"<s>", "a", "b"}, Activations: []float64{0, 0, 0.7}}, nil, {}},
			[]string{"cat*! 0.6", "sat! _! the* 0.8", "b*! 0.7"},
		},
	} {
		if got := show(Lines(pruned, c.variants, opts)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}

	// A variant longer than its pruned prompt inherits there what the pruned prompt's last token found.
	short := &Measured{Tokens: []string{"<s>", "a", "b"}, Activations: []float64{0, 0, 1},
		Matrix: matrix(3, [3]float64{1, 2, 1})}
	long := &Measured{Tokens: []string{"<s>", "p", "q", "r", "s"}, Activations: []float64{0, 0, 0, 0, 1},
		Matrix: matrix(5)}
	if got, want := show(Lines(short, []*Measured{long}, opts)),
		[]string{"b! a* 1", "s! _ _ p* 1"}; !slices.Equal(got, want) {
		t.Errorf("longer variant: %q, want %q", got, want)
	}
	if got := Lines(nil, nil, opts); len(got) != 0 {
		t.Errorf("nothing measured makes %v", got)
	}
}
