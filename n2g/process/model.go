package process

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/neuron2graph/neuron2graph/n2g"
)

// Options of a process. The zero value is the default.
type Options struct {
	// Timeout is how long the process may say nothing while it is asked something, loading its model included; 0 is 10
	// minutes.
	Timeout time.Duration
}

// Of questions: how many prompts one has where the model does not tell, how many numbers its answer has at most, and
// how many are under way at a time for one caller, so that the process never waits for the next.
const (
	defaultBatch = 32
	mostNumbers  = 4 << 20
	ahead        = 2
)

// Model is a model that a process holds. It is an n2g.LanguageModel and a corpus.Scanner, and safe for concurrent use.
//
// It takes the model for causal, as the method does: a prompt that another of the same call begins with is not sent by
// itself. The texts of single tokens, joined, are taken for the text of several, unless one is part of a character.
type Model struct {
	conn  *conn
	about about
	ctx   context.Context // of the process, for what has none of its own

	mu     sync.Mutex
	texts  map[int]string // of single tokens
	failed error          // the first of TokenString and Decode, which return none
}

var (
	_ n2g.LanguageModel = (*Model)(nil)
	_ n2g.RowCounter    = (*Model)(nil)
)

// Shell is a command that the system's shell runs: /bin/sh, or cmd on Windows.
func Shell(line string) *exec.Cmd { return exec.Command(shell, shellFlag, line) }

