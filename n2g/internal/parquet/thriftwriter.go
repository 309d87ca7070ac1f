package parquet

import "encoding/binary"

// thriftWriter writes one struct of Thrift's compact protocol, its fields in ascending order.
type thriftWriter struct {
	data []byte
	last []int16 // field of each open struct
}

func newThriftWriter() *thriftWriter { return &thriftWriter{last: []int16{0}} }

// field begins one: its type beside how much larger its number is than that of the one before.
func (w *thriftWriter) field(id int16, kind byte) {
	last := &w.last[len(w.last)-1]
	w.data = append(w.data, byte(id-*last)<<4|kind)
	*last = id
}

func (w *thriftWriter) i32(id int16, v int) {
	w.field(id, typeI32)
	w.element(v)
}

func (w *thriftWriter) i64(id int16, v int64) {
	w.field(id, typeI64)
	w.data = binary.AppendVarint(w.data, v)
}

func (w *thriftWriter) text(id int16, v string) {
	w.field(id, typeBinary)
	w.textElement(v)
}

// list begins a field of n elements, which follow.
func (w *thriftWriter) list(id int16, kind byte, n int) {
	w.field(id, typeList)
	if n < 0xf {
		w.data = append(w.data, byte(n)<<4|kind)
		return
	}
	w.data = binary.AppendUvarint(append(w.data, 0xf0|kind), uint64(n))
}

// element is a number in a list.
func (w *thriftWriter) element(v int) { w.data = binary.AppendVarint(w.data, int64(v)) }

func (w *thriftWriter) textElement(v string) {
	w.data = append(binary.AppendUvarint(w.data, uint64(len(v))), v...)
}

// open begins a struct in a field.
func (w *thriftWriter) open(id int16) {
	w.field(id, typeStruct)
	w.openElement()
}

// openElement begins a struct in a list.
func (w *thriftWriter) openElement() { w.last = append(w.last, 0) }

// end ends the struct begun last, or the outermost.
func (w *thriftWriter) end() {
	w.data = append(w.data, typeStop)
	w.last = w.last[:len(w.last)-1]
}
