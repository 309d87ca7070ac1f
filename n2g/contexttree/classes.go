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
// most frequent symbols on, classCount or less: what is seen of one tells of the others. It returns the class of each
// symbol, and of the place before a text, which is one by itself. Test documents are not looked at.
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
	vectors := c.classVectors(frequent[:min(neighbours, len(frequent))])
	columns := vectors.transposed()
	for i, symbol := range columns.numbers {
		columns.values[i] *= float32(math.Sqrt(float64(c.learnable(symbol))))
	}
	sums := sparse{numbers: make([]int32, 0, len(columns.numbers)), values: make([]float32, 0, len(columns.values))}
	for range classRounds {
		scale := columns.classSums(class, &sums)
		for symbol := range vectors.rows() {
			class[symbol] = closest(vectors.row(symbol), &sums, &scale)
		}
	}
	class[len(c.tokens)] = int32(k)
	return class
}

// classSums are the columns of the sum of the vectors in each class, and 1 by the length of each sum.
func (columns *sparse) classSums(class []int32, sums *sparse) (scale [classCount]float32) {
	sums.reset()
	var sum [classCount]float32
	for f := range columns.rows() {
		row := columns.row(f)
		for i, symbol := range row.numbers {
			of := class[symbol]
			if of < 0 || row.values[i] == 0 {
				continue
			}
			if sum[of] == 0 {
				sums.numbers = append(sums.numbers, of)
			}
			sum[of] += row.values[i]
		}
		for _, of := range sums.numbers[len(sums.values):] {
			sums.values = append(sums.values, sum[of])
			scale[of] += sum[of] * sum[of]
			sum[of] = 0
		}
		sums.end()
	}
	for i, x := range scale {
		scale[i] = 1 / float32(math.Sqrt(float64(x)+1e-9))
	}
	return scale
}

// closest is the class to which a vector has the highest cosine, of equal ones the first.
func closest(vector sparseRow, sums *sparse, scale *[classCount]float32) (best int32) {
	var scores [classCount]float32
	for i, f := range vector.numbers {
		row := sums.row(int(f))
		for j, of := range row.numbers {
			scores[uint8(of)] += vector.values[i] * row.values[j]
		}
	}
	highest := float32(0)
	for i, score := range scores {
		if score *= scale[i]; score > highest {
			best, highest = int32(i), score
		}
	}
	return best
}

// learnable is how often a symbol stands in build and validation documents.
func (c *Corpus) learnable(symbol int32) int32 {
	return c.counts[Build][symbol] + c.counts[Validate][symbol]
}

// sparse is a matrix of which the rows are lists of what is not 0.
type sparse struct {
	ends    []int32
	numbers []int32 // of columns
	values  []float32
}

type sparseRow struct {
	numbers []int32
	values  []float32
}

func (m *sparse) rows() int { return len(m.ends) }

func (m *sparse) row(i int) sparseRow {
	from, to := int32(0), m.ends[i]
	if i > 0 {
		from = m.ends[i-1]
	}
	return sparseRow{m.numbers[from:to], m.values[from:to]}
}

func (m *sparse) reset() { m.ends, m.numbers, m.values = m.ends[:0], m.numbers[:0], m.values[:0] }

func (m *sparse) add(number int32, value float32) {
	m.numbers, m.values = append(m.numbers, number), append(m.values, value)
}

// end ends a row.
func (m *sparse) end() { m.ends = append(m.ends, int32(len(m.numbers))) }

// transposed has a row for each column.
func (m *sparse) transposed() *sparse {
	last := int32(-1)
	for _, f := range m.numbers {
		last = max(last, f)
	}
	t := &sparse{ends: make([]int32, last+2), numbers: make([]int32, len(m.numbers)),
		values: make([]float32, len(m.values))}
	for _, f := range m.numbers {
		t.ends[f+1]++
	}
	for f := range t.rows() - 1 {
		t.ends[f+1] += t.ends[f] // where the row begins, until it is filled
	}
	for i := range m.rows() {
		row := m.row(i)
		for j, f := range row.numbers {
			at := &t.ends[f]
			t.numbers[*at], t.values[*at] = int32(i), row.values[j]
			*at++
		}
	}
	t.ends = t.ends[:t.rows()-1]
	return t
}

