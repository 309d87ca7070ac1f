package checkpoint_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/nlpodyssey/gopickle/pytorch"
	"github.com/nlpodyssey/gopickle/types"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/models/internal/checkpoint"
)

// view is a tensor of a file written by a test.
type view struct {
	name           string
	storage        string
	offset         int
	shape, strides []int
}

// stored is a storage of a file written by a test.
type stored struct {
	key, class string
	elements   int
	bytes      []byte
}

func text(s string) string { return "X" + le32(len(s)) + s }

func le32(n int) string { return string(binary.LittleEndian.AppendUint32(nil, uint32(n))) }

func integers(list []int) string {
	s := "("
	for _, n := range list {
		s += "J" + le32(n)
	}
	return s + "t"
}

// pickled is the pickle of an OrderedDict of tensors, as torch.save writes it with protocol 2.
func pickled(views []view, storages []stored, legacy bool) string {
	s := "\x80\x02ccollections\nOrderedDict\n)R("
	for _, v := range views {
		st := storages[slices.IndexFunc(storages, func(st stored) bool { return st.key == v.storage })]
		id := "(" + text("storage") + "ctorch\n" + st.class + "\n" + text(st.key) + text("cpu") + "J" + le32(st.elements)
		if legacy {
			id += "N"
		}
		s += text(v.name) + "ctorch._utils\n_rebuild_tensor_v2\n(" + id + "tQJ" + le32(v.offset) + integers(v.shape) +
			integers(v.strides) + "\x89ccollections\nOrderedDict\n)RtR"
	}
	return s + "u}" + text("_metadata") + "}sb."
}

