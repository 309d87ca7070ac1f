package contexttree

// A table predicts from the last tokens alone, by the mean over all of Build: what a graph has to beat.

// tokenTable is the mean response to each symbol.
func (c *Corpus) tokenTable(a *Activations, q *quiet) []float64 {
	posted, sum := make([]float64, len(c.tokens)), make([]float64, len(c.tokens))
	c.eachPosted(a, func(p int32, value float64) {
		posted[c.symbols[p]]++
		sum[c.symbols[p]] += value
	})
	for symbol, n := range c.counts[Build] {
		if n == 0 {
			sum[symbol] = 0
			continue
		}
		sum[symbol] = (sum[symbol] + (float64(n)-posted[symbol])*q.of(int32(symbol))) / float64(n)
	}
	return sum
}

// tokenPredictions are those of the token table; a symbol that Build lacks predicts 0.
func (c *Corpus) tokenPredictions(table []float64, split Split) []float64 {
	predictions := make([]float64, 0, c.Tokens(split))
	c.each(split, func(p int32) { predictions = append(predictions, table[c.symbols[p]]) })
	return predictions
}

// bigramPredictions are the mean response to a symbol and the one before it, and where Build lacks the pair, the token
// table's.
func (c *Corpus) bigramPredictions(a *Activations, q *quiet, table []float64, split Split) []float64 {
	b := c.bigrams()
	posted, sum := make([]float64, len(b.counts)), make([]float64, len(b.counts))
	c.eachPosted(a, func(p int32, value float64) {
		posted[b.of[p]]++
		sum[b.of[p]] += value
	})
	predictions := make([]float64, 0, c.Tokens(split))
	c.each(split, func(p int32) {
		symbol, pair := c.symbols[p], b.of[p]
		if pair < 0 {
			predictions = append(predictions, table[symbol])
			return
		}
		n := float64(b.counts[pair])
		predictions = append(predictions, (sum[pair]+(n-posted[pair])*q.of(symbol))/n)
	})
	return predictions
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
