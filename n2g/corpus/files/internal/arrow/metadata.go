package arrow

import (
	"errors"
	"fmt"

	flatbuffers "github.com/google/flatbuffers/go"
)

// Fields of the metadata, which are FlatBuffers: their places in the tables' lists of fields,
// https://github.com/apache/arrow/blob/main/format/Message.fbs and Schema.fbs.
const (
	messageVersion, messageHeaderType, messageHeader, messageBody = 0, 1, 2, 3

	schemaEndianness, schemaFields = 0, 1

	fieldName, fieldKind, fieldType, fieldDictionary, fieldChildren = 0, 2, 3, 4, 5

	encodingID, encodingIndex = 0, 1
	intWidth, intSigned       = 0, 1
	unionMode                 = 0

	dictionaryID, dictionaryData, dictionaryIsDelta = 0, 1, 2

	batchNodes, batchBuffers, batchCompression, batchVariadic = 1, 2, 3, 4
	compressionCodec                                          = 0

	footerVersion, footerSchema, footerDictionaries, footerBatches = 0, 1, 2, 3
	blockSize                                                      = 24 // place, length of metadata and of body
)

// What a message is.
const headerSchema, headerDictionary, headerBatch = 1, 2, 3

const (
	version4, version5 = 3, 4

	maxFields = 10_000 // columns, those within columns among them
	maxDepth  = 32
)

var errMetadata = errors.New("it is damaged: its metadata claims more than it holds")

// kind is the type of a column.
type kind byte

const (
	kindNull          kind = 1
	kindBinary        kind = 4
	kindUTF8          kind = 5
	kindStruct        kind = 13
	kindUnion         kind = 14
	kindFixedSizeList kind = 16
	kindLargeBinary   kind = 19
	kindLargeUTF8     kind = 20
	kindRunEndEncoded kind = 22
	kindBinaryView    kind = 23
	kindUTF8View      kind = 24
	kindListView      kind = 25
	kindLargeListView kind = 26
	lastKind               = kindLargeListView
)

const denseUnion = 1 // a mode; a sparse one's is 0

func (k kind) text() bool { return k == kindUTF8 || k == kindLargeUTF8 || k == kindUTF8View }

// buffers is how many a column has of its own, those of any number aside that texts of a view lie in.
func (k kind) buffers() int {
	switch k {
	case kindNull, kindRunEndEncoded:
		return 0
	case kindStruct, kindFixedSizeList:
		return 1
	case kindBinary, kindUTF8, kindLargeBinary, kindLargeUTF8, kindListView, kindLargeListView:
		return 3
	}
	return 2 // which of values are missing, and values or offsets
}

// table is a FlatBuffer's. Its methods panic at an offset that leads out of the metadata: see [guarded].
type table struct{ flatbuffers.Table }

func rootTable(data []byte) table {
	return table{flatbuffers.Table{Bytes: data, Pos: flatbuffers.GetUOffsetT(data)}}
}

// place of a field, 0 if it is missing.
func (t table) place(field int) flatbuffers.UOffsetT {
	if at := t.Offset(flatbuffers.VOffsetT(4 + 2*field)); at != 0 {
		return t.Pos + flatbuffers.UOffsetT(at)
	}
	return 0
}

// scalar reads a number of a field, 0 if it is missing.
func scalar[T int8 | int16 | int32 | int64](t table, field int, get func(flatbuffers.UOffsetT) T) T {
	if at := t.place(field); at != 0 {
		return get(at)
	}
	return 0
}

func (t table) int8(field int) int8   { return scalar(t, field, t.GetInt8) }
func (t table) int16(field int) int16 { return scalar(t, field, t.GetInt16) }
func (t table) int32(field int) int32 { return scalar(t, field, t.GetInt32) }
func (t table) int64(field int) int64 { return scalar(t, field, t.GetInt64) }

func (t table) bytes(field int) []byte {
	if at := t.place(field); at != 0 {
		return t.ByteVector(at)
	}
	return nil
}

func (t table) table(field int) (child table, ok bool) {
	if at := t.place(field); at != 0 {
		return table{flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(at)}}, true
	}
	return table{}, false
}

