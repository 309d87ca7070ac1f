package contexttree

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/internal/label"
)

// Lengths of a label: tokens that are named of a set, and tests of a leaf. A set of more than manyTokens says little,
// and is told only where room is left.
const (
	namedTokens = 3
	toldTests   = 3
	manyTokens  = 16
)

// Label says in one line what a graph's neuron fires on: the leaf that accounts for most firing, read from its tests,
// and the next where it adds much.
func Label(g *n2g.ContextGraph) string {
	if g == nil || g.Root == nil {
		return ""
	}
	paths := firingPaths(g)
	text := "nothing that the graph can tell"
	if len(paths) > 0 {
		text = paths[0].phrase(g.FireThreshold, nil)
	}
	if len(paths) > 1 && 3*paths[1].leaf.Firing >= paths[0].leaf.Firing {
		// Both leaves may differ in what does not matter to firing.
		parting := paths[0].parting(paths[1])
		first, second := paths[0].phrase(g.FireThreshold, parting), paths[1].phrase(g.FireThreshold, parting)
		switch other := paths[1].phrase(g.FireThreshold, nil); {
		case first == second:
			text = first
		case other != text:
			text += "; or " + other
		}
	}
	if g.Support.Few() {
		text += fewBegins + firings(g.Support.BuildFiring) + fewEnds
	}
	return text
}

// A label ends between these with how few firings its graph rests on.
const fewBegins, fewEnds = " (few: ", ")"

func firings(n int) string {
	if n == 1 {
		return "1 firing"
	}
	return fmt.Sprintf("%d firings", n)
}

// CutFew takes from a label what it says of a graph that rests on few firings, "6 firings"; few is empty if it says
// nothing.
func CutFew(label string) (rest, few string) {
	rest, few, found := strings.Cut(label, fewBegins)
	few, ended := strings.CutSuffix(few, fewEnds)
	if !found || !ended || strings.Contains(few, "`") {
		return label, ""
	}
	return rest, few
}

// PathLabel says of the leaf that the last of the tokens comes to what [Label] says of the main one, with the firing
// tokens in place of those that the leaf knows.
func PathLabel(g *n2g.ContextGraph, tokens, firing []string) string {
	nodes := g.Path(tokens)
	if len(nodes) == 0 {
		return label.Tokens(firing, namedTokens)
	}
	p := path{leaf: nodes[len(nodes)-1], firing: firing}
	for i, n := range nodes[:len(nodes)-1] {
		p.steps = append(p.steps, step{n.Test, n.Yes == nodes[i+1]})
	}
	return p.phrase(g.FireThreshold, nil)
}

// LabelParts splits a label into its words and its tokens, which stand between backticks, and says of each which it is.
// A label of an older store whose tokens hold backticks may be one part of words.
func LabelParts(label string) iter.Seq2[string, bool] {
	parts := strings.Split(label, "`")
	if len(parts)%2 == 0 {
		parts = []string{label}
	}
	return func(yield func(part string, token bool) bool) {
		for i, part := range parts {
			if i%2 == 1 {
				if token, err := strconv.Unquote(`"` + part + `"`); err == nil {
					part = token
				}
			}
			if !yield(part, i%2 == 1) {
				return
			}
		}
	}
}

// path leads to a leaf that predicts firing.
type path struct {
	steps  []step
	leaf   *n2g.ContextNode
	firing []string // tokens to be named in place of the leaf's own; nil: those
}

// step is an answer on the way to a leaf.
type step struct {
	test *n2g.ContextTest
	yes  bool
}

// firingPaths lead to the leaves that predict firing by their value or for some tokens, or where there are none to
// those that do behind certain tokens only; those that account for most firing first.
func firingPaths(g *n2g.ContextGraph) []path {
	var paths, bySequence []path
	var walk func(n *n2g.ContextNode, steps []step)
	walk = func(n *n2g.ContextNode, steps []step) {
		if n.Test == nil {
			switch p := (path{steps: slices.Clone(steps), leaf: n}); {
			case n.Value >= g.FireThreshold || len(n.Table) > 0 && n.Table[0].Value >= g.FireThreshold:
				paths = append(paths, p)
			case len(n.Sequences) > 0 && n.Sequences[0].Value >= g.FireThreshold:
				bySequence = append(bySequence, p)
			}
			return
		}
		walk(n.Yes, append(steps, step{n.Test, true}))
		walk(n.No, append(steps, step{n.Test, false}))
	}
	walk(g.Root, nil)
	if len(paths) == 0 {
		paths = bySequence
	}
	slices.SortStableFunc(paths, func(a, b path) int { return cmp.Compare(b.leaf.Firing, a.leaf.Firing) })
	return paths
}

