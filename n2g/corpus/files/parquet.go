package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/corpus/files/internal/textcolumn"
)

// rows streams a text column of a Parquet file; the other columns are not read.
func rows(name string, file fs.File, field string) corpus.Source {
	return func(yield func(corpus.Text, error) bool) {
		column, err := openColumn(file, field)
		if err != nil {
			yield(corpus.Text{}, fmt.Errorf("corpus: %s: %w", name, err))
			return
		}
		row := 0
		for texts, err := range column.Pages() {
			if err != nil {
				yield(corpus.Text{}, fmt.Errorf("corpus: reading %s behind row %d: %w", name, row, err))
				return
			}
			for _, text := range texts {
				if row++; text != "" && !document(fmt.Sprintf("%s:%d", name, row), text, yield) {
					return
				}
			}
		}
	}
}

func openColumn(file fs.File, field string) (*textcolumn.Column, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	reader, ok := file.(io.ReaderAt)
	if !ok {
		return nil, errors.New("a Parquet file is read from its end, which is not possible where it lies: copy it into a folder")
	}
	return textcolumn.Open(reader, info.Size(), field)
}
