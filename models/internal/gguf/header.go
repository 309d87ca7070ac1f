package gguf

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
)

const (
	magic            = "GGUF"
	oldest, newest   = 2, 3 // versions
	defaultAlignment = 32
	maxAlignment     = 1 << 20
	alignmentKey     = "general.alignment"
	architectureKey  = "general.architecture"

	maxHeader = 1 << 27 // bytes: ten times that of the largest vocabulary there is
	maxName   = 1 << 12 // bytes of a key or a tensor's name
	maxDims   = 4       // ggml has no more
	maxDepth  = 4       // of arrays in arrays
)

var littleEndian = binary.LittleEndian

// kind is the type of a value of the header.
type kind uint32

const (
	kindUint8 kind = iota
	kindInt8
	kindUint16
	kindInt16
	kindUint32
	kindInt32
	kindFloat32
	kindBool
	kindString
	kindArray
	kindUint64
	kindInt64
	kindFloat64
)

// size is the bytes of a value, 0 if that differs from value to value.
func (k kind) size() int {
	switch k {
	case kindUint8, kindInt8, kindBool:
		return 1
	case kindUint16, kindInt16:
		return 2
	case kindUint32, kindInt32, kindFloat32:
		return 4
	case kindUint64, kindInt64, kindFloat64:
		return 8
	}
	return 0
}

// tensor is where a tensor lies in the file.
type tensor struct {
	kind  Type
	shape []int // row-major
	begin int64 // in the file
	size  int64 // bytes
}

// header is what stands before the tensors' data.
type header struct {
	values  map[string]any
	tensors map[string]tensor
}

// errCut is why reading on is impossible.
var errCut = errors.New("the file is cut short")

// cursor walks through the header, of which it holds the beginning. It stops at the first fault.
type cursor struct {
	r    io.ReaderAt
	size int64 // of the file
	data []byte
	at   int
	err  error
}

// fail notes the first fault.
func (c *cursor) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// left is how many bytes of the file follow.
func (c *cursor) left() int64 { return c.size - int64(c.at) }

// need makes n more bytes available. It reads ahead as far again as it has come, so memory stays in proportion to what
// of the header has been understood.
func (c *cursor) need(n int64) bool {
	if c.err != nil {
		return false
	}
	if n < 0 || n > c.left() {
		c.fail(errCut)
		return false
	}
	end := int64(c.at) + n
	if end <= int64(len(c.data)) {
		return true
	}
	if end > maxHeader {
		c.fail(fmt.Errorf("the header is longer than the limit of %d bytes", maxHeader))
		return false
	}
	const first = 1 << 16
	grown := make([]byte, min(max(2*int64(len(c.data)), end, first), c.size, maxHeader))
	copy(grown, c.data)
	if n, err := c.r.ReadAt(grown[len(c.data):], int64(len(c.data))); n < len(grown)-len(c.data) {
		if err == io.EOF {
			err = errCut
		}
		c.fail(err)
		return false
	}
	c.data = grown
	return true
}

func (c *cursor) uint32() uint32 {
	if !c.need(4) {
		return 0
	}
	c.at += 4
	return littleEndian.Uint32(c.data[c.at-4:])
}

func (c *cursor) uint64() uint64 {
	if !c.need(8) {
		return 0
	}
	c.at += 8
	return littleEndian.Uint64(c.data[c.at-8:])
}

// count reads how many entries of at least so many bytes follow, and refuses what the rest of the file cannot hold.
func (c *cursor) count(what string, least int64) int {
	n := c.uint64()
	if c.err == nil && n > uint64(c.left()/least) {
		c.fail(fmt.Errorf("%d %s are announced, more than the file's other %d bytes can hold: %w", n, what, c.left(), errCut))
	}
	if c.err != nil {
		return 0
	}
	return int(n)
}

// skipText passes over a string and returns where it lies in data.
func (c *cursor) skipText() (from, to int) {
	n := c.count("bytes of a text", 1)
	if !c.need(int64(n)) {
		return 0, 0
	}
	c.at += n
	return c.at - n, c.at
}

func (c *cursor) text() string {
	from, to := c.skipText()
	return string(c.data[from:to])
}

// name reads a key or a tensor's name.
func (c *cursor) name() string {
	from, to := c.skipText()
	if to-from > maxName {
		c.fail(fmt.Errorf("a name is %d bytes long, more than the limit of %d", to-from, maxName))
		return ""
	}
	return string(c.data[from:to])
}