// classVectors are the vectors of the symbols. The first features are the frequent symbols before and behind, by
// ln(1 + times) and by how rare they are; then come spellings.
func (c *Corpus) classVectors(frequent []int32) *sparse {
	number := make([]uint16, len(c.tokens)) // 1 more than that of the feature
	rare := make([]float64, len(frequent))  // what a neighbour counts for
	total := float64(c.Tokens(Build) + c.Tokens(Validate))
	for i, symbol := range frequent {
		number[symbol] = uint16(i) + 1
		rare[i] = max(.1, math.Log(total/float64(1+c.learnable(symbol))))
	}
	near := make([][2]uint16, len(c.symbols)) // before each position and behind it, in its window
	for w, start := range c.starts[:len(c.splits)] {
		text, near := c.symbols[start:c.starts[w+1]], near[start:c.starts[w+1]]
		for i := 1; i < len(text); i++ {
			near[i][0], near[i-1][1] = number[text[i-1]], number[text[i]]
		}
	}
	logs := make([]float64, 1024) // of 1 + times
	for n := range logs {
		logs[n] = math.Log1p(float64(n))
	}
	spelled := c.spellings(2 * len(frequent))
	vectors := &sparse{ends: make([]int32, 0, len(c.tokens))}
	times := make([]int32, 2*len(frequent))
	var seen []int32
	see := func(number uint16, side int) {
		if number == 0 {
			return
		}
		f := int32(number) - 1 + int32(side*len(frequent))
		if times[f] == 0 {
			seen = append(seen, f)
		}
		times[f]++
	}
	var raw []float64
	for symbol := range c.tokens {
		seen, raw = seen[:0], raw[:0]
		for _, split := range []Split{Build, Validate} {
			for _, p := range c.places[split][c.first[split][symbol]:c.first[split][symbol+1]] {
				see(near[p][0], 0)
				see(near[p][1], 1)
			}
		}
		squares := 1.0
		for _, f := range seen {
			n := times[f]
			times[f] = 0
			var v float64
			if int(n) < len(logs) {
				v = logs[n]
			} else {
				v = math.Log1p(float64(n))
			}
			v *= rare[int(f)%len(frequent)]
			squares += v * v
			raw = append(raw, v)
		}
		length := float32(math.Sqrt(squares))
		for i, f := range seen {
			vectors.add(f, float32(raw[i])/length)
		}
		for _, f := range spelled[symbol] {
			if f >= 0 {
				vectors.add(f, spelling)
			}
		}
		vectors.end()
	}
	return vectors
}

// spellings are the features of each symbol's spelling and its form, numbered from first on; -1 for what nobody shares,
// which tells nothing.
func (c *Corpus) spellings(first int) [][2]int32 {
	features := make([][2]int32, len(c.tokens))
	next := int32(first)
	for kind, spell := range []func(string) string{
		func(s string) string { return strings.ToLower(strings.TrimSpace(s)) }, form} {
		groups := make(map[string]int32, len(c.tokens))
		group := make([]int32, len(c.tokens)) // of each symbol
		var sizes []int32
		for symbol, token := range c.tokens {
			s := spell(token)
			g, known := groups[s]
			if !known {
				g = int32(len(sizes))
				groups[s] = g
				sizes = append(sizes, 0)
			}
			group[symbol] = g
			sizes[g]++
		}
		for g, size := range sizes {
			if size > 1 {
				sizes[g] = next
				next++
			} else {
				sizes[g] = -1
			}
		}
		for symbol, g := range group {
			features[symbol][kind] = sizes[g]
		}
	}
	return features
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
