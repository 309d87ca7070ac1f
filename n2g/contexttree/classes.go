package contexttree

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"
)

// Constants of classes.
const (
	classCount  = 256
	classRounds = 4
	// neighbours is how many of the most frequent symbols tell places apart.
	neighbours = 5000
	// spelling is what an equal spelling, and an equal form of spelling, count for beside the neighbours, which count 1.
	spelling = 0.4
)

// findClasses groups the symbols that stand between the same neighbours and are spelt alike (Schütze 1995,
// "Distributional Part-of-Speech Tagging"), by k-means on the cosine (Dhillon and Modha 2001) from so many of the
// most frequent symbols on: what is seen of one tells of the others. It returns the class of each symbol, and of the
// place before a text, which is one by itself. Test documents are not looked at.
func (c *Corpus) findClasses(most int) []int32 {
	frequent := count(len(c.tokens))
	slices.SortStableFunc(frequent, func(a, b int32) int { return cmp.Compare(c.learnable(b), c.learnable(a)) })
	k := min(most, len(frequent))
	class := make([]int32, len(c.tokens)+1)
	for i := range class {
		class[i] = -1
	}
	for i, symbol := range frequent[:k] {
		class[symbol] = int32(i)
	}
	features, dimensions := c.classFeatures(frequent[:min(neighbours, len(frequent))])
	sums := make([]float32, dimensions*k) // of the vectors in each class, by feature
	scale, scores := make([]float32, k), make([]float32, k)
	for range classRounds {
		clear(sums)
		for symbol, vector := range features {
			if of := class[symbol]; of >= 0 {
				weight := float32(math.Sqrt(float64(c.learnable(int32(symbol)))))
				for _, f := range vector {
					sums[int(f.number)*k+int(of)] += weight * f.value
				}
			}
		}
		clear(scale)
		for row := range slices.Chunk(sums, max(k, 1)) {
			for i, x := range row {
				scale[i] += x * x
			}
		}
		for i, x := range scale {
			scale[i] = 1 / float32(math.Sqrt(float64(x)+1e-9))
		}
		for symbol, vector := range features {
			clear(scores)
			for _, f := range vector {
				row := sums[int(f.number)*k:][:len(scores)]
				for i := range scores {
					scores[i] += f.value * row[i]
				}
			}
			for i := range scores {
				scores[i] *= scale[i]
			}
			class[symbol] = int32(slices.Index(scores, slices.Max(scores)))
		}
	}
	class[len(c.tokens)] = int32(k)
	return class
}

// learnable is how often a symbol stands in build and validation documents.
func (c *Corpus) learnable(symbol int32) int32 {
	return c.counts[Build][symbol] + c.counts[Validate][symbol]
}

// feature is one of a symbol's vector.
type feature struct {
	number int32
	value  float32
}

// classFeatures are the vectors of the symbols and their length. The first features are the frequent symbols before
// and behind, by ln(1 + times) and by how rare they are; then come spellings.
func (c *Corpus) classFeatures(frequent []int32) (vectors [][]feature, dimensions int) {
	number := make([]int32, len(c.tokens)) // 1 more than that of the feature
	rare := make([]float64, len(frequent)) // what a neighbour counts for
	total := float64(c.Tokens(Build) + c.Tokens(Validate))
	for i, symbol := range frequent {
		number[symbol] = int32(i) + 1
		rare[i] = max(.1, math.Log(total/float64(1+c.learnable(symbol))))
	}
	dimensions = 2 * len(frequent)
	times := make([]float64, dimensions)
	vectors = make([][]feature, len(c.tokens))
	var seen []int32
	see := func(at int32, side int, symbol int32) {
		if c.window[at] != c.window[at-1] || number[symbol] == 0 {
			return
		}
		f := number[symbol] - 1 + int32(side*len(frequent))
		if times[f] == 0 {
			seen = append(seen, f)
		}
		times[f]++
	}
	for symbol := range vectors {
		seen = seen[:0]
		for _, split := range []Split{Build, Validate} {
			for _, p := range c.places[split][c.first[split][symbol]:c.first[split][symbol+1]] {
				if p > 0 {
					see(p, 0, c.symbols[p-1])
				}
				if int(p)+1 < len(c.symbols) {
					see(p+1, 1, c.symbols[p+1])
				}
			}
		}
		squares := 1.0
		for _, f := range seen {
			v := math.Log1p(times[f]) * rare[int(f)%len(frequent)]
			squares += v * v
			vectors[symbol] = append(vectors[symbol], feature{f, float32(v)})
			times[f] = 0
		}
		for i := range vectors[symbol] {
			vectors[symbol][i].value /= float32(math.Sqrt(squares))
		}
	}
	for _, spell := range []func(string) string{
		func(s string) string { return strings.ToLower(strings.TrimSpace(s)) }, form} {
		spelled := map[string][]int32{}
		var order []string
		for symbol, token := range c.tokens {
			s := spell(token)
			if spelled[s] == nil {
				order = append(order, s)
			}
			spelled[s] = append(spelled[s], int32(symbol))
		}
		for _, s := range order {
			if len(spelled[s]) > 1 { // what nobody shares tells nothing
				for _, symbol := range spelled[s] {
					vectors[symbol] = append(vectors[symbol], feature{int32(dimensions), spelling})
				}
				dimensions++
			}
		}
	}
	return vectors, dimensions
}

// form is how a token is spelt: runs of capital letters, small ones, digits, spaces, newlines and others, one character
// for each.
func form(token string) string {
	var runs []rune
	for _, r := range token {
		switch {
		case unicode.IsUpper(r):
			r = 'A'
		case unicode.IsLetter(r):
			r = 'a'
		case unicode.IsDigit(r):
			r = '0'
		case r == ' ' || r == '\n':
		default:
			r = '.'
		}
		if len(runs) == 0 || runs[len(runs)-1] != r {
			runs = append(runs, r)
		}
	}
	return string(runs)
}