// Start starts a command, whose standard input and output it takes, and asks what its model is. The process runs until
// [Model.Close], or until ctx ends. The error of a command that cannot be started, ends, or does not speak the protocol
// tells its last lines on standard error.
func Start(ctx context.Context, cmd *exec.Cmd, o Options) (*Model, error) {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	c, err := start(ctx, cmd, o.Timeout)
	if err != nil {
		return nil, err
	}
	m := &Model{conn: c, ctx: ctx, texts: map[int]string{}}
	a, err := m.ask(ctx, question{Method: hello, Protocol: Protocol}, 0)
	if err == nil {
		m.about = a.about
		if err = m.about.check(); err != nil {
			err = fmt.Errorf("%s %w", c.name, err)
		}
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return m, nil
}

// ask is one question and its answer of most bytes, beyond a megabyte.
func (m *Model) ask(ctx context.Context, q question, most int) (*answer, error) {
	w, err := m.conn.ask(ctx, q, nil, most)
	if err != nil {
		return nil, err
	}
	return m.conn.wait(ctx, w)
}

// Close ends the process and what it has started. It returns what kept [Model.TokenString] or [Model.Decode] from
// answering, if nothing else has.
func (m *Model) Close() error {
	m.conn.close()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failed
}

// Name is what the process calls its model.
func (m *Model) Name() string { return m.about.Name }

// Command is the command that runs, for people.
func (m *Model) Command() string { return m.conn.name }

// Fingerprint is what the process gives to tell its model from others of the name; empty: it does not tell.
func (m *Model) Fingerprint() (string, error) { return m.about.Fingerprint, nil }

// Vocabulary is the number of token ids, or math.MaxInt32 where the process does not tell.
func (m *Model) Vocabulary() int {
	if m.about.Vocabulary == 0 {
		return math.MaxInt32
	}
	return m.about.Vocabulary
}

// BOS is the id that stands in front of every prompt, negative where nothing does.
func (m *Model) BOS() int {
	if m.about.BOS == nil {
		return -1
	}
	return *m.about.BOS
}

// MaskID is the id that stands in for a token whose importance is measured: the model's mask, else BOS.
func (m *Model) MaskID() int { return *m.about.Mask }

// ContextLength is the longest prompt in tokens, BOS included.
func (m *Model) ContextLength() int { return m.about.ContextLength }

// Sites are the hook points that the process answers for, as it lists them.
func (m *Model) Sites() []Site { return slices.Clone(m.about.Sites) }

// DefaultHook is the hook point that the process lists first.
func (m *Model) DefaultHook() string { return plain(m.about.Sites[0]) }

// plain is a site's hook point as [n2g.Site] has it.
func plain(s Site) string {
	site, err := n2g.ParseSite(n2g.Site{Layer: s.Layer, Hook: s.Hook}.String())
	if err != nil {
		return s.Hook // which about.check has ruled out
	}
	return site.Hook
}

// site finds a hook point of a layer; negative tells whether its negative side is meant, which is computed here.
func (m *Model) site(layer int, hook string) (found Site, negative bool, err error) {
	if hook == "" {
		hook = m.DefaultHook()
	}
	hook, negative = strings.CutPrefix(hook, "-")
	var there []string
	for _, s := range m.about.Sites {
		if s.Layer == layer && (s.Hook == hook || plain(s) == strings.TrimPrefix(hook, "mlp.")) {
			return s, negative, nil
		}
		if len(there) < 8 {
			there = append(there, n2g.Site{Layer: s.Layer, Hook: plain(s), Index: n2g.All}.String())
		}
	}
	if len(m.about.Sites) > len(there) {
		there = append(there, fmt.Sprintf("%d more", len(m.about.Sites)-len(there)))
	}
	return Site{}, false, fmt.Errorf("%s has no %s: its sites are %s", m.Name(),
		n2g.Site{Layer: layer, Hook: hook, Index: n2g.All}, strings.Join(there, ", "))
}

// Has tells whether the process answers for a hook point of a layer; an empty one is DefaultHook.
func (m *Model) Has(layer int, hook string) bool {
	_, _, err := m.site(layer, hook)
	return err == nil
}

// Width is the number of neurons at a hook point of a layer.
func (m *Model) Width(layer int, hook string) (int, error) {
	s, _, err := m.site(layer, hook)
	if err == nil && s.Width == 0 {
		err = fmt.Errorf(`%s does not tell how many numbers %s has: "width" in its answer to hello does`, m.Name(),
			n2g.Site{Layer: layer, Hook: plain(s), Index: n2g.All})
	}
	return s.Width, err
}

// Tokenize returns the token ids of text, without BOS.
func (m *Model) Tokenize(text string) ([]int, error) {
	ids, _, err := m.tokenize(text)
	return ids, err
}

// tokenize also returns where in the text each token lies, in characters; nil where the process does not tell.
func (m *Model) tokenize(text string) (ids []int, spans [][2]int, err error) {
	if text == "" {
		return []int{}, nil, nil
	}
	a, err := m.ask(m.ctx, question{Method: tokenize, Texts: []string{text}}, 128*len(text))
	if err != nil {
		return nil, nil, err
	}
	complain := func(format string, args ...any) error {
		return fmt.Errorf("%s answers tokenize with %s, for the text %s", m.conn.name, fmt.Sprintf(format, args...),
			excerpt([]byte(text)))
	}
	if len(a.IDs) != 1 {
		return nil, nil, complain(`%d lists of "ids", where one text is asked`, len(a.IDs))
	}
	ids = a.IDs[0]
	for _, id := range ids {
		if !m.about.holds(id) {
			return nil, nil, complain("the token id %d, of %d", id, m.Vocabulary())
		}
	}
	if ids == nil {
		ids = []int{}
	}
	if bos := m.BOS(); bos >= 0 && len(ids) > 0 && ids[0] == bos {
		if err := m.learn([]int{bos}); err != nil {
			return nil, nil, err
		}
		if spelt := m.TokenString(bos); spelt == "" || !strings.HasPrefix(text, spelt) {
			return nil, nil, complain("BOS (%d) in front, which is put there here: it leaves that out", bos)
		}
	}
	if a.Offsets != nil {
		if len(a.Offsets) != 1 || len(a.Offsets[0]) != len(ids) {
			return nil, nil, complain(`"offsets" of another number of tokens than "ids"`)
		}
		spans = a.Offsets[0]
	}
	return ids, spans, m.learn(ids) // all at once, as they will be asked for one by one
}

// TokenizeOffsets is Tokenize with, for each token, its bytes [start, end) of the text; a token that is part of a
// character has the whole character's. Where the process does not tell, the tokens' texts do, if they spell the text.
func (m *Model) TokenizeOffsets(text string) (ids []int, offsets [][2]int, err error) {
	ids, spans, err := m.tokenize(text)
	if err != nil {
		return nil, nil, err
	}
	if spans != nil {
		offsets, err = m.bytesOf(text, spans)
		return ids, offsets, err
	}
	offsets = make([][2]int, 0, len(ids))
	start := 0
	for rest := ids; len(rest) > 0; {
		piece, n := "", 0
		for n < min(utf8.UTFMax, len(rest)) { // tokens that are parts of one character
			n++
			if piece = m.Decode(rest[:n]); strings.HasPrefix(text[start:], piece) {
				break
			}
		}
		if !strings.HasPrefix(text[start:], piece) {
			return nil, nil, fmt.Errorf("the tokens of %s do not spell the text: at byte %d it has %s, and the token %d is %q; "+
				`decode has to give a token's text with the blank before it, or tokenize to answer with "offsets"`, m.Name(), start,
				excerpt([]byte(text[start:])), rest[0], m.TokenString(rest[0]))
		}
		for range n {
			offsets = append(offsets, [2]int{start, start + len(piece)})
		}
		start, rest = start+len(piece), rest[n:]
	}
	return ids, offsets, nil
}

// bytesOf turns spans of characters into spans of bytes.
func (m *Model) bytesOf(text string, spans [][2]int) ([][2]int, error) {
	at := make([]int, 0, len(text)+1) // byte of each character
	for i := range text {
		at = append(at, i)
	}
	at = append(at, len(text))
	offsets := make([][2]int, len(spans))
	for i, s := range spans {
		if s[0] < 0 || s[0] > s[1] || s[1] >= len(at) || i > 0 && s[0] < spans[i-1][0] {
			return nil, fmt.Errorf("%s answers tokenize with the offsets [%d, %d], which are no characters of the text behind "+
				"those before", m.conn.name, s[0], s[1])
		}
		offsets[i] = [2]int{at[s[0]], at[s[1]]}
	}
	return offsets, nil
}

// TokenString is the text of one id alone, its leading space kept; part of a character is U+FFFD. Where the process
// cannot answer it is empty, and the reason is what the next call of Activations and Close return.
func (m *Model) TokenString(id int) string {
	if !m.about.holds(id) || m.learn([]int{id}) != nil {
		return ""
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.texts[id]
}

// Decode is the text of a span of ids. Where the process cannot answer it is as TokenString.
func (m *Model) Decode(ids []int) string {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id int) bool { return !m.about.holds(id) })
	if len(ids) == 0 || m.learn(ids) != nil {
		return ""
	}
	var text strings.Builder
	m.mu.Lock()
	for _, id := range ids {
		text.WriteString(m.texts[id])
	}
	m.mu.Unlock()
	if len(ids) == 1 || !strings.ContainsRune(text.String(), utf8.RuneError) {
		return text.String()
	}
	whole, err := m.decode([][]int{ids})
	if err != nil {
		return ""
	}
	return whole[0]
}

