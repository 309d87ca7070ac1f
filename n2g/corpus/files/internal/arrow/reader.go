package arrow

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"

	flatbuffers "github.com/google/flatbuffers/go"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Bounds of a message.
const (
	maxMetadata = 64 << 20
	maxBody     = 512 << 20
	maxUnpacked = 1 << 30 // of the column in a batch, or of its dictionary
	maxWindow   = 128 << 20

	// What is unpacked of all batches, where that is more than maxUnpacked, may be so many times what was read: small ones
	// that each unpack to the most would take very long.
	maxRatio = 250
)

var (
	fileMagic    = []byte("ARROW1\x00\x00")
	endMagic     = []byte("ARROW1")
	continuation = []byte{0xff, 0xff, 0xff, 0xff}

	errCutShort = errors.New("it is damaged: it ends early")
	errTexts    = errors.New("it is damaged: a text lies outside its column")
	errUnpacked = fmt.Errorf("a batch takes more than %d MiB unpacked: write it again in smaller batches", maxUnpacked>>20)
	errRatio    = fmt.Errorf("its column unpacks to more than %d times the size of all columns", maxRatio)

	errDictionary = fmt.Errorf("its dictionary takes more than %d MiB: write it again without one", maxUnpacked>>20)
)

// IsFile says whether what begins so is an Arrow file.
func IsFile(head []byte) bool { return bytes.HasPrefix(head, fileMagic) }

// IsStream says whether what begins so is an Arrow stream.
func IsStream(head []byte) bool { return bytes.HasPrefix(head, continuation) }

// Reader reads a stream or a file.
type Reader struct {
	Columns []Column

	r      io.Reader
	file   bool
	blocks []*io.SectionReader // of a file: the messages that are left, in place of r
	zstd   *zstd.Decoder

	read, unpacked int64 // bytes of bodies, and of what was packed in them
}

// NewReader reads the schema of a stream.
func NewReader(r io.Reader) (*Reader, error) {
	reader := &Reader{r: r}
	m, err := reader.next()
	if errors.Is(err, io.EOF) || err == nil && m.kind != headerSchema {
		err = errors.New("it is damaged: it does not begin with what its columns are")
	}
	if err != nil {
		return nil, err
	}
	reader.Columns, err = columns(m.version, m.header)
	return reader, err
}

// NewFileReader reads the schema of a file of so many bytes, and where its messages lie, from its end: dictionaries may
// lie behind the batches that name them, and what stands at the beginning is not the same in all files.
func NewFileReader(r io.ReaderAt, size int64) (_ *Reader, err error) {
	defer guarded(&err)
	end := make([]byte, 4+len(endMagic))
	if size < int64(len(fileMagic)+len(end)) {
		return nil, errCutShort
	}
	size -= int64(len(end))
	if _, err := r.ReadAt(end, size); err != nil {
		return nil, cutShort(err)
	}
	length := int64(binary.LittleEndian.Uint32(end))
	if !bytes.Equal(end[4:], endMagic) || length > size {
		return nil, errors.New("its end is not that of such a file; is it whole?")
	}
	if length < 8 || length > maxMetadata {
		return nil, fmt.Errorf("it is damaged: %d bytes of metadata", length)
	}
	data := make([]byte, length)
	if _, err := r.ReadAt(data, size-length); err != nil {
		return nil, cutShort(err)
	}
	footer := rootTable(data)
	schema, ok := footer.table(footerSchema)
	if !ok {
		return nil, errMetadata
	}
	reader := &Reader{file: true}
	left := size // messages do not overlap: a file that claims the same bytes again and again would never end
	for _, list := range []int{footerDictionaries, footerBatches} {
		start, n := footer.list(list, blockSize)
		for i := range n {
			at := start + flatbuffers.UOffsetT(blockSize*i)
			place, length, body := footer.GetInt64(at), int64(footer.GetInt32(at+8)), footer.GetInt64(at+16)
			if place < 0 || length < 8 || body < 0 || place > size || body > size || length+body > size-place {
				return nil, errMetadata
			}
			if left -= length + body; left < 0 {
				return nil, errors.New("it is damaged: its batches together are larger than the file")
			}
			reader.blocks = append(reader.blocks, io.NewSectionReader(r, place, length+body))
		}
	}
	version := footer.int16(footerVersion)
	if len(reader.blocks) > 0 { // PyArrow writes messages of version 4 beside a footer of 5
		block, at, _ := reader.blocks[0].Outer()
		first, err := metadata(io.NewSectionReader(block, at, reader.blocks[0].Size()))
		if err != nil {
			return nil, cutShort(err)
		}
		version = first.int16(messageVersion)
	}
	reader.Columns, err = columns(version, schema)
	return reader, err
}

