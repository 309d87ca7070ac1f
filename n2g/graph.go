package n2g

// NewGraph builds the display graph of lines (section 5.5): without what they ignore, and with nodes of the same
// token at the same depth as one, the first of them giving the values.
func NewGraph(lines []Line) *Graph {
	return graphOf(displayTrie(lines))
}

// displayTrie is the trie of the lines without their ignored elements.
func displayTrie(lines []Line) *Node {
	root := newTrie()
	for _, line := range lines {
		shown := Line{End: line.End}
		for _, e := range line.Elements {
			if !e.Ignore {
				shown.Elements = append(shown.Elements, e)
			}
		}
		root.insert(shown)
	}
	return root
}

func graphOf(root *Node) *Graph {
	type place struct {
		token string
		depth int
	}
	type entry struct {
		node   *Node
		parent int // index of Nodes, -1 at depth 0
		depth  int
	}
	g := &Graph{Nodes: []GraphNode{}, Edges: [][2]int{}}
	index := map[place]int{}
	drawn := map[[2]int]bool{}
	var queue []entry
	for _, c := range root.Children {
		queue = append(queue, entry{c, -1, 0})
	}
	for len(queue) > 0 {
		e := queue[0]
		queue = queue[1:]
		at := place{e.node.Token, e.depth}
		i, ok := index[at]
		if !ok {
			i = len(g.Nodes)
			index[at] = i
			g.Nodes = append(g.Nodes, GraphNode{
				Token:      e.node.Token,
				Depth:      e.depth,
				Activation: e.node.Activation,
				Importance: e.node.Importance,
				Activator:  e.node.Activator,
				End:        e.node.LineEnd,
			})
		}
		if edge := [2]int{e.parent, i}; e.parent >= 0 && !drawn[edge] {
			drawn[edge] = true
			g.Edges = append(g.Edges, edge)
		}
		for _, c := range e.node.Children {
			queue = append(queue, entry{c, i, e.depth + 1})
		}
	}
	return g
}

// Components returns the separate sub-graphs, each as ascending indices of Nodes, ordered by their first node. Two of
// them may stand for one behaviour: see [Behaviours].
func (g *Graph) Components() [][]int {
	parent := make([]int, len(g.Nodes))
	for i := range parent {
		parent[i] = i
	}
	find := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	for _, e := range g.Edges {
		a, b := find(e[0]), find(e[1])
		parent[max(a, b)] = min(a, b)
	}
	var components [][]int
	number := map[int]int{}
	for i := range g.Nodes {
		root := find(i)
		k, ok := number[root]
		if !ok {
			k = len(components)
			number[root] = k
			components = append(components, nil)
		}
		components[k] = append(components[k], i)
	}
	return components
}
