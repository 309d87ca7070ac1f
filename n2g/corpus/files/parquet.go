package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"

	"github.com/neuron2graph/neuron2graph/n2g/internal/parquet"
)

// maxUnpackedTable is the largest Parquet or Arrow file that is read out of a compressed one: all of it at once, since
// it is read from its end.
const maxUnpackedTable = 512 << 20

// copiedLink is what some programs write for a symbolic link.
var copiedLink = regexp.MustCompile(`^[\pL\pN._/-]*/[\pL\pN._/-]+\s*$`)

// parquet streams a text column of a Parquet file; the other columns are not read.
func (p *pass) parquet(in *input) bool {
	if head, _ := in.head(headBytes); copiedLink.Match(head) {
		return p.failf(in.name, "it holds nothing but the path %s: a link that was copied as a text: copy what it leads to",
			bytes.TrimSpace(head))
	}
	reader, size, err := in.readerAt("a Parquet file")
	if err != nil {
		return p.failf(in.name, "%w", err)
	}
	column, err := parquet.Open(reader, size, p.field)
	var other *parquet.ColumnError
	switch {
	case errors.As(err, &other) && other.Exists:
		p.tally.having++
		p.tally.leave(reasonNoString, in.name)
		return true
	case errors.As(err, &other):
		p.tally.leave(kindParquet+" "+reasonNoField(p.field), in.name)
		p.tally.lacks(in.name, other.Names)
		return true
	case err != nil:
		return p.failf(in.name, "%w", err)
	}
	p.tally.having++
	p.tally.kind(kindParquet).Files++
	row, total := 0, int64(0)
	for texts, err := range column.Pages() {
		if err != nil {
			return p.failf(in.name, "behind row %d: %w", row, err)
		}
		for _, text := range texts {
			row++
			if total += int64(len(text)) + 1; tooMuch(total, in.size) {
				return p.failf(in.name, "behind row %d: its texts are more than %d times as long as the file: it holds hardly "+
					"anything but repetition", row, maxRatio)
			}
			if !p.document(kindParquet, fmt.Sprintf("%s:%d", in.name, row), text) {
				return false
			}
		}
	}
	return true
}

// readerAt gives the whole content of a file of some kind at once, which is unpacked for that.
func (in *input) readerAt(kind string) (io.ReaderAt, int64, error) {
	if in.packed {
		data, err := io.ReadAll(io.LimitReader(in.content, maxUnpackedTable+1))
		if err == nil && len(data) > maxUnpackedTable {
			err = fmt.Errorf("%s of more than %d MiB is not read through compression: unpack it", kind,
				maxUnpackedTable>>20)
		}
		return bytes.NewReader(data), int64(len(data)), err
	}
	reader, ok := in.file.(io.ReaderAt)
	if !ok {
		return nil, 0,
			fmt.Errorf("%s is read from its end, which is not possible where it lies: copy it into a folder", kind)
	}
	return reader, in.size, nil
}
