package checkpoint

import (
	"encoding/binary"
	"errors"
	"math"
)

// step executes one opcode.
func (m *machine) step(opcode byte) error {
	switch opcode {
	case 0x80: // PROTO
		_, err := m.take(1)
		return err
	case 0x95: // FRAME: its length is a hint for readers of streams
		_, err := m.take(8)
		return err
	case '(': // MARK
		return m.push(mark{})
	case '0': // POP
		_, err := m.pop()
		return err
	case '1': // POP_MARK
		_, err := m.popMark()
		return err
	case 'p', 'q', 'r', 'g', 'h', 'j', 0x94: // PUT, BINPUT, LONG_BINPUT, GET, BINGET, LONG_BINGET, MEMOIZE
		return m.stepMemo(opcode)
	case ')', 't', 0x85, 0x86, 0x87, ']', 'l', '}', 'd', 0x8f: // new containers
		return m.stepContainer(opcode)
	case 'a', 'e', 's', 'u', 0x90: // APPEND, APPENDS, SETITEM, SETITEMS, ADDITEMS
		return m.stepFill(opcode)
	case 'c', 0x93, 'R', 0x81, 'b', 'Q': // GLOBAL, STACK_GLOBAL, REDUCE, NEWOBJ, BUILD, BINPERSID
		return m.stepObject(opcode)
	}
	value, err := m.scalar(opcode)
	if err != nil {
		return err
	}
	return m.push(value)
}

// scalar reads the value of an opcode that pushes one.
func (m *machine) scalar(opcode byte) (any, error) {
	switch opcode {
	case 'N': // NONE
		return nil, nil
	case 0x88, 0x89: // NEWTRUE, NEWFALSE
		return opcode == 0x88, nil
	case 'J': // BININT, signed
		n, err := m.number(4)
		return int64(int32(n)), err
	case 'K', 'M': // BININT1, BININT2
		n, err := m.number(map[byte]int{'K': 1, 'M': 2}[opcode])
		return int64(n), err
	case 'I', 'L': // INT, LONG
		line, err := m.line()
		if err != nil {
			return nil, err
		}
		return decimal(line)
	case 0x8a, 0x8b: // LONG1, LONG4
		b, err := m.counted(map[byte]int{0x8a: 1, 0x8b: 4}[opcode])
		return integer(b), err
	case 'G': // BINFLOAT
		b, err := m.take(8)
		if err != nil {
			return nil, err
		}
		return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
	case 0x8c, 'U', 'C', 'X', 'T', 'B', 0x8d, 0x8e: // strings and bytes with lengths of 1, 4 and 8 bytes
		b, err := m.counted(map[byte]int{0x8c: 1, 'U': 1, 'C': 1, 'X': 4, 'T': 4, 'B': 4, 0x8d: 8, 0x8e: 8}[opcode])
		return string(b), err
	}
	return nil, errors.New("no weight file needs it: the file is damaged or malicious")
}

func (m *machine) stepMemo(opcode byte) error {
	var at int
	var err error
	switch opcode {
	case 0x94:
		return m.remember(len(m.memo))
	case 'q', 'h':
		at, err = m.number(1)
	case 'r', 'j':
		at, err = m.number(4)
	default:
		var line string
		if line, err = m.line(); err != nil {
			return err
		}
		var value any
		value, err = decimal(line)
		number, _ := value.(int64)
		at = int(number)
	}
	switch {
	case err != nil:
		return err
	case opcode == 'p' || opcode == 'q' || opcode == 'r':
		return m.remember(at)
	}
	return m.recall(at)
}

func (m *machine) stepContainer(opcode byte) error {
	var items []any
	var err error
	switch opcode {
	case 't', 'l', 'd':
		items, err = m.popMark()
	case 0x85, 0x86, 0x87: // TUPLE1 to TUPLE3
		items, err = m.popN(int(opcode) - 0x84)
	}
	if err != nil {
		return err
	}
	switch opcode {
	case ']', 'l':
		return m.push(&list{items})
	case '}':
		return m.push(newDict())
	case 'd':
		d := newDict()
		if err := fill(d, items); err != nil {
			return err
		}
		return m.push(d)
	case 0x8f: // EMPTY_SET
		return m.push(opaque{})
	}
	return m.push(tuple(items))
}

func (m *machine) stepFill(opcode byte) error {
	var items []any
	var err error
	switch opcode {
	case 'a':
		items, err = m.popN(1)
	case 's':
		items, err = m.popN(2)
	default:
		items, err = m.popMark()
	}
	if err != nil {
		return err
	}
	container, err := m.top()
	if err != nil {
		return err
	}
	switch c := container.(type) {
	case *list:
		c.items = append(c.items, items...)
	case *dict:
		return fill(c, items)
	case opaque:
	default:
		return errors.New("items are put into something that is no container")
	}
	return nil
}

// fill puts keys and values, by turns, into a dict.
func fill(d *dict, items []any) error {
	if len(items)%2 != 0 {
		return errors.New("a key has no value")
	}
	for i := 0; i < len(items); i += 2 {
		d.set(items[i], items[i+1])
	}
	return nil
}
