package parquet

import (
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/zstd"
)

const (
	groupRows = 1 << 17 // of a row group, whose compressed pages are in memory until it is written
	pageBytes = 1 << 20 // of a page, about, before compression

	repetitionRequired, repetitionRepeated                     = 0, 2
	physicalInt32, physicalInt64, physicalFloat, physicalBytes = 1, 2, 4, 6
	convertedText, convertedList                               = 0, 3
	logicalText, logicalList                                   = 1, 3 // fields of the union LogicalType
)

// Column is a column of a table whose rows are of type T.
type Column[T any] struct {
	name       string
	physical   int
	list       bool
	dictionary bool
	put        func(c *columnChunk, row *T)
}

// Int32 is a column of numbers.
func Int32[T any](name string, of func(row *T) int32) Column[T] {
	return Column[T]{name: name, physical: physicalInt32, put: func(c *columnChunk, row *T) {
		v := of(row)
		c.bound(int64(v))
		c.int32(v)
	}}
}

// Int64 is a column of numbers.
func Int64[T any](name string, of func(row *T) int64) Column[T] {
	return Column[T]{name: name, physical: physicalInt64, put: func(c *columnChunk, row *T) {
		v := of(row)
		c.bound(v)
		c.int64(v)
	}}
}

// Float32 is a column of numbers.
func Float32[T any](name string, of func(row *T) float32) Column[T] {
	return Column[T]{name: name, physical: physicalFloat, put: func(c *columnChunk, row *T) { c.float32(of(row)) }}
}

// Text is a column of texts. What is not UTF-8 in them becomes U+FFFD.
func Text[T any](name string, of func(row *T) string) Column[T] {
	return Column[T]{name: name, physical: physicalBytes, put: func(c *columnChunk, row *T) { c.text(of(row)) }}
}

// Word is [Text] for texts of which few differ: each is written once a row group.
func Word[T any](name string, of func(row *T) string) Column[T] {
	return Column[T]{name: name, physical: physicalBytes, dictionary: true,
		put: func(c *columnChunk, row *T) { c.word(of(row)) }}
}

// Int32s is a column of lists of numbers.
func Int32s[T any](name string, of func(row *T) []int32) Column[T] {
	return Column[T]{name: name, physical: physicalInt32, list: true, put: func(c *columnChunk, row *T) {
		list := of(row)
		c.list(len(list))
		for _, v := range list {
			c.int32(v)
		}
	}}
}

// Texts is a column of lists of texts.
func Texts[T any](name string, of func(row *T) []string) Column[T] {
	return Column[T]{name: name, physical: physicalBytes, list: true, put: func(c *columnChunk, row *T) {
		list := of(row)
		c.list(len(list))
		for _, v := range list {
			c.text(v)
		}
	}}
}

// path to the values within the schema: those of a list lie in a group in a group.
func (c *Column[T]) path() []string {
	if c.list {
		return []string{c.name, "list", "element"}
	}
	return []string{c.name}
}

// Writer writes a table.
type Writer[T any] struct {
	out     io.Writer
	packer  *zstd.Encoder
	err     error // the first, which ends the file
	at      int64 // bytes written
	columns []Column[T]
	open    []columnChunk // of the row group that is being filled
	rows    int           // in it
	groups  []rowGroup    // written
}

type rowGroup struct {
	rows   int
	chunks []writtenChunk
}

type writtenChunk struct {
	dictionary, data int64 // where its pages begin; a dictionary's place is 0 where there is none
	size, unpacked   int64
	values           int
	statistics       []byte // a struct, nil if there are none
}

// NewWriter begins a table of such columns, compressed with zstd.
func NewWriter[T any](w io.Writer, columns ...Column[T]) (*Writer[T], error) {
	packer, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	t := &Writer[T]{out: w, packer: packer, columns: columns, open: make([]columnChunk, len(columns))}
	t.write([]byte(magic))
	return t, t.err
}

func (w *Writer[T]) write(data []byte) {
	if w.err == nil {
		_, w.err = w.out.Write(data)
		w.at += int64(len(data))
	}
}

// Write adds a row, of which nothing is kept. It fails where writing failed.
func (w *Writer[T]) Write(row T) error {
	for i := range w.columns {
		c := &w.open[i]
		w.columns[i].put(c, &row)
		if len(c.plain)+4*len(c.numbers) >= pageBytes {
			c.endPage(w.packer)
		}
	}
	if w.rows++; w.rows == groupRows {
		w.endGroup()
	}
	return w.err
}

