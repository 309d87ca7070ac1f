package safetensors_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
)

func TestHostileHeaders(t *testing.T) {
	tensor := func(dtype, shape string, begin, end int) string {
		return fmt.Sprintf(`{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]}`, dtype, shape, begin, end)
	}
	length := func(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty file", nil, "0 bytes"},
		{"cut in the length", []byte{1, 2, 3}, "3 bytes"},
		{"huge length", length(math.MaxUint64), "no safetensors file"},
		{"length over the limit", length(100_000_001), "allowed"},
		{"length beyond the file", append(length(50), "{}"...), "cut short"},
		{"not UTF-8", file("{\"\xff\":1}", 0), "UTF-8"},
		{"not JSON", file("hello", 0), "not a JSON object"},
		{"a list", file("[]", 0), "not a JSON object"},
		{"empty header", file("", 0), "not a JSON object"},
		{"cut JSON", file(`{"a":`, 0), "not JSON"},
		{"cut object", file(`{"a":`+tensor("F32", "[]", 0, 4), 4), "not JSON"},
		{"text behind", file(`{}{}`, 0), "more text"},
		{"deep nesting", file(`{"a":`+strings.Repeat("[", 100_000), 0), "not JSON"},
		{"tensor is a number", file(`{"a":1}`, 0), `"a"`},
		{"metadata is a number", file(`{"__metadata__":1}`, 0), "not a JSON object"},
		{"metadata holds a number", file(`{"__metadata__":{"a":1}}`, 0), "not a string"},
		{"metadata holds null", file(`{"__metadata__":{"a":null}}`, 0), "not a string"},
		{"metadata twice", file(`{"__metadata__":{},"__metadata__":{}}`, 0), "twice"},
		{"name twice", file(`{"a":`+tensor("F32", "[]", 0, 4)+`,"a":`+tensor("F32", "[]", 0, 4)+`}`, 4), `"a" occurs twice`},
		{"name twice, once escaped", file(`{"a":`+tensor("F32", "[]", 0, 4)+`,"\u0061":`+tensor("F32", "[]", 0, 4)+`}`, 4),
			`"a" occurs twice`},
		{"field twice", file(`{"a":{"dtype":"F32","dtype":"F64","shape":[],"data_offsets":[0,4]}}`, 4), "twice"},
		{"no dtype", file(`{"a":{"shape":[],"data_offsets":[0,4]}}`, 4), "dtype is missing"},
		{"no shape", file(`{"a":{"dtype":"F32","data_offsets":[0,4]}}`, 4), "shape is missing"},
		{"null shape", file(`{"a":`+tensor("F32", "null", 0, 4)+`}`, 4), "not a list"},
		{"no offsets", file(`{"a":{"dtype":"F32","shape":[]}}`, 4), "data_offsets is missing"},
		{"unknown dtype", file(`{"a":`+tensor("F3", "[]", 0, 4)+`}`, 4), `unknown data type "F3"`},
		{"endless dtype", file(`{"a":`+tensor(strings.Repeat("F", 1<<16), "[]", 0, 4)+`}`, 4), "…"},
		{"negative shape", file(`{"a":`+tensor("F32", "[-1]", 0, 4)+`}`, 4), "-1"},
		{"two negatives", file(`{"a":`+tensor("F32", "[-1,-1]", 0, 4)+`}`, 4), "-1"},
		{"fraction", file(`{"a":`+tensor("F32", "[1.0]", 0, 4)+`}`, 4), "1.0"},
		{"exponent", file(`{"a":`+tensor("F32", "[1e0]", 0, 4)+`}`, 4), "1e0"},
		{"dimension over 64 bits", file(`{"a":`+tensor("F32", "[18446744073709551617]", 0, 4)+`}`, 4),
			"18446744073709551617"},
		{"product wraps to 4", file(`{"a":`+tensor("F32", "[4611686018427387905,4]", 0, 4)+`}`, 4),
			"more elements than can be counted"},
		{"product wraps to 0", file(`{"a":`+tensor("F32", "[4294967296,4294967296]", 0, 0)+`}`, 0),
			"more elements than can be counted"},
		{"shape too small", file(`{"a":`+tensor("F32", "[1]", 0, 8)+`}`, 8), "takes 4 bytes"},
		{"shape too large", file(`{"a":`+tensor("F16", "[5]", 0, 8)+`}`, 8), "takes 10 bytes"},
		{"offsets reversed", file(`{"a":`+tensor("F32", "[1]", 4, 0)+`}`, 4), "data_offsets"},
		{"offsets negative", file(`{"a":`+tensor("F32", "[1]", -4, 0)+`}`, 4), "-4"},
		{"three offsets", file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}}`, 4), "data_offsets"},
		{"beyond the file", file(`{"a":`+tensor("F32", "[2]", 0, 8)+`}`, 4), "cut short"},
		{"overlap", file(`{"a":`+tensor("F32", "[2]", 0, 8)+`,"b":`+tensor("F32", "[2]", 4, 12)+`}`, 12),
			`"a" and "b" overlap`},
		{"same range", file(`{"a":`+tensor("F32", "[1]", 0, 4)+`,"b":`+tensor("F32", "[1]", 0, 4)+`}`, 4),
			`"a" and "b" overlap`},
		{"gap", file(`{"a":`+tensor("F32", "[1]", 0, 4)+`,"b":`+tensor("F32", "[1]", 8, 12)+`}`, 12), "bytes 4 to 8"},
		{"gap in front", file(`{"a":`+tensor("F32", "[1]", 4, 8)+`}`, 8), "bytes 0 to 4"},
		{"bytes behind", file(`{"a":`+tensor("F32", "[1]", 0, 4)+`}`, 5), "last 1 bytes"},
	} {
		path := filepath.Join(t.TempDir(), "w")
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, parseErr := safetensors.Parse(c.data)
		_, openErr := safetensors.Open(path)
		_, readErr := safetensors.NewReader(bytes.NewReader(c.data), int64(len(c.data)))
		for way, err := range map[string]error{"Parse": parseErr, "Open": openErr, "NewReader": readErr} {
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") ||
				len(err.Error()) > 400 {
				t.Errorf("%s, %s: error %.500v, want one sentence with %q", c.name, way, err, c.want)
			}
		}
	}
}

func TestAcceptedHeaders(t *testing.T) {
	for name, header := range map[string]string{
		"nothing":        `{}`,
		"padding":        "{}      ",
		"empty tensors":  `{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"b":{"dtype":"I64","shape":[3,0],"data_offsets":[0,0]}}`,
		"unknown fields": `{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0],"note":{"x":[1]}}}`,
	} {
		if _, err := safetensors.Parse(file(header, 0)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFloat32sRefuses(t *testing.T) {
	f, err := safetensors.Parse(
		file(`{"a":{"dtype":"I64","shape":[2],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[2],"data_offsets":[16,24]}}`,
			24))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		n    int
		want string
	}{{"c", 2, `no tensor "c"`}, {"a", 2, "type I64"}, {"b", 3, "2 elements"}} {
		if err := f.Float32s(c.name, make([]float32, c.n)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
	for _, first := range []int{-1, 2, math.MaxInt} {
		if err := f.Float32sAt("b", first, make([]float32, 1)); err == nil ||
			!strings.Contains(err.Error(), "has 2 elements") {
			t.Errorf("from number %d on: error %v", first, err)
		}
	}
}

// TestFileShrinks: a reader whose file lost its end after opening says so.
func TestFileShrinks(t *testing.T) {
	data := file(`{"b":{"dtype":"F32","shape":[200000],"data_offsets":[0,800000]}}`, 800000)
	f, err := safetensors.NewReader(bytes.NewReader(data[:len(data)-4]), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Float32s("b", make([]float32, 200000)); err == nil || !strings.Contains(err.Error(), "unexpected EOF") {
		t.Errorf("error %v", err)
	}
}

func write(t *testing.T, tensors ...safetensors.Tensor) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := safetensors.Write(&out, tensors, nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestFolder(t *testing.T) {
	a := write(t, safetensors.Tensor{Name: "a", Shape: []int{1}, Data: []float32{1}})
	bc := write(t, safetensors.Tensor{Name: "b", Shape: []int{1}, Data: []float32{2}},
		safetensors.Tensor{Name: "c", DType: safetensors.F16, Data: []float32{3}})
	index := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	shards := fstest.MapFS{
		"model.safetensors.index.json": index(
			`{"metadata":{"total_size":10},"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors","c":"model-00002-of-00002.safetensors"}}`),
		"model-00001-of-00002.safetensors": {Data: a},
		"model-00002-of-00002.safetensors": {Data: bc},
	}
	folder, err := safetensors.OpenFolder(shards)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(folder.Names(), " "); got != "a b c" {
		t.Errorf("names %s", got)
	}
	for name, want := range map[string]float32{"a": 1, "b": 2, "c": 3} {
		info, ok := folder.Info(name)
		value := make([]float32, 1)
		if err := folder.Float32s(name, value); err != nil || !ok || info.Name != name || value[0] != want {
			t.Errorf("%s: %v, %+v, %t, %v", name, value, info, ok, err)
		}
	}
	if _, ok := folder.Info("d"); ok || folder.Float32s("d", nil) == nil {
		t.Error("there is a d")
	}
	if err := folder.Close(); err != nil {
		t.Error(err)
	}

	for want, fsys := range map[string]fstest.MapFS{
		"neither model.safetensors nor": {},
		"not JSON":                      {"model.safetensors.index.json": index("{")},
		"names no tensor":               {"model.safetensors.index.json": index("{}")},
		"does not hold it":              {"model.safetensors.index.json": index(`{"weight_map":{"x":"s"}}`), "s": {Data: a}},
		`shard "s"`:                     {"model.safetensors.index.json": index(`{"weight_map":{"x":"s"}}`)},
		`shard "../s"`:                  {"model.safetensors.index.json": index(`{"weight_map":{"x":"../s"}}`)},
		"cut short":                     {"model.safetensors": {Data: a[:len(a)-2]}},
	} {
		if _, err := safetensors.OpenFolder(fsys); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}

	opened, err := safetensors.OpenFolder(os.DirFS(filepath.Dir(golden)))
	if err != nil {
		t.Fatal(err)
	}
	if err := opened.Close(); err != nil {
		t.Error(err)
	}
	if _, err := safetensors.Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a folder opens as a file: %v", err)
	}
}

// FuzzParse: whatever the bytes are, parsing ends without a panic, and what it accepts can be read to the end, whole or
// in parts.
func FuzzParse(f *testing.F) {
	data, err := os.ReadFile(golden)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data[:6000])
	f.Add(
		file(
			`{"__metadata__":{"a":"b"},"a":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]},"b":{"dtype":"BOOL","shape":[],"data_offsets":[4,5]}}`, 5))
	f.Add(file(`{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}`, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := safetensors.Parse(data)
		read, readErr := safetensors.OpenFS(fstest.MapFS{"f": {Data: data}}, "f")
		if (err == nil) != (readErr == nil) {
			t.Fatalf("Parse: %v, OpenFS: %v", err, readErr)
		}
		if err != nil {
			return
		}
		total := 0
		for _, name := range file.Names() {
			info, _ := file.Info(name)
			if size := info.Len() * info.DType.Size(); size != int(info.End-info.Begin) || size > len(data) {
				t.Fatalf("%+v has %d bytes", info, size)
			}
			total += info.Len() * info.DType.Size()
			a, b := make([]float32, info.Len()), make([]float32, info.Len())
			half := len(b) / 2
			errA, errB := file.Float32s(name, a), errors.Join(read.Float32sAt(name, 0, b[:half]),
				read.Float32sAt(name, half, b[half:]))
			if (errA == nil) != (errB == nil) {
				t.Fatalf("%s: %v, %v", name, errA, errB)
			}
			for i := range a {
				if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
					t.Fatalf("%s: value %d is %g or %g", name, i, a[i], b[i])
				}
			}
		}
		if total > len(data) {
			t.Fatalf("%d bytes of tensors in %d", total, len(data))
		}
	})
}

// FuzzIndex: whatever an index says, opening the shards ends without a panic, and every tensor it leaves can be read.
func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"metadata":{"total_size":4},"weight_map":{"a":"one.safetensors"}}`))
	f.Add([]byte(`{"weight_map":{"a":"one.safetensors","b":"../two.safetensors"}}`))
	f.Add([]byte(`{"weight_map":{"a":"model.safetensors.index.json"}}`))
	f.Add([]byte(`{"weight_map":[]}`))
	var shard bytes.Buffer
	if err := safetensors.Write(&shard, []safetensors.Tensor{{Name: "a", Shape: []int{1}, Data: []float32{7}}},
		nil); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, index []byte) {
		folder, err := safetensors.OpenFolder(fstest.MapFS{
			"model.safetensors.index.json": {Data: index}, "one.safetensors": {Data: shard.Bytes()},
		})
		if err != nil {
			return
		}
		defer folder.Close()
		for _, name := range folder.Names() {
			value := make([]float32, 1)
			if err := folder.Float32s(name, value); err != nil || value[0] != 7 || name != "a" {
				t.Errorf("%q: %g, error %v", name, value[0], err)
			}
		}
	})
}