// message is the metadata of one, and its body.
type message struct {
	version int16
	kind    int8
	header  table
	body    []byte
}

// next reads a message, or returns io.EOF behind the last.
func (r *Reader) next() (m message, err error) {
	defer guarded(&err)
	if r.file {
		if len(r.blocks) == 0 {
			return m, io.EOF
		}
		r.r, r.blocks = r.blocks[0], r.blocks[1:]
	}
	root, err := metadata(r.r)
	if err != nil {
		return m, err
	}
	m.version, m.kind = root.int16(messageVersion), root.int8(messageHeaderType)
	var ok bool
	if m.header, ok = root.table(messageHeader); !ok {
		return m, errMetadata
	}
	size := root.int64(messageBody)
	if size < 0 || size > maxBody {
		return m, fmt.Errorf("a batch of %d MiB, where %d are the most: write it again in smaller batches", size>>20,
			maxBody>>20)
	}
	r.read += size
	m.body, err = readAll(r.r, size)
	return m, err
}

// metadata reads those of a message, or returns io.EOF.
func metadata(r io.Reader) (table, error) {
	var head [4]byte
	if n, err := io.ReadFull(r, head[:]); n == 0 && err == io.EOF {
		return table{}, io.EOF // the marker of the end may be missing
	} else if err != nil {
		return table{}, cutShort(err)
	}
	if bytes.Equal(head[:], continuation) {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return table{}, cutShort(err)
		}
	}
	length := int32(binary.LittleEndian.Uint32(head[:]))
	switch {
	case length == 0:
		return table{}, io.EOF
	case length < 8 || length > maxMetadata:
		return table{}, fmt.Errorf("it is damaged: a message with %d bytes of metadata", length)
	}
	data, err := readAll(r, int64(length))
	if err != nil {
		return table{}, err
	}
	return rootTable(data), nil
}

// Texts yields the texts of a column, "" for one that is missing, and ends with the first error.
func (r *Reader) Texts(c Column) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		var dictionary dictionary
		for {
			m, err := r.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil && m.kind == headerDictionary && c.dictionary != nil {
				err = r.dictionary(c, m, &dictionary)
			}
			var texts *texts
			if err == nil && m.kind == headerBatch {
				texts, err = r.batch(c, m.header, m.body)
			}
			if texts != nil && c.dictionary != nil {
				texts.dictionary = dictionary.texts
			}
			for i := 0; texts != nil && i < texts.count; i++ {
				var text string
				if text, err = texts.at(i); err != nil {
					break
				}
				if !yield(text, nil) {
					return
				}
			}
			if err != nil {
				yield("", err)
				return
			}
		}
	}
}

// dictionary is what a column refers to, and how many bytes that takes, 16 of each text to say where it lies.
type dictionary struct {
	texts []string
	size  int
}

// dictionary reads a message of texts that a column refers to: they replace those there are, or are added to them.
func (r *Reader) dictionary(c Column, m message, d *dictionary) (err error) {
	defer guarded(&err)
	if m.header.int64(dictionaryID) != c.dictionary.id {
		return nil
	}
	data, ok := m.header.table(dictionaryData)
	if !ok {
		return errMetadata
	}
	values, err := r.batch(Column{kind: c.kind}, data, m.body)
	if err != nil {
		return err
	}
	if m.header.int8(dictionaryIsDelta) == 0 {
		*d = dictionary{}
	}
	return d.add(values)
}

