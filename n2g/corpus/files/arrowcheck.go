package files

import (
	"errors"
	"fmt"

	flatbuffers "github.com/google/flatbuffers/go"
)

// Fields of Arrow's metadata, a FlatBuffer: their places in the tables' lists of fields,
// https://github.com/apache/arrow/blob/main/format/Message.fbs and Schema.fbs.
const (
	messageHeaderType, messageHeader, messageCustom   = 1, 2, 4
	headerSchema, headerDictionary, headerRecordBatch = 1, 2, 3

	schemaFields, schemaCustom = 1, 2

	fieldType, fieldDictionary, fieldChildren, fieldCustom = 2, 4, 5, 6
	typeBinaryView, typeTextView                           = 23, 24

	dictionaryData                          = 1
	batchNodes, batchBuffers, batchVariadic = 1, 2, 4

	maxArrowFields = 10_000 // columns, those within columns among them
	maxArrowDepth  = 32
)

var errArrowMetadata = errors.New("it is damaged: its metadata claims more than it holds")

// arrowSchema is what batches are checked against.
type arrowSchema struct {
	fields          int
	views           int // columns whose texts lie in any number of buffers
	dictionaryViews int // dictionaries of such
}

// check refuses a message whose lists are longer than it is, or shorter than is read of them. The library makes room
// for as many elements as a list claims to have.
func (s *arrowSchema) check(metadata []byte) (err error) {
	defer func() {
		if failure := recover(); failure != nil { // at an offset that leads out of it
			err = errArrowMetadata
		}
	}()
	message := flatbuffers.Table{Bytes: metadata, Pos: flatbuffers.GetUOffsetT(metadata)}
	var header flatbuffers.Table
	at, kind := message.Offset(slot(messageHeader)), message.Offset(slot(messageHeaderType))
	if at == 0 || kind == 0 {
		return errArrowMetadata
	}
	if _, err := list(message, messageCustom, 4); err != nil {
		return err
	}
	message.Union(&header, flatbuffers.UOffsetT(at))
	switch message.GetByte(message.Pos + flatbuffers.UOffsetT(kind)) {
	case headerSchema:
		if _, err := list(header, schemaCustom, 4); err != nil {
			return err
		}
		*s = arrowSchema{}
		return s.checkFields(header, schemaFields, maxArrowDepth)
	case headerRecordBatch:
		return checkBatch(header, s.views)
	case headerDictionary:
		if at := header.Offset(slot(dictionaryData)); at != 0 {
			return checkBatch(flatbuffers.Table{Bytes: metadata, Pos: header.Indirect(header.Pos + flatbuffers.UOffsetT(at))},
				min(s.dictionaryViews, 1))
		}
	}
	return nil
}

// slot is where a table says at which byte its field of that number lies.
func slot(field int) flatbuffers.VOffsetT { return flatbuffers.VOffsetT(4 + 2*field) }

// list is the length of a field that is a list of elements of so many bytes, checked.
func list(t flatbuffers.Table, field, size int) (int, error) {
	at := t.Offset(slot(field))
	if at == 0 {
		return 0, nil
	}
	n, start := t.VectorLen(flatbuffers.UOffsetT(at)), t.Vector(flatbuffers.UOffsetT(at))
	if n < 0 || int(start) > len(t.Bytes) || n > (len(t.Bytes)-int(start))/size {
		return 0, errArrowMetadata
	}
	return n, nil
}

// checkFields checks the columns of a schema or of a column.
func (s *arrowSchema) checkFields(t flatbuffers.Table, field, depth int) error {
	n, err := list(t, field, 4)
	if err != nil || n == 0 {
		return err
	}
	if s.fields += n; s.fields > maxArrowFields || depth == 0 {
		return fmt.Errorf("it has more than %d columns, or columns in one another more than %d deep", maxArrowFields,
			maxArrowDepth)
	}
	start := t.Vector(flatbuffers.UOffsetT(t.Offset(slot(field))))
	for i := range n {
		column := flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(start + flatbuffers.UOffsetT(4*i))}
		if _, err := list(column, fieldCustom, 4); err != nil {
			return err
		}
		if at := column.Offset(slot(fieldType)); at != 0 {
			switch kind := column.GetByte(column.Pos + flatbuffers.UOffsetT(at)); {
			case kind != typeBinaryView && kind != typeTextView:
			case column.Offset(slot(fieldDictionary)) != 0:
				s.dictionaryViews++
			default:
				s.views++
			}
		}
		if err := s.checkFields(column, fieldChildren, depth-1); err != nil {
			return err
		}
	}
	return nil
}

// checkBatch checks what a batch of rows says of its columns: of so many at least how many buffers they have.
func checkBatch(t flatbuffers.Table, views int) error {
	if _, err := list(t, batchNodes, 16); err != nil {
		return err
	}
	buffers, err := list(t, batchBuffers, 16)
	if err != nil {
		return err
	}
	n, err := list(t, batchVariadic, 8)
	if err != nil {
		return err
	}
	if n < views {
		return errArrowMetadata
	}
	for i := range n {
		start := t.Vector(flatbuffers.UOffsetT(t.Offset(slot(batchVariadic))))
		if count := t.GetInt64(start + flatbuffers.UOffsetT(8*i)); count < 0 || count > int64(buffers) {
			return errArrowMetadata
		}
	}
	return nil
}
