package n2g

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// ErrNeverFires says that a neuron has no activation above 0 on a prompt, so that there is nothing to explain.
var ErrNeverFires = errors.New("the neuron never fires")

// PruneText is stage 2 for one prompt: for each strong position, in ascending order, the shortest text up to it that
// still excites the neuron there, with some context after it (section 2 of the method; "pruning" in section 3.1 of
// arXiv 2304.12918). The result has neither important tokens nor variants yet. If the neuron does not fire on the
// prompt, the error is [ErrNeverFires].
func PruneText(ctx context.Context, model LanguageModel, site Site, text string, opts Options) ([]Prune, error) {
	n, err := newNeuron(model, site, opts)
	if err != nil {
		return nil, err
	}
	ids, err := n.prompt(text)
	if err != nil {
		return nil, err
	}
	activations, err := n.whole(ctx, [][]int{ids})
	if err != nil {
		return nil, err
	}
	strong, err := n.strong(ids, activations[0])
	if err != nil {
		return nil, err
	}
	pruned, err := n.prune(ctx, strong)
	if err != nil {
		return nil, err
	}
	prunes := make([]Prune, len(pruned))
	for i, p := range pruned {
		prunes[i] = p.prune()
	}
	return prunes, nil
}

// prompt tokenizes a whole prompt and drops what exceeds MaxLength.
func (n *neuron) prompt(text string) ([]int, error) {
	return cutPrompt(n.model, text, n.opts.MaxLength)
}

// pruning is a strong position of a prompt on its way through stage 2.
type pruning struct {
	prompt   int // index in Examples.Prompts
	ids      []int
	position int
	initial  float64 // activation at position

	starts    []int // of the candidates, shortest first
	text      string
	truncated float64
	pruned    []int // ids of text, BOS first
}

func (p *pruning) prune() Prune {
	return Prune{PromptIndex: p.prompt, Position: p.position, Text: p.text, InitialMax: p.initial,
		TruncatedMax: p.truncated}
}

// strong finds the positions of a prompt to prune.
func (n *neuron) strong(ids []int, activations []float64) ([]*pruning, error) {
	highest := activations[n.peak(ids, activations)]
	if highest <= 0 {
		return nil,
			fmt.Errorf("%w on the prompt: its highest activation there is %.3g; choose a text that excites layer %d neuron %d",
				ErrNeverFires, highest, n.site.Layer, n.site.Index)
	}
	var found []*pruning
	for i, a := range activations {
		if ids[i] != n.bos && a >= n.opts.StrongThreshold*highest {
			found = append(found, &pruning{ids: ids, position: i, initial: a, starts: n.candidateStarts(i)})
		}
	}
	return found, nil
}

// candidateStarts are the first tokens of the candidates that end at position p: counting them 1, 2, … from the
// shortest on, the multiples of SkipInterval, those below SkipThreshold, and the one that reaches the very start.
// Token 0 being BOS, which every prompt gets anyway, that one starts at token 1 (section 10.2).
func (n *neuron) candidateStarts(p int) []int {
	var starts []int
	longest := p + 1
	if n.opts.Cutoff > 0 {
		longest = min(longest, n.opts.Cutoff)
	}
	for count := 1; count <= longest; count++ {
		start := max(p-count+1, 1)
		known := len(starts) > 0 && starts[len(starts)-1] == start
		if !known && (count%n.opts.SkipInterval == 0 || count < n.opts.SkipThreshold || count == p+1) {
			starts = append(starts, start)
		}
	}
	if len(starts) == 0 {
		// A cutoff below the interval rules all out; the longest within the cutoff is left.
		starts = append(starts, max(p-longest+1, 1))
	}
	return starts
}

// candidateBudget is how many tokens of candidates are asked of each position in a first round; later rounds take twice
// as many. Most positions need no long candidate, and each round is one call for all: with the default options the
// candidates of 5 and 10 tokens are tried first, then those of 15 and 20, then those of 25 and 30.
const candidateBudget = 24

