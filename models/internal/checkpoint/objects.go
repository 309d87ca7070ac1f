package checkpoint

import (
	"errors"
	"fmt"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
)

// storageTypes are the classes that say what a storage holds.
var storageTypes = map[class]safetensors.DType{
	"torch.FloatStorage":    safetensors.F32,
	"torch.HalfStorage":     safetensors.F16,
	"torch.BFloat16Storage": safetensors.BF16,
	"torch.DoubleStorage":   safetensors.F64,
	"torch.LongStorage":     "I64",
	"torch.IntStorage":      "I32",
	"torch.ShortStorage":    "I16",
	"torch.CharStorage":     "I8",
	"torch.ByteStorage":     "U8",
	"torch.BoolStorage":     "BOOL",
}

// stepObject executes the opcodes that name classes, call them, or point outside the pickle.
func (m *machine) stepObject(opcode byte) error {
	switch opcode {
	case 'c':
		module, err := m.line()
		if err != nil {
			return err
		}
		name, err := m.line()
		if err != nil {
			return err
		}
		return m.push(class(module + "." + name))
	case 0x93:
		parts, err := m.popN(2)
		if err != nil {
			return err
		}
		module, ok1 := parts[0].(string)
		name, ok2 := parts[1].(string)
		if !ok1 || !ok2 {
			return errors.New("a class has a name that is no string")
		}
		return m.push(class(module + "." + name))
	case 'Q':
		id, err := m.pop()
		if err != nil {
			return err
		}
		key, ok := id.(tuple)
		if !ok || m.storage == nil {
			return errors.New("a reference to something outside the pickle, but not to a storage")
		}
		s, err := m.storage(key)
		if err != nil {
			return err
		}
		return m.push(s)
	case 'b': // BUILD sets attributes, which weights do not have
		if _, err := m.pop(); err != nil {
			return err
		}
		_, err := m.top()
		return err
	}
	parts, err := m.popN(2)
	if err != nil {
		return err
	}
	callee, ok1 := parts[0].(class)
	arguments, ok2 := parts[1].(tuple)
	if !ok1 || !ok2 {
		return errors.New("something that is no class is called")
	}
	value, err := call(callee, arguments)
	if err != nil {
		return err
	}
	return m.push(value)
}

// call makes an instance of one of the few classes that weight files hold.
func call(callee class, arguments tuple) (any, error) {
	switch callee {
	case "collections.OrderedDict", "builtins.dict", "__builtin__.dict":
		return newDict(), nil
	case "builtins.set", "__builtin__.set", "torch.Size", "torch.device":
		return opaque{}, nil
	case "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor":
		return rebuildTensor(arguments)
	case "torch._utils._rebuild_parameter":
		if len(arguments) > 0 {
			if t, ok := arguments[0].(*tensor); ok {
				return t, nil
			}
		}
		return nil, errors.New("a parameter that holds no tensor")
	}
	name := string(callee)
	if len(name) > 100 {
		name = name[:100] + "…"
	}
	return nil,
		fmt.Errorf("it calls %q, which no weight file needs and which may be an attack: convert the file to safetensors "+
			"where you trust it", name)
}

// rebuildTensor makes a tensor of (storage, offset, shape, strides, …).
func rebuildTensor(arguments tuple) (*tensor, error) {
	if len(arguments) < 4 {
		return nil, errors.New("a tensor of too few parts")
	}
	s, ok1 := arguments[0].(*storage)
	offset, ok2 := arguments[1].(int64)
	shape, ok3 := naturals(arguments[2])
	strides, ok4 := naturals(arguments[3])
	if !ok1 || !ok2 || !ok3 || !ok4 || offset < 0 || len(shape) != len(strides) {
		return nil, errors.New("a tensor whose parts are not a storage, an offset, a shape and strides")
	}
	t := &tensor{storage: s, offset: offset, shape: shape, strides: strides}
	if !t.inside() {
		return nil, fmt.Errorf("a tensor of shape %v with strides %v at %d reaches beyond its storage of %d elements", shape,
			strides, offset, s.elements)
	}
	return t, nil
}

// naturals reads a tuple of numbers from 0 to 2^40, which is more than any tensor has.
func naturals(value any) ([]int, bool) {
	items, ok := value.(tuple)
	if !ok || len(items) > 16 {
		return nil, false
	}
	numbers := make([]int, len(items))
	for i, item := range items {
		n, ok := item.(int64)
		if !ok || n < 0 || n > 1<<40 {
			return nil, false
		}
		numbers[i] = int(n)
	}
	return numbers, true
}

// inside tells whether every element lies in the storage, and no more elements than the storage has are claimed.
func (t *tensor) inside() bool {
	last, elements := t.offset, int64(1)
	for i, n := range t.shape {
		if n == 0 {
			return true
		}
		if int64(n) > t.storage.elements/elements+1 || (n > 1 && int64(t.strides[i]) > t.storage.elements) {
			return false
		}
		elements *= int64(n)
		last += int64(n-1) * int64(t.strides[i])
		if elements > t.storage.elements || last >= t.storage.elements {
			return false
		}
	}
	return last < t.storage.elements
}

// contiguous tells whether the elements lie in row-major order without a gap.
func (t *tensor) contiguous() bool {
	step := 1
	for i := len(t.shape) - 1; i >= 0; i-- {
		if t.shape[i] != 1 && t.strides[i] != step {
			return false
		}
		step *= t.shape[i]
	}
	return true
}

// elements is how many a shape has.
func elements(shape []int) int {
	n := 1
	for _, dimension := range shape {
		n *= dimension
	}
	return n
}

// gather fills dst with the elements from number first on, in row-major order, of values, which are as in the storage.
func (t *tensor) gather(dst, values []float32, first int) {
	index, place := make([]int, len(t.shape)), 0
	for axis, rest := len(index)-1, first; axis >= 0; axis-- {
		index[axis] = rest % t.shape[axis]
		rest /= t.shape[axis]
		place += index[axis] * t.strides[axis]
	}
	for i := range dst {
		dst[i] = values[place]
		for axis := len(index) - 1; axis >= 0; axis-- {
			place += t.strides[axis]
			if index[axis]++; index[axis] < t.shape[axis] {
				break
			}
			place -= index[axis] * t.strides[axis]
			index[axis] = 0
		}
	}
}

// tensorsOf lists the tensors of a state dict, or of the state dict that a checkpoint holds beside other things.
func tensorsOf(value any) (map[string]*tensor, error) {
	top, ok := value.(*dict)
	if !ok {
		return nil, errors.New("the pickle holds no dictionary of tensors")
	}
	candidates := []*dict{top}
	for _, name := range []string{"state_dict", "model_state_dict", "model"} {
		if inner, ok := top.values[name].(*dict); ok {
			candidates = append(candidates, inner)
		}
	}
	for _, d := range candidates {
		found := map[string]*tensor{}
		for _, name := range d.keys {
			if t, ok := d.values[name].(*tensor); ok {
				found[name] = t
			}
		}
		if len(found) > 0 {
			return found, nil
		}
	}
	return nil, errors.New("the pickle holds no tensors")
}
