package gguf_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/neuron2graph/neuron2graph/internal/testfile"
	"github.com/neuron2graph/neuron2graph/models/internal/gguf"
)

// typeNames are the tensors of testdata/types.gguf.
var typeNames = []string{"BF16", "F16", "F32", "Q2_K", "Q3_K", "Q4_0", "Q4_1", "Q4_K", "Q5_0", "Q5_1", "Q5_K", "Q6_K",
	"Q8_0"}

// readExpected is what Python's package gguf reads from testdata/types.gguf, by tensor.
func readExpected(t testing.TB) map[string][]float32 {
	t.Helper()
	data := testfile.Read(t, "testdata/types.f32.gz")
	all := make([]float32, len(data)/4)
	if _, err := binary.Decode(data, binary.LittleEndian, all); err != nil {
		t.Fatal(err)
	}
	expected := map[string][]float32{}
	n := len(all) / len(typeNames)
	for i, name := range typeNames {
		expected[name] = all[i*n : (i+1)*n]
	}
	return expected
}

func open(t testing.TB) *gguf.File {
	t.Helper()
	f, err := gguf.Open("testdata/types.gguf")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestTypes(t *testing.T) {
	f, expected := open(t), readExpected(t)
	if names := f.Names(); !slices.Equal(names, typeNames) {
		t.Fatalf("tensors %v", names)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for name, want := range expected {
		info, ok := f.Info(name)
		if !ok || !slices.Equal(info.Shape, []int{2, 512}) || string(info.DType) != name {
			t.Errorf("%s: %+v, %v", name, info, ok)
		}
		got := make([]float32, len(want))
		if err := f.Float32s(name, got); err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
				t.Fatalf("%s: element %d is %v, want %v", name, i, got[i], want[i])
			}
		}
		for range 200 {
			first := random.IntN(len(want) + 1)
			part := make([]float32, random.IntN(len(want)-first+1))
			if err := f.Float32sAt(name, first, part); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(part, want[first:first+len(part)]) {
				t.Fatalf("%s: elements %d to %d differ from the whole tensor's", name, first, first+len(part))
			}
		}
	}
}

func TestRequests(t *testing.T) {
	f := open(t)
	for _, c := range []struct {
		name        string
		first, size int
		want        string
	}{
		{"absent", 0, 1, `no tensor "absent"`}, {"Q4_1", -1, 1, "1024 elements"}, {"Q4_1", 1024, 1, "1024 elements"},
		{"Q4_1", 1000, 25, "1024 elements"}, {"F32", math.MaxInt, 1, "1024 elements"},
	} {
		if err := f.Float32sAt(c.name, c.first, make([]float32, c.size)); err == nil ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("%s from %d: %v", c.name, c.first, err)
		}
	}
	if err := f.Float32s("F16", make([]float32, 3)); err == nil {
		t.Error("a destination too short was filled")
	}
}

func TestValues(t *testing.T) {
	f := open(t)
	for key, want := range map[string]any{
		"general.architecture": "test",
		"kinds.uint8":          int64(200), "kinds.int8": int64(-100), "kinds.uint16": int64(60000),
		"kinds.int16":  int64(-30000),
		"kinds.uint32": int64(4000000000), "kinds.int32": int64(-2000000000), "kinds.uint64": uint64(math.MaxUint64),
		"kinds.int64": int64(math.MinInt64), "kinds.float32": float64(float32(0.1)), "kinds.float64": 0.1, "kinds.bool": true,
		"kinds.string": "naïve ▁", "kinds.ints": []int64{1, -2, 3}, "kinds.floats": []float64{0.5, -1.5},
		"kinds.bools": []bool{true, false}, "kinds.strings": []string{"", "a", "字"}, "kinds.arrays": nil, "absent": nil,
	} {
		if got := f.Value(key); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %#v, want %#v", key, got, want)
		}
	}
}

// builder writes headers by hand, false ones too.
type builder struct{ bytes.Buffer }

func (b *builder) put(values ...any) *builder {
	for _, v := range values {
		if s, ok := v.(string); ok {
			b.put(uint64(len(s)))
			b.WriteString(s)
			continue
		}
		if err := binary.Write(b, binary.LittleEndian, v); err != nil {
			panic(err)
		}
	}
	return b
}

// head is magic, version and counts.
func head(version uint32, tensors, values uint64) *builder {
	b := &builder{}
	b.WriteString("GGUF")
	return b.put(version, tensors, values)
}

// one is a file of one tensor, whose data are size bytes.
func one(size int, dims []uint64, kind uint32, offset uint64) []byte {
	b := head(3, 1, 0).put("w", uint32(len(dims)), dims, kind, offset)
	for b.Len()%32 != 0 {
		b.WriteByte(0)
	}
	return append(b.Bytes(), make([]byte, size)...)
}

