package graphviz

import "slices"

// components returns the connected parts of a graph of n nodes, each in ascending order, the parts by their first node.
func components(n int, edges [][2]int) [][]int {
	root := make([]int, n)
	for i := range root {
		root[i] = i
	}
	find := func(i int) int {
		for root[i] != i {
			root[i] = root[root[i]]
			i = root[i]
		}
		return i
	}
	for _, edge := range edges {
		a, b := find(edge[0]), find(edge[1])
		root[max(a, b)] = min(a, b) // so that a root is its part's first node
	}
	parts := make([][]int, n)
	for i := range n {
		r := find(i)
		parts[r] = append(parts[r], i)
	}
	return slices.DeleteFunc(parts, func(part []int) bool { return part == nil })
}
