package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// summarize prints an explanation for a reader at a terminal; noContext says why it lacks a context graph, where
// nothing else does.
func summarize(w io.Writer, e *n2g.Explanation, noContext string) {
	fmt.Fprintf(w, "%s (%s), max activation %.4g\n", name(e), printable(e.Site.Hook), e.MaxActivation)
	for _, note := range e.Notes {
		fmt.Fprintf(w, "note: %s\n", printable(note))
	}
	for _, p := range e.Prunes {
		fmt.Fprintf(w, "\nprompt %d pruned to %q, activation %.4g of %.4g\n", p.PromptIndex, p.Text, p.TruncatedMax,
			p.InitialMax)
		if len(p.ImportantTokens) > 0 {
			fmt.Fprintf(w, "  important tokens: %s\n", quoted(p.ImportantTokens))
		}
		if m := p.Measured; m != nil && len(e.Prunes) == 1 {
			table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "  TOKEN\tACTIVATION\tIMPORTANCE")
			for i, token := range m.Tokens {
				fmt.Fprintf(table, "  %q\t%.3f\t%.3f\n", token, m.Activations[i], m.Importances[i])
			}
			table.Flush() // w reports its error when it is flushed
		}
		for _, v := range p.Variants[min(1, len(p.Variants)):] {
			sign := '-'
			if v.Positive {
				sign = '+'
			}
			fmt.Fprintf(w, "  %c %+.2f %q\n", sign, v.Change, v.Text)
		}
	}
	if e.Graph != nil {
		writeTree(w, e.Graph)
	}
	switch {
	case e.Context != nil:
		writeContext(w, e.Context)
	case e.Graph != nil && noContext != "" && len(e.Notes) == 0:
		fmt.Fprintf(w, "\ncontext graph: none; %s\n", noContext)
	}
	if e.Behaviours != nil {
		writeBehaviours(w, e.Behaviours)
	}
	if e.Effects != nil {
		writeEffects(w, e.Effects)
	}
	if e.Scores != nil {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "\nTEST EXAMPLES\tPRECISION\tRECALL\tF1\tAVG PRECISION\tPEARSON\tFIRING")
		row := func(name string, s n2g.Scores) {
			fmt.Fprintf(table, "%s\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%d\n", name, s.Firing.Precision, s.Firing.Recall,
				s.Firing.F1, s.AveragePrecision, s.Pearson, s.Firing.Support)
		}
		row("graph", *e.Scores)
		if e.Baselines != nil {
			row("token lookup", e.Baselines.TokenLookup.Scores)
			row("n-gram", e.Baselines.NGram.Scores)
		}
		table.Flush() // as above
	}
	if len(e.Comparisons) > 0 {
		writeComparisons(w, e.Comparisons)
	}
	fmt.Fprintln(w)
}

// writeTree writes a graph as an indented tree: below each token, further in, what must stand before it. What was
// written above is not written again.
func writeTree(w io.Writer, g *n2g.Graph) {
	const longest = 200 // lines
	fmt.Fprintf(w, "\ngraph: %d nodes, %d edges; below each token what stands before it\n", len(g.Nodes), len(g.Edges))
	before := make([][]int, len(g.Nodes))
	for _, e := range g.Edges {
		before[e[0]] = append(before[e[0]], e[1])
	}
	lines := 0
	written := make([]bool, len(g.Nodes))
	var write func(i, indent int)
	write = func(i, indent int) {
		if lines++; lines > longest {
			return
		}
		node := g.Nodes[i]
		what := fmt.Sprintf("importance %.2f", node.Importance)
		if node.Activator {
			what = fmt.Sprintf("activation %.2f", node.Activation)
		}
		above := ""
		if written[i] && len(before[i]) > 0 {
			above = ", then as above"
		}
		fmt.Fprintf(w, "%*s%q  %s%s\n", 2*(indent+1), "", node.Token, what, above)
		if written[i] {
			return
		}
		written[i] = true
		for _, next := range before[i] {
			write(next, indent+1)
		}
	}
	for i, node := range g.Nodes {
		if node.Depth == 0 {
			write(i, 0)
		}
	}
	if lines > longest {
		fmt.Fprintf(w, "  … and %d more lines: -svg or -html draws them\n", lines-longest)
	}
}

// quoted lists tokens so that their blanks show.
func quoted(tokens []string) string {
	list := make([]string, len(tokens))
	for i, token := range tokens {
		list[i] = fmt.Sprintf("%q", token)
	}
	return strings.Join(list, ", ")
}

// writeEffects writes what a neuron does.
func writeEffects(w io.Writer, e *n2g.Effects) {
	line := func(what string, list []n2g.TokenEffect) {
		if len(list) == 0 {
			return
		}
		tokens := make([]string, len(list))
		for i, t := range list {
			tokens[i] = t.Token
		}
		fmt.Fprintf(w, "%s %s\n", what, quoted(tokens))
	}
	fmt.Fprintln(w)
	line("promotes  ", e.Promoted)
	line("suppresses", e.Suppressed)
	fmt.Fprintf(w, "kurtosis %.1f\n", e.Kurtosis)
	if f := e.Faithfulness; f != nil {
		fmt.Fprintf(w, "faithfulness %.3f", f.Graph)
		if f.Context != nil {
			fmt.Fprintf(w, ", of the context graph %.3f", *f.Context)
		}
		fmt.Fprintf(w, "; the neuron's own firing reaches %.3f (mean KL by ablation %.2g over %d tokens)\n", f.Firing,
			f.MeanKL, f.Positions)
	}
}
