package n2g

import (
	"cmp"
	"slices"
)

// Predictor predicts a neuron's activations from token strings by a merged trie (section 6), without any model. It
// is safe for concurrent use and allocates nothing per token.
type Predictor struct {
	ids   map[string]int32 // of the normalised tokens of the trie
	roots []int32          // node of each token below the root, 0 if none
	nodes []predictorNode  // [0] is the root
	edges []predictorEdge  // of each node contiguous, in ascending order of token
}

type predictorNode struct {
	first, last int32 // edges
	ignore      int32 // node where any other token leads, 0 if nowhere
	hasEnd      bool
	activator   bool
	end         float64
}

type predictorEdge struct{ token, node int32 }

// unknownToken is the id of tokens that the trie does not hold.
const unknownToken = -1

// NewPredictor compiles a merged trie. A nil trie predicts 0 everywhere. The trie may change or go afterwards.
func NewPredictor(root *Node) *Predictor {
	p := &Predictor{ids: map[string]int32{}, nodes: make([]predictorNode, 1)}
	if root == nil {
		return p
	}
	// Breadth first, each node's children numbered together: children of nodes[i] are sources[first:last].
	sources := []*Node{root}
	for i := 0; i < len(sources); i++ {
		node := predictorNode{first: int32(len(p.edges)), activator: sources[i].Activator}
		if end := sources[i].End; end != nil {
			node.hasEnd, node.end = true, *end
		}
		for _, c := range sources[i].Children {
			number := int32(len(sources))
			if c.Ignore {
				if node.ignore == 0 {
					node.ignore = number
					sources = append(sources, c)
				}
				continue
			}
			id, ok := p.ids[c.Token]
			if !ok {
				id = int32(len(p.ids))
				p.ids[c.Token] = id
			}
			p.edges = append(p.edges, predictorEdge{id, number})
			sources = append(sources, c)
		}
		node.last = int32(len(p.edges))
		slices.SortStableFunc(p.edges[node.first:], func(a, b predictorEdge) int { return cmp.Compare(a.token, b.token) })
		if i == 0 {
			p.nodes[0] = node
		} else {
			p.nodes = append(p.nodes, node)
		}
	}
	// Nearly every walk ends at the root, so its children are looked up directly.
	p.roots = make([]int32, len(p.ids))
	for _, e := range slices.Backward(p.edges[:p.nodes[0].last]) {
		p.roots[e.token] = e.node
	}
	return p
}

// Predict returns the activation predicted for each of the tokens, given those before it.
func (p *Predictor) Predict(tokens []string) []float64 {
	return p.AppendPredictions(make([]float64, 0, len(tokens)), tokens)
}

// PredictLast returns the activation predicted for the last of the tokens, 0 if there is none.
func (p *Predictor) PredictLast(tokens []string) float64 {
	var scratch [64]byte
	node, result := int32(0), 0.0
	for _, token := range slices.Backward(tokens) {
		if node = p.next(node, p.id(scratch[:0], token)); node == 0 {
			break
		}
		if p.nodes[node].hasEnd {
			result = p.nodes[node].end
		}
	}
	return result
}

// AppendPredictions appends to dst what Predict returns.
func (p *Predictor) AppendPredictions(dst []float64, tokens []string) []float64 {
	return p.AppendWordPredictions(dst, p.Words(tokens))
}

// Words are what the trie makes of tokens. For much text take those of a vocabulary once.
func (p *Predictor) Words(tokens []string) []int32 {
	var scratch [64]byte
	words := make([]int32, len(tokens))
	for i, token := range tokens {
		words[i] = p.id(scratch[:0], token)
	}
	return words
}

// AppendWordPredictions appends to dst what Predict returns for tokens that have these Words.
func (p *Predictor) AppendWordPredictions(dst []float64, words []int32) []float64 {
	for i := range words {
		dst = append(dst, p.walk(words[:i+1]))
	}
	return dst
}

// walk predicts the last token: the literal child is preferred to the ignore child, and no choice is taken back.
func (p *Predictor) walk(ids []int32) float64 {
	node, result := int32(0), 0.0
	for i := len(ids) - 1; i >= 0; i-- {
		if node = p.next(node, ids[i]); node == 0 {
			break
		}
		if p.nodes[node].hasEnd {
			result = p.nodes[node].end
		}
	}
	return result
}

// next is the child of a node where a token leads, 0 if there is none. The first token has to be an activator:
// it always is in a trie made of lines.
func (p *Predictor) next(node, token int32) int32 {
	if node == 0 {
		next := p.nodes[0].ignore
		if token != unknownToken && p.roots[token] != 0 {
			next = p.roots[token]
		}
		if !p.nodes[next].activator {
			return 0
		}
		return next
	}
	at := &p.nodes[node]
	if token != unknownToken {
		for low, high := at.first, at.last; low < high; {
			mid := (low + high) / 2
			switch e := p.edges[mid]; {
			case e.token < token:
				low = mid + 1
			case e.token > token:
				high = mid
			default:
				return e.node
			}
		}
	}
	return at.ignore
}

// id is the id of a token string, normalised in scratch.
func (p *Predictor) id(scratch []byte, token string) int32 {
	if id, ok := p.ids[string(appendNormalized(scratch, token))]; ok {
		return id
	}
	return unknownToken
}

// Predict returns the normalised activation that the Explanation's trie predicts for each of the tokens (token strings
// as the language model's tokenizer makes them), given those before it; BOS, where the model has one, stands first, as
// where it is scored. It needs no model; without a trie it predicts 0. For much text compile the trie once with
// NewPredictor.
func (e *Explanation) Predict(tokens []string) []float64 {
	return NewPredictor(e.Trie).Predict(tokens)
}
