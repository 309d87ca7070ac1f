package tokenizers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// unigram is SentencePiece's language model of pieces (Kudo 2018, "Subword Regularization"): of all ways to cut a word
// into entries the one whose scores, logarithms of probabilities, add up to the most.
type unigram struct {
	vocab        map[string]int
	scores       []float64 // by id
	pieces       matcher   // of entries
	cache        *wordCache
	unkID        int // -1: none
	unkScore     float64
	unkText      string
	byteFallback bool
}

// unkPenalty is how much less than the least probable entry an unknown character scores.
const unkPenalty = 10

// parsePieces reads [["token", score], …], whose ids are their places.
func parsePieces(data json.RawMessage) (tokens []string, scores []float64, err error) {
	odd := errors.New("its vocab is no list of tokens and scores")
	s := &scanner{data: data}
	if s.next() != '[' {
		return nil, nil, odd
	}
	s.at++
	for s.next() == '[' {
		s.at++
		token, ok := s.text()
		if !ok {
			return nil, nil, odd
		}
		s.next()
		end := bytes.IndexByte(s.data[s.at:], ']')
		if end < 0 {
			return nil, nil, odd
		}
		var score float64
		if err := json.Unmarshal(s.data[s.at:s.at+end], &score); err != nil {
			return nil, nil, fmt.Errorf("its vocab is no list of tokens and scores: the score of %q is no number", token)
		}
		s.at += end + 1
		tokens, scores = append(tokens, token), append(scores, score)
	}
	if s.next() != ']' {
		return nil, nil, odd
	}
	return tokens, scores, nil
}

// newUnigram makes the model of tokens, of which equal ones count as the last of them.
func newUnigram(cfg modelConfig, tokens []string, scores []float64) (*unigram, map[string]int, error) {
	if len(tokens) == 0 {
		return nil, nil, errors.New("model Unigram has no vocab")
	}
	if len(scores) != len(tokens) {
		return nil, nil, fmt.Errorf("model Unigram has %d tokens and %d scores", len(tokens), len(scores))
	}
	m := &unigram{
		vocab: make(map[string]int, len(tokens)), scores: scores, pieces: newMatcher(), cache: newWordCache(),
		unkID: -1, byteFallback: cfg.ByteFallback,
	}
	least := math.Inf(1)
	for id, token := range tokens {
		if math.IsNaN(scores[id]) || math.IsInf(scores[id], 0) {
			return nil, nil, fmt.Errorf("model Unigram: the score of %q is %g", token, scores[id])
		}
		m.vocab[token] = id
		least = min(least, scores[id])
	}
	for token, id := range m.vocab {
		if len(token) > maxAdded || len(m.pieces.nodes) > maxNodes {
			return nil, nil, fmt.Errorf("model Unigram: its tokens are longer than the limit of %d bytes, or of %d together",
				maxAdded, maxNodes)
		}
		m.pieces.insert(token, id)
	}
	m.pieces.index()
	m.unkScore = least - unkPenalty
	if cfg.UnkID != nil {
		if *cfg.UnkID < 0 || *cfg.UnkID >= len(tokens) {
			return nil, nil, fmt.Errorf("model Unigram: unk_id is %d, but there are %d tokens", *cfg.UnkID, len(tokens))
		}
		m.unkID = *cfg.UnkID
		m.unkText = tokens[m.unkID]
	}
	return m, m.vocab, nil
}

func (m *unigram) unknown() string { return m.unkText }

func (m *unigram) tokenize(word string, buf []token) []token {
	return m.cache.tokenize(word, buf, m.split)
}

// arc is the best way to a place in a word: the entry that ends there, and where it begins.
type arc struct {
	score    float64
	start    int32
	id       int32
	reaching bool // there is a way
}

func (m *unigram) split(word string, dst []token) []token {
	if word == "" {
		return dst
	}
	best := make([]arc, len(word)+1)
	for at := 0; at < len(word); {
		n := 1
		if word[at] >= utf8.RuneSelf {
			_, n = utf8.DecodeRuneInString(word[at:])
		}
		here, single := best[at].score, false
		m.pieces.prefixes(word[at:], func(length, id int) {
			take(&best[at+length], here+m.scores[id], at, id)
			single = single || length == n
		})
		if !single {
			take(&best[at+n], here+m.unkScore, at, m.unkID)
		}
		at += n
	}
	// From the end back; unknown characters that are neighbours become one.
	first := len(dst)
	for end := len(word); end > 0; {
		a := best[end]
		start := int(a.start)
		if int(a.id) == m.unkID {
			for start > 0 && int(best[start].id) == m.unkID {
				start = int(best[start].start)
			}
		}
		dst = m.pieceBack(word, start, end, int(a.id), dst)
		end = start
	}
	for i, j := first, len(dst)-1; i < j; i, j = i+1, j-1 {
		dst[i], dst[j] = dst[j], dst[i]
	}
	return dst
}

// take notes a way to a place that is better than the best so far; of equals the first stays.
func take(a *arc, score float64, start, id int) {
	if !a.reaching || score > a.score {
		*a = arc{score, int32(start), int32(id), true}
	}
}

// pieceBack appends the tokens of a piece, the last one first.
func (m *unigram) pieceBack(word string, start, end, id int, dst []token) []token {
	piece := word[start:end]
	if known, ok := m.vocab[piece]; ok {
		return append(dst, token{int32(known), int32(start), int32(end)})
	}
	if m.byteFallback {
		if ids, ok := byteTokens(m.vocab, piece); ok {
			for i := len(ids) - 1; i >= 0; i-- {
				dst = append(dst, token{ids[i], int32(start), int32(end)})
			}
			return dst
		}
	}
	if id < 0 { // no entry for the unknown: it is left out
		return dst
	}
	return append(dst, token{int32(id), int32(start), int32(end)})
}

// byteTokens are the entries <0x00> to <0xFF> of the bytes of s.
func byteTokens(vocab map[string]int, s string) ([]int32, bool) {
	ids := make([]int32, 0, len(s))
	for i := range len(s) {
		id, ok := vocab[fmt.Sprintf("<0x%02X>", s[i])]
		if !ok {
			return nil, false
		}
		ids = append(ids, int32(id))
	}
	return ids, true
}
