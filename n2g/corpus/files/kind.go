package files

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/corpus/files/internal/arrow"
)

// Kinds of files, as a report names them.
const (
	kindText    = "text"
	kindLines   = "JSON Lines"
	kindJSON    = "JSON"
	kindCSV     = "CSV"
	kindParquet = "Parquet"
	kindArrow   = "Arrow"
)

const (
	headBytes = 64 << 10 // by which a file's kind is known
	longHead  = 1 << 20  // the same where its first line is longer
)

// input is one file that is read.
type input struct {
	name    string
	inner   string // name without the extension of a compressed file
	content *bufio.Reader
	packed  bool // compressed
	file    fs.File
	size    int64 // of the file
}

// file streams the documents of one file.
func (p *pass) file(name string) bool {
	file, err := p.fsys.Open(name)
	if err != nil {
		return p.fail(fmt.Errorf("corpus: %w", err))
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return p.fail(fmt.Errorf("corpus: %w", err))
	}
	if p.buffers[0] == nil {
		p.buffers = [2]*bufio.Reader{bufio.NewReaderSize(nil, headBytes), bufio.NewReaderSize(nil, headBytes)}
	}
	p.buffers[0].Reset(file)
	in := &input{name: name, content: p.buffers[0], file: file, size: info.Size()}
	head, err := in.head(headBytes)
	if err != nil {
		return p.failf(name, "%w", err)
	}
	inner, named := unpackedName(name)
	in.inner = inner
	if packing := packingOf(head); packing != nil {
		unpacked, done, err := packing.open(in.content)
		if err != nil {
			return p.failf(name, "unpacking %s: %w", packing.name, err)
		}
		defer done()
		p.buffers[1].Reset(&unpackReader{packing: packing, reader: unpacked, head: bytes.Clone(head[:min(len(head), 32)]),
			packed: in.size})
		in.content, in.packed = p.buffers[1], true
		if head, err = in.head(headBytes); err != nil {
			return p.failf(name, "%w", err)
		}
	} else if named && len(head) > 0 && !isPointer(head) {
		return p.failf(name, "it is not compressed as its name says: name it otherwise, or fetch it again")
	}
	return p.content(in, head)
}

// head is how the file begins, without reading it.
func (in *input) head(n int) ([]byte, error) {
	head, err := in.content.Peek(n)
	if err == io.EOF || errors.Is(err, bufio.ErrBufferFull) {
		err = nil
	}
	return head, err
}

// content streams what a file holds by its kind.
func (p *pass) content(in *input, head []byte) bool {
	named := extension(in.inner)
	switch {
	case len(head) == 0:
		p.tally.leave(reasonEmpty, in.name)
		return true
	case isPointer(head):
		return p.failf(in.name, "it is a Git LFS pointer, not the file itself: fetch that with git lfs pull")
	case bytes.HasPrefix(head, []byte("PAR1")) || named == ".parquet":
		return p.parquet(in)
	case arrow.IsFile(head) || arrow.IsStream(head) || named == ".arrow" || named == ".feather":
		return p.arrow(in, head)
	}
	if reason := foreign(head); reason != "" {
		p.tally.leave(reason, in.name)
		return true
	}
	switch {
	case named == ".jsonl" || named == ".ndjson" || named == ".json":
		if isLines(head, true) {
			return p.lines(in)
		}
		return p.values(in, named == ".json")
	case named == ".csv" || named == ".tsv":
		return p.table(in, head)
	}
	if start := bytes.TrimLeft(head, " \t\r\n\ufeff"); len(start) > 0 && start[0] == '{' &&
		bytes.IndexByte(start, '\n') < 0 {
		in.content = bufio.NewReaderSize(in.content, longHead)
		long, err := in.head(longHead)
		if err != nil {
			return p.failf(in.name, "%w", err)
		}
		head = long
	}
	switch {
	case isLines(head, false):
		return p.lines(in)
	case arrayOfObjects.Match(head), named == "" && object.Match(head):
		return p.values(in, true)
	case isTable(head, p.field):
		return p.table(in, head)
	}
	return p.text(in)
}

// isPointer says whether this is what Git puts in place of a large file,
// https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md.
func isPointer(head []byte) bool {
	return bytes.HasPrefix(head, []byte("version https://git-lfs.github.com/spec/"))
}

// foreign is why a file of another format cannot be read, empty if its beginning shows none.
func foreign(head []byte) string {
	switch {
	case packingOf(head) != nil:
		return "compressed twice, to be unpacked once"
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return "tar archives, which are to be unpacked"
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return "zip archives, which are to be unpacked"
	case bytes.HasPrefix(head, []byte("%PDF-")):
		return "PDF"
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return "UTF-16 text, which is to be converted to UTF-8"
	}
	return ""
}

var (
	object         = regexp.MustCompile(`^(?:\x{feff})?\s*\{\s*"(?:[^"\\\n]|\\.)*"\s*:`)
	arrayOfObjects = regexp.MustCompile(`^(?:\x{feff})?\s*\[\s*\{\s*"(?:[^"\\\n]|\\.)*"\s*:`)
)

// isLines says whether a file that begins so holds JSON Lines: its first line that is not blank is an object. One that
// ends behind the head is taken for one if it begins as one.
func isLines(head []byte, named bool) bool {
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n")
	if !object.Match(head) {
		return false
	}
	line, _, ends := bytes.Cut(head, []byte("\n"))
	if !ends && len(line) >= headBytes-3 {
		return true // longer than the head
	}
	line = bytes.TrimSpace(line)
	return json.Valid(line) || json.Valid(lenient(line))
}

// isTable says whether a file that is named otherwise begins as a table: with a row of names, the asked one among them,
// and one that is as long.
func isTable(head []byte, field string) bool {
	first, rest, _ := strings.Cut(strings.TrimPrefix(string(head), "\ufeff"), "\n")
	second, _, _ := strings.Cut(rest, "\n")
	for _, comma := range []string{"\t", ","} {
		names := strings.Split(strings.TrimRight(first, "\r"), comma)
		found := false
		for i, name := range names {
			names[i] = strings.Trim(name, `"`)
			found = found || names[i] == field
			if !columnName.MatchString(names[i]) {
				found = false
				break
			}
		}
		if found && len(names) > 1 && strings.Count(second, comma) >= len(names)-1 {
			return true
		}
	}
	return false
}

var columnName = regexp.MustCompile(`^[\pL_][\pL\pN_.-]*$`)

// text streams a file of text as one document.
func (p *pass) text(in *input) bool {
	begun := false
	for text, err := range corpus.Pieces(in.name, in.content, in.packed) {
		switch {
		case errors.Is(err, corpus.ErrNotText) && !begun:
			p.tally.leave(reasonNotText, in.name)
			return true
		case errors.Is(err, corpus.ErrNotText):
			p.tally.leave(reasonRest, in.name)
			return true
		case err != nil:
			return p.fail(err)
		}
		if !begun {
			begun = true
			p.tally.kind(kindText).Files++
			p.tally.kind(kindText).Documents++
		}
		p.tally.kind(kindText).Bytes += int64(len(text.Content))
		if !p.yield(text, nil) {
			return false
		}
	}
	return true
}
