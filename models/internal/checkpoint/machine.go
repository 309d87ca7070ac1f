package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
)

// Values that the machine puts on its stack, beside nil, bool, int64, *big.Int, float64 and string.
type (
	tuple []any
	list  struct{ items []any }
	dict  struct { // also an OrderedDict; only entries with string keys are kept
		keys   []string
		values map[string]any
	}
	class  string   // a global by its full name
	mark   struct{} // where a container's items begin
	opaque struct{} // an object that weights do not need
	// tensor is what torch._utils._rebuild_tensor_v2 makes of a storage.
	tensor struct {
		storage *storage
		offset  int64 // in elements
		shape   []int
		strides []int
	}
)

func newDict() *dict { return &dict{values: map[string]any{}} }

// set keeps an entry whose key is a string.
func (d *dict) set(key, value any) {
	name, ok := key.(string)
	if !ok {
		return
	}
	if _, ok := d.values[name]; !ok {
		d.keys = append(d.keys, name)
	}
	d.values[name] = value
}

// machine runs one pickle (https://docs.python.org/3/library/pickletools.html lists the opcodes). Each opcode allocates
// no more than its own bytes or the items it takes from the stack, so memory stays in proportion to the pickle.
type machine struct {
	code    []byte
	at      int
	stack   []any
	memo    map[int]any
	storage func(id tuple) (*storage, error) // resolves a persistent id
}

// errCut is a pickle that ends in the middle.
var errCut = errors.New("the pickle is cut short")

// run executes from at on, to STOP, and returns the value it leaves.
func (m *machine) run() (result any, err error) {
	m.memo = map[int]any{}
	for {
		start := m.at
		opcode, err := m.take(1)
		if err != nil {
			return nil, err
		}
		if opcode[0] == '.' {
			return m.pop()
		}
		if err := m.step(opcode[0]); err != nil {
			return nil, fmt.Errorf("pickle opcode 0x%02x at byte %d: %w", opcode[0], start, err)
		}
	}
}

// take reads the next n bytes of the code.
func (m *machine) take(n int) ([]byte, error) {
	if n < 0 || n > len(m.code)-m.at {
		return nil, errCut
	}
	b := m.code[m.at : m.at+n]
	m.at += n
	return b, nil
}

// number reads an unsigned little-endian number of n bytes that fits an int.
func (m *machine) number(n int) (int, error) {
	b, err := m.take(n)
	if err != nil {
		return 0, err
	}
	var wide [8]byte
	copy(wide[:], b)
	value := binary.LittleEndian.Uint64(wide[:])
	if value > math.MaxInt {
		return 0, errCut
	}
	return int(value), nil
}

// counted reads a length of n bytes and as many bytes.
func (m *machine) counted(n int) ([]byte, error) {
	length, err := m.number(n)
	if err != nil {
		return nil, err
	}
	return m.take(length)
}

// line reads up to the next newline.
func (m *machine) line() (string, error) {
	end := slices.Index(m.code[m.at:], '\n')
	if end < 0 {
		return "", errCut
	}
	b, err := m.take(end + 1)
	return string(b[:max(0, len(b)-1)]), err
}

func (m *machine) push(value any) error {
	m.stack = append(m.stack, value)
	return nil
}

func (m *machine) pop() (any, error) {
	if len(m.stack) == 0 {
		return nil, errors.New("the stack is empty")
	}
	value := m.stack[len(m.stack)-1]
	m.stack = m.stack[:len(m.stack)-1]
	return value, nil
}

func (m *machine) top() (any, error) {
	if len(m.stack) == 0 {
		return nil, errors.New("the stack is empty")
	}
	return m.stack[len(m.stack)-1], nil
}

// popN takes the last n values.
func (m *machine) popN(n int) ([]any, error) {
	if n > len(m.stack) {
		return nil, errors.New("the stack is too short")
	}
	items := slices.Clone(m.stack[len(m.stack)-n:])
	m.stack = m.stack[:len(m.stack)-n]
	return items, nil
}

// popMark takes the values behind the last mark, and the mark.
func (m *machine) popMark() ([]any, error) {
	for i := len(m.stack) - 1; i >= 0; i-- {
		if _, ok := m.stack[i].(mark); ok {
			items, err := m.popN(len(m.stack) - i)
			if err != nil {
				return nil, err
			}
			return items[1:], nil
		}
	}
	return nil, errors.New("there is no mark on the stack")
}

// remember stores the top of the stack in the memo.
func (m *machine) remember(at int) error {
	value, err := m.top()
	if err == nil {
		m.memo[at] = value
	}
	return err
}

// recall pushes a value of the memo.
func (m *machine) recall(at int) error {
	value, ok := m.memo[at]
	if !ok {
		return fmt.Errorf("nothing was remembered as %d", at)
	}
	return m.push(value)
}

// integer is a little-endian two's complement number of any length.
func integer(b []byte) any {
	big := new(big.Int).SetBytes(reversed(b))
	if len(b) > 0 && b[len(b)-1]&0x80 != 0 {
		big.Sub(big, power(8*len(b)))
	}
	if big.IsInt64() {
		return big.Int64()
	}
	return big
}

func reversed(b []byte) []byte {
	b = slices.Clone(b)
	slices.Reverse(b)
	return b
}

// power is 2^n.
func power(n int) *big.Int { return new(big.Int).Lsh(big.NewInt(1), uint(n)) }

// decimal reads what the old text opcodes write.
func decimal(line string) (any, error) {
	switch line {
	case "00":
		return false, nil
	case "01":
		return true, nil
	}
	if n := len(line); n > 0 && line[n-1] == 'L' {
		line = line[:n-1]
	}
	value, err := strconv.ParseInt(line, 10, 64)
	if err != nil {
		return nil, errors.New("a number is not written in digits")
	}
	return value, nil
}
