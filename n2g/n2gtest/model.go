package n2gtest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"unicode"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Rule is what a neuron of [Model] does. Tokens are spelled as the model cuts them, with the blank before them.
type Rule struct {
	Token   string  // the token that excites the neuron
	Context string  // the token that must stand somewhere before it; empty: none
	Full    float32 // activation on Token after Context
	Alone   float32 // activation on Token without Context
	Rest    float32 // activation on every other token, BOS included
}

// Model is a language model of one layer whose neuron i, at hook_mid, follows the i-th rule. Its tokens are words with
// the blank before them, and single other characters. It is safe for concurrent use.
type Model struct {
	rules []Rule

	mu     sync.Mutex
	tokens []string // by id, in the order of their first appearance
	ids    map[string]int
	calls  int
}

var _ n2g.LanguageModel = (*Model)(nil)

// Ids and the context length of every [Model].
const (
	bos           = 0
	mask          = 1
	contextLength = 256
)

// NewModel returns a model with a neuron for each rule.
func NewModel(rules ...Rule) *Model {
	m := &Model{rules: rules, ids: map[string]int{}}
	m.id("<|endoftext|>")
	m.id("<|padding|>")
	return m
}

// id is the id of a token, a new one if it has none yet.
func (m *Model) id(token string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	id, ok := m.ids[token]
	if !ok {
		id = len(m.tokens)
		m.ids[token] = id
		m.tokens = append(m.tokens, token)
	}
	return id
}

// Name is toy.
func (m *Model) Name() string { return "toy" }

// Tokenize cuts text into words with the blank before them, and single other characters.
func (m *Model) Tokenize(text string) ([]int, error) {
	ids := []int{}
	for text != "" {
		n := tokenLength(text)
		ids = append(ids, m.id(text[:n]))
		text = text[n:]
	}
	return ids, nil
}

// tokenLength is the length in bytes of the first token of a text that is not empty.
func tokenLength(text string) int {
	word := strings.TrimPrefix(text, " ")
	if n := strings.IndexFunc(word, func(r rune) bool { return !unicode.IsLetter(r) }); n > 0 {
		return len(text) - len(word) + n
	} else if n < 0 && word != "" {
		return len(text)
	}
	for i := range text {
		if i > 0 {
			return i
		}
	}
	return len(text)
}

// TokenString is the text of an id that Tokenize gave, empty for others.
func (m *Model) TokenString(id int) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if id < 0 || id >= len(m.tokens) {
		return ""
	}
	return m.tokens[id]
}

// Decode joins the texts of the ids.
func (m *Model) Decode(ids []int) string {
	var text strings.Builder
	for _, id := range ids {
		text.WriteString(m.TokenString(id))
	}
	return text.String()
}

// BOS is the id of <|endoftext|>.
func (m *Model) BOS() int { return bos }

// MaskID is the id of <|padding|>.
func (m *Model) MaskID() int { return mask }

// ContextLength is 256.
func (m *Model) ContextLength() int { return contextLength }

// DefaultHook is hook_mid, the only one.
func (m *Model) DefaultHook() string { return "hook_mid" }

// Calls is how often Activations was called.
func (m *Model) Calls() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls
}

// Activations follows the rule of the neuron.
func (m *Model) Activations(ctx context.Context, layer int, hook string, index int, prompts,
	positions [][]int) ([][]float32, error) {
	m.mu.Lock()
	m.calls++
	m.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case layer != 0:
		return nil, fmt.Errorf("the toy model has no layer %d, only layer 0", layer)
	case hook != "hook_mid":
		return nil, fmt.Errorf("the toy model has no hook %q, only hook_mid", hook)
	case index < 0 || index >= len(m.rules):
		return nil, fmt.Errorf("the toy model has no neuron %d, only 0 to %d", index, len(m.rules)-1)
	case positions != nil && len(positions) != len(prompts):
		return nil, fmt.Errorf("%d prompts but positions of %d", len(prompts), len(positions))
	}
	result := make([][]float32, len(prompts))
	for i, prompt := range prompts {
		if len(prompt) == 0 || len(prompt) > contextLength {
			return nil, fmt.Errorf("prompt %d has %d tokens; the toy model reads 1 to %d", i, len(prompt), contextLength)
		}
		all, err := m.follow(m.rules[index], prompt)
		if err != nil {
			return nil, fmt.Errorf("prompt %d: %w", i, err)
		}
		if positions == nil || positions[i] == nil {
			result[i] = all
			continue
		}
		result[i] = make([]float32, len(positions[i]))
		for k, position := range positions[i] {
			if position < 0 || position >= len(all) {
				return nil, fmt.Errorf("prompt %d has no position %d, only 0 to %d", i, position, len(all)-1)
			}
			result[i][k] = all[position]
		}
	}
	return result, nil
}

func (m *Model) follow(rule Rule, prompt []int) ([]float32, error) {
	activations := make([]float32, len(prompt))
	ready := rule.Context == ""
	for i, id := range prompt {
		token := m.TokenString(id)
		switch {
		case token == "":
			return nil, fmt.Errorf("the toy model has no token %d", id)
		case token == rule.Token && ready:
			activations[i] = rule.Full
		case token == rule.Token:
			activations[i] = rule.Alone
		default:
			activations[i] = rule.Rest
		}
		ready = ready || token == rule.Context
	}
	return activations, nil
}