// prune chooses a candidate for each position and appends the context after it.
func (n *neuron) prune(ctx context.Context, all []*pruning) ([]*pruning, error) {
	open := all
	tried := make(map[*pruning]int)
	for budget := candidateBudget; len(open) > 0; budget *= 2 {
		var candidates []candidate
		for _, p := range open {
			for left := budget; tried[p] < len(p.starts); tried[p]++ {
				c := n.candidate(p, p.starts[tried[p]])
				if left -= len(c.ids); left < 0 && left+len(c.ids) < budget {
					break // the first of a round is tried, however long
				}
				candidates = append(candidates, c)
			}
		}
		if err := n.run(ctx, candidates); err != nil {
			return nil, err
		}
		passed := map[*pruning]bool{}
		for _, c := range candidates {
			if !passed[c.of] && c.ids != nil {
				// The longest yet stands where none passes.
				c.of.truncated, c.of.text, c.of.pruned = c.maximum, c.text, c.whole
				passed[c.of] = n.passes(c)
			}
		}
		var still []*pruning
		for _, p := range open {
			if !passed[p] && tried[p] < len(p.starts) {
				still = append(still, p)
			}
		}
		open = still
	}
	for _, p := range all {
		err := checkLength(n.model, p.pruned)
		if p.pruned == nil {
			err = fmt.Errorf("%s can run none of the texts that end there: choose another prompt", n.model.Name())
		}
		if err != nil {
			return nil, fmt.Errorf("what is left of the prompt up to token %d: %w", p.position, err)
		}
	}
	return all, nil
}

// candidate is what might be left of a prompt: the tokens from some start to the strong position, tokenized anew. Where
// the whole rest of the sentence is kept, candidates are run with it, as the published walkthrough does.
type candidate struct {
	of      *pruning
	after   int    // tokens after the strong one
	ids     []int  // nil: the text cannot be run
	text    string // with its post-context: what is left of the prompt if it passes
	whole   []int  // ids of text
	peak    int
	maximum float64
}

func (n *neuron) candidate(p *pruning, start int) candidate {
	end := p.position + 1
	if n.opts.PostContext < 0 {
		end = n.sentenceEnd(p.ids, p.position)
	}
	ids, err := encode(n.model, n.model.Decode(p.ids[start:end]))
	if err != nil || len(tokensOf(ids)) > n.model.ContextLength() {
		// Tokenized anew, a text can become longer than the context, or nothing: then it is no candidate.
		return candidate{of: p}
	}
	text := n.withPostContext(p, start)
	whole, err := encode(n.model, text)
	if err != nil {
		return candidate{of: p}
	}
	return candidate{of: p, after: end - p.position - 1, ids: ids, text: text, whole: whole}
}

// run finds the maximum of every candidate with one call. It asks about the texts with their post-context too, which
// the next stage needs of a candidate that passes: a few rows now, but all of the text and one more call then.
func (n *neuron) run(ctx context.Context, candidates []candidate) error {
	var requests, ahead []request
	for _, c := range candidates {
		if c.ids == nil {
			continue
		}
		requests = append(requests, n.wholeRequest(c.ids))
		if len(tokensOf(c.whole)) <= n.model.ContextLength() {
			more := n.wholeRequest(c.whole)
			more.ahead = true
			ahead = append(ahead, more)
		}
	}
	answers, err := n.ask(ctx, append(requests, ahead...))
	if err != nil {
		return err
	}
	for i := range candidates {
		if c := &candidates[i]; c.ids != nil {
			activations := spread(requests[0], answers[0])
			requests, answers = requests[1:], answers[1:]
			c.peak = n.peak(c.ids, activations)
			c.maximum = activations[c.peak]
		}
	}
	return nil
}

// passes says whether the candidate still has its maximum at the strong token, counted from the right since the left
// end may be cut into other tokens now, and high enough.
func (n *neuron) passes(c candidate) bool {
	if c.peak != len(c.ids)-1-c.after {
		return false
	}
	initial := c.of.initial
	return (c.maximum-initial)/initial > n.opts.ProportionThreshold ||
		n.opts.AbsoluteThreshold != nil && c.maximum >= *n.opts.AbsoluteThreshold
}

// withPostContext is the text of the tokens from start to the strong position and of those that follow it in its
// sentence. It is decoded as a whole, so that characters of several tokens stay whole (section 10.9).
func (n *neuron) withPostContext(p *pruning, start int) string {
	end := n.sentenceEnd(p.ids, p.position)
	if limit := n.opts.PostContext; limit >= 0 {
		end = min(end, p.position+1+limit)
	}
	return n.model.Decode(p.ids[start:end])
}

// sentenceEnd is the end of the sentence of token p: after the first token from p on that holds a full stop, an
// exclamation mark or a line break.
func (n *neuron) sentenceEnd(ids []int, p int) int {
	for i := p; i < len(ids); i++ {
		if endsSentence(n.model.TokenString(ids[i])) {
			return i + 1
		}
	}
	return len(ids)
}

func endsSentence(token string) bool { return strings.ContainsAny(token, ".!\n") }