// parting is the test at which two paths part.
func (p path) parting(other path) *n2g.ContextTest {
	for i, s := range p.steps {
		if s != other.steps[i] {
			return s.test
		}
	}
	return nil
}

// place is where a test of one token looks.
type place struct {
	kind     string
	distance int
}

// set is what the answers for a place leave there.
type set struct {
	tokens []string // nil: any but those of not
	start  bool     // a place before the text
	not    []string
	begun  bool // the text has begun
}

// answer narrows a set by a test's answer.
func (s *set) answer(t *n2g.ContextTest, yes bool) {
	switch {
	case !yes:
		s.not = append(s.not, t.Tokens...)
		s.begun = s.begun || t.Start
		s.start = s.start && !t.Start
	case s.tokens == nil:
		s.tokens, s.start = slices.Clip(t.Tokens), t.Start && !s.begun
		if s.tokens == nil {
			s.tokens = []string{}
		}
	default: // in the order of the later test, which knows the leaf better
		before := s.tokens
		s.tokens = []string{}
		for _, token := range t.Tokens {
			if slices.Contains(before, token) {
				s.tokens = append(s.tokens, token)
			}
		}
		s.start = s.start && t.Start
	}
}

// left are the tokens without those that were ruled out.
func (s *set) left() []string { return without(s.tokens, s.not) }

func without(tokens, not []string) []string {
	var left []string
	for _, token := range tokens {
		if !slices.Contains(not, token) {
			left = append(left, token)
		}
	}
	return left
}

// window is an answer of a test for tokens within a window.
type window struct {
	tokens []string
	width  int
}

// implies says whether one of w's tokens within w means one of other's within other.
func (w window) implies(other window) bool {
	return w.width <= other.width && len(without(w.tokens, other.tokens)) == 0
}

// phrase says what a leaf stands for, without a test that does not matter.
func (p path) phrase(threshold float64, skip *n2g.ContextTest) string {
	var order []place // last asked first
	places := map[place]*set{}
	var some, none []window
	repeated := 0
	for _, s := range slices.Backward(p.steps) {
		if s.test == skip {
			continue
		}
		switch s.test.Kind {
		case n2g.TestToken, n2g.TestLine:
			at := place{s.test.Kind, s.test.Distance}
			if places[at] == nil {
				places[at] = &set{}
				order = append(order, at)
			}
		case n2g.TestWithin:
			w := window{s.test.Tokens, s.test.Window}
			if s.yes {
				some = append(some, w)
			} else {
				none = append(none, w)
			}
		case n2g.TestRepeated:
			if s.yes && (repeated == 0 || s.test.Window < repeated) {
				repeated = s.test.Window
			}
		}
	}
	for _, s := range p.steps {
		if at := (place{s.test.Kind, s.test.Distance}); places[at] != nil && s.test != skip {
			places[at].answer(s.test, s.yes)
		}
	}
	before := place{n2g.TestToken, 1}
	text, after := p.current(places[place{n2g.TestToken, 0}], threshold)
	if s := places[before]; s != nil && s.tokens != nil {
		after = phraseOf(before, s)
	}
	var parts, vague []string
	for _, at := range order {
		s := places[at]
		if s.tokens == nil || at.kind == n2g.TestToken && at.distance < 2 {
			continue
		}
		if part := phraseOf(at, s); len(s.tokens) > manyTokens {
			vague = append(vague, part)
		} else {
			parts = append(parts, part)
		}
	}
	parts = append(parts, within(some, none)...)
	if repeated > 0 {
		parts = append(parts, fmt.Sprintf("repeated within %d", repeated))
	}
	parts = append(parts, notWithin(none)...)
	told := toldTests
	if s := places[before]; after != "" && (s == nil || len(s.tokens) <= manyTokens || len(parts) < told) {
		text += " " + after
		told--
	}
	parts = append(parts, vague...)
	return strings.Join(append([]string{text}, parts[:min(len(parts), told)]...), ", ")
}