func TestHostile(t *testing.T) {
	array := func(kind uint32, count uint64) []byte {
		return head(3, 0, 1).put("a", uint32(9), kind, count, uint64(0)).Bytes()
	}
	deep := head(3, 0, 1).put("a", uint32(9))
	for range 100 {
		deep.put(uint32(9), uint64(1))
	}
	twoTensors := func(second string, offset uint64) []byte {
		b := head(3, 2, 0).put("w", uint32(1), uint64(16), uint32(0), uint64(0),
			second, uint32(1), uint64(16), uint32(0), offset)
		for b.Len()%32 != 0 {
			b.WriteByte(0)
		}
		return append(b.Bytes(), make([]byte, 256)...)
	}
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "0 bytes"},
		{"three bytes", []byte("GGU"), "3 bytes"},
		{"another file", []byte("PK\x03\x04 and more of it"), "no GGUF file"},
		{"magic alone", []byte("GGUF"), "cut short"},
		{"version 1", head(1, 0, 0).Bytes(), "version 1"},
		{"version 4", head(4, 0, 0).Bytes(), "version 4"},
		{"big-endian", head(3<<24, 0, 0).Bytes(), "big-endian"},
		{"more tensors than bytes", head(3, 1<<40, 0).Bytes(), "cut short"},
		{"more settings than bytes", head(3, 0, math.MaxUint64).Bytes(), "cut short"},
		{"huge key", head(3, 0, 1).put(uint64(math.MaxUint64)).Bytes(), "cut short"},
		{"long key", head(3, 0, 1).put(strings.Repeat("k", 5000), uint32(0), uint8(1)).Bytes(), "5000 bytes"},
		{"unknown type", head(3, 0, 1).put("a", uint32(77), uint64(0)).Bytes(), "type 77"},
		{"value cut", head(3, 0, 1).put("a", uint32(10), uint8(0)).Bytes(), "cut short"},
		{"array of 2^60 numbers", array(0, 1<<60), "cut short"},
		{"array of 2^24 texts", array(8, 1<<24), "cut short"},
		{"array of 2^62 int64", array(11, 1<<62), "cut short"},
		{"array of unknown type", array(13, 0), "type 13"},
		{"arrays in arrays", deep.Bytes(), "deeper than"},
		{"a key twice", head(3, 0, 2).put("a", uint32(0), uint8(1), "a", uint32(0), uint8(1)).Bytes(), `"a" occurs twice`},
		{"alignment 0", head(3, 0, 1).put("general.alignment", uint32(4), uint32(0)).Bytes(), "alignment"},
		{"alignment 3", head(3, 0, 1).put("general.alignment", uint32(4), uint32(3)).Bytes(), "alignment"},
		{"alignment a text", head(3, 0, 1).put("general.alignment", uint32(8), "32").Bytes(), "alignment"},
		{"five dimensions", one(64, []uint64{1, 1, 1, 1, 1}, 0, 0), "5 dimensions"},
		{"2^32 dimensions", head(3, 1, 0).put("w", uint32(math.MaxUint32)).Bytes(), "cut short"},
		{"elements wrap to 0", one(64, []uint64{1 << 32, 1 << 32}, 0, 0), "more elements than can be counted"},
		{"bytes wrap", one(64, []uint64{1 << 62}, 0, 0), "cut short"},
		{"unknown tensor type", one(64, []uint64{32}, 99, 0), "number 99"},
		{"IQ4_NL", one(64, []uint64{32}, 20, 0), "IQ4_NL"},
		{"row of half a block", one(64, []uint64{16, 2}, 2, 0), "blocks of 32"},
		{"offset out of line", one(64, []uint64{4}, 0, 8), "alignment 32"},
		{"offset beyond the file", one(64, []uint64{4}, 0, 1<<40), "cut short"},
		{"offset of 2^63", one(64, []uint64{4}, 0, 1<<63), "cut short"},
		{"data cut", one(63, []uint64{16}, 0, 0), "cut short"},
		{"no data", one(0, []uint64{16}, 0, 0), "cut short"},
		{"a tensor twice", twoTensors("w", 64), `"w" occurs twice`},
		{"overlap", twoTensors("v", 32), `"w" and "v" overlap`},
		{"same place", twoTensors("v", 0), "overlap"},
	} {
		_, err := gguf.Parse(c.data)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
			continue
		}
		if text := err.Error(); len(text) > 300 || strings.Contains(text, "\n") {
			t.Errorf("%s: no short sentence: %s", c.name, text)
		}
		path := filepath.Join(t.TempDir(), "m.gguf")
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := gguf.Open(path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s on disk: %v", c.name, err)
		}
	}
	if f, err := gguf.Parse(twoTensors("v", 64)); err != nil || len(f.Names()) != 2 {
		t.Errorf("two tensors in order: %v", err)
	}
}

