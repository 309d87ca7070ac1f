package contexttree

import "github.com/neuron2graph/neuron2graph/n2g"

// eachLeaf tells, for every position of build and validation documents in order, the leaf of a grown tree that it comes
// to, and the one that it comes to where its own fold of build documents has no say in the tests' sets. It is what
// [n2g.ContextPredictor] does, on symbols.
func (l *learner) eachLeaf(root *leaf, visit func(position int32, leaf, without *leaf)) {
	c := l.corpus
	var within []*question // numbered
	repeats := false
	var find func(x *leaf)
	find = func(x *leaf) {
		if x.yes == nil {
			return
		}
		switch x.test.kind {
		case n2g.TestWithin:
			x.test.number = len(within)
			within = append(within, x.test)
			for _, symbol := range x.test.set {
				l.named[symbol] = append(l.named[symbol], int32(x.test.number))
			}
		case n2g.TestRepeated:
			repeats = true
		}
		find(x.yes)
		find(x.no)
	}
	find(root)
	const never = -1 << 30
	last := make([]int32, len(within)) // where each was answered
	seen := l.stamps                   // where each symbol stood last
	if repeats {
		for i := range seen {
			seen[i] = never
		}
		l.stamp = 0
		defer clear(seen)
	}
	for w, split := range c.splits {
		if split == Test {
			continue
		}
		start, end := c.starts[w], c.starts[w+1]
		line := start - 1
		for i := range last {
			last[i] = never
		}
		for p := start; p < end; p++ {
			symbol := c.symbols[p]
			find := func(part uint8) (x *leaf, alike bool) {
				alike = true
				for x = root; x.yes != nil; {
					q := x.test
					var holds bool
					switch q.kind {
					case n2g.TestToken, n2g.TestLine:
						at := p - int32(q.distance)
						if q.kind == n2g.TestLine {
							at = line + int32(q.distance)
						}
						before := int32(len(c.tokens))
						if at >= start && at <= p {
							before = c.symbols[at]
						}
						holds = q.has(before, part)
						alike = alike && (q.in[before] == 0 || q.in[before] == allParts)
					case n2g.TestWithin:
						holds = p-last[q.number] <= int32(q.distance)
					case n2g.TestRepeated:
						holds = seen[symbol] >= start && p-seen[symbol] <= int32(q.distance)
					}
					if holds {
						x = x.yes
					} else {
						x = x.no
					}
				}
				return x, alike
			}
			x, alike := find(validation)
			without := x
			if part := c.windowPart(int32(w)); !alike && part != validation {
				without, _ = find(part)
			}
			visit(p, x, without)
			for _, number := range l.named[symbol] {
				last[number] = p
			}
			if repeats {
				seen[symbol] = p
			}
			if c.newline[symbol] {
				line = p
			}
		}
	}
	for _, q := range within {
		for _, symbol := range q.set {
			l.named[symbol] = l.named[symbol][:0]
		}
	}
}
