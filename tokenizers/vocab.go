package tokenizers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// The two large parts of a file, a table of ids and a list of pairs, are scanned by hand: opening a tokenizer of 50,000
// entries is part of every notebook cell. The scanner expects JSON that a parser has found valid.

// scanner reads JSON that is known to be valid.
type scanner struct {
	data []byte
	at   int
}

// next skips blanks and is the byte there, 0 at the end.
func (s *scanner) next() byte {
	for s.at < len(s.data) {
		switch c := s.data[s.at]; c {
		case ' ', '\t', '\r', '\n', ',', ':':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// text reads a string.
func (s *scanner) text() (string, bool) {
	if s.next() != '"' {
		return "", false
	}
	start := s.at
	escaped := false
	for s.at++; s.at < len(s.data); s.at++ {
		switch s.data[s.at] {
		case '\\':
			escaped = true
			s.at++
		case '"':
			s.at++
			if !escaped {
				return ValidText(string(s.data[start+1 : s.at-1])), true
			}
			var text string
			err := json.Unmarshal(s.data[start:s.at], &text)
			return text, err == nil
		}
	}
	return "", false
}

// number reads an integer of up to nine digits.
func (s *scanner) number() (int, bool) {
	s.next()
	n, start := 0, s.at
	negative := s.at < len(s.data) && s.data[s.at] == '-'
	if negative {
		s.at++
		start++
	}
	for s.at < len(s.data) && '0' <= s.data[s.at] && s.data[s.at] <= '9' && s.at-start < 9 {
		n = 10*n + int(s.data[s.at]-'0')
		s.at++
	}
	ended := s.at < len(s.data) && bytes.IndexByte([]byte(",} \t\r\n"), s.data[s.at]) >= 0
	if negative {
		n = -n
	}
	return n, s.at > start && ended
}

// parseVocab reads {"token": id, …}.
func parseVocab(data json.RawMessage) (map[string]int, error) {
	s := &scanner{data: data}
	if s.next() != '{' {
		return nil, errors.New("its vocab is no table of tokens and ids")
	}
	s.at++
	vocab := make(map[string]int, len(data)/24)
	for s.next() != '}' {
		token, ok := s.text()
		if !ok {
			return nil, errors.New("its vocab is no table of tokens and ids")
		}
		id, ok := s.number()
		if !ok {
			return nil, fmt.Errorf("its vocab is no table of tokens and ids: the id of %q is no number that an id can be", token)
		}
		vocab[token] = id
	}
	return vocab, nil
}

// parseMerges reads both spellings of merges: ["a b", …] and [["a", "b"], …].
func parseMerges(data json.RawMessage) ([][2]string, error) {
	if isNull(data) {
		return nil, nil
	}
	odd := errors.New("merges are neither strings nor pairs of strings")
	s := &scanner{data: data}
	if s.next() != '[' {
		return nil, odd
	}
	s.at++
	merges := make([][2]string, 0, len(data)/16)
	for n := 0; s.next() != ']'; n++ {
		if s.next() == '[' {
			s.at++
			var pair [2]string
			parts := 0
			for ; s.next() != ']'; parts++ {
				part, ok := s.text()
				if !ok {
					return nil, odd
				}
				pair[min(parts, 1)] = part
			}
			s.at++
			if parts != 2 {
				return nil, fmt.Errorf("merge %d has %d parts, not 2", n, parts)
			}
			merges = append(merges, pair)
			continue
		}
		line, ok := s.text()
		if !ok {
			return nil, odd
		}
		if strings.HasPrefix(line, "#version") {
			continue
		}
		pair, err := splitMerge(n, line)
		if err != nil {
			return nil, err
		}
		merges = append(merges, pair)
	}
	return merges, nil
}

// splitMerge reads "a b".
func splitMerge(n int, line string) ([2]string, error) {
	a, b, ok := strings.Cut(line, " ")
	if !ok || strings.Contains(b, " ") {
		return [2]string{}, fmt.Errorf("merge %d is %q, not two parts with a blank between", n, line)
	}
	return [2]string{a, b}, nil
}
