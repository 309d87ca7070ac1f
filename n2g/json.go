package n2g

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
)

// MaxExplanationBytes bounds the JSON of one Explanation; with every stage one takes a few megabytes.
const MaxExplanationBytes = 64 << 20

// CheckSize says whether the JSON of an Explanation is longer, or of more parts, than one is: a few bytes of JSON can
// become hundreds in memory.
func CheckSize(data []byte) error {
	const maxObjects, maxValues = 1 << 20, 8 << 20
	switch {
	case len(data) > MaxExplanationBytes:
		return fmt.Errorf("the explanation is longer than %d MiB of JSON, the most that is read: explain with fewer or "+
			"shorter examples", MaxExplanationBytes>>20)
	case bytes.Count(data, []byte("{")) > maxObjects || bytes.Count(data, []byte(",")) > maxValues:
		return fmt.Errorf("the explanation has more than %d objects or %d values, the most that are read: explain with "+
			"fewer or shorter examples", maxObjects, maxValues)
	}
	return nil
}

// plainExplanation has an Explanation's fields without its methods, for encoding/json to read and write.
type plainExplanation Explanation

// MarshalJSON writes the format that Format names. Lists are never null where the schema has them always: prunes and
// what they hold, and the trie's children. A number that is not finite is an error.
func (e Explanation) MarshalJSON() ([]byte, error) {
	p := plainExplanation(e)
	p.Format = Format
	p.Prunes = make([]Prune, len(e.Prunes))
	for i, prune := range e.Prunes {
		prune.ImportantTokens = notNil(prune.ImportantTokens)
		prune.Variants = notNil(prune.Variants)
		p.Prunes[i] = prune
	}
	p.Trie = e.Trie.withChildren()
	if e.Stages != nil {
		stages := *e.Stages
		stages.TrieBeforeMerge = stages.TrieBeforeMerge.withChildren()
		p.Stages = &stages
	}
	data, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("cannot write the explanation of layer %d neuron %d as JSON: %w", e.Site.Layer, e.Site.Index,
			err)
	}
	return data, nil
}

func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// withChildren is the trie itself, or a copy in which no Children are nil.
func (n *Node) withChildren() *Node {
	if n == nil {
		return nil
	}
	complete := n.Children != nil
	for node := range n.Nodes() {
		complete = complete && node.Children != nil
	}
	if complete {
		return n
	}
	return n.clone()
}

func (n *Node) clone() *Node {
	c := *n
	c.Children = make([]*Node, len(n.Children))
	for i, child := range n.Children {
		c.Children[i] = child.clone()
	}
	return &c
}