// list is where the elements of a field lie, of so many bytes each, and how many there are.
func (t table) list(field, size int) (start flatbuffers.UOffsetT, n int) {
	at := t.place(field)
	if at == 0 {
		return 0, 0
	}
	offset := at - t.Pos
	start, n = t.Vector(offset), t.VectorLen(offset)
	if n < 0 || uint64(start) > uint64(len(t.Bytes)) || n > (len(t.Bytes)-int(start))/size {
		panic(errMetadata)
	}
	return start, n
}

// pairs is a list of structs of two numbers of 64 bits.
func (t table) pairs(field int) [][2]int64 {
	start, n := t.list(field, 16)
	pairs := make([][2]int64, n)
	for i := range pairs {
		at := start + flatbuffers.UOffsetT(16*i)
		pairs[i] = [2]int64{t.GetInt64(at), t.GetInt64(at + 8)}
	}
	return pairs
}

// guarded turns the panic of a table into an error.
func guarded(err *error) {
	if failure := recover(); failure != nil {
		*err = errMetadata
	}
}

// Column is a column of a stream.
type Column struct {
	Name string
	Text bool // it holds texts

	kind       kind
	dictionary *encoding
	node       int // the first of a batch's nodes that is the column's
	buffer     int // the first of a batch's buffers that is the column's, but for those of texts of views before it
	view       int // how many columns before it have such
}

// encoding is how a column refers to texts in a dictionary.
type encoding struct {
	id     int64
	width  int // bytes of a reference
	signed bool
}

// layout counts what columns take of a batch.
type layout struct {
	version             int16
	fields              int
	node, buffer, views int
}

// columns reads a schema.
func columns(version int16, schema table) (all []Column, err error) {
	defer guarded(&err)
	switch {
	case version < version4 || version > version5:
		return nil, fmt.Errorf("it is of version %d of Arrow's metadata, where 4 and 5 are read: write it again", version+1)
	case schema.int16(schemaEndianness) != 0:
		return nil, errors.New("its numbers are big-endian: write it again on a little-endian machine")
	}
	l := layout{version: version}
	names := 0 // bytes of them: where many are the same bytes of the metadata, they could take any room
	start, n := schema.list(schemaFields, 4)
	for i := range n {
		field := table{flatbuffers.Table{Bytes: schema.Bytes, Pos: schema.Indirect(start + flatbuffers.UOffsetT(4*i))}}
		name := field.bytes(fieldName)
		if names += len(name); names > len(schema.Bytes) {
			return nil, errMetadata
		}
		c := Column{Name: string(name), kind: kind(field.int8(fieldKind)), node: l.node, buffer: l.buffer,
			view: l.views}
		c.Text = c.kind.text()
		if of, ok := field.table(fieldDictionary); ok {
			c.dictionary = &encoding{id: of.int64(encodingID), width: 4, signed: true}
			if index, ok := of.table(encodingIndex); ok {
				c.dictionary.width, c.dictionary.signed = int(index.int32(intWidth)/8), index.int8(intSigned) != 0
			}
			if w := c.dictionary.width; w != 1 && w != 2 && w != 4 && w != 8 {
				return nil, errMetadata
			}
		}
		if err := l.add(field, maxDepth); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// add counts a column and those within it.
func (l *layout) add(field table, depth int) error {
	if l.fields++; l.fields > maxFields || depth == 0 {
		return fmt.Errorf("it has more than %d columns, or columns in one another more than %d deep", maxFields, maxDepth)
	}
	l.node++
	if field.place(fieldDictionary) != 0 {
		l.buffer += 2 // references only
		return nil
	}
	k := kind(field.int8(fieldKind))
	if k == 0 || k > lastKind {
		return fmt.Errorf("it has a column of the type %d, which is not known here", k)
	}
	l.buffer += k.buffers()
	switch k {
	case kindUTF8View, kindBinaryView:
		l.views++
	case kindUnion: // which value is of which type; of a dense one, where it is
		if mode, ok := field.table(fieldType); !ok || mode.int16(unionMode) != denseUnion {
			l.buffer--
		}
	}
	if l.version < version5 && (k == kindUnion || k == kindRunEndEncoded) {
		l.buffer++ // which are missing, as all other columns have it
	}
	start, n := field.list(fieldChildren, 4)
	for i := range n {
		child := table{flatbuffers.Table{Bytes: field.Bytes, Pos: field.Indirect(start + flatbuffers.UOffsetT(4*i))}}
		if err := l.add(child, depth-1); err != nil {
			return err
		}
	}
	return nil
}
