package n2g

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// line is a line of important tokens, the activating one first.
func line(end float64, tokens ...string) Line {
	l := Line{End: end}
	for i, token := range tokens {
		l.Elements = append(l.Elements, Element{
			Token: token, Activation: end, Importance: 1, Important: true, Activator: i == 0,
			Ignore: token == IgnoreToken, LineEnd: i == len(tokens)-1,
		})
	}
	return l
}

func TestGraph(t *testing.T) {
	g := NewGraph([]Line{
		line(0.9, "a", IgnoreToken, "x", "y"),
		line(0.8, "b", "x", "z"),
		line(0.7, "a", "x"),      // x stays no end: the first line gave its border
		line(0.6, "c"),           // alone
		line(0.5, "d", "y", "y"), // y at depth 1 and 2, apart from the y above but for its depth
	})
	want := &Graph{
		Nodes: []GraphNode{
			{"a", 0, 0.9, 1, true, false}, {"b", 0, 0.8, 1, true, false}, {"c", 0, 0.6, 1, true, true},
			{"d", 0, 0.5, 1, true, false},
			{"x", 1, 0.9, 1, false, false}, {"y", 1, 0.5, 1, false, false},
			{"y", 2, 0.9, 1, false, true}, {"z", 2, 0.8, 1, false, true},
		},
		Edges: [][2]int{{0, 4}, {1, 4}, {3, 5}, {4, 6}, {4, 7}, {5, 6}},
	}
	if !reflect.DeepEqual(g, want) {
		t.Errorf("graph is\n%+v, want\n%+v", g, want)
	}
	if got, want := g.Components(), [][]int{{0, 1, 3, 4, 5, 6, 7}, {2}}; !reflect.DeepEqual(got, want) {
		t.Errorf("components are %v, want %v", got, want)
	}
	if g := NewGraph(nil); g.Nodes == nil || g.Edges == nil || len(g.Components()) != 0 {
		t.Errorf("no lines make %+v", g)
	}
}

// Components against reachability.
func TestComponents(t *testing.T) {
	random := rand.New(rand.NewPCG(15, 16))
	for range 100 {
		g := &Graph{Nodes: make([]GraphNode, 1+random.IntN(12))}
		reach := make([][]bool, len(g.Nodes))
		for i := range reach {
			reach[i] = make([]bool, len(g.Nodes))
			reach[i][i] = true
		}
		for range random.IntN(10) {
			a, b := random.IntN(len(g.Nodes)), random.IntN(len(g.Nodes))
			g.Edges = append(g.Edges, [2]int{a, b})
			reach[a][b], reach[b][a] = true, true
		}
		for k := range reach {
			for i := range reach {
				for j := range reach {
					reach[i][j] = reach[i][j] || reach[i][k] && reach[k][j]
				}
			}
		}
		seen := 0
		first := -1
		for _, c := range g.Components() {
			if c[0] < first || !slices.IsSorted(c) {
				t.Fatalf("components of %v are out of order", g.Edges)
			}
			first = c[0]
			seen += len(c)
			for j := range reach {
				if reach[c[0]][j] != slices.Contains(c, j) {
					t.Fatalf("components of %v: %v", g.Edges, g.Components())
				}
			}
		}
		if seen != len(g.Nodes) {
			t.Fatalf("components hold %d of %d nodes", seen, len(g.Nodes))
		}
	}
}

func TestTokenSets(t *testing.T) {
	trie := BuildTrie([]Line{
		line(1, "b", "a"), line(1, "a", IgnoreToken, "c"), line(1, "a"),
		{Elements: []Element{{Token: "d", Activator: true}, {Token: "e", Important: true, Activator: true}, {Token: "f"}},
			End: 1},
	})
	trie.MergeIgnores()
	want := TokenSets{Activating: []string{"a", "b", "d", "e"}, Important: []string{"a", "c"}}
	if got := NewTokenSets(trie); !reflect.DeepEqual(got, want) {
		t.Errorf("token sets are %+v, want %+v", got, want)
	}
	if got := NewTokenSets(nil); got.Activating == nil || got.Important == nil ||
		len(got.Activating)+len(got.Important) != 0 {
		t.Errorf("no trie has token sets %+v", got)
	}
}
