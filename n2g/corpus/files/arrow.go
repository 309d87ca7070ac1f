package files

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Bounds of one message of an Arrow stream,
// https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc.
const (
	maxArrowMetadata = 64 << 20
	maxArrowBody     = 512 << 20
	maxArrowMemory   = 1 << 30 // of a batch and its dictionaries, unpacked
)

var (
	arrowMagic        = []byte("ARROW1\x00\x00")
	arrowContinuation = []byte{0xff, 0xff, 0xff, 0xff}
)

func isArrow(head []byte) bool {
	return bytes.HasPrefix(head, arrowMagic) || bytes.HasPrefix(head, arrowContinuation)
}

// arrow streams a text column of an Arrow file or stream. A file is a stream between a magic number and an index, which
// is not needed.
func (p *pass) arrow(in *input, head []byte) bool {
	if bytes.HasPrefix(head, []byte("FEA1")) {
		return p.failf(in.name, "it is of Feather's first version: write it again with Arrow (version 2)")
	}
	if bytes.HasPrefix(head, arrowMagic) {
		in.content.Discard(len(arrowMagic)) // it is there
	}
	reader, err := ipc.NewReaderFromMessageReader(&messageReader{r: in.content}, ipc.WithAllocator(&boundedAllocator{}))
	if err != nil {
		return p.failf(in.name, "it cannot be read as Arrow: %w", arrowError(err))
	}
	defer reader.Release()
	columns := reader.Schema().FieldIndices(p.field)
	if len(columns) == 0 {
		var names []string
		for _, f := range reader.Schema().Fields() {
			names = append(names, f.Name)
		}
		p.tally.leave(kindArrow+" "+reasonNoField(p.field), in.name)
		p.tally.lacks(in.name, names)
		return true
	}
	p.tally.having++
	p.tally.kind(kindArrow).Files++
	row, total := 0, int64(0)
	for reader.Next() {
		texts, err := textsOf(reader.RecordBatch().Column(columns[0]))
		if err != nil {
			return p.failf(in.name, "behind row %d: %w", row, err)
		}
		if texts == nil {
			p.tally.kind(kindArrow).Files--
			p.tally.leave(reasonNoString, in.name)
			return true
		}
		for text, err := range texts {
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
	}
	if err := reader.Err(); err != nil && !errors.Is(err, io.EOF) {
		return p.failf(in.name, "behind row %d: %w", row, arrowError(err))
	}
	return true
}

// stringColumn is a column of texts of any of Arrow's types for them.
type stringColumn interface {
	arrow.Array
	Value(i int) string
}

// textsOf are copies of a column's texts, "" for one that is missing; nil if it holds no texts.
func textsOf(column arrow.Array) (texts iter.Seq2[string, error], err error) {
	defer recovered(&err)
	var value func(i int) string
	switch column := column.(type) {
	case *array.Dictionary:
		dictionary, ok := column.Dictionary().(stringColumn)
		if !ok {
			return nil, nil
		}
		value = func(i int) string {
			if at := column.GetValueIndex(i); !dictionary.IsNull(at) {
				return dictionary.Value(at)
			}
			return ""
		}
	case stringColumn:
		value = column.Value
	default:
		return nil, nil
	}
	at := func(i int) (text string, err error) {
		defer recovered(&err)
		if column.IsNull(i) {
			return "", nil
		}
		return strings.Clone(value(i)), nil // the batch goes
	}
	return func(yield func(string, error) bool) {
		for i := range column.Len() {
			if text, err := at(i); !yield(text, err) || err != nil {
				return
			}
		}
	}, nil
}

// recovered turns the library's panic, at an offset that leads elsewhere, into an error.
func recovered(err *error) {
	if failure := recover(); failure != nil {
		*err = fmt.Errorf("it is damaged: %v", failure)
	}
}

// messageReader reads the messages of an Arrow stream, within bounds. The library's own makes room for whatever a
// message claims, and takes a stream that is cut short for one that ends.
type messageReader struct {
	r      io.Reader
	schema arrowSchema
	last   *ipc.Message
}

func (m *messageReader) Retain() {}

func (m *messageReader) Release() {
	if m.last != nil {
		m.last.Release()
		m.last = nil
	}
}

// Message returns the next message, or io.EOF.
func (m *messageReader) Message() (*ipc.Message, error) {
	var head [4]byte
	if n, err := io.ReadFull(m.r, head[:]); n == 0 && err == io.EOF {
		return nil, io.EOF // the marker of the end may be missing
	} else if err != nil {
		return nil, cutShort(err)
	}
	if bytes.Equal(head[:], arrowContinuation) {
		if _, err := io.ReadFull(m.r, head[:]); err != nil {
			return nil, cutShort(err)
		}
	}
	length := int32(binary.LittleEndian.Uint32(head[:]))
	switch {
	case length == 0:
		return nil, io.EOF
	case length < 8 || length > maxArrowMetadata:
		return nil, fmt.Errorf("it is damaged: a message with %d bytes of metadata", length)
	}
	metadata, err := readAll(m.r, int64(length))
	if err != nil {
		return nil, err
	}
	if err := m.schema.check(metadata); err != nil {
		return nil, err
	}
	meta, empty := memory.NewBufferBytes(metadata), memory.NewBufferBytes(nil)
	probe := ipc.NewMessage(meta, empty)
	size := probe.BodyLen()
	probe.Release()
	if size < 0 || size > maxArrowBody {
		return nil, fmt.Errorf("a batch of %d MiB, where %d are the most: write it again in smaller batches", size>>20,
			maxArrowBody>>20)
	}
	body, err := readAll(m.r, size)
	if err != nil {
		return nil, err
	}
	m.Release()
	m.last = ipc.NewMessage(meta, memory.NewBufferBytes(body))
	return m.last, nil
}

// readAll reads n bytes, making room as they come.
func readAll(r io.Reader, n int64) ([]byte, error) {
	var b bytes.Buffer
	if n <= 1<<20 {
		b.Grow(int(n))
	}
	if _, err := io.CopyN(&b, r, n); err != nil {
		return nil, cutShort(err)
	}
	return b.Bytes(), nil
}

var errCutShort = errors.New("it is damaged: it ends early")

func cutShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errCutShort
	}
	return err
}

// arrowError drops what the library puts around an error.
func arrowError(err error) error {
	switch {
	case errors.Is(err, errCutShort):
		return errCutShort
	case errors.Is(err, errArrowMemory):
		return errArrowMemory
	}
	return err
}

// boundedAllocator refuses, by a panic that the library turns into an error, what no honest batch takes.
type boundedAllocator struct {
	memory.GoAllocator
	used int
}

var errArrowMemory = fmt.Errorf("a batch takes more than %d MiB unpacked: write it again in smaller batches",
	maxArrowMemory>>20)

func (a *boundedAllocator) Allocate(size int) []byte {
	a.take(size)
	return a.GoAllocator.Allocate(size)
}

func (a *boundedAllocator) Reallocate(size int, b []byte) []byte {
	a.take(size - len(b))
	return a.GoAllocator.Reallocate(size, b)
}

func (a *boundedAllocator) Free(b []byte) {
	a.used -= len(b)
	a.GoAllocator.Free(b)
}

func (a *boundedAllocator) take(size int) {
	if a.used += size; size > maxArrowMemory || a.used > maxArrowMemory {
		panic(errArrowMemory)
	}
}