// add adds texts, as long as all there are then fit.
func (d *dictionary) add(values *texts) error {
	for i := range values.count {
		text, err := values.at(i)
		if err != nil {
			return err
		}
		if d.size += len(text) + 16; d.size > maxUnpacked {
			return errDictionary
		}
		d.texts = append(d.texts, text)
	}
	return nil
}

// texts are those of a column in a batch.
type texts struct {
	column     Column
	count      int
	step       int      // bytes that say where one lies
	validity   []byte   // a bit for each; empty where none is missing
	places     []byte   // offsets, views or references
	data       [][]byte // where the texts lie
	dictionary []string
}

// batch finds the column's texts in a batch of rows.
func (r *Reader) batch(c Column, batch table, body []byte) (t *texts, err error) {
	defer guarded(&err)
	nodes, buffers := batch.pairs(batchNodes), batch.pairs(batchBuffers)
	variadicAt, variadic := batch.list(batchVariadic, 8)
	own := 0 // buffers that the texts of the view lie in
	first := c.buffer
	view := c.dictionary == nil && c.kind == kindUTF8View
	for i := range c.view + 1 {
		if i == c.view && !view {
			break
		}
		if i >= variadic {
			return nil, errMetadata
		}
		n := batch.GetInt64(variadicAt + flatbuffers.UOffsetT(8*i))
		if n < 0 || n > int64(len(buffers)) {
			return nil, errMetadata
		}
		if i == c.view {
			own = int(n)
		} else {
			first += int(n)
		}
	}
	if c.node >= len(nodes) {
		return nil, errMetadata
	}
	count, missing := nodes[c.node][0], nodes[c.node][1]
	if count < 0 || count > maxBody {
		return nil, errMetadata
	}
	need := 3
	switch {
	case c.dictionary != nil:
		need = 2
	case view:
		need = 2 + own
	}
	if first+need > len(buffers) {
		return nil, errMetadata
	}
	u := unpacker{reader: r, codec: -1, left: maxUnpacked}
	if compression, ok := batch.table(batchCompression); ok {
		u.codec = int(compression.int8(compressionCodec))
	}
	t = &texts{column: c, count: int(count), step: c.step()}
	for i, place := range buffers[first : first+need] {
		if place[0] < 0 || place[1] < 0 || place[0] > int64(len(body)) || place[1] > int64(len(body))-place[0] {
			return nil, errMetadata
		}
		if i == 0 && missing == 0 {
			continue
		}
		data, err := u.unpack(body[place[0] : place[0]+place[1]])
		if err != nil {
			return nil, err
		}
		switch i {
		case 0:
			t.validity = data
		case 1:
			t.places = data
		default:
			t.data = append(t.data, data)
		}
	}
	if err := t.check(int(missing)); err != nil {
		return nil, err
	}
	return t, nil
}

// step is how many bytes of a batch say where a text lies.
func (c *Column) step() int {
	switch {
	case c.dictionary != nil:
		return c.dictionary.width
	case c.kind == kindUTF8View:
		return 16
	case c.kind == kindLargeUTF8:
		return 8
	}
	return 4
}

// check refuses buffers that are too short for the texts.
func (t *texts) check(missing int) error {
	places := t.count
	if t.column.dictionary == nil && t.column.kind != kindUTF8View && places > 0 {
		places++ // where the last one ends
	}
	if len(t.places)/t.step < places || missing != 0 && len(t.validity) < (t.count+7)/8 {
		return errMetadata
	}
	return nil
}

