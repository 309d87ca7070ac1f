package safetensors_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
)

const golden = "../../testdata/golden/models/distilbert/model.safetensors"

// file puts a header in front of size bytes of data.
func file(header string, size int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	b = append(b, header...)
	return append(b, make([]byte, size)...)
}

func TestGoldenFileReadsAlikeEveryWay(t *testing.T) {
	data, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := safetensors.Open(golden)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	fromOS, err := safetensors.OpenFS(os.DirFS(filepath.Dir(golden)), filepath.Base(golden))
	if err != nil {
		t.Fatal(err)
	}
	defer fromOS.Close()
	fromFS, err := safetensors.OpenFS(fstest.MapFS{"m": {Data: data}}, "m")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := safetensors.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	read, err := safetensors.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if got := opened.Metadata()["format"]; got != "pt" {
		t.Errorf("metadata format = %q, want pt", got)
	}
	const name = "distilbert.embeddings.word_embeddings.weight"
	info, ok := opened.Info(name)
	if !ok || info.DType != safetensors.F32 || !slices.Equal(info.Shape, []int{4096, 128}) {
		t.Fatalf("Info(%s) = %+v, %t", name, info, ok)
	}
	// Where the values begin by the header's own words: the data follow 8 bytes of length and the header.
	start := 8 + int64(binary.LittleEndian.Uint64(data)) + info.Begin
	for label, f := range map[string]*safetensors.File{"Open": opened, "DirFS": fromOS, "MapFS": fromFS, "bytes": parsed,
		"reader": read} {
		if got := len(f.Names()); got != 41 {
			t.Errorf("%s: %d tensors, want 41", label, got)
		}
		values := make([]float32, info.Len())
		if err := f.Float32s(name, values); err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			if want := binary.LittleEndian.Uint32(data[start+4*int64(i):]); math.Float32bits(v) != want {
				t.Fatalf("%s: value %d is %08x, want %08x", label, i, math.Float32bits(v), want)
			}
		}
	}
}

func TestWriteThenRead(t *testing.T) {
	tensors := []safetensors.Tensor{
		{Name: "half", DType: safetensors.F16, Shape: []int{3}, Data: []float32{1, -2.5, 65504}},
		{Name: "b", Shape: []int{2, 2}, Data: []float32{1, 2, 3, 4.0000001}},
		{Name: "a <é>\n", DType: safetensors.F32, Data: []float32{7}},
		{Name: "empty", Shape: []int{0, 5}},
	}
	metadata := map[string]string{"z": "1", "a": "</script>"}
	var out, again bytes.Buffer
	if err := safetensors.Write(&out, tensors, metadata); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(tensors)
	if err := safetensors.Write(&again, tensors, metadata); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), again.Bytes()) {
		t.Error("the order of the tensors changes the file")
	}
	if n := binary.LittleEndian.Uint64(out.Bytes()); n%8 != 0 {
		t.Errorf("header of %d bytes: data are not aligned to 8", n)
	}
	f, err := safetensors.Parse(out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(f.Metadata(), metadata) {
		t.Errorf("metadata %v", f.Metadata())
	}
	for _, want := range tensors {
		info, ok := f.Info(want.Name)
		if !ok || !slices.Equal(info.Shape, want.Shape) {
			t.Fatalf("Info(%q) = %+v, %t", want.Name, info, ok)
		}
		got := make([]float32, info.Len())
		if err := f.Float32s(want.Name, got); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want.Data) {
			t.Errorf("%q: %v, want %v", want.Name, got, want.Data)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	for name, tensors := range map[string][]safetensors.Tensor{
		"taken":     {{Name: "a", Data: []float32{1}}, {Name: "a", Data: []float32{1}}},
		"not UTF-8": {{Name: "\xff", Data: []float32{1}}},
		"fit":       {{Name: "a", Shape: []int{2}, Data: []float32{1}}},
		"only F32":  {{Name: "a", DType: "I8", Data: []float32{1}}},
	} {
		if err := safetensors.Write(&bytes.Buffer{}, tensors, nil); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want one with %q", err, name)
		}
	}
	if err := safetensors.Write(failing{}, []safetensors.Tensor{{Name: "a", Data: []float32{1}}}, nil); err == nil {
		t.Error("a full disk is not reported")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, os.ErrClosed }

// closing is a file system whose files cannot be read once they are closed.
type closing struct{ fs.FS }

type closingFile struct {
	fs.File
	closed bool
}

func (c closing) Open(name string) (fs.File, error) {
	f, err := c.FS.Open(name)
	return &closingFile{File: f}, err
}

func (f *closingFile) ReadAt(p []byte, off int64) (int, error) {
	if f.closed {
		return 0, fs.ErrClosed
	}
	return f.File.(io.ReaderAt).ReadAt(p, off)
}

func (f *closingFile) Close() error {
	f.closed = true
	return f.File.Close()
}

func TestOpenFSKeepsTheFileOpen(t *testing.T) {
	var out bytes.Buffer
	if err := safetensors.Write(&out, []safetensors.Tensor{{Name: "a", Data: []float32{5}}}, nil); err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.OpenFS(closing{fstest.MapFS{"m": {Data: out.Bytes()}}}, "m")
	if err != nil {
		t.Fatal(err)
	}
	value := make([]float32, 1)
	if err := f.Float32s("a", value); err != nil || value[0] != 5 {
		t.Errorf("%v, %v", value, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if err := f.Float32s("a", value); err == nil {
		t.Error("the file is still open after Close")
	}
}