// learn asks for the texts of single ids that are not known yet.
func (m *Model) learn(ids []int) error {
	var unknown [][]int
	asked := map[int]bool{}
	m.mu.Lock()
	for _, id := range ids {
		if _, ok := m.texts[id]; !ok && !asked[id] {
			asked[id] = true
			unknown = append(unknown, []int{id})
		}
	}
	m.mu.Unlock()
	if len(unknown) == 0 {
		return nil
	}
	texts, err := m.decode(unknown)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, text := range texts {
		m.texts[unknown[i][0]] = text
	}
	return nil
}

// decode asks for texts, and keeps the first error for the calls that return one.
func (m *Model) decode(ids [][]int) ([]string, error) {
	tokens := 0
	for _, list := range ids {
		tokens += len(list)
	}
	a, err := m.ask(m.ctx, question{Method: decode, IDs: ids}, 4096*tokens)
	if err == nil && len(a.Texts) != len(ids) {
		err = fmt.Errorf(`%s answers decode with %d "texts", where %d are asked`, m.conn.name, len(a.Texts), len(ids))
	}
	if err != nil {
		m.mu.Lock()
		if m.failed == nil {
			m.failed = err
		}
		m.mu.Unlock()
		return nil, err
	}
	return a.Texts, nil
}

// failure is what kept TokenString or Decode from answering.
func (m *Model) failure() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failed
}

