package files

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/neuron2graph/neuron2graph/n2g/corpus/files/internal/arrow"
)

// arrow streams a text column of an Arrow file or stream.
func (p *pass) arrow(in *input, head []byte) bool {
	if bytes.HasPrefix(head, []byte("FEA1")) {
		return p.failf(in.name, "it is of Feather's first version: write it again with Arrow (version 2)")
	}
	var reader *arrow.Reader
	var err error
	if arrow.IsFile(head) {
		file, size, failed := in.readerAt("an Arrow file")
		if failed != nil {
			return p.failf(in.name, "%w", failed)
		}
		reader, err = arrow.NewFileReader(file, size)
	} else {
		reader, err = arrow.NewReader(in.content)
	}
	if err != nil {
		return p.failf(in.name, "it cannot be read as Arrow: %w", err)
	}
	column := slices.IndexFunc(reader.Columns, func(c arrow.Column) bool { return c.Name == p.field })
	if column < 0 {
		var names []string
		for _, c := range reader.Columns {
			names = append(names, c.Name)
		}
		p.tally.leave(kindArrow+" "+reasonNoField(p.field), in.name)
		p.tally.lacks(in.name, names)
		return true
	}
	p.tally.having++
	if !reader.Columns[column].Text {
		p.tally.leave(reasonNoString, in.name)
		return true
	}
	p.tally.kind(kindArrow).Files++
	row, total := 0, int64(0)
	for text, err := range reader.Texts(reader.Columns[column]) {
		if err != nil {
			return p.failf(in.name, "behind row %d: %w", row, err)
		}
		row++
		if total += int64(len(text)) + 1; tooMuch(total, in.size) {
			return p.failf(in.name, "behind row %d: its texts are more than %d times as long as the file: it holds hardly "+
				"anything but repetition", row, maxRatio)
		}
		if !p.document(kindArrow, fmt.Sprintf("%s:%d", in.name, row), text) {
			return false
		}
	}
	return true
}
