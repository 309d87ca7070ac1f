package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// writeContext writes a context graph as an indented tree, each test with what follows from yes and from no.
func writeContext(w io.Writer, g *n2g.ContextGraph) {
	tests := 0
	g.Nodes(func(n *n2g.ContextNode, _ int) {
		if n.Test != nil {
			tests++
		}
	})
	s := g.Support
	fmt.Fprintf(w, "\ncontext graph: %s\n", printable(g.Label))
	unit := "tests"
	if tests == 1 {
		unit = "test"
	}
	fmt.Fprintf(w, "%d %s, learned from %d tokens of which %d fire; fires from %.3f of the maximum on\n", tests, unit,
		s.BuildTokens, s.BuildFiring, g.FireThreshold)
	var write func(n *n2g.ContextNode, answer string, indent int)
	write = func(n *n2g.ContextNode, answer string, indent int) {
		line := strings.Repeat("  ", indent) + answer
		if n.Test == nil {
			fmt.Fprintf(w, "%s%.3f of the maximum; %d of %.0f tokens fire%s\n", line, n.Value, n.Firing, n.Tokens,
				entries(n))
			return
		}
		fmt.Fprintf(w, "%s%s%s\n", line, testText(n.Test), cause(n.Test))
		write(n.Yes, "yes: ", indent+1)
		write(n.No, "no: ", indent+1)
	}
	write(g.Root, "", 1)
}

// testText is a test as a question.
func testText(t *n2g.ContextTest) string {
	set := shortList(t.Tokens, 6)
	if t.Start {
		set = strings.TrimPrefix(set+" or the start of the text", " or ")
	}
	switch {
	case t.Kind == n2g.TestWithin:
		return fmt.Sprintf("within the last %d: %s?", t.Window, set)
	case t.Kind == n2g.TestLine && t.Distance == 0:
		return fmt.Sprintf("the line begins with: %s?", set)
	case t.Kind == n2g.TestLine:
		return fmt.Sprintf("the token %d after the line's beginning: %s?", t.Distance, set)
	case t.Kind == n2g.TestRepeated:
		return fmt.Sprintf("the token itself within the last %d?", t.Window)
	case t.Distance == 0:
		return fmt.Sprintf("the token: %s?", set)
	case t.Distance == 1:
		return fmt.Sprintf("the token before: %s?", set)
	}
	return fmt.Sprintf("the token %d before: %s?", t.Distance, set)
}

// cause says what masking showed of a test.
func cause(t *n2g.ContextTest) string {
	needed, known := t.Needed()
	switch {
	case !known:
		return ""
	case *t.Moves < 0:
		return fmt.Sprintf(" (goes with it: masking adds %.0f %%)", -100**t.Moves)
	case needed:
		return fmt.Sprintf(" (needed: masking takes %.0f %%)", 100**t.Moves)
	}
	return fmt.Sprintf(" (goes with it: masking takes %.0f %%)", 100**t.Moves)
}

// shortList quotes the first so many tokens.
func shortList(list []string, most int) string {
	if len(list) <= most {
		return quoted(list)
	}
	return fmt.Sprintf("%s and %d more", quoted(list[:most]), len(list)-most)
}

// entries are the highest values of a leaf's tables. The last token is the current one.
func entries(n *n2g.ContextNode) string {
	const most = 4
	all := slices.Clone(n.Sequences)
	for _, e := range n.Table {
		all = append(all, n2g.SequenceValue{Tokens: []string{e.Token}, Value: e.Value})
	}
	if len(all) == 0 {
		return ""
	}
	slices.SortStableFunc(all, func(a, b n2g.SequenceValue) int {
		return cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(len(a.Tokens), len(b.Tokens)))
	})
	var list []string
	for _, e := range all[:min(most, len(all))] {
		list = append(list, fmt.Sprintf("%s %.2f", strings.ReplaceAll(quoted(e.Tokens), ", ", " "), e.Value))
	}
	if rest := len(all) - most; rest > 0 {
		list = append(list, fmt.Sprintf("%d more", rest))
	}
	return " (" + strings.Join(list, ", ") + ")"
}

// writeComparisons writes both graphs' scores beside those of the baselines, a table for each text.
func writeComparisons(w io.Writer, rows []n2g.Comparison) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	text := ""
	for _, r := range byText(rows) {
		if r.Text != text {
			text = r.Text
			if r.Scores.Firing.Support == 0 {
				fmt.Fprintf(table, "\n%s: no token fires there, so there is nothing to score\n", strings.ToUpper(printable(text)))
				continue
			}
			fmt.Fprintf(table, "\n%s\tPRECISION\tRECALL\tF1\tAVG PRECISION\tPEARSON\tLOG-LOSS\tVALUE ERROR\tFIRING\n",
				strings.ToUpper(printable(text)))
		}
		s := r.Scores
		if s.Firing.Support == 0 {
			continue
		}
		fmt.Fprintf(table, "%s\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%s\t%d\n", printable(r.Predictor), s.Firing.Precision,
			s.Firing.Recall, s.Firing.F1, s.AveragePrecision, s.Pearson,
			strings.Join(measures(r.LogLoss, r.ValueError), "\t"), s.Firing.Support)
	}
	table.Flush() // w reports its error when it is flushed
}

// byText orders comparisons by text, both texts and predictors as they first appear.
func byText(rows []n2g.Comparison) []n2g.Comparison {
	var texts []string
	of := map[string][]n2g.Comparison{}
	for _, r := range rows {
		if of[r.Text] == nil {
			texts = append(texts, r.Text)
		}
		of[r.Text] = append(of[r.Text], r)
	}
	var ordered []n2g.Comparison
	for _, text := range texts {
		ordered = append(ordered, of[text]...)
	}
	return ordered
}
