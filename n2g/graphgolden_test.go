package n2g

import (
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/testfile"
)

// readGoldenGraph decodes a file of ../testdata/golden.
func readGoldenGraph[T any](t testing.TB, path string) T {
	t.Helper()
	var v T
	testfile.JSON(t, filepath.Join("../testdata/golden", path), &v)
	return v
}

// refNode is a node of the reference's tries, in which an END is a child like others.
type refNode struct {
	Token      string  `json:"token"`
	Importance float64 `json:"importance"`
	Activation float64 `json:"activation"`
	Important  bool    `json:"important"`
	Activator  bool    `json:"activator"`
	Ignore     bool    `json:"ignore"`
	IsEnd      bool    `json:"is_end"`
	Children   []struct {
		Node *refNode `json:"node"`
	} `json:"children"`
}

const refEnd = "**END**"

func (r *refNode) node() *Node {
	n := &Node{
		Token: r.Token, Importance: r.Importance, Activation: r.Activation,
		Important: r.Important, Activator: r.Activator, Ignore: r.Ignore, LineEnd: r.IsEnd, Children: []*Node{},
	}
	for _, c := range r.Children {
		if c.Node.Token == refEnd {
			end := c.Node.Activation
			n.End = &end
		} else {
			n.Children = append(n.Children, c.Node.node())
		}
	}
	return n
}

// trie is the reference's trie as ours: an activating BOS makes a line of nothing but END there and none here.
func (r *refNode) trie() *Node {
	n := r.node()
	n.End = nil
	return n
}

// sameTrie says where two tries differ. Only display tries mark line ends in the reference.
func sameTrie(got, want *Node, tolerance float64, lineEnds bool) error {
	at := func(format string, args ...any) error {
		return fmt.Errorf("node %q: %s", want.Token, fmt.Sprintf(format, args...))
	}
	switch {
	case got.Token != want.Token:
		return at("token is %q", got.Token)
	case got.Important != want.Important || got.Activator != want.Activator || got.Ignore != want.Ignore:
		return at("important, activator, ignore are %v %v %v, want %v %v %v",
			got.Important, got.Activator, got.Ignore, want.Important, want.Activator, want.Ignore)
	case lineEnds && got.LineEnd != want.LineEnd:
		return at("line end is %v", got.LineEnd)
	case math.Abs(got.Activation-want.Activation) > tolerance ||
		math.Abs(got.Importance-want.Importance) > tolerance*max(1, math.Abs(want.Importance)):
		return at("activation, importance are %g %g, want %g %g", got.Activation, got.Importance, want.Activation,
			want.Importance)
	case !lineEnds && (got.End == nil) != (want.End == nil):
		return at("end is %v, want %v", got.End, want.End)
	case !lineEnds && got.End != nil && math.Abs(*got.End-*want.End) > tolerance:
		return at("end is %g, want %g", *got.End, *want.End)
	case len(got.Children) != len(want.Children):
		return at("%d children, want %d", len(got.Children), len(want.Children))
	}
	for i := range got.Children {
		if err := sameTrie(got.Children[i], want.Children[i], tolerance, lineEnds); err != nil {
			return fmt.Errorf("%q > %w", want.Token, err)
		}
	}
	return nil
}

var (
	dotNode = regexp.MustCompile(
		`^(\d+) \[label=(.*) fillcolor="#([0-9a-f]{6})" fontcolor=\w+ fontsize=25 penwidth=(\d+) shape=box`)
	dotEdge = regexp.MustCompile(`^(\d+) -> (\d+) `)
)

// sameDOT compares the display graph with the published program's drawing of it: nodes in order with label, depth,
// colour and border, and the edges.
func sameDOT(g *Graph, dot string, activation, importance float64) error {
	var nodes []string
	edges := map[[2]int]bool{}
	depth := -1
	filled := true
	for line := range strings.Lines(dot) {
		line = strings.TrimSpace(line)
		switch m := dotNode.FindStringSubmatch(line); {
		case strings.HasPrefix(line, "subgraph cluster_"):
			if filled {
				depth++
			}
			filled = false
		case m != nil:
			filled = true
			label := m[2]
			if strings.HasPrefix(label, `"`) {
				label = label[1 : len(label)-1]
			}
			nodes = append(nodes, fmt.Sprintf("%s %d %s %s", dotLabel(label), depth, m[3], m[4]))
		default:
			if m := dotEdge.FindStringSubmatch(line); m != nil {
				a, _ := strconv.Atoi(m[1])
				b, _ := strconv.Atoi(m[2])
				edges[[2]int{a - 1, b - 1}] = true
			}
		}
	}
	if len(nodes) != len(g.Nodes) || len(edges) != len(g.Edges) {
		return fmt.Errorf("%d nodes and %d edges, want %d and %d", len(g.Nodes), len(g.Edges), len(nodes), len(edges))
	}
	for i, n := range g.Nodes {
		width := 3
		if n.End {
			width = 7
		}
		if got := fmt.Sprintf("%s %d %s %d", dotLabel(n.Token), n.Depth, nodeColor(n, activation, importance),
			width); got != nodes[i] {
			return fmt.Errorf("node %d is %q, want %q", i, got, nodes[i])
		}
	}
	for _, e := range g.Edges {
		if !edges[e] {
			return fmt.Errorf("edge %v is not in the drawing", e)
		}
	}
	return nil
}