// archive is a file of PyTorch 1.6 and later around a pickle.
func archive(t testing.TB, pickle string, storages []stored, method uint16) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	add := func(name string, data []byte) {
		f, err := w.CreateHeader(&zip.FileHeader{Name: "archive/" + name, Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	add("data.pkl", []byte(pickle))
	for _, s := range storages {
		add("data/"+s.key, s.bytes)
	}
	add("version", []byte("3\n"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// legacyFile is a file from before PyTorch 1.6 around a pickle.
func legacyFile(pickle string, storages []stored) []byte {
	s := "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." // the magic number
	s += "\x80\x02M\xe9\x03."                                        // version 1001
	s += "\x80\x02}(" + text("little_endian") + "\x88" + text("protocol_version") + "M\xe9\x03u."
	s += pickle + "\x80\x02]("
	for _, st := range storages {
		s += text(st.key)
	}
	s += "e."
	for _, st := range storages {
		s += string(binary.LittleEndian.AppendUint64(nil, uint64(st.elements))) + string(st.bytes)
	}
	return []byte(s)
}

// sample is a state dict of every kind of tensor, and its values.
func sample() (views []view, storages []stored, want map[string][]float32) {
	var f32, f64, f16, bf16 []byte
	var ramp []float32
	for i := range 12 {
		ramp = append(ramp, float32(i)*1.5-4)
		f32 = binary.LittleEndian.AppendUint32(f32, math.Float32bits(ramp[i]))
	}
	f64 = binary.LittleEndian.AppendUint64(f64, math.Float64bits(-2.5))
	f16 = append(f16, 0x00, 0x3c, 0x00, 0xc0) // 1, -2
	bf16 = append(bf16, 0x80, 0x3f, 0x49, 0x40)
	storages = []stored{
		{"0", "FloatStorage", 12, f32}, {"1", "DoubleStorage", 1, f64},
		{"2", "HalfStorage", 2, f16}, {"3", "BFloat16Storage", 2, bf16}, {"4", "LongStorage", 1, make([]byte, 8)},
	}
	views = []view{
		{"whole", "0", 0, []int{3, 4}, []int{4, 1}},
		{"transposed", "0", 0, []int{4, 3}, []int{1, 4}},
		{"part", "0", 5, []int{2, 2}, []int{4, 1}},
		{"row", "0", 4, []int{1, 4}, []int{99, 1}},
		{"scalar", "1", 0, []int{}, []int{}},
		{"half", "2", 0, []int{2}, []int{1}},
		{"bfloat16", "3", 0, []int{2, 1}, []int{1, 1}},
		{"position_ids", "4", 0, []int{1}, []int{1}},
	}
	want = map[string][]float32{
		"whole": ramp, "part": {ramp[5], ramp[6], ramp[9], ramp[10]}, "row": ramp[4:8], "scalar": {-2.5},
		"half": {1, -2}, "bfloat16": {1, 3.140625},
	}
	for column := range 4 {
		for row := range 3 {
			want["transposed"] = append(want["transposed"], ramp[4*row+column])
		}
	}
	return views, storages, want
}

// check compares what a file holds with the sample.
func check(t *testing.T, weights safetensors.Weights, want map[string][]float32) {
	t.Helper()
	for name, values := range want {
		info, ok := weights.Info(name)
		if !ok {
			t.Errorf("no tensor %s among %v", name, weights.Names())
			continue
		}
		got := make([]float32, info.Len())
		if err := weights.Float32s(name, got); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !slices.Equal(got, values) {
			t.Errorf("%s is %v, want %v", name, got, values)
		}
		for first := range values {
			part := got[:(len(values)-first+1)/2]
			clear(part)
			if err := weights.Float32sAt(name, first, part); err != nil || !slices.Equal(part, values[first:first+len(part)]) {
				t.Errorf("%s from %d on is %v, want %v; error %v", name, first, part, values[first:], err)
			}
		}
	}
}

func TestBothFormats(t *testing.T) {
	views, storages, want := sample()
	for format, data := range map[string][]byte{
		"zip":    archive(t, pickled(views, storages, false), storages, zip.Store),
		"legacy": legacyFile(pickled(views, storages, true), storages),
	} {
		t.Run(format, func(t *testing.T) {
			f, err := checkpoint.Open(fstest.MapFS{"w": {Data: data}}, "w")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if got := len(f.Names()); got != len(views) {
				t.Errorf("%d tensors, want %d", got, len(views))
			}
			check(t, f, want)
			if err := f.Float32s("position_ids", make([]float32, 1)); err == nil || !strings.Contains(err.Error(), "I64") {
				t.Errorf("integers: error %v", err)
			}
			got := make([]float32, 1)
			if f.Float32s("nothing", nil) == nil || f.Float32s("whole", make([]float32, 3)) == nil ||
				f.Float32sAt("whole", -1, got) == nil || f.Float32sAt("whole", 12, got) == nil ||
				f.Float32sAt("nothing", 0, got) == nil {
				t.Error("a wrong name or size is no error")
			}

			// A second implementation reads the same tensors out of the file.
			path := filepath.Join(t.TempDir(), "w")
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			value, err := pytorch.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range views {
				other, ok := value.(*types.OrderedDict).Get(v.name)
				info, _ := f.Info(v.name)
				if tensor := other.(*pytorch.Tensor); !ok || !slices.Equal(tensor.Size, info.Shape) {
					t.Errorf("%s: shape %v, the other reader says %v", v.name, info.Shape, tensor.Size)
				}
			}
		})
	}
}

func TestFolder(t *testing.T) {
	views, storages, want := sample()
	data := archive(t, pickled(views, storages, false), storages, zip.Store)
	var safe bytes.Buffer
	if err := safetensors.Write(&safe, []safetensors.Tensor{{Name: "scalar", Data: []float32{-2.5}}}, nil); err != nil {
		t.Fatal(err)
	}
	nested := "\x80\x02}(" + text("epoch") + "K\x03" + text("state_dict") +
		strings.TrimSuffix(pickled(views, storages, false)[2:], ".") + "u."
	for name, fsys := range map[string]fstest.MapFS{
		"pytorch_model.bin": {"pytorch_model.bin": {Data: data}},
		"one .pth":          {"model_final.pth": {Data: data}, "config.json": {}},
		"nested":            {"checkpoint.pt": {Data: archive(t, nested, storages, zip.Store)}},
		"shards": {
			"pytorch_model.bin.index.json": {Data: []byte(
				`{"weight_map":{"whole":"a.bin","transposed":"a.bin","part":"a.bin","row":"a.bin","scalar":"b.bin","half":"b.bin","bfloat16":"b.bin"}}`)},
			"a.bin": {Data: data}, "b.bin": {Data: data},
		},
	} {
		t.Run(name, func(t *testing.T) {
			weights, err := checkpoint.OpenFolder(fsys)
			if err != nil {
				t.Fatal(err)
			}
			check(t, weights, want)
			if err := weights.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("safetensors first", func(t *testing.T) {
		weights, err := checkpoint.OpenFolder(fstest.MapFS{"model.safetensors": {Data: safe.Bytes()},
			"pytorch_model.bin": {Data: data}})
		if err != nil {
			t.Fatal(err)
		}
		if got := weights.Names(); !slices.Equal(got, []string{"scalar"}) {
			t.Errorf("tensors %v", got)
		}
	})
	for want, fsys := range map[string]fstest.MapFS{
		"no weights are there": {"README.md": {}},
		"keep one":             {"a.pth": {Data: data}, "b.pth": {Data: data}},
		"cut short":            {"model.safetensors": {Data: safe.Bytes()[:20]}, "pytorch_model.bin": {Data: data}},
	} {
		if weights, err := checkpoint.OpenFolder(fsys); err == nil || weights != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

func TestHostileFiles(t *testing.T) {
	views, storages, _ := sample()
	with := func(change func(*view, *stored)) []byte {
		v, s := views[0], storages[0]
		change(&v, &s)
		return archive(t, pickled([]view{v}, []stored{s}, false), []stored{s}, zip.Store)
	}
	pickle := func(code string) []byte { return archive(t, code, storages, zip.Store) }
	legacy := legacyFile(pickled(views, storages, true), storages)
	for want, data := range map[string][]byte{
		"torch.save did not write it: neither": []byte("hello"),
		"damaged zip":                          []byte("PK\x03\x04 and no archive"),
		`calls "posix.system"`:                 pickle("cposix\nsystem\n(" + text("rm -rf /") + "tR."),
		`calls "builtins.eval"`:                pickle("\x80\x04\x8c\x08builtins\x8c\x04eval\x93(" + text("1") + "tR."),
		`calls "os.popen"`:                     pickle("cos\npopen\n)\x81."),
		"opcode 0x69":                          pickle("(" + text("x") + "ios\nsystem\n."),  // INST
		"opcode 0x82":                          pickle("\x82\x01."),                         // EXT1
		"opcode 0x6f":                          pickle("(cos\nsystem\n" + text("x") + "o."), // OBJ
		"the pickle is cut short":              pickle("\x80\x02}"),
		"opcode 0x8d at byte 0: the pickle is cut short": pickle("\x8d\xff\xff\xff\xff\xff\xff\xff\x7f"),
		"opcode 0x58 at byte 0: the pickle is cut short": pickle("X\xff\xff\xff\xff"),
		"the stack is empty":                             pickle("0."),
		"no mark":                                        pickle("t."),
		"nothing was remembered as 7":                    pickle("h\x07."),
		"a key has no value":                             pickle("}(" + text("a") + "u."),
		"no dictionary":                                  pickle("N."),
		"holds no tensors":                               pickle("}."),
		"something that is no class is called":           pickle(text("x") + ")R."),
		"something outside the pickle":                   pickle(text("x") + "Q."),
		"reaches beyond its storage":                     with(func(v *view, _ *stored) { v.offset = 1 }),
		"shape [3 5]":                                    with(func(v *view, _ *stored) { v.shape = []int{3, 5} }),
		"strides [6 1]":                                  with(func(v *view, _ *stored) { v.strides = []int{6, 1} }),
		"shape [12 12]": with(
			func(v *view, _ *stored) { v.shape, v.strides = []int{12, 12}, []int{0, 1} }),
		"whose parts are not":               with(func(v *view, _ *stored) { v.shape = []int{-3, -4} }),
		`no storage "0"`:                    archive(t, pickled(views, storages, false), nil, zip.Store),
		"is compressed":                     archive(t, pickled(views, storages, false), storages, zip.Deflate),
		`storage type "torch.QInt8Storage"`: with(func(_ *view, s *stored) { s.class = "QInt8Storage" }),
		"it is cut short":                   with(func(v *view, s *stored) { s.elements = 1 << 30 }),
		"no data.pkl": func() []byte {
			var b bytes.Buffer
			w := zip.NewWriter(&b)
			f, _ := w.Create("x")
			f.Write([]byte("y"))
			w.Close()
			return b.Bytes()
		}(),
		"ends at byte": legacy[:len(legacy)-4],
		"but the tensors need 12": legacyFile(pickled(views, storages, true),
			slices.Concat([]stored{{"0", "", 11, make([]byte, 44)}}, storages[1:])),
		"or lists it twice":          legacyFile(pickled(views, storages, true), slices.Concat(storages, storages[:1])),
		"does not hold all storages": legacyFile(pickled(views, storages, true), storages[:2]),
	} {
		f, err := checkpoint.Open(fstest.MapFS{"w": {Data: data}}, "w")
		if err == nil {
			f.Close()
			t.Errorf("opened, want an error with %q", want)
		} else if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 400 {
			t.Errorf("error %.500v, want one sentence with %q", err, want)
		}
	}
}

// FuzzPickle: whatever the pickle is, opening ends without a panic, and every tensor it leaves can be read.
func FuzzPickle(f *testing.F) {
	views, storages, _ := sample()
	f.Add([]byte(pickled(views, storages, false)), false)
	f.Add([]byte(pickled(views, storages, true)), true)
	f.Add([]byte("\x80\x04}\x94(\x8c\x01aM\xff\xff\x8a\x02\xff\x80\x47\x00\x00\x00\x00\x00\x00\x00\x00e."), false)
	f.Fuzz(func(t *testing.T, pickle []byte, legacy bool) {
		var data []byte
		if legacy {
			data = legacyFile(string(pickle), storages)
		} else {
			data = archive(t, string(pickle), storages, zip.Store)
		}
		file, err := checkpoint.Open(fstest.MapFS{"w": {Data: data}}, "w")
		if err != nil {
			return
		}
		for _, name := range file.Names() {
			info, _ := file.Info(name)
			if info.Len() > 12 {
				t.Fatalf("%+v has more elements than any storage", info)
			}
			if err := file.Float32s(name, make([]float32, info.Len())); err != nil && info.DType == safetensors.F32 {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func ExampleOpenFolder() {
	weights, err := checkpoint.OpenFolder(os.DirFS("../../../testdata/golden/models/distilbert"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer weights.Close()
	info, _ := weights.Info("vocab_transform.weight")
	fmt.Println(len(weights.Names()), info.DType, info.Shape)
	// Output: 41 F32 [128 128]
}

// FuzzFile: whatever bytes a weight file holds, a zip or none, opening it ends without a panic.
func FuzzFile(f *testing.F) {
	views, storages, _ := sample()
	packed := archive(f, pickled(views, storages, false), storages, zip.Deflate)
	f.Add(packed)
	f.Add(packed[:len(packed)-30])
	f.Add(archive(f, pickled(views, storages, false), storages, zip.Store))
	f.Add(legacyFile(pickled(views, storages, true), storages))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := checkpoint.Open(fstest.MapFS{"w": {Data: data}}, "w")
		if err != nil {
			return
		}
		defer file.Close()
		for _, name := range file.Names() {
			if info, ok := file.Info(name); ok && info.Len() < 1<<20 {
				file.Float32s(name, make([]float32, info.Len())) // it may be damaged
			}
		}
	})
}
