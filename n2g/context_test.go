package n2g

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// opensBlock fires on " {" after "if" or "for" within 4 tokens, half as strongly where a "func" stands right before.
func opensBlock() *ContextGraph {
	return &ContextGraph{FireThreshold: .4, Label: "` {` after `if`", Root: &ContextNode{
		Tokens: 100, Firing: 5,
		Test: &ContextTest{Kind: TestToken, Tokens: []string{" {", "{"}},
		Yes: &ContextNode{
			Test: &ContextTest{Kind: TestWithin, Window: 4, Tokens: []string{"if", "for"}},
			Yes: &ContextNode{
				Test: &ContextTest{Kind: TestToken, Distance: 1, Tokens: []string{"func"}},
				Yes:  &ContextNode{Value: .5},
				No:   &ContextNode{Value: .9, Table: []TokenValue{{"{", .7}}},
			},
			No: &ContextNode{Test: &ContextTest{Kind: TestToken, Distance: 2, Start: true}, Yes: &ContextNode{Value: .2},
				No: &ContextNode{Value: .1}},
		},
		No: &ContextNode{Test: &ContextTest{Kind: TestRepeated, Window: 3}, Yes: &ContextNode{Value: .05},
			No: &ContextNode{}},
	}}
}

func TestContextPredict(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []float64
	}{
		{"nothing", "", nil},
		{"no block", "a|b", []float64{0, 0}},
		{"start", "a| {", []float64{0, .2}},
		{"past the start", "a|b| {", []float64{0, 0, .1}},
		{"within", "if|a|b|c| {", []float64{0, 0, 0, 0, .9}},
		{"just beyond the window", "if|a|b|c|d| {", []float64{0, 0, 0, 0, 0, .1}},
		{"the last one counts", "if|a|b|c|for| {", []float64{0, 0, 0, 0, 0, .9}},
		{"table", "if|{", []float64{0, .7}},
		{"narrower", "if|func| {", []float64{0, 0, .5}},
		{"repeated", "a|b|c|a|a", []float64{0, 0, 0, .05, .05}},
		{"repeated too far back", "a|b|c|d|a", []float64{0, 0, 0, 0, 0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			tokens := strings.FieldsFunc(test.text, func(r rune) bool { return r == '|' })
			got := opensBlock().Predict(tokens)
			if !slices.Equal(got, test.want) {
				t.Errorf("%q: %v, want %v", tokens, got, test.want)
			}
			for i := range tokens {
				if path := opensBlock().Path(tokens[:i+1]); len(path[len(path)-1].Table) == 0 &&
					path[len(path)-1].Value != test.want[i] {
					t.Errorf("the path of token %d leads to %g", i, path[len(path)-1].Value)
				}
			}
			p := NewContextPredictor(opensBlock())
			v := p.Vocabulary(tokens)
			words := slices.Clone(v.Words)
			for i, token := range tokens { // equal tokens have equal numbers
				words[i] = words[slices.Index(tokens, token)]
			}
			if got := p.AppendPredictions(nil, v, words); !slices.Equal(got, test.want) {
				t.Errorf("%q by numbers: %v, want %v", tokens, got, test.want)
			}
		})
	}
	if got := NewContextPredictor(nil).Predict([]string{"a"}); !slices.Equal(got, []float64{0}) {
		t.Errorf("no graph: %v", got)
	}
}

