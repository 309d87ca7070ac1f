package contexttree

// replies are what the model answered where symbols were put in place of the last tokens of firing texts: of each
// symbol the shares of the activation that were left.
type replies map[int32]tally

func (r replies) add(symbol int32, left float64) {
	t := r[symbol]
	t.add(1, max(0, min(1, left)))
	r[symbol] = t
}

// slopeWeight keeps a calibration by few tokens flat.
const slopeWeight = 1

// calibration tells what replies are worth among the tokens of a leaf: by how much a token responds more than the
// others of its class is a line over its symbol's reply, fitted to the tokens of the leaf whose symbols have replies.
// So a reply of a firing text becomes what is expected on the texts that there are.
type calibration struct{ n, x, xx, y, xy float64 }

// add counts a symbol's tokens in the leaf, of which the others of its class let expect a mean response.
func (c *calibration) add(t tally, expected, reply float64) {
	more := t.sum - t.n*expected
	c.n += t.n
	c.x += t.n * reply
	c.xx += t.n * reply * reply
	c.y += more
	c.xy += more * reply
}

// expect is the response that a reply lets expect, beside the class.
func (c *calibration) expect(reply, expected float64) float64 {
	if c.n == 0 {
		return expected
	}
	x, y := c.x/c.n, c.y/c.n
	slope := max(0, (c.xy-c.x*y)/(c.xx-c.x*x+slopeWeight))
	return max(0, expected+y+slope*(reply-x))
}

// othersMean is what the other symbols of a symbol's class let expect of it: the leaf's mean where there are none, or
// where classes have no say.
func (l *learner) othersMean(symbol int32, part int, mean float64) float64 {
	others := l.byClass[l.classes[symbol]].without(part).less(l.bySymbol[symbol].without(part))
	if others.n <= 0 {
		return mean
	}
	return others.shrunk(mean, setWeight)
}

// calibrate fits the calibrations of a leaf whose tokens are tallied by symbol, without each fold and with all.
func (l *learner) calibrate(symbols []int32, replies replies, mean float64) (c [parts]calibration) {
	for _, symbol := range symbols {
		if reply, asked := replies[symbol]; asked {
			for part := range c {
				c[part].add(l.bySymbol[symbol].without(part), l.othersMean(symbol, part, mean), reply.mean())
			}
		}
	}
	return c
}