// checkPrompts refuses what no model can run, before it is sent.
func (m *Model) checkPrompts(prompts [][]int) error {
	for i, ids := range prompts {
		switch {
		case len(ids) == 0:
			return fmt.Errorf("prompt %d is empty: give it a token at least", i)
		case len(ids) > m.ContextLength():
			return fmt.Errorf("prompt %d has %d tokens, and the context of %s is %d", i, len(ids), m.Name(), m.ContextLength())
		}
		for _, id := range ids {
			if !m.about.holds(id) {
				return fmt.Errorf("prompt %d holds the token id %d: the ids of %s are 0 to %d", i, id, m.Name(), m.Vocabulary()-1)
			}
		}
	}
	return nil
}

// Activations runs each prompt (ids, BOS included) and returns the activation of one neuron: result[i][k] is that on
// token positions[i][k] of prompts[i]. A nil positions, or a nil entry, asks every position. hook is one of
// [Model.Sites]; with - in front it is the negative side, values times -1.
func (m *Model) Activations(ctx context.Context, layer int, hook string, index int, prompts,
	positions [][]int) ([][]float32, error) {
	if err := m.failure(); err != nil {
		return nil, err
	}
	s, negative, err := m.site(layer, hook)
	switch {
	case err != nil:
		return nil, err
	case index < 0 || s.Width > 0 && index >= s.Width:
		return nil, fmt.Errorf("%s has no number %d: there are %d, from 0",
			n2g.Site{Layer: layer, Hook: plain(s), Index: n2g.All}, index, s.Width)
	case positions != nil && len(positions) != len(prompts):
		return nil, fmt.Errorf("%d lists of positions for %d prompts: give one each", len(positions), len(prompts))
	}
	if err := m.checkPrompts(prompts); err != nil {
		return nil, err
	}
	for i := range positions {
		for _, p := range positions[i] {
			if p < 0 || p >= len(prompts[i]) {
				return nil, fmt.Errorf("position %d of prompt %d: it has %d tokens", p, i, len(prompts[i]))
			}
		}
	}
	sent, in := shared(prompts, positions)
	values := make([][]float32, len(sent))
	err = m.run(ctx, s, &index, sent, func(first int, rows [][]float32) error {
		copy(values[first:], rows)
		return nil
	})
	if err != nil {
		return nil, err
	}
	result := make([][]float32, len(prompts))
	for i, ids := range prompts {
		asked := len(ids)
		if positions != nil && positions[i] != nil {
			asked = len(positions[i])
		}
		result[i] = make([]float32, asked)
		for k := range result[i] {
			p := k
			if positions != nil && positions[i] != nil {
				p = positions[i][k]
			}
			if result[i][k] = values[in[i]][p]; negative {
				result[i][k] *= -1
			}
		}
	}
	return result, nil
}

// Rows is how many tokens are sent for such a call of Activations.
func (m *Model) Rows(prompts, positions [][]int) int {
	sent, _ := shared(prompts, positions)
	rows := 0
	for _, ids := range sent {
		rows += len(ids)
	}
	return rows
}

// shared are the prompts that have to run: each cut behind the last position asked, without those that another begins
// with, by length, so that a batch needs little padding. in[i] is the one that has what is asked of prompts[i].
func shared(prompts, positions [][]int) (sent [][]int, in []int) {
	cut := make([][]int, len(prompts))
	var order []int
	for i, ids := range prompts {
		cut[i] = ids
		if positions != nil && positions[i] != nil {
			end := 0
			for _, p := range positions[i] {
				end = max(end, p+1)
			}
			cut[i] = ids[:end]
		}
		if len(cut[i]) > 0 {
			order = append(order, i)
		}
	}
	// In the order of their ids, a prompt stands before all that begin with it.
	slices.SortStableFunc(order, func(a, b int) int { return slices.Compare(cut[a], cut[b]) })
	whole := make([]int, len(prompts)) // by prompt, the one that is sent
	var kept []int
	for k := len(order) - 1; k >= 0; k-- {
		i := order[k]
		if n := len(kept); n > 0 && len(cut[i]) <= len(cut[kept[n-1]]) && slices.Equal(cut[i],
			cut[kept[n-1]][:len(cut[i])]) {
			whole[i] = kept[n-1]
			continue
		}
		kept, whole[i] = append(kept, i), i
	}
	slices.SortFunc(kept, func(a, b int) int {
		if len(cut[a]) != len(cut[b]) {
			return len(cut[a]) - len(cut[b])
		}
		return a - b
	})
	place := make(map[int]int, len(kept))
	for k, i := range kept {
		place[i], sent = k, append(sent, cut[i])
	}
	in = make([]int, len(prompts))
	for _, i := range order {
		in[i] = place[whole[i]]
	}
	return sent, in
}