// current says which tokens a leaf fires on; where only sequences do, after which.
func (p path) current(allowed *set, threshold float64) (text, after string) {
	if len(p.firing) > 0 {
		return label.Tokens(p.firing, namedTokens), ""
	}
	if allowed == nil {
		allowed = &set{}
	}
	var strong, before, listed []string
	for _, entry := range p.leaf.Table {
		listed = append(listed, entry.Token)
		if entry.Value >= max(threshold, p.leaf.Value) {
			strong = append(strong, entry.Token)
		}
	}
	if p.leaf.Value >= threshold { // so do those of which the table says nothing
		strong = append(strong, without(allowed.left(), listed)...)
	}
	if len(strong) == 0 {
		for _, entry := range p.leaf.Sequences {
			if n := len(entry.Tokens); entry.Value >= threshold && p.leaf.Value < threshold {
				strong = appendNew(strong, entry.Tokens[n-1])
				if n > 1 {
					before = appendNew(before, entry.Tokens[n-2])
				}
			}
		}
	}
	if len(before) > 0 {
		after = "after " + label.Tokens(before, namedTokens)
	}
	switch {
	case len(strong) > 0:
		return label.Tokens(strong, namedTokens), after
	case len(allowed.left()) > 0:
		return label.Tokens(allowed.left(), namedTokens), after
	case len(allowed.not) > 0 && len(allowed.not) <= namedTokens:
		return "any token but " + label.Tokens(allowed.not, namedTokens), after
	}
	return "any token", after
}

func appendNew(list []string, token string) []string {
	if slices.Contains(list, token) {
		return list
	}
	return append(list, token)
}

// phraseOf says what stands at a place.
func phraseOf(at place, s *set) string {
	tokens := label.Tokens(s.left(), namedTokens)
	or := func(otherwise string) string {
		if s.start && tokens != "" {
			return " or " + otherwise
		}
		return ""
	}
	alone := s.start && tokens == ""
	switch {
	case at.kind == n2g.TestLine && at.distance == 0 && alone:
		return "in the first line"
	case at.kind == n2g.TestLine && at.distance == 0:
		return "in a line from " + tokens + or("the first")
	case at.kind == n2g.TestLine:
		return tokens + " first in the line"
	case at.distance == 1 && alone:
		return "at the start of the text"
	case at.distance == 1:
		return "after " + tokens + or("at the start")
	case alone:
		return fmt.Sprintf("among the first %d tokens", at.distance)
	}
	return fmt.Sprintf("%s %d back", tokens+or("the start"), at.distance)
}

// within says what stands near, without what follows from a narrower test and what other tests rule out.
func within(some, none []window) (parts []string) {
	for i, w := range some {
		if slices.ContainsFunc(some[:i], w.follows) || slices.ContainsFunc(some[i+1:], w.followsOnly) {
			continue
		}
		tokens := w.tokens
		for _, n := range none {
			if left := without(tokens, n.tokens); n.width >= w.width && len(left) > 0 {
				tokens = left
			}
		}
		parts = append(parts, fmt.Sprintf("%s within %d", label.Tokens(tokens, namedTokens), w.width))
	}
	return parts
}

// follows says whether other is enough for w, followsOnly whether w is not enough for other too.
func (w window) follows(other window) bool     { return other.implies(w) }
func (w window) followsOnly(other window) bool { return other.implies(w) && !w.implies(other) }

// notWithin says what does not stand near, the tokens of one width together.
func notWithin(none []window) (parts []string) {
	byWidth := map[int][]string{}
	var widths []int
	for _, n := range none {
		if byWidth[n.width] == nil {
			widths = append(widths, n.width)
		}
		for _, token := range n.tokens {
			byWidth[n.width] = appendNew(byWidth[n.width], token)
		}
	}
	for _, width := range widths {
		tokens := byWidth[width]
		for wider, others := range byWidth {
			if wider > width {
				tokens = without(tokens, others)
			}
		}
		if len(tokens) > 0 {
			parts = append(parts, fmt.Sprintf("no %s within %d", label.Tokens(tokens, namedTokens), width))
		}
	}
	return parts
}