// dotLabel leaves out what the published labels lose or escape: quotes, brackets, backslashes, blanks. Line breaks and
// tabs are spelled with a letter there, a lone blank stands in quotes.
func dotLabel(token string) string {
	return strings.NewReplacer("[", "", "]", "", `"`, "", `\`, "", "\n", "n", "\t", "t", " ", "", "'", "").Replace(token)
}

// nodeColor is the published colour of a node (section 8).
func nodeColor(n GraphNode, activation, importance float64) string {
	value, threshold := n.Activation, max(0, activation-0.2)
	if n.Depth > 0 {
		value, threshold = n.Importance, max(0.1, importance-0.2)
	}
	channel := 255 - int(255*min(max((value-threshold)/(1-threshold), 0), 1))
	if n.Depth > 0 {
		return fmt.Sprintf("%02x%02xff", channel, channel)
	}
	return fmt.Sprintf("ff%02x%02x", channel, channel)
}

type refUnits struct {
	Normalise [][2]string `json:"normalise"`
	FitCases  []struct {
		Params struct {
			Activation float64 `json:"activation_threshold"`
			Importance float64 `json:"importance_threshold"`
		} `json:"params"`
		Data [][]struct {
			Tokens      []string    `json:"tokens"`
			Activations []float64   `json:"activations"`
			Importance  [][]float64 `json:"importance"`
			MaxIndex    int         `json:"max_index"`
		} `json:"data"`
		Lines           [][][][]any `json:"lines"`
		TrieBeforeMerge *refNode    `json:"trie_before_merge"`
		Trie            *refNode    `json:"trie"`
		GraphTrie       *refNode    `json:"graph_trie"`
		DOT             string      `json:"dot"`
		Store           refStore    `json:"store"`
		Queries         []struct {
			Tokens      []string  `json:"tokens"`
			Predictions []float64 `json:"pred"`
		} `json:"queries"`
	} `json:"fit_cases"`
}

type refStore map[string]map[string][]string // kind → token → neurons

// sets are the token sets of one neuron.
func (s refStore) sets(neuron string) TokenSets {
	of := func(kind string) []string {
		tokens := []string{}
		for token, neurons := range s[kind] {
			if slices.Contains(neurons, neuron) {
				tokens = append(tokens, token)
			}
		}
		slices.Sort(tokens)
		return tokens
	}
	return TokenSets{Activating: of("activating"), Important: of("important")}
}

func TestNormalizeTokenGolden(t *testing.T) {
	for _, c := range readGoldenGraph[refUnits](t, "units/units.json.gz").Normalise {
		if got := NormalizeToken(c[0]); got != c[1] {
			t.Errorf("NormalizeToken(%q) = %q, want %q", c[0], got, c[1])
		}
	}
}

func TestGraphGoldenUnits(t *testing.T) {
	for number, c := range readGoldenGraph[refUnits](t, "units/units.json.gz").FitCases {
		t.Run(strconv.Itoa(number), func(t *testing.T) {
			opts := Options{ActivationThreshold: &c.Params.Activation, ImportanceThreshold: &c.Params.Importance}
			var lines []Line
			group := 0
			for _, prompt := range c.Data {
				var texts []*Measured
				want := 0
				for _, d := range prompt {
					texts = append(texts, &Measured{Tokens: d.Tokens, Activations: d.Activations, Matrix: d.Importance,
						Peak: d.MaxIndex})
				}
				got := Lines(texts[0], texts[1:], opts)
				for range prompt {
					for _, elements := range c.Lines[group] {
						if len(elements) == 1 {
							continue // an activating BOS, see refNode.trie
						}
						if want >= len(got) {
							t.Fatalf("%d lines, want more", len(got))
						}
						if err := sameLine(got[want], elements); err != nil {
							t.Fatalf("line %d of group %d: %v", want, group, err)
						}
						want++
					}
					group++
				}
				if want != len(got) {
					t.Fatalf("%d lines, want %d", len(got), want)
				}
				lines = append(lines, got...)
			}
			trie := BuildTrie(lines)
			if err := sameTrie(trie, c.TrieBeforeMerge.trie(), 1e-12, false); err != nil {
				t.Errorf("trie before merge: %v", err)
			}
			trie.MergeIgnores()
			if err := sameTrie(trie, c.Trie.trie(), 1e-12, false); err != nil {
				t.Errorf("trie: %v", err)
			}
			if err := sameTrie(displayTrie(lines), c.GraphTrie.trie(), 1e-12, true); err != nil {
				t.Errorf("display trie: %v", err)
			}
			if err := sameDOT(NewGraph(lines), c.DOT, c.Params.Activation, c.Params.Importance); err != nil {
				t.Errorf("drawing: %v", err)
			}
			if got, want := NewTokenSets(trie), c.Store.sets("1_2"); !slices.Equal(got.Activating, want.Activating) ||
				!slices.Equal(got.Important, want.Important) {
				t.Errorf("token sets are %q, want %q", got, want)
			}
			predictor := NewPredictor(trie)
			for _, q := range c.Queries {
				if got := predictor.Predict(q.Tokens); !slices.Equal(got, q.Predictions) {
					t.Errorf("%q predicts %v, want %v", q.Tokens, got, q.Predictions)
				}
				for i := range q.Tokens {
					if got := predictor.PredictLast(q.Tokens[:i+1]); got != q.Predictions[i] {
						t.Errorf("%q predicts %v for the last token, want %v", q.Tokens[:i+1], got, q.Predictions[i])
					}
				}
			}
		})
	}
}

// sameLine compares with a recorded line: [importance, activation, token, important, activator, ignore, is_end,
// token as it was], END last.
func sameLine(got Line, want [][]any) error {
	end := want[len(want)-1]
	want = want[:len(want)-1]
	if len(got.Elements) != len(want) || got.End != end[1] {
		return fmt.Errorf("%d elements and end %g, want %d and %v", len(got.Elements), got.End, len(want), end[1])
	}
	for i, w := range want {
		g := got.Elements[i]
		token := w[2].(string)
		if !g.Ignore {
			token = NormalizeToken(token)
		}
		if g.Importance != w[0] || g.Activation != w[1] || g.Token != token || g.Important != w[3] || g.Activator != w[4] ||
			g.Ignore != w[5] || g.LineEnd != (i == len(want)-1) {
			return fmt.Errorf("element %d is %+v, want %v", i, g, w)
		}
	}
	return nil
}

type refNeuron struct {
	Layer  int     `json:"layer"`
	Neuron int     `json:"neuron"`
	MaxAct float64 `json:"max_act"`
	Stats  refStats
	Train  []struct {
		Augmented []struct {
			Importance []refMeasured `json:"importance"`
		} `json:"augmented"`
	} `json:"train"`
	Eval []struct {
		Tokens      []string  `json:"tokens"`
		Activations []float64 `json:"activations"`
		Predicted   []float64 `json:"predicted"`
	} `json:"eval"`
	DOT             string                 `json:"dot"`
	GraphTrie       *refNode               `json:"graph_trie"`
	TrieBeforeMerge *refNode               `json:"trie_before_merge"`
	Trie            *refNode               `json:"trie"`
	Baselines       map[string]refBaseline `json:"baselines"`
	Prompts         []string               `json:"prompts"`
}

type refMeasured struct {
	Tokens [][2]any    `json:"tokens_and_activations"`
	Argmax int         `json:"argmax"`
	Matrix [][]float64 `json:"matrix"`
}

func (r refMeasured) measured() *Measured {
	m := &Measured{Peak: r.Argmax, Matrix: r.Matrix}
	for _, ta := range r.Tokens {
		m.Tokens = append(m.Tokens, ta[0].(string))
		m.Activations = append(m.Activations, ta[1].(float64))
	}
	return m
}

type refBaseline struct {
	Stats         refStats           `json:"stats"`
	Table         map[string]float64 `json:"table"`
	EvalPredicted [][]float64        `json:"eval_predicted"`
}

// refStats is scikit-learn's report, with the correlation beside the classes "0" and "1".
type refStats map[string]any

func (s refStats) scores() Scores {
	class := func(name string) (c ClassScores) {
		if m, ok := s[name].(map[string]any); ok {
			c = ClassScores{m["precision"].(float64), m["recall"].(float64), m["f1-score"].(float64),
				int(m["support"].(float64))}
		}
		return c
	}
	return Scores{Firing: class("1"), NonFiring: class("0"), R2: s["correlation"].(float64)}
}

type refRun struct {
	Params struct {
		Activation float64 `json:"activation_threshold"`
		Importance float64 `json:"importance_threshold"`
	} `json:"params"`
	TrainIdx []int    `json:"train_idx"`
	TestIdx  []int    `json:"test_idx"`
	Store    refStore `json:"neuron_store"`
}

func sameScores(got, want Scores) error {
	for _, pair := range [][2]float64{
		{got.Firing.Precision, want.Firing.Precision}, {got.Firing.Recall, want.Firing.Recall},
		{got.Firing.F1, want.Firing.F1},
		{got.NonFiring.Precision, want.NonFiring.Precision}, {got.NonFiring.Recall, want.NonFiring.Recall},
		{got.NonFiring.F1, want.NonFiring.F1},
		{float64(got.Firing.Support), float64(want.Firing.Support)},
		{float64(got.NonFiring.Support), float64(want.NonFiring.Support)},
		{got.R2, want.R2},
	} {
		if math.Abs(pair[0]-pair[1]) > 1e-6 {
			return fmt.Errorf("%+v, want %+v", got, want)
		}
	}
	return nil
}

func TestGraphGoldenNeurons(t *testing.T) {
	for _, folder := range []string{"neurons", "neurons_deep"} {
		run := readGoldenGraph[refRun](t, folder+"/run.json.gz")
		opts := Options{ActivationThreshold: &run.Params.Activation, ImportanceThreshold: &run.Params.Importance}
		files, _ := filepath.Glob("../testdata/golden/" + folder + "/neuron_*")
		if len(files) == 0 {
			t.Fatalf("no neurons in %s", folder)
		}
		whole := 0 // neurons whose importances are all recorded
		for _, file := range files {
			name := strings.TrimPrefix(filepath.Base(file), "neuron_")
			name = strings.TrimSuffix(name, ".json.gz")
			t.Run(folder+"/"+name, func(t *testing.T) {
				n := readGoldenGraph[refNeuron](t, folder+"/"+filepath.Base(file))
				if lines, ok := refLines(n, opts); ok {
					whole++
					before := BuildTrie(lines)
					if err := sameTrie(before, n.TrieBeforeMerge.trie(), 1e-3, false); err != nil {
						t.Errorf("trie before merge: %v", err)
					}
					if err := sameTrie(displayTrie(lines), n.GraphTrie.trie(), 1e-3, true); err != nil {
						t.Errorf("display trie: %v", err)
					}
				}
				trie := n.TrieBeforeMerge.trie()
				trie.MergeIgnores()
				if err := sameTrie(trie, n.Trie.trie(), 1e-12, false); err != nil {
					t.Errorf("trie: %v", err)
				}
				if err := sameDOT(graphOf(n.GraphTrie.trie()), n.DOT, run.Params.Activation, run.Params.Importance); err != nil {
					t.Errorf("drawing: %v", err)
				}
				if got, want := NewTokenSets(trie), run.Store.sets(name); !slices.Equal(got.Activating, want.Activating) ||
					!slices.Equal(got.Important, want.Important) {
					t.Errorf("token sets are %q, want %q", got, want)
				}

				explanation := Explanation{Trie: trie}
				var tests []Test
				for i, e := range n.Eval {
					predicted := explanation.Predict(e.Tokens)
					if !slices.Equal(predicted, e.Predicted) {
						t.Errorf("predictions of test %d differ", i)
					}
					tests = append(tests, Test{Tokens: e.Tokens, Activations: e.Activations, Predictions: predicted})
				}
				if err := sameScores(scoresOf(tests, opts), n.Stats.scores()); err != nil {
					t.Errorf("scores: %v", err)
				}
				checkRefBaseline(t, n.Baselines["TokenPredictor"], 0, tests)
				checkRefBaseline(t, n.Baselines["NGramBaseline"], 1, tests)
			})
		}
		if whole < 2 {
			t.Errorf("%s: the lines of %d neurons were compared, want 2 at least", folder, whole)
		}
	}
}

// refLines are the lines of a neuron, if its importances are all recorded.
func refLines(n refNeuron, opts Options) ([]Line, bool) {
	var lines []Line
	for _, train := range n.Train {
		for _, prune := range train.Augmented {
			var texts []*Measured
			for _, m := range prune.Importance {
				if m.Matrix == nil {
					return nil, false
				}
				texts = append(texts, m.measured())
			}
			lines = append(lines, Lines(texts[0], texts[1:], opts)...)
		}
	}
	return lines, true
}

// checkRefBaseline predicts with the reference's table. (The train prompts' activations are not recorded; their
// fitting is checked against a second implementation.)
func checkRefBaseline(t *testing.T, ref refBaseline, predecessors int, tests []Test) {
	t.Helper()
	l := &lookup{Table: ref.Table, Predecessors: predecessors}
	own := slices.Clone(tests)
	for i := range own {
		own[i].Predictions = l.predict(own[i].Tokens)
		if !slices.Equal(own[i].Predictions, ref.EvalPredicted[i]) {
			t.Errorf("baseline of %d predecessors: predictions of test %d differ", predecessors, i)
		}
	}
	if err := sameScores(scoresOf(own, Options{}), ref.Stats.scores()); err != nil {
		t.Errorf("baseline of %d predecessors: %v", predecessors, err)
	}
}
