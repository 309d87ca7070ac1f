package files

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/parquet-go/parquet-go"

	"github.com/neuron2graph/neuron2graph/n2g/corpus"
)

// rows streams a text column of a Parquet file; the other columns are not read.
func rows(name string, file fs.File, field string) corpus.Source {
	return func(yield func(corpus.Text, error) bool) {
		column, err := openColumn(file, field)
		if err != nil {
			yield(corpus.Text{}, fmt.Errorf("corpus: %s: %w", name, err))
			return
		}
		pages := column.Pages()
		defer pages.Close()
		row := 0
		for {
			texts, err := nextPage(pages)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(corpus.Text{}, fmt.Errorf("corpus: reading %s: %w", name, err))
				return
			}
			for _, text := range texts {
				if row++; !document(fmt.Sprintf("%s:%d", name, row), text, yield) {
					return
				}
			}
		}
	}
}

// openColumn finds a column of texts. The library panics on some damaged files: that ends here.
func openColumn(file fs.File, field string) (column *parquet.Column, err error) {
	defer recovered(&err)
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	reader, ok := file.(io.ReaderAt)
	if !ok {
		return nil, errors.New("a Parquet file is read from its end, which is not possible where it lies: copy it into a folder")
	}
	if err := checkFooter(reader, info.Size()); err != nil {
		return nil, err
	}
	opened, err := parquet.OpenFile(reader, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("it cannot be read as Parquet: %w", err)
	}
	column = opened.Root().Column(field)
	if column == nil {
		var names []string
		for _, c := range opened.Root().Columns() {
			names = append(names, c.Name())
		}
		return nil, fmt.Errorf("it has no column %q, only %s: name the one that holds the text", field, list(names))
	}
	if !column.Leaf() || column.MaxRepetitionLevel() > 0 || column.Type().Kind() != parquet.ByteArray {
		return nil, fmt.Errorf("column %q holds no strings: name the one that holds the text", field)
	}
	return column, nil
}

// checkFooter refuses a file whose end claims a footer longer than the file: the library would make room for it. The last
// eight bytes are the footer's length and PAR1.
func checkFooter(file io.ReaderAt, size int64) error {
	var end [8]byte
	if size < int64(len(end)) {
		return errors.New("it cannot be read as Parquet: it is too short")
	}
	if _, err := file.ReadAt(end[:], size-int64(len(end))); err != nil {
		return err
	}
	if length := int64(binary.LittleEndian.Uint32(end[:])); string(end[4:]) != "PAR1" || length > size-int64(len(end)) {
		return errors.New("it cannot be read as Parquet: its end is not that of such a file; is it whole?")
	}
	return nil
}

// nextPage returns the texts of the next page, "" for a null.
func nextPage(pages parquet.Pages) (texts []string, err error) {
	defer recovered(&err)
	page, err := pages.ReadPage()
	if err != nil {
		return nil, err
	}
	defer parquet.Release(page)
	values := page.Values()
	buffer := make([]parquet.Value, 256)
	for {
		n, err := values.ReadValues(buffer)
		for _, v := range buffer[:n] {
			text := ""
			if !v.IsNull() {
				text = string(v.ByteArray())
			}
			texts = append(texts, text)
		}
		if errors.Is(err, io.EOF) {
			return texts, nil
		}
		if err == nil && n == 0 {
			err = errors.New("the file is damaged: a page ends early")
		}
		if err != nil {
			return nil, err
		}
	}
}

func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("the file is damaged: %v", r)
	}
}
