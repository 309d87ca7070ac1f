package safetensors

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

const (
	lengthSize = 8
	// maxHeader is the longest header that the reference implementation accepts.
	maxHeader   = 100_000_000
	metadataKey = "__metadata__"
)

// header is the parsed JSON at the start of a file.
type header struct {
	tensors  map[string]Info
	metadata map[string]string
}

// readHeader reads and checks the header of a file of size bytes. dataStart is where the byte buffer begins.
func readHeader(r io.ReaderAt, size int64) (h header, dataStart int64, err error) {
	if size < lengthSize {
		return h, 0,
			fmt.Errorf("the file has %d bytes, too few for the 8 of a header length: it is empty or cut short, fetch it again",
				size)
	}
	var prefix [lengthSize]byte
	if err := readFull(r, prefix[:], 0); err != nil {
		return h, 0, err
	}
	length := littleEndian.Uint64(prefix[:])
	switch {
	case length > maxHeader:
		return h, 0,
			fmt.Errorf("the header claims %d bytes, more than the %d allowed: this is no safetensors file or a damaged one",
				length, maxHeader)
	case int64(length) > size-lengthSize:
		return h, 0, fmt.Errorf("the header claims %d bytes but the file has %d: it is cut short, fetch it again",
			length, size)
	}
	text := make([]byte, length)
	if err := readFull(r, text, lengthSize); err != nil {
		return h, 0, err
	}
	if h, err = parseHeader(text); err != nil {
		return h, 0, err
	}
	dataStart = lengthSize + int64(length)
	return h, dataStart, checkRanges(h.tensors, size-dataStart)
}

// readFull fills p from offset off, and takes io.EOF together with a full p for success.
func readFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if errors.Is(err, io.EOF) || err == nil {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read %d bytes at offset %d: %w", len(p), off, err)
}

// parseHeader parses the JSON of a header, without regard to the size of the buffer behind it.
func parseHeader(text []byte) (header, error) {
	h := header{tensors: map[string]Info{}, metadata: map[string]string{}}
	if !utf8.Valid(text) {
		return h, errors.New("the header is not UTF-8: this is no safetensors file")
	}
	err := eachField(text, func(name string, value json.RawMessage) error {
		if name == metadataKey {
			return eachField(value, func(key string, text json.RawMessage) error {
				var s *string
				if json.Unmarshal(text, &s) != nil || s == nil {
					return fmt.Errorf("metadata %q is not a string", key)
				}
				h.metadata[key] = *s
				return nil
			})
		}
		info, err := parseInfo(name, value)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		h.tensors[name] = info
		return nil
	})
	if err != nil {
		return h, fmt.Errorf("bad header: %w", err)
	}
	return h, nil
}

// eachField calls visit for the fields of a JSON object in order. Unlike json.Unmarshal it refuses a name that occurs
// twice: readers that keep the first and readers that keep the last would see different weights.
func eachField(text []byte, visit func(name string, value json.RawMessage) error) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if t, err := decoder.Token(); err != nil || t != json.Delim('{') {
		return errors.New("not a JSON object")
	}
	seen := map[string]bool{}
	for decoder.More() {
		t, err := decoder.Token()
		if err != nil {
			return fmt.Errorf("not JSON: %w", err)
		}
		name, ok := t.(string)
		if !ok {
			return fmt.Errorf("not JSON: %v where a name is expected", t)
		}
		if seen[name] {
			return fmt.Errorf("the name %q occurs twice", name)
		}
		seen[name] = true
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return fmt.Errorf("not JSON: %w", err)
		}
		if err := visit(name, value); err != nil {
			return err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more text behind the JSON object")
	}
	return nil
}

