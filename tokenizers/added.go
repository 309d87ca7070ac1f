package tokenizers

import (
	"fmt"
	"unicode/utf8"
)

// addedToken is a token found in the text before anything else is done to it.
type addedToken struct {
	ID         int    `json:"-"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"` // only where no word character touches it
	LStrip     bool   `json:"lstrip"`      // takes the blanks before it
	RStrip     bool   `json:"rstrip"`      // takes the blanks after it
	Normalized bool   `json:"normalized"`  // is looked for in the normalized text, normalized too
	Special    bool   `json:"special"`     // is left out by Decode on request
}

// addedVocabulary finds added tokens: those to be found as they are first, then, between them, those to be found in
// normalized text.
type addedVocabulary struct {
	tokens           []addedToken
	plain, processed matcher
}

// maxAdded bounds the length of an added token, in bytes.
const maxAdded = 1 << 12

// maxNodes bounds the tries of added tokens, one node a byte: hundreds of times the largest there is.
const maxNodes = 1 << 22

// newAddedVocabulary gives each token the id that the model's vocabulary has for it, and the others ids that follow the
// vocabulary, in their order: as the reference library does, whatever ids the file tells. The two differ only in files
// that no library wrote.
func newAddedVocabulary(tokens []addedToken, vocab map[string]int, norm normalizer) (*addedVocabulary, error) {
	v := &addedVocabulary{plain: newMatcher(), processed: newMatcher()}
	top := -1 // highest id of an added token
	seen := make(map[string]bool, len(tokens))
	for i, t := range tokens {
		if t.Content == "" || seen[t.Content] {
			continue
		}
		if len(t.Content) > maxAdded {
			return nil, fmt.Errorf("added token %d is %d bytes long, more than the limit of %d", i, len(t.Content), maxAdded)
		}
		seen[t.Content] = true
		id, ok := vocab[t.Content]
		if !ok {
			id = max(len(vocab), top+1)
		}
		t.ID, top = id, max(top, id)
		n := len(v.tokens)
		v.tokens = append(v.tokens, t)
		switch {
		case !t.Normalized:
			v.plain.insert(t.Content, n)
		case norm == nil:
			v.processed.insert(t.Content, n)
		default:
			v.processed.insert(norm.normalize(text{s: t.Content}).s, n)
		}
		if len(v.plain.nodes)+len(v.processed.nodes) > maxNodes {
			return nil, fmt.Errorf("added tokens: together they are longer than the limit of %d bytes", maxNodes)
		}
	}
	return v, nil
}

// split calls found for each added token in s, and between for what lies between them; both in order, neither with an
// empty piece.
func (v *addedVocabulary) split(m *matcher, t text, found func(piece text, tok *addedToken), between func(piece text)) {
	if m.empty() {
		if t.s != "" {
			between(t)
		}
		return
	}
	s, done := t.s, 0
	for at := 0; at < len(s); {
		start, end, n := m.next(s, at)
		if n < 0 {
			break
		}
		at = end
		tok := &v.tokens[n]
		if tok.SingleWord && (wordEnds(s[:start]) || wordBegins(s[end:])) {
			continue
		}
		if tok.LStrip {
			start = max(blankStart(s[:start]), done)
		}
		if tok.RStrip {
			end += runEnd(s[end:], 0, classSpace)
		}
		if done < start {
			between(t.slice(done, start))
		}
		if start < end {
			found(t.slice(start, end), tok)
		}
		done = end
	}
	if done < len(s) {
		between(t.slice(done, len(s)))
	}
}

func wordBegins(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return s != "" && isWord(r)
}

func wordEnds(s string) bool {
	r, _ := utf8.DecodeLastRuneInString(s)
	return s != "" && isWord(r)
}

// blankStart is where the run of blanks at the end of s begins.
func blankStart(s string) int {
	for len(s) > 0 {
		r, n := utf8.DecodeLastRuneInString(s)
		if !isSpace(r) {
			break
		}
		s = s[:len(s)-n]
	}
	return len(s)
}

// matcher finds the leftmost of a set of strings, the longest of those that begin there: a trie of bytes.
type matcher struct {
	first [256]int32 // node by first byte; 0: none
	nodes []trieNode // node 0 is not used
}

type trieNode struct {
	edges []trieEdge
	table *[256]int32 // of edges, where there are many
	value int32       // of the string that ends here; -1: none
}

type trieEdge struct {
	b    byte
	node int32
}

func newMatcher() matcher { return matcher{nodes: []trieNode{{value: -1}}} }

func (m *matcher) empty() bool { return len(m.nodes) == 1 }

// insert adds a string; of equal ones the first stays.
func (m *matcher) insert(s string, value int) {
	if s == "" {
		return
	}
	node := m.first[s[0]]
	if node == 0 {
		node = m.grow()
		m.first[s[0]] = node
	}
	for i := 1; i < len(s); i++ {
		child := m.child(node, s[i])
		if child == 0 {
			child = m.grow()
			m.nodes[node].edges = append(m.nodes[node].edges, trieEdge{s[i], child})
		}
		node = child
	}
	if m.nodes[node].value < 0 {
		m.nodes[node].value = int32(value)
	}
}

func (m *matcher) grow() int32 {
	m.nodes = append(m.nodes, trieNode{value: -1})
	return int32(len(m.nodes) - 1)
}

func (m *matcher) child(node int32, b byte) int32 {
	if table := m.nodes[node].table; table != nil {
		return table[b]
	}
	for _, e := range m.nodes[node].edges {
		if e.b == b {
			return e.node
		}
	}
	return 0
}

// index gives nodes of many edges a table; afterwards nothing may be inserted.
func (m *matcher) index() {
	const many = 8
	for i := range m.nodes {
		if edges := m.nodes[i].edges; len(edges) > many {
			table := new([256]int32)
			for _, e := range edges {
				table[e.b] = e.node
			}
			m.nodes[i].table = table
		}
	}
}

// prefixes calls found with the length and value of every string that s begins with, shortest first.
func (m *matcher) prefixes(s string, found func(length, value int)) {
	node := m.first[s[0]]
	for i := 1; node != 0; i++ {
		if v := m.nodes[node].value; v >= 0 {
			found(i, int(v))
		}
		if i == len(s) {
			return
		}
		node = m.child(node, s[i])
	}
}

// next is the first match in s at or after byte at, and its value; -1 where there is none.
func (m *matcher) next(s string, at int) (start, end, value int) {
	for ; at < len(s); at++ {
		node := m.first[s[at]]
		if node == 0 {
			continue
		}
		value = -1
		for i := at + 1; ; i++ {
			if v := m.nodes[node].value; v >= 0 {
				end, value = i, int(v)
			}
			if i == len(s) {
				break
			}
			if node = m.child(node, s[i]); node == 0 {
				break
			}
		}
		if value >= 0 {
			return at, end, value
		}
	}
	return 0, 0, -1
}