func TestContextJSON(t *testing.T) {
	moves := .4
	g := opensBlock()
	g.Root.Test.Moves = &moves
	e := Explanation{Model: "m", Context: g,
		Comparisons: []Comparison{{Text: "test documents", Predictor: "context graph", FireThreshold: .4}}}
	data, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	read, err := ReadExplanation(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(g, read.Context); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(e.Comparisons, read.Comparisons); diff != "" {
		t.Error(diff)
	}
}

func TestContextJSONRefused(t *testing.T) {
	leaf := `{"value":0}`
	for name, test := range map[string]struct{ graph, want string }{
		"no root":             {`{}`, "no root"},
		"branch without test": {`{"root":{"yes":` + leaf + `}}`, "without a test"},
		"test without branch": {`{"root":{"test":{"kind":"token"},"yes":` + leaf + `}}`, "lacks a branch"},
		"unknown kind":        {`{"root":{"test":{"kind":"moon"},"yes":` + leaf + `,"no":` + leaf + `}}`, `"moon"`},
		"behind": {`{"root":{"test":{"kind":"token","distance":-1},"yes":` + leaf + `,"no":` + leaf + `}}`,
			"-1 tokens back"},
		"endless": {`{"root":{"test":{"kind":"within","window":1000000000},"yes":` + leaf + `,"no":` + leaf +
			`}}`, "window of 1000000000"},
		"negative support": {`{"root":` + leaf + `,"support":{"build_firing":-1}}`, "negative"},
		"negative tokens":  {`{"root":{"value":0,"tokens":-1}}`, "-1 tokens"},
		"deep": {`{"root":` + strings.Repeat(`{"test":{"kind":"token"},"yes":`+leaf+`,"no":`, 1001) + leaf +
			strings.Repeat("}", 1002), "tests deep"},
		"no share": {`{"root":` + leaf + `},"comparisons":[{"text":"x","scores":{"firing":{"f1":2}}}]`, "no share"},
		"widened": {`{"root":{"test":{"kind":"token","tokens":["a"],"widened":2},"yes":` + leaf + `,"no":` +
			leaf + `}}`, "widened"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ReadExplanation(strings.NewReader(`{"format":"n2g-explanation/2","context":` + test.graph + `}`))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// TestLinesAndSequences: the beginning of a line, and values by more than the current token.
func TestLinesAndSequences(t *testing.T) {
	g := &ContextGraph{FireThreshold: .5, Root: &ContextNode{
		Test: &ContextTest{Kind: TestLine, Distance: 1, Tokens: []string{"if"}},
		Yes: &ContextNode{Value: .1, Table: []TokenValue{{"{", .4}},
			Sequences: []SequenceValue{{[]string{"b", "{"}, .6}, {[]string{"a", "b", "{"}, .8}}},
		No: &ContextNode{},
	}}
	tokens := []string{"x", "{", "\n\t", "if", "b", "{", "a", "b", "{", "c", "{", "\n", "y", "{"}
	want := []float64{0, 0, 0, .1, .1, .6, .1, .1, .8, .1, .4, .1, 0, 0}
	if got := g.Predict(tokens); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for i := range tokens {
		path := g.Path(tokens[:i+1])
		if in := path[1] == g.Root.Yes; in != (want[i] > 0) {
			t.Errorf("the path of token %d answers %v", i, in)
		}
	}
}

func TestContextTokenSets(t *testing.T) {
	got := opensBlock().TokenSets()
	want := TokenSets{Activating: []string{" {", "{"}, Important: []string{"for", "func", "if"}}
	for i, token := range want.Activating {
		want.Activating[i] = NormalizeToken(token)
	}
	want.Activating = slices.Compact(want.Activating)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	quiet := &ContextGraph{FireThreshold: .5, Root: &ContextNode{Test: &ContextTest{Kind: TestToken,
		Tokens: []string{"loud", "quiet"}}, No: &ContextNode{},
		Yes: &ContextNode{Value: .9, Table: []TokenValue{{"quiet", .1}}}}}
	if got := quiet.TokenSets().Activating; !slices.Equal(got, []string{"loud"}) {
		t.Errorf("of a leaf whose table says that quiet does not fire: %q", got)
	}
	roles := map[string][2]string{}
	for _, token := range opensBlock().Tokens() {
		roles[token.Token] = [2]string{strings.Join(token.Activating.Names(), " "),
			strings.Join(token.Important.Names(), " ")}
	}
	if want := map[string][2]string{" {": {"set", ""}, "{": {"set table", ""}, "if": {"", "window"},
		"for": {"", "window"}, "func": {"", "set"}}; !maps.Equal(roles, want) {
		t.Errorf("roles %v, want %v", roles, want)
	}
	if got := (*ContextGraph)(nil).TokenSets(); len(got.Activating)+len(got.Important) > 0 {
		t.Errorf("no graph has %v", got)
	}
}

// TestContextTokenSetsFire: a token on which any text makes a graph fire is among its activating tokens, unless the
// graph fires on whatever token stands there.
func TestContextTokenSetsFire(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 7))
	words := []string{"a", "b", "c", "d", "e", "f"}
	some := func() []string {
		list := slices.Clone(words)
		random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return list[:1+random.IntN(3)]
	}
	var grow func(depth int, named bool) *ContextNode
	grow = func(depth int, named bool) *ContextNode {
		if depth == 0 {
			n := &ContextNode{}
			if named {
				n.Value = random.Float64()
			}
			n.Table = []TokenValue{{Token: words[random.IntN(len(words))], Value: random.Float64()}}
			n.Sequences = []SequenceValue{{Tokens: some(), Value: random.Float64()}}
			return n
		}
		test := &ContextTest{Kind: TestToken, Distance: random.IntN(3), Tokens: some()}
		return &ContextNode{Test: test, Yes: grow(depth-1, named || test.Distance == 0), No: grow(depth-1, named)}
	}
	fired := 0
	for range 300 {
		g := &ContextGraph{FireThreshold: .6, Root: grow(3, false)}
		sets := g.TokenSets()
		for range 20 {
			text := make([]string, 6)
			for i := range text {
				text[i] = words[random.IntN(len(words))]
			}
			for i, v := range g.Predict(text) {
				if v < g.FireThreshold {
					continue
				}
				fired++
				if !slices.Contains(sets.Activating, text[i]) {
					t.Fatalf("it fires on %q of %q; activating are %q", text[i], text, sets.Activating)
				}
			}
		}
	}
	if fired == 0 {
		t.Error("no graph fires")
	}
}

// TestContextTokensMakeFire: each activating token makes a graph without tests of the context fire, and those that must
// be absent, or stand where nothing fires, are no tokens of it.
func TestContextTokensMakeFire(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 7))
	words := []string{"a", "b", "c", "d", "e", "f"}
	var grow func(depth int) *ContextNode
	grow = func(depth int) *ContextNode {
		if depth == 0 {
			return &ContextNode{Value: random.Float64(), Table: []TokenValue{{words[random.IntN(6)], random.Float64()}}}
		}
		some := []string{words[random.IntN(6)], words[random.IntN(6)], words[random.IntN(6)]}
		return &ContextNode{Test: &ContextTest{Kind: TestToken, Tokens: some}, Yes: grow(depth - 1), No: grow(depth - 1)}
	}
	for range 300 {
		g := &ContextGraph{FireThreshold: .6, Root: grow(3)}
		for _, token := range g.Tokens() {
			if g.Predict([]string{token.Token})[0] < g.FireThreshold {
				t.Fatalf("%q is said to make it fire (%q) and does not", token.Token, token.Activating.Names())
			}
		}
	}
	absent := &ContextGraph{FireThreshold: .5, Root: &ContextNode{
		Test: &ContextTest{Kind: TestWithin, Window: 8, Tokens: []string{"gone"}},
		Yes:  &ContextNode{Table: []TokenValue{{"quiet", .2}}}, No: &ContextNode{Table: []TokenValue{{"loud", .9}}}}}
	want := TokenSets{Activating: []string{"loud"}, Important: []string{}}
	if got := absent.TokenSets(); !cmp.Equal(got, want) {
		t.Errorf("of a token that must be absent: %v, want %v", got, want)
	}
}