// value reads a value of kind k: an int64, a uint64 that exceeds one, a float64, bool or string; for an array []int64,
// []float64, []bool, []string, or nil where it holds arrays.
func (c *cursor) value(k kind, depth int) any {
	switch k {
	case kindString:
		return c.text()
	case kindArray:
		return c.array(depth)
	}
	if k.size() == 0 {
		c.fail(fmt.Errorf("values of type %d are unknown", k))
		return nil
	}
	if !c.need(int64(k.size())) {
		return nil
	}
	p := c.data[c.at : c.at+k.size()]
	c.at += k.size()
	switch k {
	case kindBool:
		return p[0] != 0
	case kindFloat32, kindFloat64:
		return floatOf(k, p)
	case kindUint64:
		if n := littleEndian.Uint64(p); n > math.MaxInt64 {
			return n
		}
	}
	return intOf(k, p)
}

func floatOf(k kind, p []byte) float64 {
	if k == kindFloat32 {
		return float64(math.Float32frombits(littleEndian.Uint32(p)))
	}
	return math.Float64frombits(littleEndian.Uint64(p))
}

func intOf(k kind, p []byte) int64 {
	switch k {
	case kindUint8:
		return int64(p[0])
	case kindInt8:
		return int64(int8(p[0]))
	case kindUint16:
		return int64(littleEndian.Uint16(p))
	case kindInt16:
		return int64(int16(littleEndian.Uint16(p)))
	case kindUint32:
		return int64(littleEndian.Uint32(p))
	case kindInt32:
		return int64(int32(littleEndian.Uint32(p)))
	}
	return int64(littleEndian.Uint64(p))
}

// array reads the elements' type, their number, and them.
func (c *cursor) array(depth int) any {
	if depth == 0 {
		c.fail(fmt.Errorf("arrays lie in arrays deeper than %d", maxDepth))
		return nil
	}
	k := kind(c.uint32())
	switch k {
	case kindString:
		return c.texts()
	case kindArray:
		const least = 4 + 8
		for range c.count("arrays", least) {
			if c.array(depth - 1); c.err != nil {
				break
			}
		}
		return nil
	}
	if c.err == nil && k.size() == 0 {
		c.fail(fmt.Errorf("arrays of type %d are unknown", k))
		return nil
	}
	n := c.count("values", int64(max(k.size(), 1)))
	if !c.need(int64(n) * int64(k.size())) {
		return nil
	}
	p := c.data[c.at : c.at+n*k.size()]
	c.at += len(p)
	switch k {
	case kindBool:
		return each(k, p, func(_ kind, p []byte) bool { return p[0] != 0 })
	case kindFloat32, kindFloat64:
		return each(k, p, floatOf)
	}
	return each(k, p, intOf)
}

func each[T any](k kind, p []byte, convert func(kind, []byte) T) []T {
	out := make([]T, len(p)/k.size())
	for i := range out {
		out[i] = convert(k, p[i*k.size():])
	}
	return out
}

// texts reads strings, which lie in one piece of memory.
func (c *cursor) texts() []string {
	const lengthSize = 8
	n := c.count("texts", lengthSize)
	start := c.at
	for range n { // to see that they are there before memory is set aside for their headers
		if c.skipText(); c.err != nil {
			return nil
		}
	}
	all, at := string(c.data[start:c.at]), 0
	out := make([]string, n)
	for i := range out {
		length := int(littleEndian.Uint64(c.data[start+at:]))
		at += lengthSize
		out[i] = all[at : at+length]
		at += length
	}
	return out
}

// readHeader reads and checks all but the tensors' data.
func readHeader(r io.ReaderAt, size int64) (header, error) {
	c := &cursor{r: r, size: size}
	h := header{values: map[string]any{}, tensors: map[string]tensor{}}
	if err := c.start(); err != nil {
		return h, err
	}
	const (
		leastTensor = 8 + 4 + 4 + 8 // a name's length, no dimensions, type, offset
		leastValue  = 8 + 4 + 1
	)
	tensors := c.count("tensors", leastTensor)
	values := c.count("settings", leastValue)
	for range values {
		key := c.name()
		value := c.value(kind(c.uint32()), maxDepth)
		if c.err != nil {
			return h, fmt.Errorf("setting %q, number %d of %d: %w", key, len(h.values)+1, values, c.err)
		}
		if _, twice := h.values[key]; twice {
			return h, fmt.Errorf("setting %q occurs twice", key)
		}
		h.values[key] = value
	}
	alignment := int64(defaultAlignment)
	if value, ok := h.values[alignmentKey]; ok {
		n, isInt := value.(int64)
		if !isInt || n < 1 || n > maxAlignment || n&(n-1) != 0 {
			return h, fmt.Errorf("%s is %v, but must be a power of two up to %d", alignmentKey, value, maxAlignment)
		}
		alignment = n
	}
	for range tensors {
		name := c.name()
		t := c.tensor(alignment)
		if c.err != nil {
			return h, fmt.Errorf("tensor %q, number %d of %d: %w", name, len(h.tensors)+1, tensors, c.err)
		}
		if _, twice := h.tensors[name]; twice {
			return h, fmt.Errorf("tensor %q occurs twice", name)
		}
		h.tensors[name] = t
	}
	if c.err != nil {
		return h, c.err
	}
	return h, h.place((int64(c.at)+alignment-1)/alignment*alignment, size)
}