// UnmarshalJSON reads what MarshalJSON wrote. It refuses other formats, and values whose parts contradict each other,
// so that what it accepts can be predicted with and drawn. Options that the JSON lacks get their defaults.
func (e *Explanation) UnmarshalJSON(data []byte) error {
	if err := CheckSize(data); err != nil {
		return err
	}
	var head struct {
		Format *string `json:"format"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return fmt.Errorf("not an explanation: %w", err)
	}
	switch {
	case head.Format == nil:
		return fmt.Errorf("not an explanation: the field format is missing; it should be %q", Format)
	case *head.Format != Format && *head.Format != formatBefore:
		return fmt.Errorf("the explanation's format is %q; this program reads %q: use the version that wrote it",
			*head.Format, Format)
	}
	var p plainExplanation
	if err := json.Unmarshal(data, &p); err != nil {
		return fmt.Errorf("not an explanation: %w", err)
	}
	read := Explanation(p)
	read.Format = Format
	if err := read.check(); err != nil {
		return fmt.Errorf("the explanation of layer %d neuron %d is damaged: %w; make it anew", read.Site.Layer,
			read.Site.Index, err)
	}
	read.Options = read.Options.Resolved()
	*e = read
	return nil
}

// check says which parts contradict each other. The depth of tries is bounded by encoding/json.
func (e *Explanation) check() error {
	if e.Site.Layer < 0 || e.Site.Index < 0 {
		return errors.New("its layer or neuron is negative")
	}
	if d := e.Density; d != nil && !(*d >= 0 && *d <= 1) {
		return fmt.Errorf("its density is %g, which is no share", *d)
	}
	if err := e.Scores.check(); err != nil {
		return fmt.Errorf("scores: %w", err)
	}
	if b := e.Baselines; b != nil {
		if err := errors.Join(b.TokenLookup.Scores.check(), b.NGram.Scores.check()); err != nil {
			return fmt.Errorf("scores of baselines: %w", err)
		}
	}
	if err := e.Trie.check(); err != nil {
		return fmt.Errorf("trie: %w", err)
	}
	if err := e.Context.check(); err != nil {
		return fmt.Errorf("context graph: %w", err)
	}
	if err := e.Behaviours.check(); err != nil {
		return fmt.Errorf("behaviours: %w", err)
	}
	for _, c := range e.Comparisons {
		if err := c.Scores.check(); err != nil {
			return fmt.Errorf("scores of the %s on %s: %w", c.Predictor, c.Text, err)
		}
	}
	if err := e.Graph.check(); err != nil {
		return fmt.Errorf("graph: %w", err)
	}
	if err := e.Effects.check(); err != nil {
		return fmt.Errorf("effects: %w", err)
	}
	for i, t := range e.Tests {
		if len(t.Activations) != len(t.Tokens) || len(t.Predictions) != len(t.Tokens) {
			return fmt.Errorf("test %d has %d tokens, %d activations and %d predictions", i, len(t.Tokens), len(t.Activations),
				len(t.Predictions))
		}
		if t.KL != nil && len(t.KL) != len(t.Tokens) {
			return fmt.Errorf("test %d has %d tokens and effects after %d", i, len(t.Tokens), len(t.KL))
		}
	}
	for i, p := range e.Prunes {
		if err := p.Measured.check(); err != nil {
			return fmt.Errorf("prune %d: %w", i, err)
		}
		for k, v := range p.Variants {
			if err := v.Measured.check(); err != nil {
				return fmt.Errorf("prune %d, variant %d: %w", i, k, err)
			}
		}
	}
	if e.Stages == nil {
		return nil
	}
	for i, t := range e.Stages.Trains {
		if len(t.Activations) != len(t.Tokens) {
			return fmt.Errorf("train prompt %d has %d tokens and %d activations", i, len(t.Tokens), len(t.Activations))
		}
	}
	if err := e.Stages.TrieBeforeMerge.check(); err != nil {
		return fmt.Errorf("trie before merging: %w", err)
	}
	return nil
}

func (n *Node) check() error {
	if n == nil {
		return nil
	}
	queue := []*Node{n}
	for len(queue) > 0 {
		node := queue[0]
		queue = queue[1:]
		for _, c := range node.Children {
			if c == nil {
				return fmt.Errorf("a child of node %q is null", node.Token)
			}
			queue = append(queue, c)
		}
	}
	return nil
}

func (s *Scores) check() error {
	if s == nil {
		return nil
	}
	for _, c := range [...]ClassScores{s.Firing, s.NonFiring} {
		if c.Support < 0 {
			return fmt.Errorf("a support is %d", c.Support)
		}
		for _, v := range [...]float64{c.Precision, c.Recall, c.F1} {
			if v < 0 || v > 1 {
				return fmt.Errorf("%g is no share", v)
			}
		}
	}
	const rounding = 1e-9
	if math.Abs(s.Pearson) > 1+rounding || s.AveragePrecision < -rounding || s.AveragePrecision > 1+rounding {
		return fmt.Errorf("correlation %g and average precision %g are not possible", s.Pearson, s.AveragePrecision)
	}
	return nil
}

func (g *Graph) check() error {
	if g == nil {
		return nil
	}
	for i, node := range g.Nodes {
		if node.Depth < 0 || node.Depth >= len(g.Nodes) {
			return fmt.Errorf("node %d of %d has depth %d", i, len(g.Nodes), node.Depth)
		}
	}
	for _, edge := range g.Edges {
		for _, end := range edge {
			if end < 0 || end >= len(g.Nodes) {
				return fmt.Errorf("an edge leads to node %d of %d", end, len(g.Nodes))
			}
		}
	}
	return nil
}

func (m *Measured) check() error {
	if m == nil {
		return nil
	}
	n := len(m.Tokens)
	switch {
	case len(m.Activations) != n || len(m.Importances) != n:
		return fmt.Errorf("%d tokens, %d activations and %d importances", n, len(m.Activations), len(m.Importances))
	case m.Peak < 0 || m.Peak >= max(n, 1):
		return fmt.Errorf("its maximum is at token %d of %d", m.Peak, n)
	case len(m.Matrix) > n:
		return fmt.Errorf("%d rows of importances for %d tokens", len(m.Matrix), n)
	}
	for _, row := range m.Matrix {
		if len(row) > n {
			return fmt.Errorf("a row of %d importances for %d tokens", len(row), n)
		}
	}
	return nil
}

// ReadExplanation reads the JSON of one Explanation.
func ReadExplanation(r io.Reader) (*Explanation, error) {
	var found *Explanation
	for e, err := range ReadExplanations(r) {
		switch {
		case err != nil:
			return nil, err
		case found != nil:
			return nil, errors.New("the input holds more than one explanation; read it as JSON Lines")
		}
		found = e
	}
	if found == nil {
		return nil, errors.New("the input holds no explanation: it is empty")
	}
	return found, nil
}

// ReadExplanations yields the Explanations of JSON Lines (or of any JSON values in a row), and ends with the first
// error.
func ReadExplanations(r io.Reader) iter.Seq2[*Explanation, error] {
	return func(yield func(*Explanation, error) bool) {
		limited := &quotaReader{r: r}
		decoder := json.NewDecoder(limited)
		for number := 1; ; number++ {
			limited.left = MaxExplanationBytes
			e := new(Explanation)
			err := decoder.Decode(e)
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(nil, fmt.Errorf("explanation %d of the input: %w", number, err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// quotaReader fails when more than left bytes are read from it.
type quotaReader struct {
	r    io.Reader
	left int
}

func (q *quotaReader) Read(p []byte) (int, error) {
	if q.left <= 0 {
		return 0, fmt.Errorf("it is longer than %d bytes", MaxExplanationBytes)
	}
	n, err := q.r.Read(p[:min(len(p), q.left)])
	q.left -= n
	return n, err
}

// plainExamples are the fields of Examples but its Site.
type plainExamples Examples

// MarshalJSON writes the site as the fields layer, neuron and, unless it is empty, hook.
func (e Examples) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false) // whoever calls may do it
	err := encoder.Encode(struct {
		Layer  int    `json:"layer"`
		Neuron int    `json:"neuron"`
		Hook   string `json:"hook,omitempty"`
		plainExamples
	}{e.Site.Layer, e.Site.Index, e.Site.Hook, plainExamples(e)})
	return b.Bytes(), err
}

// UnmarshalJSON reads what MarshalJSON writes. The site may also be the field site, in the form of [ParseSite].
// Other fields are errors: they are misspelled ones.
func (e *Examples) UnmarshalJSON(data []byte) error {
	var line struct {
		Layer  int    `json:"layer"`
		Neuron int    `json:"neuron"`
		Hook   string `json:"hook"`
		Text   string `json:"site"`
		plainExamples
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&line); err != nil {
		return err
	}
	*e = Examples(line.plainExamples)
	e.Site = Site{Layer: line.Layer, Index: line.Neuron, Hook: line.Hook}
	if line.Text == "" {
		return nil
	}
	if e.Site != (Site{}) {
		return errors.New("the field site says what layer, neuron and hook say: give one of them")
	}
	site, err := ParseSite(line.Text)
	if err == nil && site.Index == All {
		err = fmt.Errorf("%s names all of a hook point: examples are of one", line.Text)
	}
	e.Site = site
	return err
}
