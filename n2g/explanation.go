package n2g

import (
	"cmp"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g/internal/label"
)

// Format is the version of an Explanation's JSON. The version before it, which had no context graph and no
// comparisons, is read too.
const (
	Format       = "n2g-explanation/2"
	formatBefore = "n2g-explanation/1"
)

// Explanation is everything the method found out about one neuron. It is a plain value: it marshals to JSON and back,
// and predicts on new text without any model.
type Explanation struct {
	Format        string   `json:"format"` // Format
	Model         string   `json:"model"`
	MaskedModel   string   `json:"masked_model,omitempty"`
	Site          Site     `json:"site"`
	MaxActivation float64  `json:"max_activation"`    // what activations are divided by
	Density       *float64 `json:"density,omitempty"` // share of tokens above the fire threshold, where the examples tell
	Options       Options  `json:"options"`           // resolved

	// train prompts in order, each with its strong positions in ascending order
	Prunes    []Prune    `json:"prunes"`
	Trie      *Node      `json:"trie,omitempty"`      // root of the merged trie, which predicts
	Graph     *Graph     `json:"graph,omitempty"`     // what is drawn
	Tests     []Test     `json:"tests,omitempty"`     // test prompts
	Scores    *Scores    `json:"scores,omitempty"`    // of the trie's predictions on Tests
	Baselines *Baselines `json:"baselines,omitempty"` // on the same Tests
	// Context is the graph learned from a whole corpus, where there was one; Comparisons are the scores of both graphs
	// and of baselines on its other documents.
	Context     *ContextGraph `json:"context,omitempty"`
	Comparisons []Comparison  `json:"comparisons,omitempty"`
	Behaviours  *Behaviours   `json:"behaviours,omitempty"` // nil: not looked for
	Effects     *Effects      `json:"effects,omitempty"`    // what the neuron does, where that was asked
	Notes       []string      `json:"notes,omitempty"`      // what was left out and why, a sentence each

	Work   *Work   `json:"work,omitempty"`   // what it has cost; older programs wrote none
	Stages *Stages `json:"stages,omitempty"` // only if Options.Stages
}

// Prune is one strong position of a train prompt: what is left of the prompt, which tokens matter, how variants fare.
type Prune struct {
	PromptIndex     int      `json:"prompt_index"` // in Examples.Prompts
	Position        int      `json:"position"`     // of the strong token in the prompt, BOS being 0
	Text            string   `json:"text"`
	InitialMax      float64  `json:"initial_max"`      // activation at Position
	TruncatedMax    float64  `json:"truncated_max"`    // maximum over the chosen candidate, without post-context
	ImportantTokens []string `json:"important_tokens"` // in order of position
	// the pruned text itself first, with change 1; then the positives as found, then the negatives
	Variants []Variant `json:"variants"`
	Measured *Measured `json:"measured,omitempty"`
}

// Scale is what activations of the pruned text are multiplied by to stand for those of the whole prompt.
func (p Prune) Scale() float64 {
	if p.TruncatedMax == 0 {
		return 1
	}
	return p.InitialMax / p.TruncatedMax
}

// Variant is a text that the masked model made of a pruned one.
type Variant struct {
	Text       string  `json:"text"`
	Activation float64 `json:"activation"` // its maximum
	Change     float64 `json:"change"`     // (Activation - that of the pruned text) / that of the pruned text
	Positive   bool    `json:"positive"`
	// where it adds to the graph or stages are kept; not of the first, which has the Prune's
	Measured *Measured `json:"measured,omitempty"`
}

// Measured is a text's tokens with what masking them showed.
type Measured struct {
	Tokens      []string  `json:"tokens"`      // token strings, BOS first: empty where the model has none
	Activations []float64 `json:"activations"` // normalised, rounded to 3 decimals, BOS 0
	Peak        int       `json:"peak"`        // position of the maximum
	Maximum     float64   `json:"maximum"`     // the activation at Peak as the model gives it
	Importances []float64 `json:"importances"` // of each token for the one at Peak
	// Matrix[i][j] is the importance of token i for token j; kept only with Options.Stages.
	Matrix [][]float64 `json:"matrix,omitempty"`
}

