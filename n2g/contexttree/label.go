package contexttree

import (
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/internal/label"
)

// few is the number of firing build tokens below which a label says how few there are.
const few = 10

// Label says in one line what a graph's neuron fires on: the leaf that accounts for most firing, read from its tests,
// and the next where it adds much.
func Label(g *n2g.ContextGraph) string {
	if g == nil || g.Root == nil {
		return ""
	}
	type path struct {
		steps  []step
		leaf   *n2g.ContextNode
		firing int
	}
	var paths []path
	var walk func(n *n2g.ContextNode, steps []step)
	walk = func(n *n2g.ContextNode, steps []step) {
		if n.Test == nil {
			if n.Value >= g.FireThreshold || len(n.Table) > 0 && n.Table[0].Value >= g.FireThreshold {
				paths = append(paths, path{append([]step(nil), steps...), n, n.Firing})
			}
			return
		}
		walk(n.Yes, append(steps, step{n.Test, true}))
		walk(n.No, append(steps, step{n.Test, false}))
	}
	walk(g.Root, nil)
	if len(paths) == 0 {
		return "nothing that the graph can tell"
	}
	best := 0
	for i, p := range paths {
		if p.firing > paths[best].firing {
			best = i
		}
	}
	second := -1
	for i, p := range paths {
		if i != best && 3*p.firing >= paths[best].firing && (second < 0 || p.firing > paths[second].firing) {
			second = i
		}
	}
	text := phrase(paths[best].steps, paths[best].leaf)
	if second >= 0 {
		if other := phrase(paths[second].steps, paths[second].leaf); other != text {
			text += "; or " + other
		}
	}
	if g.Support.BuildFiring < few {
		text += fmt.Sprintf(" (few: %d firings)", g.Support.BuildFiring)
	}
	return text
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

// step is an answer on the way to a leaf.
type step struct {
	test *n2g.ContextTest
	yes  bool
}

// phrase says what a leaf stands for. Of the answers for one place, the last yes is the narrowest.
func phrase(steps []step, leaf *n2g.ContextNode) string {
	current := ""
	var table []string
	for _, entry := range leaf.Table {
		if entry.Value >= leaf.Value && len(table) < 3 {
			table = append(table, entry.Token)
		}
	}
	if len(table) > 0 {
		current = label.Tokens(table, 3)
	}
	narrowest := map[string]bool{}
	var parts []string
	for i := len(steps) - 1; i >= 0; i-- {
		s := steps[i]
		key := fmt.Sprint(s.test.Kind, s.test.Distance, s.test.Window, s.yes)
		if s.test.Kind == n2g.TestToken && narrowest[key] {
			continue
		}
		narrowest[key] = true
		switch {
		case s.test.Kind == n2g.TestToken && s.test.Distance == 0:
			if s.yes && current == "" {
				current = label.Tokens(s.test.Tokens, 3)
			}
		case s.test.Kind == n2g.TestToken && s.yes && s.test.Distance == 1:
			parts = append(parts, "after "+place(s.test))
		case s.test.Kind == n2g.TestToken && s.yes:
			parts = append(parts, fmt.Sprintf("%s %d back", place(s.test), s.test.Distance))
		case s.test.Kind == n2g.TestLine && s.yes && s.test.Distance > 0:
			parts = append(parts, fmt.Sprintf("%s %d after the line's start", place(s.test), s.test.Distance))
		case s.test.Kind == n2g.TestLine && s.yes:
			parts = append(parts, "in a line from "+place(s.test))
		case s.test.Kind == n2g.TestWithin && s.yes:
			parts = append(parts, fmt.Sprintf("%s within %d", label.Tokens(s.test.Tokens, 3), s.test.Window))
		case s.test.Kind == n2g.TestWithin:
			parts = append(parts, fmt.Sprintf("no %s within %d", label.Tokens(s.test.Tokens, 2), s.test.Window))
		case s.test.Kind == n2g.TestRepeated && s.yes:
			parts = append(parts, fmt.Sprintf("repeated within %d", s.test.Window))
		}
	}
	const most = 3
	if len(parts) > most {
		parts = parts[:most]
	}
	if current == "" {
		current = "any token"
	}
	return strings.TrimSpace(strings.Join(append([]string{current}, parts...), ", "))
}

func place(t *n2g.ContextTest) string {
	switch {
	case t.Start && len(t.Tokens) == 0:
		return "the start of the text"
	case t.Start:
		return label.Tokens(t.Tokens, 3) + " or the start"
	}
	return label.Tokens(t.Tokens, 3)
}