func TestChanceOf(t *testing.T) {
	steps := []FireChance{{0, .001}, {.25, .3}, {.5, .9}}
	for prediction, want := range map[float64]float64{-1: .001, 0: .001, .2: .001, .25: .3, .49: .3, .5: .9, 7: .9} {
		if got := ChanceOf(steps, prediction); got != want {
			t.Errorf("%g: %g, want %g", prediction, got, want)
		}
	}
	if got := ChanceOf(nil, .3); got != .5 {
		t.Errorf("without steps: %g", got)
	}
}

// FuzzContextGraph reads foreign graphs: whatever is read predicts, and equally once it is written and read again.
func FuzzContextGraph(f *testing.F) {
	moves := .4
	g := opensBlock()
	g.Root.Test.Moves = &moves
	g.Root.No = &ContextNode{
		Test: &ContextTest{Kind: TestLine, Distance: 1, Tokens: []string{"if", "\n"}, Start: true},
		Yes: &ContextNode{Value: .1, Table: []TokenValue{{"{", .4}},
			Sequences: []SequenceValue{{[]string{"b", "{"}, .6}, {[]string{"a", "b", "{"}, .8}}},
		No: &ContextNode{
			Test: &ContextTest{Kind: TestRepeated, Window: 8},
			Yes:  &ContextNode{Value: 1},
			No: &ContextNode{Test: &ContextTest{Kind: TestWithin, Window: maxContextWindow, Tokens: []string{"a", ""}},
				Yes: &ContextNode{Value: -1}, No: &ContextNode{}},
		},
	}
	g.Chances = []FireChance{{From: 0, Chance: .1}, {From: .5, Chance: .7}}
	sample, err := json.Marshal(g)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sample, "a b { \n if {")
	f.Fuzz(func(t *testing.T, graph []byte, text string) {
		e, err := ReadExplanation(strings.NewReader(`{"format":"n2g-explanation/2","context":` + string(graph) + `}`))
		if err != nil || e.Context == nil {
			return
		}
		tokens := strings.SplitAfter(text, " ")
		predicted := e.Context.Predict(tokens)
		p := NewContextPredictor(e.Context)
		distinct := slices.Compact(slices.Sorted(slices.Values(tokens)))
		v := p.Vocabulary(distinct)
		words := make([]int32, len(tokens))
		for i, token := range tokens {
			words[i] = v.Words[slices.Index(distinct, token)]
		}
		if got := p.AppendPredictions(nil, v, words); !slices.Equal(got, predicted) {
			t.Errorf("predicts %v by words, %v by tokens", got, predicted)
		}
		for i, want := range predicted {
			path := e.Context.Path(tokens[:i+1])
			if leaf := path[len(path)-1]; len(leaf.Table)+len(leaf.Sequences) == 0 && leaf.Value != want {
				t.Errorf("the path to token %d of %q ends at %g, the prediction is %g", i, tokens, leaf.Value, want)
			}
		}
		e.Context.TokenSets()
		again, err := json.Marshal(e)
		if err != nil {
			t.Fatalf("cannot write what was read: %v", err)
		}
		back, err := ReadExplanation(bytes.NewReader(again))
		if err != nil {
			t.Fatalf("cannot read what was written: %v", err)
		}
		if got := back.Context.Predict(tokens); !slices.Equal(got, predicted) {
			t.Errorf("predicts %v after a round trip, %v before", got, predicted)
		}
	})
}
