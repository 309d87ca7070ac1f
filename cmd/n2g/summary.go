package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// summarize prints an explanation for a reader at a terminal.
func summarize(w io.Writer, e *n2g.Explanation) {
	fmt.Fprintf(w, "%s (%s), max activation %.4g\n", name(e), e.Site.Hook, e.MaxActivation)
	for _, note := range e.Notes {
		fmt.Fprintf(w, "note: %s\n", note)
	}
	for _, p := range e.Prunes {
		fmt.Fprintf(w, "\nprompt %d pruned to %q, activation %.4g of %.4g\n", p.PromptIndex, p.Text, p.TruncatedMax, p.InitialMax)
		if len(p.ImportantTokens) > 0 {
			fmt.Fprintf(w, "  important tokens: %s\n", quoted(p.ImportantTokens))
		}
		if m := p.Measured; m != nil && len(e.Prunes) == 1 {
			table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "  TOKEN\tACTIVATION\tIMPORTANCE")
			for i, token := range m.Tokens {
				fmt.Fprintf(table, "  %q\t%.3f\t%.3f\n", token, m.Activations[i], m.Importances[i])
			}
			table.Flush() //nolint:errcheck // w reports its error when it is flushed
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
		var activating []string
		for _, node := range e.Graph.Nodes {
			if node.Depth == 0 {
				activating = append(activating, node.Token)
			}
		}
		fmt.Fprintf(w, "\ngraph: %d nodes, %d edges; activating tokens %s\n", len(e.Graph.Nodes), len(e.Graph.Edges), quoted(activating))
	}
	if e.Scores != nil {
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "\nFIRING TOKENS\tPRECISION\tRECALL\tF1\tSUPPORT")
		row := func(name string, s n2g.Scores) {
			fmt.Fprintf(table, "%s\t%.3f\t%.3f\t%.3f\t%d\n", name, s.Firing.Precision, s.Firing.Recall, s.Firing.F1, s.Firing.Support)
		}
		row("graph", *e.Scores)
		if e.Baselines != nil {
			row("token lookup", e.Baselines.TokenLookup.Scores)
			row("n-gram", e.Baselines.NGram.Scores)
		}
		table.Flush() //nolint:errcheck // as above
	}
	fmt.Fprintln(w)
}

// quoted lists tokens so that their blanks show.
func quoted(tokens []string) string {
	list := make([]string, len(tokens))
	for i, token := range tokens {
		list[i] = fmt.Sprintf("%q", token)
	}
	return strings.Join(list, ", ")
}
