package behaviours

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// cosines of unit vectors, symmetric.
func cosines(vectors [][]float32) [][]float64 {
	c := make([][]float64, len(vectors))
	for i, v := range vectors {
		c[i] = make([]float64, len(vectors))
		for j := range i {
			c[i][j] = dot(v, vectors[j])
			c[j][i] = c[i][j]
		}
		c[i][i] = 1
	}
	return c
}

func dot(a, b []float32) float64 {
	var sums [4]float32
	for ; len(a) >= 4; a, b = a[4:], b[4:] {
		b := b[:4]
		sums[0] += a[0] * b[0]
		sums[1] += a[1] * b[1]
		sums[2] += a[2] * b[2]
		sums[3] += a[3] * b[3]
	}
	for i, x := range a {
		sums[0] += x * b[i]
	}
	return float64(sums[0]+sums[1]) + float64(sums[2]+sums[3])
}

// groupsOf are the groups of examples that are alike, largest first, those of fewer than least left out.
func groupsOf(similarity [][]float64) [][]int {
	groups := link(similarity, func(_ int, mean float64) bool { return mean >= alike })
	groups = slices.DeleteFunc(groups, func(g []int) bool { return len(g) < least })
	slices.SortStableFunc(groups, func(a, b []int) int { return cmp.Compare(len(b), len(a)) })
	return groups
}

// link joins examples by average linkage (UPGMA): of all pairs of groups that with the highest mean similarity, the
// first of equals, as long as more agrees, which is told how many groups there are and that mean. Groups and their
// members are in ascending order.
func link(similarity [][]float64, more func(groups int, mean float64) bool) [][]int {
	means := make([][]float64, len(similarity)) // between groups
	groups := make([][]int, len(similarity))
	for i, row := range similarity {
		means[i] = slices.Clone(row)
		groups[i] = []int{i}
	}
	for len(groups) > 1 {
		a, b := 0, 1
		for i := range groups {
			for j := i + 1; j < len(groups); j++ {
				if means[i][j] > means[a][b] {
					a, b = i, j
				}
			}
		}
		if !more(len(groups), means[a][b]) {
			break
		}
		na, nb := float64(len(groups[a])), float64(len(groups[b]))
		for k := range groups {
			means[a][k] = (na*means[a][k] + nb*means[b][k]) / (na + nb)
			means[k][a] = means[a][k]
		}
		groups[a] = append(groups[a], groups[b]...)
		groups, means = slices.Delete(groups, b, b+1), slices.Delete(means, b, b+1)
		for k, row := range means {
			means[k] = slices.Delete(row, b, b+1)
		}
	}
	for _, g := range groups {
		slices.Sort(g)
	}
	return groups
}

// mean similarity of the examples of two groups to one another, an example to itself not counted; 1 of one example.
func mean(similarity [][]float64, a, b []int) float64 {
	sum, n := 0.0, 0
	for _, i := range a {
		for _, j := range b {
			if i != j {
				sum += similarity[i][j]
				n++
			}
		}
	}
	if n == 0 {
		return 1
	}
	return sum / float64(n)
}

// silhouette is the mean over the examples of all groups of (b - a) / max(a, b), a the mean distance, 1 less the
// cosine, to the others of the own group and b that to those of the nearest other one (Rousseeuw 1987); 0 for an
// example that is alone.
func silhouette(similarity [][]float64, groups [][]int) float64 {
	sum, n := 0.0, 0
	for g, members := range groups {
		for _, i := range members {
			n++
			if len(members) == 1 {
				continue
			}
			one := []int{i}
			a, b := 1-mean(similarity, one, members), 2.
			for other, theirs := range groups {
				if other != g {
					b = min(b, 1-mean(similarity, one, theirs))
				}
			}
			if far := max(a, b); far > 0 {
				sum += (b - a) / far
			}
		}
	}
	return sum / float64(max(n, 1))
}

// chance is the highest silhouette of so many groups among shuffled examples: each coordinate's values are dealt out
// anew, so that every example is as far from the others as before, but none belong together.
func chance(vectors [][]float32, groups int) float64 {
	random := rand.New(rand.NewPCG(0, 0))
	dealt := make([][]float32, len(vectors))
	for i, v := range vectors {
		dealt[i] = slices.Clone(v)
	}
	highest := 0.0
	for range shuffles {
		for k := range dealt[0] {
			random.Shuffle(len(dealt), func(i, j int) { dealt[i][k], dealt[j][k] = dealt[j][k], dealt[i][k] })
		}
		c := cosines(dealt)
		highest = max(highest, silhouette(c, link(c, func(n int, _ float64) bool { return n > groups })))
	}
	return highest
}