// TestCutAnywhere cuts a good file at every byte of its header and at some of its data.
func TestCutAnywhere(t *testing.T) {
	data, err := os.ReadFile("testdata/types.gguf")
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(data); n += 1 + n/4000*97 {
		if _, err := gguf.Parse(data[:n]); err == nil {
			t.Fatalf("%d of %d bytes were taken for a whole file", n, len(data))
		}
	}
}

// TestMemory opens short files that announce much.
func TestMemory(t *testing.T) {
	var files [][]byte
	for _, kind := range []uint32{0, 1, 4, 6, 7, 8, 9, 10, 12} {
		b := head(3, 0, 1).put("a", uint32(9), kind, uint64(1<<20/16))
		files = append(files, append(b.Bytes(), make([]byte, 1<<20)...))
	}
	files = append(files, append(head(3, 1<<15, 0).Bytes(), make([]byte, 1<<20)...),
		append(head(3, 0, 1<<15).Bytes(), make([]byte, 1<<20)...))
	var before, after runtime.MemStats
	for i, data := range files {
		runtime.ReadMemStats(&before)
		gguf.Parse(data)
		runtime.ReadMemStats(&after)
		if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 12*uint64(len(data)) {
			t.Errorf("file %d of %d bytes: %d bytes of memory", i, len(data), allocated)
		}
	}
}

// shrunk is a file that lost its end after it was opened.
type shrunk struct{ data []byte }

func (s *shrunk) Stat() (fs.FileInfo, error) { return shrunkInfo{}, nil }
func (s *shrunk) Read([]byte) (int, error)   { return 0, io.EOF }
func (s *shrunk) Close() error               { return nil }
func (s *shrunk) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(s.data).ReadAt(p, off)
}

type shrunkInfo struct{ fs.FileInfo }

func (shrunkInfo) Mode() fs.FileMode  { return 0o600 }
func (shrunkInfo) Size() int64        { return wholeSize }
func (shrunkInfo) ModTime() time.Time { return time.Time{} }

var wholeSize int64

type shrunkFS struct{ file *shrunk }

func (s shrunkFS) Open(string) (fs.File, error) { return s.file, nil }

func TestShrunk(t *testing.T) {
	data, err := os.ReadFile("testdata/types.gguf")
	if err != nil {
		t.Fatal(err)
	}
	wholeSize = int64(len(data))
	file := &shrunk{data}
	f, err := gguf.OpenFS(shrunkFS{file}, "m.gguf")
	if err != nil {
		t.Fatal(err)
	}
	info, _ := f.Info("Q4_1")
	file.data = data[:info.Begin+10]
	if err := f.Float32s("Q4_1", make([]float32, 1024)); err == nil {
		t.Error("values were read behind the end of the file")
	}
}

func TestOpenFS(t *testing.T) {
	data, err := os.ReadFile("testdata/types.gguf")
	if err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{"m.gguf": {Data: data}, "folder/x": {}}
	f, err := gguf.OpenFS(fsys, "m.gguf")
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float32, 1024)
	if err := f.Float32s("Q6_K", got); err != nil || !slices.Equal(got, readExpected(t)["Q6_K"]) {
		t.Errorf("Q6_K through a file system: %v", err)
	}
	for _, name := range []string{"absent", "folder"} {
		if _, err := gguf.OpenFS(fsys, name); err == nil {
			t.Errorf("%s was opened", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	data, err := os.ReadFile("testdata/types.gguf")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(withTokenizer(nil))
	f.Add(one(64, []uint64{16}, 0, 0))
	f.Add(head(3, 0, 1).put("a", uint32(9), uint32(8), uint64(2), "x", "y").Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := gguf.Parse(data)
		if err != nil {
			return
		}
		file.Tokenizer()
		for _, name := range file.Names() {
			info, _ := file.Info(name)
			if n := info.Len(); n > 1<<20 {
				t.Fatalf("%d elements in %d bytes", n, len(data))
			}
			if err := file.Float32s(name, make([]float32, info.Len())); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func BenchmarkDequantize(b *testing.B) {
	data, err := os.ReadFile("testdata/types.gguf")
	if err != nil {
		b.Fatal(err)
	}
	f, err := gguf.Parse(data)
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]float32, 1024)
	for _, name := range typeNames {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(4 * len(dst)))
			for range b.N {
				if err := f.Float32s(name, dst); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func Example() {
	f, err := gguf.Open("testdata/types.gguf")
	if err != nil {
		panic(err)
	}
	defer f.Close()
	values := make([]float32, 2)
	if err := f.Float32sAt("Q8_0", 512, values); err != nil {
		panic(err)
	}
	fmt.Println(f.Value("kinds.string"), len(values))
	// Output: naïve ▁ 2
}
