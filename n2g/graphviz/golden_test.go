package graphviz_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/testfile"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/graphviz"
)

// trie is a node of the published program's display trie.
type trie struct {
	Depth      int     `json:"depth"`
	Token      string  `json:"token"`
	Activation float64 `json:"activation"`
	Importance float64 `json:"importance"`
	Activator  bool    `json:"activator"`
	End        bool    `json:"is_end"`
	Children   []struct {
		Node *trie `json:"node"`
	} `json:"children"`
}

// graph merges equal tokens of a depth, breadth first.
func (root *trie) graph() *n2g.Graph {
	type place struct {
		depth int
		token string
	}
	g := &n2g.Graph{}
	index := make(map[place]int)
	edges := make(map[[2]int]bool)
	type item struct {
		*trie
		parent int
	}
	for queue := []item{{root, -1}}; len(queue) > 0; queue = queue[1:] {
		node, at := queue[0], -1
		if node.Depth >= 0 {
			key := place{node.Depth, node.Token}
			known := false
			if at, known = index[key]; !known {
				at = len(g.Nodes)
				index[key] = at
				g.Nodes = append(g.Nodes, n2g.GraphNode{Token: node.Token, Depth: node.Depth, Activation: node.Activation,
					Importance: node.Importance, Activator: node.Activator, End: node.End})
			}
			if edge := [2]int{node.parent, at}; node.parent >= 0 && !edges[edge] {
				edges[edge] = true
				g.Edges = append(g.Edges, edge)
			}
		}
		for _, child := range node.Children {
			queue = append(queue, item{child.Node, at})
		}
	}
	return g
}

var (
	nodeLine = regexp.MustCompile(
		`(?m)^\s*(\d+) \[label=("(?:[^"\\]|\\.)*"|\S+) fillcolor="(#[0-9a-f]{6})" fontcolor=(\w+) fontsize=25 penwidth=(\d)`)
	edgeLine = regexp.MustCompile(`(?m)^\s*(\d+) -> (\d+) \[dir=back penwidth=3\]`)
)

// drawn is what a DOT text shows: its nodes in order of their numbers, and its edges.
func drawn(dot string) (nodes, edges, labels []string) {
	type node struct {
		id    int
		text  string
		label string
	}
	var list []node
	for _, m := range nodeLine.FindAllStringSubmatch(dot, -1) {
		n := node{text: fmt.Sprintf("%s %s %s pen %s", m[1], m[3], m[4], m[5]), label: strings.Trim(m[2], `"`)}
		fmt.Sscan(m[1], &n.id)
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b node) int { return a.id - b.id })
	for _, n := range list {
		nodes, labels = append(nodes, n.text), append(labels, n.label)
	}
	for _, m := range edgeLine.FindAllStringSubmatch(dot, -1) {
		edges = append(edges, m[1]+" -> "+m[2])
	}
	slices.Sort(edges)
	return nodes, edges, labels
}

// plainLabel is one that the published program draws as we do: the others it changes.
var plainLabel = regexp.MustCompile(`^[A-Za-z0-9_(){}=.,;:$*+-]+$`)

func comparePublished(t *testing.T, root *trie, published string, o graphviz.Options) {
	t.Helper()
	o.MaxNodes = -1
	gotNodes, gotEdges, gotLabels := drawn(graphviz.DOT(root.graph(), o))
	wantNodes, wantEdges, wantLabels := drawn(published)
	if !slices.Equal(gotNodes, wantNodes) {
		t.Fatalf("nodes\n%s\nwant\n%s", strings.Join(gotNodes, "\n"), strings.Join(wantNodes, "\n"))
	}
	if !slices.Equal(gotEdges, wantEdges) {
		t.Fatalf("edges %v, want %v", gotEdges, wantEdges)
	}
	for i, want := range wantLabels {
		if plainLabel.MatchString(want) && plainLabel.MatchString(gotLabels[i]) && gotLabels[i] != want && len(want) < 24 {
			t.Errorf("label %q, want %q", gotLabels[i], want)
		}
	}
}

// TestPublishedUnits compares with the published program's drawings of random tries.
func TestPublishedUnits(t *testing.T) {
	var units struct {
		Cases []struct {
			Params struct {
				Activation float64 `json:"activation_threshold"`
				Importance float64 `json:"importance_threshold"`
			} `json:"params"`
			Trie *trie  `json:"graph_trie"`
			DOT  string `json:"dot"`
		} `json:"fit_cases"`
	}
	testfile.JSON(t, "../../testdata/golden/units/units.json.gz", &units)
	compared := 0
	for i, c := range units.Cases {
		if c.DOT == "" {
			continue
		}
		compared++
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			comparePublished(t, c.Trie, c.DOT, graphviz.Options{ActivationThreshold: &c.Params.Activation,
				ImportanceThreshold: &c.Params.Importance})
		})
	}
	if compared < 100 {
		t.Errorf("only %d of the published drawings were compared", compared)
	}
}

// TestPublishedNeurons compares with its drawings of neurons.
func TestPublishedNeurons(t *testing.T) {
	for folder, o := range map[string]graphviz.Options{
		"neurons":      {},
		"neurons_deep": {ActivationThreshold: new(0.25), ImportanceThreshold: new(0.3)},
	} {
		paths, err := filepath.Glob("../../testdata/golden/" + folder + "/neuron_*.json.gz")
		if err != nil || len(paths) == 0 {
			t.Fatalf("%d neurons, %v", len(paths), err)
		}
		for _, path := range paths {
			t.Run(folder+"/"+filepath.Base(path), func(t *testing.T) {
				var neuron struct {
					Trie *trie  `json:"graph_trie"`
					DOT  string `json:"dot"`
				}
				testfile.JSON(t, path, &neuron)
				comparePublished(t, neuron.Trie, neuron.DOT, o)
			})
		}
	}
}
