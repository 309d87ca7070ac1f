package corpus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

// PieceBytes is about how much of a long document is read and tokenized at a time.
const PieceBytes = 1 << 20

// ErrNotText says that a file, or the rest of one, is no UTF-8 text, or holds a NUL.
var ErrNotText = errors.New("it is no UTF-8 text")

// Pieces streams what a reader gives as one document, or as pieces of about [PieceBytes] where it is longer, cut behind
// a line end, or behind a character where there is none. What is not UTF-8 text ends with [ErrNotText] at the piece
// that shows it; what is empty gives nothing. packed is what [Text.Packed] says.
func Pieces(name string, r io.Reader, packed bool) Source {
	return func(yield func(Text, error) bool) {
		buffer := make([]byte, 0, 4096)
		for offset := 0; ; {
			var err error
			if buffer, err = fill(buffer, r, PieceBytes); err != nil && err != io.EOF {
				yield(Text{}, fmt.Errorf("corpus: reading %s: %w", name, err))
				return
			}
			end := len(buffer)
			if err == nil {
				end = CutAt(buffer)
			}
			if end == 0 {
				return
			}
			if !isText(buffer[:end]) {
				yield(Text{}, fmt.Errorf("corpus: %s from byte %d on: %w", name, offset, ErrNotText))
				return
			}
			if !yield(Text{Name: name, Content: string(buffer[:end]), Offset: offset, Packed: packed}, nil) || err == io.EOF {
				return
			}
			offset += end
			buffer = buffer[:copy(buffer, buffer[end:])]
		}
	}
}

// fill reads until the buffer holds more than limit bytes, or to the end, which it reports as io.EOF.
func fill(buffer []byte, r io.Reader, limit int) ([]byte, error) {
	for len(buffer) <= limit {
		buffer = slices.Grow(buffer, 512)
		n, err := r.Read(buffer[len(buffer):min(cap(buffer), limit+1)])
		buffer = buffer[:len(buffer)+n]
		if err != nil {
			return buffer, err
		}
	}
	return buffer, nil
}

// CutAt is where a piece of text ends of which there is more: behind the last line end of its second half, else behind
// its last whole character.
func CutAt(piece []byte) int {
	half := len(piece) / 2
	if at := bytes.LastIndexByte(piece[half:], '\n'); at >= 0 {
		return half + at + 1
	}
	end := len(piece)
	for end > len(piece)-utf8.UTFMax && !utf8.RuneStart(piece[end-1]) {
		end--
	}
	return end - 1 // the character that begins there may go on
}

// isText tells UTF-8 text from anything else.
func isText(content []byte) bool {
	return bytes.IndexByte(content, 0) < 0 && utf8.Valid(content)
}
