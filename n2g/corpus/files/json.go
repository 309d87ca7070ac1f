package files

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/neuron2graph/neuron2graph/n2g/corpus"
)

// maxRecord is the longest line of JSON, element of a list, or row of CSV that is read, in bytes.
const maxRecord = 64 << 20

var errLongRecord = fmt.Errorf("it is longer than %d MiB: split it", maxRecord>>20)

// Why records are left out.
const (
	reasonNoText   = "whose text is missing or empty"
	reasonNoString = "whose field for the text holds something else"
	reasonNoObject = "that are neither JSON objects nor strings"
)

func reasonNoField(field string) string { return fmt.Sprintf("without a field %q", field) }

// lines streams the text fields of JSON Lines. Blank lines are none.
func (p *pass) lines(in *input) bool {
	scanner := bufio.NewScanner(in.content)
	scanner.Buffer(nil, maxRecord)
	p.tally.kind(kindLines).Files++
	for number := 1; scanner.Scan(); number++ {
		line := bytes.TrimSpace(scanner.Bytes())
		if number == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if len(line) == 0 {
			continue
		}
		name := fmt.Sprintf("%s:%d", in.name, number)
		if !json.Valid(line) {
			if line = lenient(line); !json.Valid(line) {
				if err := scanner.Err(); err != nil { // the line is what was read before
					return p.failf(in.name, "%w", err)
				}
				err := json.Unmarshal(line, new(json.RawMessage))
				return p.fail(fmt.Errorf("corpus: %s line %d: it is no JSON object: %w", in.name, number, err))
			}
		}
		if !p.record(kindLines, name, line) {
			return false
		}
	}
	if err := scanner.Err(); errors.Is(err, bufio.ErrTooLong) {
		return p.failf(in.name, "behind a line of JSON that is read: %w", errLongRecord)
	} else if err != nil {
		return p.failf(in.name, "%w", err)
	}
	return true
}

// values streams the text fields of the elements of a JSON array, or of objects that stand one after the other.
// doubtful says that the file may be no data at all: if it is not well-formed from the beginning it is left out, and if
// it is a single object without the field it is no proof that the field is called otherwise.
func (p *pass) values(in *input, doubtful bool) bool {
	if start, err := in.content.Peek(3); err == nil && string(start) == "\ufeff" {
		in.content.Discard(3) // they are there
	}
	content := &budgetReader{reader: &lenientReader{reader: in.content}}
	content.grant(0)
	decoder := json.NewDecoder(content)
	array := false
	if start, _ := in.head(headBytes); bytes.HasPrefix(bytes.TrimLeft(start, " \t\r\n"), []byte("[")) {
		decoder.Token() // the bracket is there
		array = true
	}
	number, kind := 0, kindJSON
	for decoder.More() {
		var raw json.RawMessage
		content.grant(decoder.InputOffset())
		err := decoder.Decode(&raw)
		var syntax *json.SyntaxError
		switch {
		case err != nil && number == 0 && doubtful && (errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF)):
			p.tally.leave(reasonNotJSON, in.name)
			return true
		case errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF):
			return p.failf(in.name, "behind record %d it is no well-formed JSON: %w", number, err)
		case err != nil:
			return p.failf(in.name, "behind record %d: %w", number, err)
		}
		if number++; number == 1 {
			p.tally.kind(kind).Files++
			content.grant(decoder.InputOffset())
			if doubtful && !array && !decoder.More() && !p.hasField(raw) {
				p.tally.kind(kind).Files--
				p.single(in.name, raw)
				return true
			}
		}
		if !p.record(kind, fmt.Sprintf("%s:%d", in.name, number), raw) {
			return false
		}
	}
	if array {
		if _, err := decoder.Token(); err != nil {
			return p.failf(in.name, "behind record %d it is no well-formed JSON: its list has no end", number)
		}
	}
	return true
}

