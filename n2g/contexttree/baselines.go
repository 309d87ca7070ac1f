package contexttree

import "slices"

// counts are what is known of some tokens, by part.
type counts struct {
	n, firing [parts]int32
	sum       [folds]float64 // of the values
}

// total is the tally of all build documents, or of all without one fold.
func (x *counts) total(without int) (t tally) {
	for f := range folds {
		if f != without {
			t.n += float64(x.n[f])
			t.sum += x.sum[f]
		}
	}
	return t
}

func (x *counts) add(o *counts, sign int32) {
	for f := range parts {
		x.n[f] += sign * o.n[f]
		x.firing[f] += sign * o.firing[f]
	}
	for f := range folds {
		x.sum[f] += float64(sign) * o.sum[f]
	}
}

// unposted are tokens of which nothing is posted.
func unposted(n [parts]int32, quiet float64) counts {
	x := counts{n: n}
	for f := range folds {
		x.sum[f] = float64(n[f]) * quiet
	}
	return x
}

// means predict from the last token or the last two alone, by the mean response to them in build documents: what a
// graph has to beat. Values are rounded as those of graphs are, so that means of the same numbers are one prediction.
type means struct {
	corpus  *Corpus
	bigrams *bigrams
	quiet   *quiet
	symbols []counts
	pairs   map[int32]*counts // with a posted token in Build or Validate; the others are quiet
	unseen  []int32           // firing tokens of Validate by symbol, where Build lacks the pair
}

func (c *Corpus) means(a *Activations, q *quiet) *means {
	b := c.bigrams()
	m := &means{corpus: c, bigrams: b, quiet: q, symbols: make([]counts, len(c.tokens)), pairs: map[int32]*counts{},
		unseen: make([]int32, len(c.tokens))}
	for symbol := range m.symbols {
		n := b.known[symbol]
		for part, alone := range b.alone[symbol] {
			n[part] += alone
		}
		m.symbols[symbol] = unposted(n, q.of(int32(symbol)))
	}
	for i, p := range a.Positions {
		if c.split(p) == Test {
			continue
		}
		symbol, part, value := c.symbols[p], c.part(p), float64(a.Values[i])/a.Maximum
		count := func(x *counts) {
			if part != validation {
				x.sum[part] += value - q.of(symbol)
			}
			if value >= firing {
				x.firing[part]++
			}
		}
		count(&m.symbols[symbol])
		if pair := b.of[p]; pair >= 0 {
			x, ok := m.pairs[pair]
			if !ok {
				x = new(counts)
				*x = unposted(b.counts[pair], q.of(symbol))
				m.pairs[pair] = x
			}
			count(x)
		} else if value >= firing {
			m.unseen[symbol]++
		}
	}
	return m
}

// token is the mean response to a symbol in all folds but one; 0 where they lack it.
func (m *means) token(symbol int32, without int) float64 {
	if t := m.symbols[symbol].total(without); t.n > 0 {
		return round(t.mean())
	}
	return 0
}

// pair is the mean response to a pair in all folds but one, the symbol's where they lack it.
func (m *means) pair(x *counts, symbol int32, without int) float64 {
	if t := x.total(without); t.n > 0 {
		return round(t.mean())
	}
	return m.token(symbol, without)
}

// quietPair is the mean response to a pair that ends in a symbol and has no posted token.
func (m *means) quietPair(symbol int32) float64 { return round(m.quiet.of(symbol)) }

// tokenPredictions are those of the token table.
func (m *means) tokenPredictions(split Split) []float64 {
	table := make([]float64, len(m.symbols))
	for symbol := range table {
		table[symbol] = m.token(int32(symbol), validation)
	}
	predictions := make([]float64, 0, m.corpus.Tokens(split))
	m.corpus.each(split, func(p int32) { predictions = append(predictions, table[m.corpus.symbols[p]]) })
	return predictions
}

// pairPredictions are those of the bigram table, which backs off to the token table.
func (m *means) pairPredictions(split Split) []float64 {
	predictions := make([]float64, 0, m.corpus.Tokens(split))
	m.corpus.each(split, func(p int32) {
		symbol, pair := m.corpus.symbols[p], m.bigrams.of[p]
		value := m.quietPair(symbol)
		if pair < 0 {
			value = m.token(symbol, validation)
		} else if x, ok := m.pairs[pair]; ok {
			value = m.pair(x, symbol, validation)
		}
		predictions = append(predictions, value)
	})
	return predictions
}

// tokenGroups are the validation tokens and the build tokens, these predicted by the token table of the other folds.
func (m *means) tokenGroups() (groups []group) {
	for symbol := range m.symbols {
		x := &m.symbols[symbol]
		for part, n := range x.n {
			if n > 0 {
				groups = append(groups, group{m.token(int32(symbol), part), float64(n), float64(x.firing[part])})
			}
		}
	}
	return groups
}

// pairGroups are the same by the bigram table.
func (m *means) pairGroups() (groups []group) {
	b := m.bigrams
	known, alone := slices.Clone(b.known), slices.Clone(b.alone) // what the pairs with posted tokens leave
	for pair, x := range m.pairs {
		symbol := b.symbols[pair]
		for part, n := range x.n {
			if n == 0 {
				continue
			}
			groups = append(groups, group{m.pair(x, symbol, part), float64(n), float64(x.firing[part])})
			if x.total(part).n > 0 {
				known[symbol][part] -= n
			} else {
				alone[symbol][part] -= n
			}
		}
	}
	for symbol := range m.symbols {
		for part := range parts {
			if n := known[symbol][part]; n > 0 {
				groups = append(groups, group{m.quietPair(int32(symbol)), float64(n), 0})
			}
			if n := alone[symbol][part]; n > 0 {
				fires := int32(0)
				if part == validation {
					fires = m.unseen[symbol]
				}
				groups = append(groups, group{m.token(int32(symbol), part), float64(n), float64(fires)})
			}
		}
	}
	return groups
}

// each visits the positions of a split in order.
func (c *Corpus) each(split Split, visit func(position int32)) {
	for w, s := range c.splits {
		if s != split {
			continue
		}
		for p := c.starts[w]; p < c.starts[w+1]; p++ {
			visit(p)
		}
	}
}

// eachPosted visits the posted tokens of Build.
func (c *Corpus) eachPosted(a *Activations, visit func(position int32, value float64)) {
	for i, p := range a.Positions {
		if c.split(p) == Build {
			visit(p, float64(a.Values[i])/a.Maximum)
		}
	}
}
