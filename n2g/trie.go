package n2g

import (
	"iter"
	"slices"
)

// newTrie returns the root of an empty trie.
func newTrie() *Node {
	return &Node{Token: RootToken, Ignore: true, Children: []*Node{}}
}

// BuildTrie returns the trie of lines as they are, before MergeIgnores.
func BuildTrie(lines []Line) *Node {
	root := newTrie()
	for _, line := range lines {
		root.insert(line)
	}
	return root
}

// insert adds a line below the node (section 5.3). An existing child of the same token is followed and left as it
// was: the first to come keeps its values and its end.
func (n *Node) insert(line Line) {
	node := n
	for _, e := range line.Elements {
		node = node.childOrNew(e)
	}
	if node != n && node.End == nil {
		end := line.End
		node.End = &end
	}
}

// child returns the child with the token, nil if there is none. An ignore node is told from a text that happens to
// be spelled like IgnoreToken.
func (n *Node) child(token string, ignore bool) *Node {
	for _, c := range n.Children {
		if c.Ignore == ignore && (ignore || c.Token == token) {
			return c
		}
	}
	return nil
}

func (n *Node) childOrNew(e Element) *Node {
	if c := n.child(e.Token, e.Ignore); c != nil {
		return c
	}
	c := &Node{
		Token:      e.Token,
		Activation: e.Activation,
		Importance: e.Importance,
		Important:  e.Important,
		Activator:  e.Activator,
		Ignore:     e.Ignore,
		LineEnd:    e.LineEnd,
		Children:   []*Node{},
	}
	n.Children = append(n.Children, c)
	return c
}

// element is what a line that passes the node says of it.
func (n *Node) element() Element {
	return Element{
		Token:      n.Token,
		Activation: n.Activation,
		Importance: n.Importance,
		Important:  n.Important,
		Activator:  n.Activator,
		Ignore:     n.Ignore,
		LineEnd:    n.LineEnd,
	}
}

// maxGrafted bounds the nodes that MergeIgnores makes. A neuron's merged trie holds hundreds; but where a text repeats
// one token and the lines ignore it at ever other places, each level of the merge may double the trie.
const maxGrafted = 1 << 16

// MergeIgnores makes a token that some lines ignore ignored by its siblings' lines too (section 5.4). Breadth first,
// where a node has an ignore child, the lines through each other child are inserted below the ignore child without
// their first element, and the other child is dropped unless it predicts something itself. Lines of one element
// stay. The ignore child comes later in the walk, with what it received. It returns false if the trie grew so large
// that deeper nodes were left as they were; such a trie is valid, but generalises less.
func (n *Node) MergeIgnores() bool {
	grafted := 0
	queue := []*Node{n}
	for len(queue) > 0 {
		node := queue[0]
		queue = queue[1:]
		if ignore := node.child(IgnoreToken, true); ignore != nil && len(node.Children) > 1 {
			if grafted > maxGrafted {
				return false
			}
			for _, c := range node.Children {
				if c != ignore {
					grafted += ignore.graft(c)
				}
			}
			node.Children = slices.DeleteFunc(node.Children, func(c *Node) bool { return c != ignore && c.End == nil })
		}
		queue = append(queue, node.Children...)
	}
	return true
}

// graft inserts the lines below src below n and returns how many nodes that took; the end of src itself stays behind.
// What n has keeps its values.
func (n *Node) graft(src *Node) int {
	made := 0
	for _, c := range src.Children {
		before := len(n.Children)
		target := n.childOrNew(c.element())
		made += len(n.Children) - before
		if target.End == nil && c.End != nil {
			end := *c.End
			target.End = &end
		}
		made += target.graft(c)
	}
	return made
}

// Nodes yields every node below n, breadth first, children in insertion order.
func (n *Node) Nodes() iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		queue := slices.Clone(n.Children)
		for len(queue) > 0 {
			node := queue[0]
			queue = append(queue[1:], node.Children...)
			if !yield(node) {
				return
			}
		}
	}
}