// hasField says whether a value is an object with the field.
func (p *pass) hasField(raw json.RawMessage) bool {
	var fields map[string]json.RawMessage
	return json.Unmarshal(raw, &fields) == nil && fields[p.field] != nil
}

// single counts a file that is one object without the field.
func (p *pass) single(name string, raw json.RawMessage) {
	p.tally.leave("JSON "+reasonNoField(p.field), name)
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) == nil {
		p.tally.doubtful(name, slices.Sorted(maps.Keys(fields)))
	}
}

// record streams the text of one JSON value, which is well-formed.
func (p *pass) record(kind, name string, raw []byte) bool {
	switch raw[0] {
	case '"':
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return p.failf(name, "%w", err)
		}
		p.tally.having++
		return p.document(kind, name, text)
	case '{':
	default:
		p.tally.leaveRecord(reasonNoObject, name)
		return true
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return p.failf(name, "%w", err)
	}
	value, ok := fields[p.field]
	if !ok {
		return p.lacks(name, slices.Sorted(maps.Keys(fields)))
	}
	p.tally.having++
	var text *string
	if err := json.Unmarshal(value, &text); err != nil {
		p.tally.leaveRecord(reasonNoString, name)
		return true
	}
	if text == nil {
		text = new(string)
	}
	return p.document(kind, name, *text)
}

// lacks counts a record without the field.
func (p *pass) lacks(name string, fields []string) bool {
	p.tally.leaveRecord(reasonNoField(p.field), name)
	p.tally.lacks(name, fields)
	if p.tally.hopeless() {
		return p.fail(p.tally.missingField(p.field))
	}
	return true
}

// document streams a text that is no file of its own, in pieces if it is long.
func (p *pass) document(kind, name, text string) bool {
	if text == "" {
		p.tally.leaveRecord(reasonNoText, name)
		return true
	}
	// Pieces refuses what holds a NUL; the rest of such a text may be worth reading.
	text = strings.ReplaceAll(text, "\x00", "\ufffd")
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\ufffd")
	}
	read := p.tally.kind(kind)
	read.Documents++
	read.Bytes += int64(len(text))
	for piece, err := range corpus.Pieces(name, strings.NewReader(text), true) {
		if !p.yield(piece, err) || err != nil {
			return false
		}
	}
	return true
}

// lenient puts numbers in place of NaN and Infinity, which Python's json writes where JSON has no number.
func lenient(data []byte) []byte {
	data = bytes.Clone(data)
	(&lenientReader{}).replace(data)
	return data
}

// lenientReader is lenient for a stream. Nothing changes its length.
type lenientReader struct {
	reader  io.Reader
	quoted  bool   // within a string
	escaped bool   // behind a backslash
	rest    string // of a word that is replaced
}

func (l *lenientReader) Read(p []byte) (int, error) {
	n, err := l.reader.Read(p)
	l.replace(p[:n])
	return n, err
}

func (l *lenientReader) replace(data []byte) {
	for i, b := range data {
		switch {
		case l.escaped:
			l.escaped = false
		case l.quoted && b == '\\':
			l.escaped = true
		case b == '"':
			l.quoted, l.rest = !l.quoted, ""
		case l.quoted:
		case l.rest != "" && b == l.rest[0]:
			data[i], l.rest = ' ', l.rest[1:]
		case b == 'N':
			data[i], l.rest = '0', "aN"
		case b == 'I':
			data[i], l.rest = '0', "nfinity"
		default:
			l.rest = ""
		}
	}
}

// budgetReader ends with an error when a record is too long.
type budgetReader struct {
	reader        io.Reader
	read, granted int64
}

// grant allows a record that begins at an offset.
func (b *budgetReader) grant(offset int64) { b.granted = offset + maxRecord }

func (b *budgetReader) Read(p []byte) (int, error) {
	left := b.granted - b.read
	if left <= 0 {
		return 0, errLongRecord
	}
	n, err := b.reader.Read(p[:min(int64(len(p)), left)])
	b.read += int64(n)
	return n, err
}