// Scan runs windows (ids, BOS in front) and gives every neuron of some layers: what corpus.Scanner says. The process is
// asked for some windows at a time, and for these layer by layer: one that keeps its last forward pass runs them once.
func (m *Model) Scan(ctx context.Context, layers []int, hook string, windows [][]int,
	visit func(layer, first int, values []float32)) error {
	if err := errors.Join(m.failure(), m.checkPrompts(windows)); err != nil {
		return err
	}
	sites, negative := make([]Site, len(layers)), false
	widest := 1
	for i, layer := range layers {
		var err error
		if _, err = m.Width(layer, hook); err == nil {
			sites[i], negative, err = m.site(layer, hook)
		}
		if err != nil {
			return err
		}
		widest = max(widest, sites[i].Width)
	}
	row := 0
	for len(windows) > 0 {
		n, rows := 0, 0
		for n < len(windows) && n < m.about.Batch && (n == 0 || (rows+len(windows[n]))*widest <= mostNumbers) {
			rows += len(windows[n])
			n++
		}
		for i, s := range sites {
			first := row
			err := m.run(ctx, s, nil, windows[:n], func(_ int, found [][]float32) error {
				for _, values := range found {
					if negative {
						for k := range values {
							values[k] *= -1
						}
					}
					visit(i, first, values)
					first += len(values) / s.Width
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		row, windows = row+rows, windows[n:]
	}
	return nil
}

// run asks for the activations of prompts, in order, a batch at a time; neuron nil is all. visit is told of each batch.
func (m *Model) run(ctx context.Context, s Site, neuron *int, prompts [][]int,
	visit func(first int, rows [][]float32) error) error {
	of := n2g.Site{Layer: s.Layer, Hook: plain(s), Index: n2g.All}
	width := s.Width
	if neuron != nil {
		of.Index, width = *neuron, 1
	}
	type batch struct {
		first   int
		prompts [][]int
		call    *call
	}
	var under []batch
	take := func() error {
		b := under[0]
		under = under[1:]
		a, err := m.conn.wait(ctx, b.call)
		if err != nil {
			return err
		}
		if len(a.Activations) != len(b.prompts) {
			return fmt.Errorf(`%s answers activations of %s with %d lists of "activations", where %d prompts are asked`,
				m.conn.name, of, len(a.Activations), len(b.prompts))
		}
		rows := make([][]float32, len(b.prompts))
		for i, ids := range b.prompts {
			if rows[i], err = floats(a.Activations[i], len(ids), width); err != nil {
				return fmt.Errorf("%s answers activations of %s, for prompt %d of the question, with %w", m.conn.name, of, i, err)
			}
		}
		return visit(b.first, rows)
	}
	for first := 0; first < len(prompts); first += m.about.Batch {
		b := batch{first: first, prompts: prompts[first:min(first+m.about.Batch, len(prompts))]}
		if len(under) == ahead {
			if err := take(); err != nil {
				return err
			}
		}
		tokens := 0
		for _, ids := range b.prompts {
			tokens += len(ids)
		}
		var err error
		b.call, err = m.conn.ask(ctx, question{Method: activations},
			&reading{of.String(), s.Layer, s.Hook, neuron, b.prompts}, 32*tokens*width)
		if err != nil {
			return err
		}
		under = append(under, b)
	}
	for len(under) > 0 {
		if err := take(); err != nil {
			return err
		}
	}
	return ctx.Err()
}
