package contexttree_test

import (
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/contexttree"
)

func TestLabelParts(t *testing.T) {
	for _, c := range []struct{ label, want string }{
		{"", "<>"},
		{"repeated within 8", "<repeated within 8>"},
		{"` {`, `switch` within 8", "<>[ {]<, >[switch]< within 8>"},
		{"`\\n\\t` after `\\\"`", "<>[\n\t]< after >[\"]<>"},
		{"`</script>`; or `a`", "<>[</script>]<; or >[a]<>"},
		{"`\\x60\\x60`/`a`", "<>[``]</>[a]<>"},
		{"` `` after `x`", "<` `` after `x`>"}, // as older stores have a token with a backtick
	} {
		got := ""
		for part, token := range contexttree.LabelParts(c.label) {
			if token {
				got += "[" + part + "]"
			} else {
				got += "<" + part + ">"
			}
		}
		if got != c.want {
			t.Errorf("%q: %q, want %q", c.label, got, c.want)
		}
	}
}

func TestLabel(t *testing.T) {
	leaf := func(value float64, firing int) *n2g.ContextNode {
		return &n2g.ContextNode{Value: value, Firing: firing}
	}
	node := func(test n2g.ContextTest, yes, no *n2g.ContextNode) *n2g.ContextNode {
		return &n2g.ContextNode{Test: &test, Yes: yes, No: no}
	}
	token := func(distance int, tokens ...string) n2g.ContextTest {
		return n2g.ContextTest{Kind: n2g.TestToken, Distance: distance, Tokens: tokens}
	}
	within := func(window int, tokens ...string) n2g.ContextTest {
		return n2g.ContextTest{Kind: n2g.TestWithin, Window: window, Tokens: tokens}
	}
	line := func(distance int, start bool, tokens ...string) n2g.ContextTest {
		return n2g.ContextTest{Kind: n2g.TestLine, Distance: distance, Start: start, Tokens: tokens}
	}
	start := func(test n2g.ContextTest) n2g.ContextTest {
		test.Start = true
		return test
	}
	quiet := leaf(0, 0)
	for _, c := range []struct {
		name string
		root *n2g.ContextNode
		want string
	}{
		{"nothing", quiet, "nothing that the graph can tell"},
		{"any token", leaf(.9, 40), "any token"},
		{"a set", node(token(0, "a", "b", "c", "d", "e"), leaf(.9, 40), quiet), "`a`/`b`/`c` and 2 more"},
		{"what two sets have in common, without what a third has",
			node(token(0, "a", "b", "c", "d"), node(token(0, "e", "d", "c", "b"),
				node(token(0, "c"), quiet, leaf(.9, 40)), quiet), quiet), "`d`/`b`"},
		{"a table that says more", node(token(0, "a", "b", "c"), &n2g.ContextNode{Value: .1, Firing: 40,
			Table: []n2g.TokenValue{{Token: "c", Value: .8}, {Token: "a", Value: .2}}}, quiet), "`c`"},
		{"a table beside a value that fires", node(token(0, "a", "b", "c"), &n2g.ContextNode{Value: .6, Firing: 40,
			Table: []n2g.TokenValue{{Token: "c", Value: .8}, {Token: "a", Value: .2}}}, quiet), "`c`/`b`"},
		{"sequences alone", &n2g.ContextNode{Value: .1, Firing: 40, Sequences: []n2g.SequenceValue{
			{Tokens: []string{"x", "a"}, Value: .9}, {Tokens: []string{"v", "y", "a"}, Value: .8},
			{Tokens: []string{"z", "b"}, Value: .2}}}, "`a` after `x`/`y`"},
		{"behind", node(token(1, " if", " for"), node(token(0, " {"), leaf(.9, 40), quiet), quiet),
			"` {` after ` if`/` for`"},
		{"further behind", node(token(3, "x"), leaf(.9, 40), quiet), "any token, `x` 3 back"},
		{"where the text starts", node(start(token(1)), leaf(.9, 40), quiet), "any token at the start of the text"},
		{"or there", node(start(token(1, "x")), leaf(.9, 40), quiet), "any token after `x` or at the start"},
		{"near the start", node(start(token(4)), leaf(.9, 40), quiet), "any token, among the first 4 tokens"},
		{"any other", node(token(0, "x"), quiet, leaf(.9, 40)), "any token but `x`"},
		{"lines", node(line(0, false, "\n\t", "\n"), node(line(1, false, "}"), leaf(.9, 40), quiet), quiet),
			"any token, `}` first in the line, in a line from `\\n\\t`/`\\n`"},
		{"the first line", node(line(0, true), leaf(.9, 40), quiet), "any token, in the first line"},
		{"what follows from narrower windows",
			node(within(32, "a", "b"), node(within(8, "a"), leaf(.9, 40), quiet), quiet), "any token, `a` within 8"},
		{"equal windows", node(within(8, "a"), node(within(8, "a"), leaf(.9, 40), quiet), quiet), "any token, `a` within 8"},
		{"what other windows rule out",
			node(within(8, "a", "b"), node(within(32, "a"), quiet, node(within(16, "a", "c"), quiet, leaf(.9, 40))), quiet),
			"any token, `b` within 8, no `c` within 16, no `a` within 32"},
		{"repeated", node(n2g.ContextTest{Kind: n2g.TestRepeated, Window: 32},
			node(n2g.ContextTest{Kind: n2g.TestRepeated, Window: 8}, leaf(.9, 40), quiet), quiet),
			"any token, repeated within 8"},
		{"a second leaf", node(token(0, "a"), leaf(.9, 40), node(token(0, "b"), leaf(.8, 20), quiet)), "`a`; or `b`"},
		{"a second leaf of little", node(token(0, "a"), leaf(.9, 70), node(token(0, "b"), leaf(.8, 20), quiet)), "`a`"},
		{"leaves that differ in what does not matter",
			node(token(0, "a"), node(within(8, "x"), leaf(.9, 40), leaf(.7, 30)), quiet), "`a`"},
		{"sets of many tokens where room is left",
			node(token(1, strings.Fields("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17")...),
				node(within(8, "x"), node(within(16, "y"), node(within(32, "z"), leaf(.9, 40), quiet), quiet), quiet), quiet),
			"any token, `z` within 32, `y` within 16, `x` within 8"},
	} {
		g := &n2g.ContextGraph{Root: c.root, FireThreshold: .5, Support: n2g.Support{BuildFiring: 40}}
		if got := contexttree.Label(g); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		g.Support.BuildFiring = 9
		if got := contexttree.Label(g); got != c.want+" (few: 9 firings)" {
			t.Errorf("%s: %s does not say on how little it rests", c.name, got)
		}
	}
	if got := contexttree.Label(nil); got != "" {
		t.Errorf("without a graph: %q", got)
	}
}

// FuzzLabel labels foreign graphs: a label is one line that comes apart into as many parts as it has backticks.
func FuzzLabel(f *testing.F) {
	f.Add([]byte(`{"fire_threshold":0.5,"root":{"test":{"kind":"within","window":8,"tokens":["a","\n"]},"yes":{"value":1,` +
		`"firing":20},"no":{"test":{"kind":"token","tokens":["\u0060","b"],"start":true},"yes":{"value":0.9,"firing":20,` +
		`"table":[{"token":"b","value":1}]},"no":{"value":0,"firing":9,"sequences":[{"tokens":["x","y"],"value":1}]}}}}`))
	f.Fuzz(func(t *testing.T, graph []byte) {
		e, err := n2g.ReadExplanation(strings.NewReader(`{"format":"n2g-explanation/2","context":` + string(graph) + `}`))
		if err != nil || e.Context == nil {
			return
		}
		label := contexttree.Label(e.Context)
		if label == "" || strings.ContainsAny(label, "\n\r") {
			t.Errorf("%q is no line", label)
		}
		parts := 0
		for range contexttree.LabelParts(label) {
			parts++
		}
		if parts != strings.Count(label, "`")+1 {
			t.Errorf("%q comes apart into %d", label, parts)
		}
	})
}