// endGroup writes a row group: the pages of each column, its dictionary in front.
func (w *Writer[T]) endGroup() {
	group := rowGroup{rows: w.rows}
	for i := range w.open {
		c := &w.open[i]
		if c.count > 0 {
			c.endPage(w.packer)
		}
		var one writtenChunk
		start := w.at
		if w.columns[i].dictionary {
			one.dictionary = start
			w.write(c.dictionaryPage(w.packer))
		}
		one.data = w.at
		w.write(c.pages)
		one.size, one.unpacked, one.values = w.at-start, c.unpacked, c.values
		one.statistics = c.statistics(w.columns[i].physical)
		group.chunks = append(group.chunks, one)
	}
	w.groups = append(w.groups, group)
	w.open, w.rows = make([]columnChunk, len(w.columns)), 0
}

// Close writes what is left, and the metadata that end the file. It does not close the io.Writer.
func (w *Writer[T]) Close() error {
	if w.rows > 0 {
		w.endGroup()
	}
	footer := w.footer()
	w.write(footer)
	w.write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(footer))), magic...))
	return w.err
}

// footer is a struct FileMetaData.
func (w *Writer[T]) footer() []byte {
	t := newThriftWriter()
	t.i32(1, 2) // version
	elements, rows := 1, 0
	for _, c := range w.columns {
		elements += len(c.path())
	}
	for _, g := range w.groups {
		rows += g.rows
	}
	t.list(2, typeStruct, elements)
	t.openElement()
	t.text(4, "schema")
	t.i32(5, len(w.columns))
	t.end()
	for _, c := range w.columns {
		c.schema(t)
	}
	t.i64(3, int64(rows))
	t.list(4, typeStruct, len(w.groups))
	for _, g := range w.groups {
		w.group(t, g)
	}
	t.text(6, "neuron2graph")
	t.list(7, typeStruct, len(w.columns)) // the order of least and most: that of the type
	for range w.columns {
		t.openElement()
		t.open(1)
		t.end()
		t.end()
	}
	t.end()
	return t.data
}

// schema writes the structs SchemaElement of a column: its own, or those of the group, the repeated group and the
// element that a list is.
func (c *Column[T]) schema(t *thriftWriter) {
	element := func(name string, repetition, children, converted, logical int) {
		t.openElement()
		if children == 0 {
			t.i32(1, c.physical)
		}
		t.i32(3, repetition)
		t.text(4, name)
		if children > 0 {
			t.i32(5, children)
		}
		if logical > 0 {
			t.i32(6, converted)
			t.open(10)
			t.open(int16(logical))
			t.end()
			t.end()
		}
		t.end()
	}
	path := c.path()
	if c.list {
		element(path[0], repetitionRequired, 1, convertedList, logicalList)
		element(path[1], repetitionRepeated, 1, 0, 0)
	}
	converted, logical := 0, 0
	if c.physical == physicalBytes {
		converted, logical = convertedText, logicalText
	}
	element(path[len(path)-1], repetitionRequired, 0, converted, logical)
}

// group writes a struct RowGroup.
func (w *Writer[T]) group(t *thriftWriter, g rowGroup) {
	var size, unpacked int64
	t.openElement()
	t.list(1, typeStruct, len(g.chunks))
	for i, c := range g.chunks {
		column := w.columns[i]
		size, unpacked = size+c.size, unpacked+c.unpacked
		t.openElement() // ColumnChunk
		t.i64(2, 0)     // deprecated, and required
		t.open(3)       // ColumnMetaData
		t.i32(1, column.physical)
		encodings := []int{encodingRLE, encodingPlain} // of levels, and of values or their dictionary
		if column.dictionary {
			encodings = append(encodings, encodingRLEDictionary)
		}
		t.list(2, typeI32, len(encodings))
		for _, e := range encodings {
			t.element(e)
		}
		path := column.path()
		t.list(3, typeBinary, len(path))
		for _, name := range path {
			t.textElement(name)
		}
		t.i32(4, int(zstdCodec))
		t.i64(5, int64(c.values))
		t.i64(6, c.unpacked)
		t.i64(7, c.size)
		t.i64(9, c.data)
		if column.dictionary {
			t.i64(11, c.dictionary)
		}
		if c.statistics != nil {
			t.field(12, typeStruct)
			t.data = append(t.data, c.statistics...)
		}
		t.end()
		t.end()
	}
	t.i64(2, unpacked)
	t.i64(3, int64(g.rows))
	t.i64(6, size)
	t.end()
}
