package n2g

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
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
	// Chances tell how often tokens fire by what is predicted for them, in steps from the lowest prediction up, from the
	// same documents as the threshold.
	Chances []FireChance `json:"chances,omitempty"`
	Label   string       `json:"label"` // one line
	Support Support      `json:"support"`
}

// FireChance is the share of tokens that fire among those with a prediction from From up to the next step's.
type FireChance struct {
	From   float64 `json:"from"`   // predicted share of the maximum
	Chance float64 `json:"chance"` // between 0 and 1, and neither
}

// ChanceOf is the probability that a token fires for which so much is predicted: that of the first step where the
// prediction lies below all; one half where there are no steps.
func ChanceOf(chances []FireChance, prediction float64) float64 {
	at, found := slices.BinarySearchFunc(chances, prediction,
		func(c FireChance, v float64) int { return cmp.Compare(c.From, v) })
	switch {
	case len(chances) == 0:
		return .5
	case found:
		return chances[at].Chance
	}
	return chances[max(at-1, 0)].Chance
}

// Support says on how much a context graph rests.
type Support struct {
	BuildTokens    int `json:"build_tokens"`
	BuildFiring    int `json:"build_firing"` // tokens at or above half of the maximum
	ValidateFiring int `json:"validate_firing"`
	Asked          int `json:"asked,omitempty"` // rows of the model run to ask the neuron, beside the corpus
}

// fewFirings is the number of firing build tokens below which a graph rests on few.
const fewFirings = 10

// Few says whether a graph rests on so few firing tokens, fewer than ten, that what it says may be chance.
func (s Support) Few() bool { return s.BuildFiring < fewFirings }

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
	Kind     string `json:"kind"`
	Distance int    `json:"distance,omitempty"` // back from the current token, which is at 0; from the line's start
	Window   int    `json:"window,omitempty"`   // tokens before the current one
	// Tokens are those that build documents have there, highest mean response first, then others of their classes.
	Tokens []string `json:"tokens,omitempty"`
	Start  bool     `json:"start,omitempty"` // with TestToken, TestLine: a place before the text answers yes
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

// maxContextDepth bounds a context graph's depth, maxContextWindow a test's distance and window.
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

// TokenRoles are the places where a context graph has a token, one or more.
type TokenRoles uint8

// The places of tokens in a context graph. Of a sequence, the last token is an activating one, those before it are
// important.
const (
	InSet      TokenRoles = 1 << iota // a test's set: of the current token, or of one at a distance
	InTable                           // a leaf's value of the current token
	InSequence                        // a leaf's value of the last tokens
	InWindow                          // a test's tokens within a window
	InLine                            // a test's set at a line's beginning
)

