package n2g

import (
	"errors"
	"fmt"
)

// ContextGraph is a tree of tests on a token and its context that predicts a neuron's activation. It is learned from
// all of a corpus (package contexttree), where the published graph is made of a few examples; both draw, predict and
// store alike. Probabilistic suffix trees (Ron, Singer, Tishby 1996) and context trees (Willems, Shtarkov, Tjalkens
// 1995) are its forebears: a prediction rests on as much context as the evidence pays for, and backs off to less.
type ContextGraph struct {
	Root *ContextNode `json:"root"`
	// FireThreshold is the predicted share of the maximum from which a token counts as firing, chosen on validation
	// documents and on build documents predicted by what others have taught.
	FireThreshold float64 `json:"fire_threshold"`
	Label         string  `json:"label"` // one line
	Support       Support `json:"support"`
}

// Support says on how much a context graph rests.
type Support struct {
	BuildTokens    int `json:"build_tokens"`
	BuildFiring    int `json:"build_firing"` // tokens at or above half of the maximum
	ValidateFiring int `json:"validate_firing"`
	Asked          int `json:"asked,omitempty"` // rows of the model run to ask the neuron, beside the corpus
}

// ContextNode is a node of a context graph: a prediction, and unless it is a leaf a test that leads on.
type ContextNode struct {
	Value float64 `json:"value"` // predicted share of the maximum where Table has no entry
	// Table holds the prediction for single current tokens, highest first; only leaves have one.
	Table []TokenValue `json:"table,omitempty"`
	// Sequences hold the prediction for a current token behind certain others, highest first; only leaves have them. The
	// longest that fits counts, and where none does, Table.
	Sequences []SequenceValue `json:"sequences,omitempty"`

	Tokens float64 `json:"tokens"` // build tokens that come here
	Firing int     `json:"firing"` // of them, those that fire

	Test *ContextTest `json:"test,omitempty"` // nil: a leaf
	Yes  *ContextNode `json:"yes,omitempty"`
	No   *ContextNode `json:"no,omitempty"`
}

// TokenValue is a token with the share of the maximum predicted on it.
type TokenValue struct {
	Token string  `json:"token"`
	Value float64 `json:"value"`
}

// SequenceValue is a run of tokens, the last of which is the current one, with the share of the maximum predicted
// there.
type SequenceValue struct {
	Tokens []string `json:"tokens"`
	Value  float64  `json:"value"`
}

// Kinds of a ContextTest.
const (
	TestToken    = "token"    // the token at Distance is one of Tokens
	TestWithin   = "within"   // one of Tokens stands among the Window tokens before the current one
	TestRepeated = "repeated" // the current token stands among the Window tokens before it
	// TestLine asks for the token at Distance from the one with which the current token's line begins: the last token
	// before the current one that holds a newline, or a place before the text. It looks no further than the current token.
	TestLine = "line"
)

// ContextTest is what a node asks of a token's context.
type ContextTest struct {
	Kind     string   `json:"kind"`
	Distance int      `json:"distance,omitempty"` // back from the current token, which is at 0; from the line's start
	Window   int      `json:"window,omitempty"`   // tokens before the current one
	Tokens   []string `json:"tokens,omitempty"`   // highest mean response first
	Start    bool     `json:"start,omitempty"`    // with TestToken, TestLine: a place before the text answers yes
	// Widened counts the last Tokens, which the corpus did not show: neighbours of the others in the model's embedding,
	// each found to excite the neuron.
	Widened int `json:"widened,omitempty"`
	// Moves is the share of the activation that is lost where the tokens that answer are masked, on average over real
	// texts; nil where no model was asked. Below MovesEnough the test goes with the neuron's firing, rather than being
	// needed for it.
	Moves *float64 `json:"moves,omitempty"`
}

// movesEnough is the share of the activation that masking must cost on average for a test to be a cause.
const movesEnough = 0.25

// Needed says whether masking has shown the test to be a cause; known is false where no model was asked.
func (t *ContextTest) Needed() (needed, known bool) {
	return t.Moves != nil && *t.Moves >= movesEnough, t.Moves != nil
}

// MaxContextDepth bounds a context graph's depth, MaxContextWindow a test's distance and window.
const (
	maxContextDepth  = 1000
	maxContextWindow = 1 << 16
)

// Nodes calls visit for every node, a node before those below it, yes before no.
func (g *ContextGraph) Nodes(visit func(n *ContextNode, depth int)) {
	if g == nil {
		return
	}
	var walk func(n *ContextNode, depth int)
	walk = func(n *ContextNode, depth int) {
		if n == nil {
			return
		}
		visit(n, depth)
		walk(n.Yes, depth+1)
		walk(n.No, depth+1)
	}
	walk(g.Root, 0)
}

// check says what is wrong with a graph that was read.
func (g *ContextGraph) check() error {
	if g == nil {
		return nil
	}
	if g.Root == nil {
		return errors.New("it has no root")
	}
	return g.Root.check(0)
}

func (n *ContextNode) check(depth int) error {
	switch {
	case depth > maxContextDepth:
		return fmt.Errorf("it is more than %d tests deep", maxContextDepth)
	case n.Test == nil && (n.Yes != nil || n.No != nil):
		return errors.New("a node without a test has branches")
	case n.Test == nil:
		return n.checkTable()
	case n.Yes == nil || n.No == nil:
		return errors.New("a node's test lacks a branch")
	}
	t := n.Test
	switch {
	case t.Kind != TestToken && t.Kind != TestWithin && t.Kind != TestRepeated && t.Kind != TestLine:
		return fmt.Errorf("a test is of the unknown kind %q", t.Kind)
	case t.Distance < 0 || t.Distance > maxContextWindow || t.Window < 0 || t.Window > maxContextWindow:
		return fmt.Errorf("a test looks %d tokens back in a window of %d", t.Distance, t.Window)
	case t.Widened < 0 || t.Widened > len(t.Tokens):
		return fmt.Errorf("%d of a test's %d tokens are said to be widened to", t.Widened, len(t.Tokens))
	}
	if err := n.Yes.check(depth + 1); err != nil {
		return err
	}
	return n.No.check(depth + 1)
}

// checkTable says what is wrong with a leaf's values.
func (n *ContextNode) checkTable() error {
	for _, s := range n.Sequences {
		if len(s.Tokens) == 0 || len(s.Tokens) > maxContextWindow {
			return fmt.Errorf("a sequence has %d tokens", len(s.Tokens))
		}
	}
	return nil
}

// Comparison is how well one predictor does on one text.
type Comparison struct {
	Text          string  `json:"text"` // what was predicted: test documents, hard negatives, …
	Predictor     string  `json:"predictor"`
	FireThreshold float64 `json:"fire_threshold"` // the predicted share of the maximum that counts as firing
	Scores        Scores  `json:"scores"`
}
