package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// magic begins and ends a file.
const magic = "PAR1"

// maxFooter is the longest metadata of a file, in bytes.
const maxFooter = 64 << 20

// TextColumn is a column of texts.
type TextColumn struct {
	file     io.ReaderAt
	size     int64
	optional bool // texts may be missing
	chunks   []chunk
}

// chunk is the part of a column that lies in one row group.
type chunk struct {
	start, end int64 // bytes of the file
	values     int64
	codec      codec
}

// ColumnError says that a file has no column of texts of that name.
type ColumnError struct {
	Name   string
	Names  []string // of the other columns
	Exists bool     // it holds something else
}

func (e *ColumnError) Error() string {
	if e.Exists {
		return fmt.Sprintf("column %q holds no strings: name the one that holds the text", e.Name)
	}
	return fmt.Sprintf("it has no column %q, only %s: name the one that holds the text", e.Name, Names(e.Names))
}

// Open finds the column of that name in a file of so many bytes. Only columns of the top level are found; where there
// is none with texts the error is a [ColumnError].
func Open(file io.ReaderAt, size int64, name string) (*TextColumn, error) {
	meta, err := footer(file, size)
	if err != nil {
		return nil, err
	}
	leaf, optional, err := find(meta.field(2).list, name)
	if err != nil {
		return nil, err
	}
	c := &TextColumn{file: file, size: size, optional: optional}
	total := int64(0)
	for i, group := range meta.field(4).list {
		columns := group.field(1).list
		if leaf >= len(columns) {
			return nil, fmt.Errorf("it is damaged: row group %d lacks column %q", i, name)
		}
		one, err := newChunk(columns[leaf], size)
		if err != nil {
			return nil, fmt.Errorf("row group %d, column %q: %w", i, name, err)
		}
		// Chunks do not overlap. A file that claims the same bytes again and again would never end.
		if total += one.end - one.start; total > size {
			return nil, errors.New("it is damaged: its row groups together are larger than the file")
		}
		c.chunks = append(c.chunks, one)
	}
	return c, nil
}

// footer reads the metadata: it ends the file, followed by its length in four bytes and PAR1.
func footer(file io.ReaderAt, size int64) (value, error) {
	var end [8]byte
	if size < int64(len(end)) {
		return value{}, errors.New("it cannot be read as Parquet: it is too short")
	}
	if _, err := file.ReadAt(end[:], size-int64(len(end))); err != nil {
		return value{}, err
	}
	length := int64(binary.LittleEndian.Uint32(end[:]))
	if string(end[4:]) != magic || length > size-int64(len(end)) {
		return value{}, errors.New("it cannot be read as Parquet: its end is not that of such a file; is it whole?")
	}
	if length > maxFooter {
		return value{}, fmt.Errorf("its metadata is longer than %d MiB: write it again with larger row groups", maxFooter>>20)
	}
	data := make([]byte, length)
	if _, err := file.ReadAt(data, size-int64(len(end))-length); err != nil {
		return value{}, err
	}
	meta, _, err := parseStruct(data)
	if err != nil {
		return value{}, fmt.Errorf("it is damaged: %w", err)
	}
	return meta, nil
}

// find returns which leaf of the schema the column is. The schema lists its elements, each before its children; the
// first is the root.
func find(schema []value, name string) (leaf int, optional bool, err error) {
	const (
		fieldType, fieldRepetition, fieldName, fieldChildren = 1, 3, 4, 5
		byteArray                                            = 6
		repeated                                             = 2
	)
	var names []string
	for i := 1; i < len(schema); leaf++ {
		element := schema[i]
		if own := string(element.field(fieldName).bytes); own != name {
			names = append(names, own)
			skipped, leaves := family(schema, i)
			i += skipped
			leaf += leaves - 1
			continue
		}
		kind := element.field(fieldRepetition).number
		if element.field(fieldChildren).number != 0 || !element.has(fieldType) ||
			element.field(fieldType).number != byteArray || kind == repeated {
			return 0, false, &ColumnError{Name: name, Exists: true}
		}
		return leaf, kind != 0, nil
	}
	return 0, false, &ColumnError{Name: name, Names: names}
}

// family counts the elements of a schema that belong to the one at i, itself included, and the leaves among them.
func family(schema []value, i int) (elements, leaves int) {
	open := int64(1) // elements announced and not yet come
	for open > 0 && i+elements < len(schema) {
		children := max(0, schema[i+elements].field(5).number)
		open += min(children, int64(len(schema))) - 1
		elements++
		if children == 0 {
			leaves++
		}
	}
	return elements, leaves
}

// newChunk reads where a chunk lies.
func newChunk(c value, size int64) (chunk, error) {
	meta := c.field(3)
	switch {
	case len(c.field(1).bytes) > 0:
		return chunk{}, errors.New("its data lie in another file: join them into one")
	case len(meta.fields) == 0:
		return chunk{}, errors.New("it is encrypted or damaged")
	}
	start := meta.field(9).number
	if dictionary := meta.field(11).number; dictionary > 0 && dictionary < start {
		start = dictionary
	}
	length, values := meta.field(7).number, meta.field(5).number
	if values == 0 { // there is no page, and what stands for its place means nothing
		return chunk{}, nil
	}
	if start < 4 || length < 0 || start > size || length > size-start {
		return chunk{}, fmt.Errorf("it is damaged: %d bytes at %d lie outside the file of %d", length, start, size)
	}
	return chunk{start: start, end: start + length, values: values, codec: codec(meta.field(4).number)}, nil
}

// Names lists a few columns or fields for a message.
func Names(names []string) string {
	const most = 8
	if len(names) == 0 {
		return "none"
	}
	if len(names) > most {
		names = append(names[:most:most], "…")
	}
	return strings.Join(names, ", ")
}
