package tokenizers

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// pipeline is a Tokenizer made of the sections of a tokenizer.json: added tokens are found, what lies between is
// normalized and cut into words, the model splits those, the post-processor adds special tokens.
type pipeline struct {
	added   *addedVocabulary
	norm    normalizer // nil: none
	steps   []preTokenizer
	model   model
	post    []postStep
	decoder []decodeStep // nil: tokens are joined by blanks
	special Special

	vocab       map[string]int
	addedID     map[string]int
	tokens      []string        // by id, as spelled; added tokens come first
	encoded     []string        // by id, as the decoder reads it
	known       []bool          // by id: there is such an entry
	skipped     map[string]bool // content of special tokens
	blanks      [][2]int        // by id: blanks at either end; nil where no step of post asks
	size        int
	direct      words      // how steps cut a text that nothing has changed, where they give slices of it; else nil
	prefixSpace bool       // direct is for texts that begin with a space
	cache       *wordCache // of the model, if it has one and direct is used

	byLine bool // no word, and nothing that a normalizer looks at, reaches over a line's end
}

// index fills the tables by id, and lets a byte-level model read bytes directly.
func (p *pipeline) index() {
	top := -1
	for _, id := range p.vocab {
		top = max(top, id)
	}
	for _, t := range p.added.tokens {
		top = max(top, t.ID)
	}
	p.tokens, p.known = make([]string, top+1), make([]bool, top+1)
	p.addedID, p.skipped = make(map[string]int), make(map[string]bool)
	for entry, id := range p.vocab {
		p.tokens[id], p.known[id] = entry, true
	}
	p.size = len(p.vocab)
	for _, t := range p.added.tokens {
		p.tokens[t.ID], p.known[t.ID] = t.Content, true
		p.addedID[t.Content] = t.ID
		if t.Special {
			p.skipped[t.Content] = true
		}
		if _, ok := p.vocab[t.Content]; !ok {
			p.size++
		}
	}
	p.encoded = p.tokens
	if slices.Contains(p.decoder, decodeStep(byteDecoder{})) {
		p.encodeAdded()
	}
	for _, s := range p.post {
		if _, ok := s.(trimOffsets); ok && p.blanks == nil {
			p.blanks = make([][2]int, top+1)
			for id, token := range p.tokens {
				p.blanks[id] = [2]int{leadingBlanks(token), trailingBlanks(token)}
			}
		}
	}
	if _, isBERT := p.norm.(bertNormalizer); isBERT && p.added.processed.empty() && len(p.steps) > 0 {
		_, isBERT := p.steps[0].(words)
		first, _ := p.steps[0].(cutter)
		blank, isRunes := first.pattern.(runes)
		p.byLine = isBERT || isRunes && !first.invert && first.behavior == removed && blank(' ') && blank('\n')
	}
	if n := len(p.steps) - 1; n >= 0 {
		last, isBytes := p.steps[n].(byteLevel)
		if m, ok := p.model.(*bpe); ok && isBytes && m.useBytes() {
			last.plain = true
			p.steps[n] = last
		}
	}
	p.direct, p.prefixSpace = directWay(p.steps)
	switch m := p.model.(type) {
	case *bpe:
		p.cache = m.cache
	case *wordPiece:
		p.cache = m.cache
	}
}

// directWay is how the steps cut a text into words that are slices of it, nil where they change it or are others. With
// prefixSpace that holds only of texts that begin with a space.
func directWay(steps []preTokenizer) (way words, prefixSpace bool) {
	if len(steps) == 1 {
		switch s := steps[0].(type) {
		case words:
			return s, false
		case byteLevel:
			if s.plain && s.regex {
				return splitGPT2, s.prefixSpace
			}
		}
	}
	if len(steps) == 2 {
		first, isCutter := steps[0].(cutter)
		last, isBytes := steps[1].(byteLevel)
		if isCutter && isBytes && !first.invert && first.behavior == isolated && last.plain && !last.regex &&
			!last.prefixSpace {
			switch f := first.pattern.(type) {
			case splitter:
				return words(f), false
			case *automaton:
				return f.cut, false
			}
		}
	}
	return nil, false
}

