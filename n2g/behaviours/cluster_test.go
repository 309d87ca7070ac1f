package behaviours

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// linkage as it is defined: at each step the mean is taken anew over all pairs of examples of two groups.
func linkage(similarity [][]float64, level float64) [][]int {
	var groups [][]int
	for i := range similarity {
		groups = append(groups, []int{i})
	}
	for len(groups) > 1 {
		best, a, b := math.Inf(-1), 0, 0
		for i := range groups {
			for j := range i {
				sum := 0.0
				for _, x := range groups[i] {
					for _, y := range groups[j] {
						sum += similarity[x][y]
					}
				}
				if m := sum / float64(len(groups[i])*len(groups[j])); m > best {
					best, a, b = m, j, i
				}
			}
		}
		if best < level {
			break
		}
		groups[a] = append(groups[a], groups[b]...)
		groups = append(groups[:b], groups[b+1:]...)
	}
	for _, g := range groups {
		slices.Sort(g)
	}
	return groups
}

func randomVectors(r *rand.Rand, n int) [][]float32 {
	vectors := make([][]float32, n)
	centres := make([][]float32, 1+r.IntN(4))
	for i := range centres {
		centres[i] = make([]float32, 12)
		for k := range centres[i] {
			centres[i][k] = float32(r.NormFloat64())
		}
	}
	for i := range vectors {
		v := slices.Clone(centres[r.IntN(len(centres))])
		for k := range v {
			v[k] += float32(0.7 * r.NormFloat64())
		}
		vectors[i] = direction(v)
	}
	return vectors
}

func TestLinkAgainstItsDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		c := cosines(randomVectors(r, 2+r.IntN(14)))
		level := 2*r.Float64() - 1
		got := link(c, func(_ int, mean float64) bool { return mean >= level })
		want := linkage(c, level)
		order := func(a, b []int) int { return a[0] - b[0] }
		slices.SortFunc(got, order)
		slices.SortFunc(want, order)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("level %.3f: %v, want %v", level, got, want)
		}
	}
}

func TestGroupsOf(t *testing.T) {
	// Three alike, three others, one like neither.
	of := []int{0, 1, 0, 1, 2, 0, 1, 1}
	c := make([][]float64, len(of))
	for i := range c {
		c[i] = make([]float64, len(of))
		for j := range c[i] {
			c[i][j] = 0.1
			if of[i] == of[j] {
				c[i][j] = 0.9
			}
		}
	}
	if got, want := groupsOf(c), [][]int{{1, 3, 6, 7}, {0, 2, 5}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got, want := silhouette(c, groupsOf(c)), (0.9-0.1)/0.9; math.Abs(got-want) > 1e-12 {
		t.Errorf("silhouette %g, want %g", got, want)
	}
	if got := mean(c, []int{1, 3, 4}, []int{1, 3, 4}); math.Abs(got-(0.9+0.1+0.1)/3) > 1e-12 {
		t.Errorf("mean %g", got)
	}
}

func TestDirection(t *testing.T) {
	if got, want := direction([]float32{9, -16, 0}), []float32{0.6, -0.8, 0}; !slices.EqualFunc(got, want,
		func(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-6 }) {
		t.Errorf("%v, want %v", got, want)
	}
	// The scale of an input is no part of its direction, not even where its squares are beyond a float32.
	for _, scale := range []float32{1e-30, 1e-6, 1e6, 1e37} {
		if got := direction([]float32{9 * scale, -16 * scale, 0}); got == nil || math.Abs(float64(got[0])-0.6) > 1e-5 {
			t.Errorf("scale %g: %v", scale, got)
		}
	}
	for _, bad := range [][]float32{nil, {0, 0}, {1, float32(math.NaN())}, {float32(math.Inf(1)), 1}} {
		if got := direction(bad); got != nil {
			t.Errorf("%v has the direction %v", bad, got)
		}
	}
}

// The chance level is one that clusters exceed and a cloud does not.
func TestChance(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	exceeded := 0
	const clouds = 60
	for range clouds {
		vectors := make([][]float32, 16)
		for i := range vectors {
			v := make([]float32, 40)
			for k := range v {
				v[k] = 1 + float32(r.NormFloat64())
			}
			vectors[i] = direction(v)
		}
		c := cosines(vectors)
		if two := link(c, func(n int, _ float64) bool { return n > 2 }); silhouette(c, two) > chance(vectors, 2) {
			exceeded++
		}
	}
	if exceeded > clouds/5 { // 1 in 20 is expected
		t.Errorf("%d of %d clouds exceed what chance gives", exceeded, clouds)
	}
}