// at is one of the texts, copied, "" if it is missing.
func (t *texts) at(i int) (string, error) {
	if t.validity != nil && t.validity[i/8]>>(i%8)&1 == 0 {
		return "", nil
	}
	place := t.places[i*t.step:]
	switch {
	case t.column.dictionary != nil:
		at := t.column.dictionary.reference(place)
		if at >= uint64(len(t.dictionary)) {
			return "", errors.New("it is damaged: a row names a text that its dictionary lacks")
		}
		return t.dictionary[at], nil
	case t.column.kind == kindUTF8View:
		return t.view(place[:16])
	case t.column.kind == kindLargeUTF8:
		return within(t.data[0], binary.LittleEndian.Uint64(place), binary.LittleEndian.Uint64(place[8:]))
	}
	return within(t.data[0], uint64(binary.LittleEndian.Uint32(place)), uint64(binary.LittleEndian.Uint32(place[4:])))
}

// view is a text that is said where it is by its length; then itself, if it is short, else four bytes of it, the number
// of a buffer, and its place there.
func (t *texts) view(place []byte) (string, error) {
	length := uint64(binary.LittleEndian.Uint32(place))
	if length <= 12 {
		return string(place[4 : 4+length]), nil
	}
	buffer, start := binary.LittleEndian.Uint32(place[8:]), uint64(binary.LittleEndian.Uint32(place[12:]))
	if uint64(buffer) >= uint64(len(t.data)) {
		return "", errTexts
	}
	return within(t.data[buffer], start, start+length)
}

func within(data []byte, start, end uint64) (string, error) {
	if start > end || end > uint64(len(data)) {
		return "", errTexts
	}
	return string(data[start:end]), nil
}

// reference is the number of a text in the dictionary; a negative one is beyond any.
func (e *encoding) reference(place []byte) uint64 {
	switch e.width {
	case 1:
		if e.signed {
			return uint64(int8(place[0]))
		}
		return uint64(place[0])
	case 2:
		if n := binary.LittleEndian.Uint16(place); e.signed {
			return uint64(int16(n))
		} else {
			return uint64(n)
		}
	case 4:
		if n := binary.LittleEndian.Uint32(place); e.signed {
			return uint64(int32(n))
		} else {
			return uint64(n)
		}
	}
	return binary.LittleEndian.Uint64(place)
}

// unpacker unpacks the buffers of a batch.
type unpacker struct {
	reader *Reader
	codec  int   // -1 if they are not packed
	left   int64 // bytes that they may still unpack to
}

const codecLZ4, codecZstd = 0, 1

// unpack returns what a buffer holds: itself or, behind its length, what it is packed to.
func (u *unpacker) unpack(data []byte) ([]byte, error) {
	if u.codec < 0 || len(data) == 0 {
		return data, nil
	}
	if len(data) < 8 {
		return nil, errMetadata
	}
	size := int64(binary.LittleEndian.Uint64(data))
	data = data[8:]
	if size == -1 {
		return data, nil // it would not have become shorter
	}
	if u.left -= size; size < 0 || u.left < 0 {
		return nil, errUnpacked
	}
	if u.reader.unpacked += size; u.reader.unpacked > max(maxUnpacked, maxRatio*u.reader.read) {
		return nil, errRatio
	}
	var unpacked io.Reader
	switch u.codec {
	case codecLZ4:
		unpacked = lz4.NewReader(bytes.NewReader(data))
	case codecZstd:
		if u.reader.zstd == nil {
			d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
			if err != nil {
				return nil, err
			}
			u.reader.zstd = d
		}
		if err := u.reader.zstd.Reset(bytes.NewReader(data)); err != nil {
			return nil, fmt.Errorf("it is damaged: %w", err)
		}
		unpacked = u.reader.zstd
	default:
		return nil, fmt.Errorf("it is compressed in a way that is not known here (%d)", u.codec)
	}
	all, err := readAll(unpacked, size)
	if err != nil {
		return nil, fmt.Errorf("it is damaged: unpacking a column: %w", err)
	}
	return all, nil
}

// readAll reads n bytes, making room as they come.
func readAll(r io.Reader, n int64) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(int(min(n, 1<<20)))
	if _, err := io.CopyN(&b, r, n); err != nil {
		return nil, cutShort(err)
	}
	return b.Bytes(), nil
}

func cutShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errCutShort
	}
	return err
}