// encodeAdded writes added tokens in GPT-2's alphabet, so that the decoder gives back their plain text, whatever
// letters it has. One that the model makes too, of the bytes that its letters stand for, is the model's. (The reference
// library reads them all as bytes.)
func (p *pipeline) encodeAdded() {
	p.encoded = slices.Clone(p.tokens)
	m, _ := p.model.(*bpe)
	var made map[int]bool
	for _, t := range p.added.tokens {
		written := toByteLevel(text{s: t.Content}).s
		if written == t.Content {
			continue
		}
		if _, ok := p.vocab[t.Content]; ok && m != nil {
			if made == nil {
				made = m.made()
			}
			if made[t.ID] {
				continue
			}
		}
		p.encoded[t.ID] = written
	}
}

func (p *pipeline) Encode(text string) Encoding { return p.encode(text, false) }

func (p *pipeline) EncodeSpecial(text string) Encoding { return p.encode(text, true) }

func (p *pipeline) encode(in string, special bool) Encoding {
	src := text{s: ValidText(in)}
	capacity := len(src.s)/3 + 4 // about what English and source code need
	out := output{Encoding: Encoding{IDs: make([]int, 0, capacity), Offsets: make([][2]int, 0, capacity)}, src: src.s}
	buf := make([]token, 0, cacheMaxWord)
	word := func(t text) {
		for _, k := range p.model.tokenize(t.s, buf) {
			out.IDs = append(out.IDs, int(k.id))
			out.Offsets = append(out.Offsets, t.original(int(k.start), int(k.end)))
			if p.blanks != nil {
				out.blanks = append(out.blanks, p.blanks[k.id])
			}
		}
	}
	addedToken := func(t text, tok *addedToken) {
		out.IDs = append(out.IDs, tok.ID)
		out.Offsets = append(out.Offsets, t.original(0, len(t.s)))
		if p.blanks != nil {
			out.blanks = append(out.blanks, [2]int{leadingBlanks(t.s), trailingBlanks(t.s)})
		}
	}
	p.added.split(&p.added.plain, src, addedToken, func(t text) {
		for t.s != "" {
			piece := t
			if p.byLine {
				piece = t.slice(0, pieceEnd(t.s))
			}
			t = t.slice(len(piece.s), len(t.s))
			if p.norm != nil {
				piece = p.norm.normalize(piece)
			}
			p.added.split(&p.added.processed, piece, addedToken, func(t text) {
				if p.direct == nil || p.cache == nil || t.align != nil || p.prefixSpace && t.s[0] != ' ' {
					runSteps(p.steps, t, word)
					return
				}
				p.direct(t.s, func(i, j int) {
					e := p.cache.known(t.s[i:j])
					if e == nil || !e.whole {
						word(t.slice(i, j))
						return
					}
					for _, k := range e.tokens[:e.n] {
						out.IDs = append(out.IDs, int(k.id))
						out.Offsets = append(out.Offsets, [2]int{t.base + i + int(k.start), t.base + i + int(k.end)})
						if p.blanks != nil {
							out.blanks = append(out.blanks, p.blanks[k.id])
						}
					}
				})
			})
		}
	})
	for _, s := range p.post {
		s.apply(&out, special)
	}
	return out.Encoding
}

// pieceEnd is the end of the first few lines of s. A character before which s can be cut is of ASCII: no other one
// changes it.
func pieceEnd(s string) int {
	const least = 256 // bytes: one line at a time costs more, and a piece of plain ASCII is fast
	for i := least; i < len(s); i++ {
		if s[i-1] == '\n' && s[i] < utf8.RuneSelf {
			return i
		}
	}
	return len(s)
}

func (p *pipeline) Decode(ids []int, skipSpecial bool) string {
	tokens := make([]string, 0, len(ids))
	for _, id := range ids {
		if id < 0 || id >= len(p.known) || !p.known[id] {
			continue
		}
		if skipSpecial && p.skipped[p.tokens[id]] {
			continue
		}
		tokens = append(tokens, p.encoded[id])
	}
	return p.join(tokens, false)
}

// join runs the decoder.
func (p *pipeline) join(tokens []string, lone bool) string {
	if p.decoder == nil {
		return strings.Join(tokens, " ")
	}
	for _, s := range p.decoder {
		tokens = s.apply(tokens, lone)
	}
	return strings.Join(tokens, "")
}

func (p *pipeline) TokenString(id int) string {
	if id < 0 || id >= len(p.known) || !p.known[id] {
		return ""
	}
	return p.join([]string{p.encoded[id]}, true)
}

func (p *pipeline) ID(token string) (int, bool) {
	if id, ok := p.addedID[token]; ok {
		return id, true
	}
	id, ok := p.vocab[token]
	return id, ok
}

func (p *pipeline) VocabSize() int { return p.size }

func (p *pipeline) Special() Special { return p.special }
