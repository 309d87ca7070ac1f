package behaviours

import (
	"cmp"
	"math"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/contexttree"
	"github.com/neuron2graph/neuron2graph/n2g/internal/label"
)

// namer describes groups of examples.
type namer struct {
	graph *n2g.ContextGraph // nil: none
	*grouping
	tokens [][]string // of each example, BOS first where the model has one
	first  int        // where a text begins in them

	ways   []way // of each example
	owners map[way]int
}

// way is how an example goes through the graph: the leaf of the context graph, if there is one, and the token.
type way struct {
	leaf  *n2g.ContextNode
	token string
}

func newNamer(model n2g.LanguageModel, e *n2g.Explanation, g *grouping) *namer {
	n := &namer{graph: e.Context, grouping: g, owners: map[way]int{}}
	if model.BOS() >= 0 {
		n.first = 1
	}
	for _, x := range g.examples {
		tokens := make([]string, len(x.IDs))
		for i, id := range x.IDs {
			tokens[i] = model.TokenString(id)
		}
		n.tokens = append(n.tokens, tokens)
		w := way{token: n2g.NormalizeToken(tokens[x.Position])}
		if nodes := n.graph.Path(tokens[min(n.first, x.Position) : x.Position+1]); len(nodes) > 0 {
			w = way{nodes[len(nodes)-1], tokens[x.Position]}
		}
		n.ways = append(n.ways, w)
	}
	counts := map[way][]int{}
	for k, members := range g.groups {
		for _, i := range members {
			if counts[n.ways[i]] == nil {
				counts[n.ways[i]] = make([]int, len(g.groups))
			}
			counts[n.ways[i]][k]++
		}
	}
	for w, of := range counts {
		most := slices.Max(of)
		n.owners[w] = slices.Index(of, most)
		if slices.Contains(of[n.owners[w]+1:], most) {
			n.owners[w] = -1
		}
	}
	return n
}

// behaviour describes a group.
func (n *namer) behaviour(g int) n2g.Behaviour {
	members := n.groups[g]
	b := n2g.Behaviour{Examples: len(members), Within: mean(n.similarity, members, members)}
	all := 0.0
	for _, x := range n.examples {
		all += x.weight()
	}
	for _, i := range members {
		b.Share += n.examples[i].weight()
	}
	b.Share = min(b.Share/all, 1)
	for other, theirs := range n.groups {
		if other == g {
			continue
		}
		if m := mean(n.similarity, members, theirs); b.Between == nil || m > *b.Between {
			b.Between = &m
		}
	}
	own := 0
	for _, i := range members {
		if n.owners[n.ways[i]] == g {
			own++
		}
	}
	b.ToldApart = float64(own) / float64(len(members))
	byBranch := n.branches(members)
	for _, of := range byBranch[:min(len(byBranch), branches)] {
		b.Branches = append(b.Branches, n.branch(of))
	}
	b.Label = b.Branches[0].Label
	if len(b.Branches) > 1 && 3*b.Branches[1].Examples >= b.Branches[0].Examples &&
		b.Branches[1].Label != b.Label {
		b.Label += "; or " + b.Branches[1].Label
	}
	// The most typical example of each branch in turn.
	for k := 0; len(b.Shown) < min(shown, len(members)); k++ {
		for _, of := range byBranch {
			if k < len(of) && len(b.Shown) < shown {
				b.Shown = append(b.Shown, n.excerpt(of[k]))
			}
		}
	}
	return b
}

// branches divides a group by the branch that examples take, that of most first; in each the most typical example of
// the group comes first.
func (n *namer) branches(members []int) [][]int {
	typical := make(map[int]float64, len(members))
	for _, i := range members {
		for _, j := range members {
			typical[i] += n.similarity[i][j]
		}
	}
	of := map[way]int{}
	var list [][]int
	for _, i := range members {
		key := n.ways[i]
		if key.leaf != nil {
			key.token = ""
		}
		at, there := of[key]
		if !there {
			at = len(list)
			of[key] = at
			list = append(list, nil)
		}
		list[at] = append(list[at], i)
	}
	for _, l := range list {
		slices.SortStableFunc(l, func(i, j int) int { return cmp.Compare(typical[j], typical[i]) })
	}
	slices.SortStableFunc(list, func(a, b []int) int { return cmp.Compare(len(b), len(a)) })
	return list
}

// branch describes the examples of one.
func (n *namer) branch(members []int) n2g.Branch {
	count := map[string]int{}
	var firing []string
	for _, i := range members {
		token := n.tokens[i][n.examples[i].Position]
		if count[token] == 0 {
			firing = append(firing, token)
		}
		count[token]++
	}
	slices.SortStableFunc(firing, func(a, b string) int { return cmp.Compare(count[b], count[a]) })
	b := n2g.Branch{Tokens: firing, Examples: len(members), Label: label.Tokens(firing, 3)}
	if x := members[0]; n.graph != nil {
		b.Label = contexttree.PathLabel(n.graph, n.tokens[x][n.first:n.examples[x].Position+1], firing)
	}
	return b
}

// excerpt is the text around a firing token.
func (n *namer) excerpt(i int) n2g.BehaviourExample {
	x := n.examples[i]
	first := min(max(n.first, x.Position-before), x.Position)
	end := min(x.Position+after+1, len(x.IDs))
	e := n2g.BehaviourExample{Tokens: n.tokens[i][first:end:end], Activations: make([]float64, end-first),
		Peak: x.Position - first}
	for k := range e.Activations {
		if v := x.Activations; first+k < len(v) && !math.IsNaN(v[first+k]) && !math.IsInf(v[first+k], 0) {
			e.Activations[k] = math.Round(v[first+k]*1000) / 1000
		}
	}
	return e
}