// start reads the magic and the version.
func (c *cursor) start() error {
	if c.size < int64(len(magic)) || !c.need(int64(len(magic))) {
		return fmt.Errorf("the file has %d bytes: it is empty or cut short, fetch it again", c.size)
	}
	if string(c.data[:len(magic)]) != magic {
		return fmt.Errorf("the file begins with %q, not with %s: it is no GGUF file", c.data[:len(magic)], magic)
	}
	c.at = len(magic)
	switch version := c.uint32(); {
	case c.err != nil:
		return c.err
	case version>>16 != 0 && version&0xffff == 0:
		return errors.New(
			"the file is big-endian, which is not supported: convert the model again for little-endian machines")
	case version < oldest || version > newest:
		return fmt.Errorf("the file has version %d of the format, but only %d and %d are supported: convert the model again",
			version, oldest, newest)
	}
	return nil
}

// tensor reads the description of a tensor after its name; begin is counted from the start of the data.
func (c *cursor) tensor(alignment int64) tensor {
	dims := c.uint32()
	if dims > maxDims {
		c.fail(fmt.Errorf("it has %d dimensions, more than %d", dims, maxDims))
		return tensor{}
	}
	t := tensor{shape: make([]int, dims)}
	elements := int64(1)
	for i := range t.shape {
		n := c.uint64()
		if c.err == nil && (n > math.MaxInt64 || n > 0 && elements > math.MaxInt64/int64(n)) {
			c.fail(errors.New("its shape has more elements than can be counted"))
		}
		if c.err != nil {
			return tensor{}
		}
		elements *= int64(n)
		t.shape[len(t.shape)-1-i] = int(n) // the file names the fastest dimension first
	}
	t.kind = Type(c.uint32())
	offset := c.uint64()
	if c.err != nil {
		return tensor{}
	}
	block, bytes := t.kind.layout()
	if block == 0 {
		c.fail(fmt.Errorf("its type is %s, which is not supported (supported: %s): take the model in another quantisation",
			t.kind, supported))
		return tensor{}
	}
	row := int64(1)
	if len(t.shape) > 0 {
		row = int64(t.shape[len(t.shape)-1])
	}
	switch {
	case row%int64(block) != 0:
		c.fail(fmt.Errorf("its rows of %d elements are no whole number of blocks of %d, as %s has", row, block, t.kind))
	case elements/int64(block) > math.MaxInt64/int64(bytes) || offset > math.MaxInt64/2:
		c.fail(errCut)
	case offset%uint64(alignment) != 0:
		c.fail(fmt.Errorf("its data begin at byte %d, which is no multiple of the alignment %d", offset, alignment))
	}
	t.begin, t.size = int64(offset), elements/int64(block)*int64(bytes)
	return t
}

// place makes the tensors' beginnings places in the file, and refuses tensors that overlap or reach beyond its end.
func (h header) place(dataStart, size int64) error {
	names := make([]string, 0, len(h.tensors))
	for name, t := range h.tensors {
		if t.begin > size-dataStart || t.size > size-dataStart-t.begin {
			return fmt.Errorf("tensor %q ends at byte %d of the data, of which there are %d: the file is cut short, fetch it "+
				"again",
				name, t.begin+t.size, max(size-dataStart, 0))
		}
		t.begin += dataStart
		h.tensors[name] = t
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(h.tensors[a].begin, h.tensors[b].begin), cmp.Compare(h.tensors[a].size, h.tensors[b].size),
			cmp.Compare(a, b))
	})
	for i := 1; i < len(names); i++ {
		if before := h.tensors[names[i-1]]; before.begin+before.size > h.tensors[names[i]].begin {
			return fmt.Errorf("tensors %q and %q overlap", names[i-1], names[i])
		}
	}
	return nil
}

// info describes a tensor as package safetensors does.
func (t tensor) info(name string) safetensors.Info {
	return safetensors.Info{Name: name, DType: safetensors.DType(t.kind.String()), Shape: slices.Clone(t.shape),
		Begin: t.begin, End: t.begin + t.size}
}