// parseInfo parses the description of one tensor and checks that shape, type and range agree.
func parseInfo(name string, text json.RawMessage) (Info, error) {
	info := Info{Name: name}
	var hasShape, hasOffsets bool
	err := eachField(text, func(field string, value json.RawMessage) error {
		switch field {
		case "dtype":
			if json.Unmarshal(value, &info.DType) != nil || info.DType.Size() == 0 {
				return fmt.Errorf("unknown data type %s", abbreviate(value))
			}
		case "shape":
			numbers, err := naturals(value)
			if err != nil {
				return fmt.Errorf("shape %w", err)
			}
			info.Shape = make([]int, len(numbers))
			for i, n := range numbers {
				if n > math.MaxInt {
					return fmt.Errorf("shape has a dimension of %d, too large for this machine", n)
				}
				info.Shape[i] = int(n)
			}
			hasShape = true
		case "data_offsets":
			numbers, err := naturals(value)
			if err != nil {
				return fmt.Errorf("data_offsets %w", err)
			}
			if len(numbers) != 2 || numbers[0] > numbers[1] {
				return fmt.Errorf("data_offsets %s are not a begin and an end", abbreviate(value))
			}
			info.Begin, info.End = numbers[0], numbers[1]
			hasOffsets = true
		}
		return nil
	})
	switch {
	case err != nil:
		return info, err
	case info.DType == "":
		return info, errors.New("dtype is missing")
	case !hasShape:
		return info, errors.New("shape is missing")
	case !hasOffsets:
		return info, errors.New("data_offsets is missing")
	}
	bytes, ok := byteSize(info.DType, info.Shape)
	if !ok {
		return info, fmt.Errorf("shape %v has more elements than can be counted", info.Shape)
	}
	if bytes != info.End-info.Begin {
		return info, fmt.Errorf("%s of shape %v takes %d bytes, but data_offsets give %d",
			info.DType, info.Shape, bytes, info.End-info.Begin)
	}
	return info, nil
}

// naturals parses a JSON list of integers that are written plainly: no sign, no fraction, no exponent.
func naturals(text json.RawMessage) ([]int64, error) {
	var numbers []json.Number
	if err := json.Unmarshal(text, &numbers); err != nil || numbers == nil {
		return nil, fmt.Errorf("%s is not a list of numbers", abbreviate(text))
	}
	list := make([]int64, len(numbers))
	for i, number := range numbers {
		n, err := strconv.ParseInt(string(number), 10, 64)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("holds %s, which is not an integer from 0 to 2^63-1", abbreviate([]byte(number)))
		}
		list[i] = n
	}
	return list, nil
}

// byteSize multiplies a shape out; ok is false on overflow.
func byteSize(t DType, shape []int) (size int64, ok bool) {
	if slices.Contains(shape, 0) {
		return 0, true
	}
	size = int64(t.Size())
	for _, n := range shape {
		if n < 0 || int64(n) > math.MaxInt64/size {
			return 0, false
		}
		size *= int64(n)
	}
	return size, size <= math.MaxInt
}

// checkRanges checks that the tensors cover a buffer of size bytes without gap or overlap.
func checkRanges(tensors map[string]Info, size int64) error {
	list := make([]Info, 0, len(tensors))
	for _, info := range tensors {
		list = append(list, info)
	}
	slices.SortFunc(list, func(a, b Info) int {
		return cmp.Or(cmp.Compare(a.Begin, b.Begin), cmp.Compare(a.End, b.End), cmp.Compare(a.Name, b.Name))
	})
	end, last := int64(0), ""
	for _, info := range list {
		switch {
		case info.End > size:
			return fmt.Errorf("tensor %q ends at byte %d of a buffer of %d: the file is cut short or damaged, fetch it again",
				info.Name, info.End, size)
		case info.Begin < end:
			return fmt.Errorf("tensors %q and %q overlap: the file is damaged or malicious", last, info.Name)
		case info.Begin > end:
			return fmt.Errorf("bytes %d to %d before tensor %q belong to no tensor: the file is damaged or malicious", end,
				info.Begin, info.Name)
		}
		end, last = info.End, info.Name
	}
	if end != size {
		return fmt.Errorf("the last %d bytes of the file belong to no tensor: the file is damaged or malicious", size-end)
	}
	return nil
}

// abbreviate quotes foreign text for an error message.
func abbreviate(text []byte) string {
	const limit = 60
	if len(text) > limit {
		return strconv.Quote(string(text[:limit])) + "…"
	}
	return string(text)
}