// Names are "set", "table", "sequence", "window" and "line".
func (r TokenRoles) Names() (names []string) {
	for i, name := range [...]string{"set", "table", "sequence", "window", "line"} {
		if r&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// ContextToken is a token of a context graph, normalised, with its places among activating and important tokens. A
// token may be of both kinds; it is of one at least.
type ContextToken struct {
	Token                 string
	Activating, Important TokenRoles
}

// Tokens are the normalised tokens of a graph that make it fire, sorted. Activating are those on which it predicts
// firing: of a leaf that does, the tokens that all tests of the current token on the way leave, where one asks for a
// set and the leaf's table says nothing else, and those of the table. Important are those that the other tests on the
// way ask for and find, and the ones before the last of a sequence. A token that must be absent, or that leads to no
// firing, is neither.
func (g *ContextGraph) Tokens() []ContextToken {
	if g == nil {
		return nil
	}
	c := tokenCollector{threshold: g.FireThreshold, roles: map[string]*ContextToken{}}
	c.walk(g.Root, tokenFilter{}, nil)
	list := make([]ContextToken, 0, len(c.roles))
	for _, token := range slices.Sorted(maps.Keys(c.roles)) {
		list = append(list, *c.roles[token])
	}
	return list
}

// TokenSets are the graph's tokens by kind ([ContextGraph.Tokens]).
func (g *ContextGraph) TokenSets() TokenSets {
	sets := TokenSets{Activating: []string{}, Important: []string{}}
	for _, t := range g.Tokens() {
		if t.Activating != 0 {
			sets.Activating = append(sets.Activating, t.Token)
		}
		if t.Important != 0 {
			sets.Important = append(sets.Important, t.Token)
		}
	}
	return sets
}

// tokenCollector collects the tokens that make a context graph fire.
type tokenCollector struct {
	threshold float64
	roles     map[string]*ContextToken // by normalised token
}

func (c *tokenCollector) of(token string) *ContextToken {
	token = NormalizeToken(token)
	t := c.roles[token]
	if t == nil {
		t = &ContextToken{Token: token}
		c.roles[token] = t
	}
	return t
}

// tokenFilter is which current tokens the tests of them on the way to a node let through.
type tokenFilter struct {
	only map[string]bool // those alone; nil: all
	not  map[string]bool // but for those
}

func (f tokenFilter) lets(token string) bool {
	return (f.only == nil || f.only[token]) && !f.not[token]
}

// yes and no are what is left by a test of the current token.
func (f tokenFilter) yes(tokens []string) tokenFilter {
	only := map[string]bool{}
	for _, token := range tokens {
		if f.lets(token) {
			only[token] = true
		}
	}
	return tokenFilter{only: only}
}

func (f tokenFilter) no(tokens []string) tokenFilter {
	not := map[string]bool{}
	maps.Copy(not, f.not)
	for _, token := range tokens {
		not[token] = true
	}
	return tokenFilter{only: f.only, not: not}
}

// walk goes down from a node that the filter's tokens reach, where found were answered yes.
func (c *tokenCollector) walk(n *ContextNode, filter tokenFilter, found []*ContextTest) {
	switch {
	case n == nil:
	case n.Test == nil:
		if c.leaf(n, filter) {
			for _, t := range found {
				role := InSet
				switch t.Kind {
				case TestWithin:
					role = InWindow
				case TestLine:
					role = InLine
				}
				for _, token := range t.Tokens {
					c.of(token).Important |= role
				}
			}
		}
	case n.Test.Kind != TestToken || n.Test.Distance > 0:
		c.walk(n.Yes, filter, append(slices.Clip(found), n.Test))
		c.walk(n.No, filter, found)
	default:
		c.walk(n.Yes, filter.yes(n.Test.Tokens), found)
		c.walk(n.No, filter.no(n.Test.Tokens), found)
	}
}

// leaf collects the tokens for which a leaf predicts firing, and says whether it does for any.
func (c *tokenCollector) leaf(n *ContextNode, filter tokenFilter) (fires bool) {
	own := map[string]bool{} // tokens that the table predicts, whatever the leaf's value
	for _, entry := range n.Table {
		own[entry.Token] = true
		if entry.Value >= c.threshold && filter.lets(entry.Token) {
			fires = true
			t := c.of(entry.Token)
			if t.Activating |= InTable; filter.only != nil {
				t.Activating |= InSet
			}
		}
	}
	if n.Value >= c.threshold {
		fires = fires || filter.only == nil
		for token := range filter.only {
			if filter.lets(token) && !own[token] {
				fires = true
				c.of(token).Activating |= InSet
			}
		}
	}
	for _, entry := range n.Sequences {
		last := len(entry.Tokens) - 1
		if entry.Value < c.threshold || last < 0 || !filter.lets(entry.Tokens[last]) {
			continue
		}
		fires = true
		c.of(entry.Tokens[last]).Activating |= InSequence
		for _, token := range entry.Tokens[:last] {
			c.of(token).Important |= InSequence
		}
	}
	return fires
}

// check says what is wrong with a graph that was read.
func (g *ContextGraph) check() error {
	if g == nil {
		return nil
	}
	if g.Root == nil {
		return errors.New("it has no root")
	}
	for i, c := range g.Chances {
		if !(c.Chance > 0 && c.Chance < 1) || i > 0 && !(c.From > g.Chances[i-1].From) {
			return fmt.Errorf("the chances of firing are no steps between 0 and 1: %g from %g on", c.Chance, c.From)
		}
	}
	if s := g.Support; min(s.BuildTokens, s.BuildFiring, s.ValidateFiring, s.Asked) < 0 {
		return fmt.Errorf("it rests on %+v, of which something is negative", s)
	}
	return g.Root.check(0)
}

func (n *ContextNode) check(depth int) error {
	switch {
	case n.Tokens < 0 || n.Firing < 0:
		return fmt.Errorf("%g tokens come to a node, and %d fire", n.Tokens, n.Firing)
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
	// LogLoss is -Σ ln p over all tokens a firing token, p being the probability of what a token does by the chances that
	// the predictor has (nats; [FireChance]); ValueError the root of the mean squared error of the predicted share of the
	// maximum. Nil where they were not measured.
	LogLoss    *float64 `json:"log_loss,omitempty"`
	ValueError *float64 `json:"value_error,omitempty"`
}
