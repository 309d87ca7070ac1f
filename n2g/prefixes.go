package n2g

// prefixes remembers a neuron's activations. A causal model's activation on a token depends on that token and those
// before it, so they are kept in a trie of token ids: whatever begins alike is known for all prompts once it is for
// one.
type prefixes struct {
	after  map[step]int // node after a token, by the node before it
	asked  []bool       // by node; the root stands for no token
	values []float64
}

// step is one token after a node.
type step struct{ node, id int }

func newPrefixes() *prefixes {
	return &prefixes{after: map[step]int{}, asked: []bool{false}, values: []float64{0}}
}

// path appends the node of each token of ids to nodes.
func (p *prefixes) path(nodes, ids []int) []int {
	node := 0
	for _, id := range ids {
		next, ok := p.after[step{node, id}]
		if !ok {
			next = len(p.asked)
			p.after[step{node, id}] = next
			p.asked = append(p.asked, false)
			p.values = append(p.values, 0)
		}
		node = next
		nodes = append(nodes, node)
	}
	return nodes
}