// Node is a node of the trie of section 5: token strings read backwards from the activating one.
type Node struct {
	Token      string   `json:"token"` // normalised; IgnoreToken where any token fits; RootToken
	Activation float64  `json:"activation"`
	Importance float64  `json:"importance"`
	Important  bool     `json:"important"`
	Activator  bool     `json:"activator"`
	Ignore     bool     `json:"ignore,omitempty"`
	LineEnd    bool     `json:"line_end,omitempty"` // the line that made this node ended at it
	End        *float64 `json:"end"`                // activation predicted where a walk passes this node; nil: none
	Children   []*Node  `json:"children"`           // in insertion order, never nil in JSON
}

// Graph is the display graph of section 5: nodes by depth, the activating tokens at depth 0, and an edge from each
// node to its context.
type Graph struct {
	Nodes []GraphNode `json:"nodes"` // breadth first
	Edges [][2]int    `json:"edges"` // indices of Nodes: from, to (to is one deeper)
}

// GraphNode is a token at a depth of the graph.
type GraphNode struct {
	Token      string  `json:"token"`
	Depth      int     `json:"depth"`
	Activation float64 `json:"activation"`
	Importance float64 `json:"importance"`
	Activator  bool    `json:"activator"`
	End        bool    `json:"end"`
}

// Test is a test prompt with what the neuron does and what the trie predicts, both normalised by the maximum
// activation.
type Test struct {
	PromptIndex int       `json:"prompt_index"`
	Tokens      []string  `json:"tokens"` // BOS first
	Activations []float64 `json:"activations"`
	Predictions []float64 `json:"predictions"`
	// KL says how much ablating the neuron changes what the model expects after each token, in nats; nil: not measured.
	KL []float64 `json:"kl,omitempty"`
}

// Scores compare predictions with the neuron over the pooled tokens of all test prompts (section 7).
type Scores struct {
	Firing    ClassScores `json:"firing"`
	NonFiring ClassScores `json:"non_firing"`
	// R2 is 1 - mse/variance, which the published program calls correlation; 0 where the truth does not vary.
	R2      float64 `json:"r2"`
	Pearson float64 `json:"pearson"` // of predicted and true activations; 0 where either does not vary
	// AveragePrecision of the predicted activations as a ranking of the tokens that fire.
	AveragePrecision float64 `json:"average_precision"`
}

// ClassScores are scikit-learn's for one class, a ratio without denominator being 0.
type ClassScores struct {
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
	Support   int     `json:"support"` // tokens that are of the class in truth
}

// Baselines are the two published ones, fitted on the train prompts.
type Baselines struct {
	TokenLookup Baseline `json:"token_lookup"`
	NGram       Baseline `json:"ngram"`
}

// Baseline is a baseline's result on the test prompts.
type Baseline struct {
	Scores Scores `json:"scores"`
}

// Stages are the intermediate results that only Options.Stages keeps.
type Stages struct {
	Trains          []Train  `json:"trains"`          // the whole train prompts
	Lines           [][]Line `json:"lines,omitempty"` // by prune: one entry a line, the activating token first
	TrieBeforeMerge *Node    `json:"trie_before_merge,omitempty"`
}

// Train is a whole train prompt with the neuron's normalised activations.
type Train struct {
	PromptIndex int       `json:"prompt_index"`
	Tokens      []string  `json:"tokens"` // BOS first
	Activations []float64 `json:"activations"`
}

// Label says in one line what the neuron fires on: its context graph's label, or the published graph's strongest
// activating tokens, written likewise; empty where there is neither.
func (e *Explanation) Label() string {
	if e.Context != nil && e.Context.Label != "" {
		return e.Context.Label
	}
	if e.Graph == nil {
		return ""
	}
	var nodes []GraphNode
	for _, n := range e.Graph.Nodes {
		if n.Depth == 0 {
			nodes = append(nodes, n)
		}
	}
	slices.SortStableFunc(nodes, func(a, b GraphNode) int { return cmp.Compare(b.Activation, a.Activation) })
	tokens := make([]string, len(nodes))
	for i, n := range nodes {
		tokens[i] = n.Token
	}
	return label.Tokens(tokens, 4)
}
