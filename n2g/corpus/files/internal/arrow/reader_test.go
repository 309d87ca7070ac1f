package arrow_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	library "github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/neuron2graph/neuron2graph/n2g/corpus/files/internal/arrow"
)

// textTypes are all that Arrow has for texts.
var textTypes = map[string]library.DataType{
	"utf8":  library.BinaryTypes.String,
	"large": library.BinaryTypes.LargeString,
	"view":  library.BinaryTypes.StringView,
	"int8": &library.DictionaryType{IndexType: library.PrimitiveTypes.Int8,
		ValueType: library.BinaryTypes.String},
	"uint16": &library.DictionaryType{IndexType: library.PrimitiveTypes.Uint16,
		ValueType: library.BinaryTypes.String},
	"int32": &library.DictionaryType{IndexType: library.PrimitiveTypes.Int32,
		ValueType: library.BinaryTypes.String},
	"uint64": &library.DictionaryType{IndexType: library.PrimitiveTypes.Uint64,
		ValueType: library.BinaryTypes.String},
}

// otherTypes are the layouts that columns before the texts may have.
func otherTypes() []library.DataType {
	inner := []library.Field{{Name: "n", Type: library.PrimitiveTypes.Int64, Nullable: true},
		{Name: "v", Type: library.BinaryTypes.StringView, Nullable: true},
		{Name: "l", Type: library.ListOf(library.BinaryTypes.String), Nullable: true}}
	return []library.DataType{
		library.Null, library.FixedWidthTypes.Boolean, library.PrimitiveTypes.Float64, library.BinaryTypes.Binary,
		library.BinaryTypes.BinaryView, library.BinaryTypes.LargeBinary, library.FixedWidthTypes.Timestamp_us,
		&library.FixedSizeBinaryType{ByteWidth: 3}, library.FixedSizeListOf(2, library.PrimitiveTypes.Int8),
		library.StructOf(inner...), library.ListOf(library.StructOf(inner...)),
		library.LargeListOf(library.BinaryTypes.StringView),
		library.MapOf(library.BinaryTypes.String, library.PrimitiveTypes.Int32),
		library.ListViewOf(library.PrimitiveTypes.Int32), library.LargeListViewOf(library.PrimitiveTypes.Int32),
		library.RunEndEncodedOf(library.PrimitiveTypes.Int32, library.BinaryTypes.String),
		library.SparseUnionOf(inner[:2], []library.UnionTypeCode{0, 1}),
		library.DenseUnionOf(inner[:2], []library.UnionTypeCode{0, 1}),
		&library.DictionaryType{IndexType: library.PrimitiveTypes.Int16, ValueType: library.BinaryTypes.String},
		&library.Decimal128Type{Precision: 10, Scale: 2},
	}
}

// schema has columns of all kinds before, between and behind those of texts.
func schema() *library.Schema {
	var fields []library.Field
	for i, t := range otherTypes() {
		fields = append(fields, library.Field{Name: fmt.Sprint("other ", i), Type: t, Nullable: true})
	}
	var names []string
	for name := range textTypes {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fields = append(fields, library.Field{Name: name, Type: textTypes[name], Nullable: true},
			library.Field{Name: "behind " + name, Type: library.BinaryTypes.StringView, Nullable: true})
	}
	return library.NewSchema(fields, nil)
}

// write writes batches of rows and returns what each column of texts holds.
func write(t testing.TB, s *library.Schema, batches []int, file bool, options ...ipc.Option) ([]byte,
	map[string][]string) {
	t.Helper()
	var b bytes.Buffer
	options = append(options, ipc.WithSchema(s))
	var w interface {
		Write(library.RecordBatch) error
		Close() error
	} = ipc.NewWriter(&b, options...)
	if file {
		b.Reset()
		fw, err := ipc.NewFileWriter(&b, options...)
		if err != nil {
			t.Fatal(err)
		}
		w = fw
	}
	random := rand.New(rand.NewPCG(5, 6))
	want := map[string][]string{}
	builder := array.NewRecordBuilder(memory.DefaultAllocator, s)
	defer builder.Release()
	for _, rows := range batches {
		for i, f := range s.Fields() {
			_, isText := textTypes[f.Name]
			for range rows {
				text := fmt.Sprint("née ", random.IntN(20))
				if random.IntN(3) == 0 {
					text = strings.Repeat(text, 1+random.IntN(9))
					if len(want[f.Name]) > 0 && random.IntN(2) == 0 {
						text = want[f.Name][random.IntN(len(want[f.Name]))]
					}
				}
				if isText {
					if random.IntN(4) == 0 && len(batches) > 1 {
						text = ""
						builder.Field(i).AppendNull()
					} else {
						appendText(t, builder.Field(i), text)
					}
					want[f.Name] = append(want[f.Name], text)
				} else if random.IntN(3) == 0 || f.Type.ID() == library.RUN_END_ENCODED {
					builder.Field(i).AppendNull()
				} else if f.Type.ID() == library.STRING_VIEW {
					appendText(t, builder.Field(i), strings.Repeat("beside", random.IntN(5)))
				} else {
					builder.Field(i).AppendEmptyValue()
				}
			}
		}
		record := builder.NewRecordBatch()
		if err := w.Write(record); err != nil {
			t.Fatal(err)
		}
		record.Release()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), want
}

func appendText(t testing.TB, b array.Builder, text string) {
	t.Helper()
	if err := b.AppendValueFromString(text); err != nil {
		t.Fatal(err)
	}
}

func read(data []byte, name string) (all []string, err error) {
	r, err := arrow.NewReader(bytes.NewReader(data))
	if arrow.IsFile(data) {
		r, err = arrow.NewFileReader(bytes.NewReader(data), int64(len(data)))
	}
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(r.Columns, func(c arrow.Column) bool { return c.Name == name && c.Text })
	if i < 0 {
		return nil, errors.New("no such column of texts")
	}
	for text, err := range r.Texts(r.Columns[i]) {
		if err != nil {
			return all, err
		}
		all = append(all, text)
	}
	return all, nil
}

// TestAgainstLibrary reads what Arrow's own library writes: streams and files, packed or not, of every type of texts,
// beside columns of every layout.
func TestAgainstLibrary(t *testing.T) {
	for name, options := range map[string][]ipc.Option{"plain": nil, "lz4": {ipc.WithLZ4()}, "zstd": {ipc.WithZstd()}} {
		for _, file := range []bool{false, true} {
			for _, batches := range [][]int{nil, {0}, {1}, {300}, {9, 0, 300}} {
				if file && len(batches) > 1 {
					continue // the library's builders make other dictionaries then, which a file cannot have
				}
				data, want := write(t, schema(), batches, file, options...)
				for column := range textTypes {
					got, err := read(data, column)
					if err != nil || !slices.Equal(got, want[column]) {
						t.Errorf("%s, file %v, batches of %d, column %s: %d texts of %d, %v", name, file, batches, column,
							len(got), len(want[column]), err)
					}
				}
			}
		}
	}
}

// TestDictionaries: one that grows is written whole or by what is new, as is asked for; a missing text may be missing
// in the dictionary.
func TestDictionaries(t *testing.T) {
	of := &library.DictionaryType{IndexType: library.PrimitiveTypes.Int8, ValueType: library.BinaryTypes.String}
	s := library.NewSchema([]library.Field{{Name: "text", Type: of, Nullable: true}}, nil)
	words := func(words ...string) library.Array {
		b := array.NewStringBuilder(memory.DefaultAllocator)
		for _, w := range words {
			if w == "" {
				b.AppendNull()
			} else {
				b.Append(w)
			}
		}
		return b.NewArray()
	}
	for _, deltas := range []bool{false, true} {
		var b bytes.Buffer
		w := ipc.NewWriter(&b, ipc.WithSchema(s), ipc.WithDictionaryDeltas(deltas))
		for _, batch := range []struct {
			words      library.Array
			references []int8
		}{{words("a", ""), []int8{1, 0, 0}}, {words("a", "", "c", "d"), []int8{3, 0, 2}}, {words("e"), []int8{0}}} {
			references := array.NewInt8Builder(memory.DefaultAllocator)
			references.AppendValues(batch.references, nil)
			column := array.NewDictionaryArray(of, references.NewArray(), batch.words)
			if err := w.Write(array.NewRecordBatch(s, []library.Array{column}, -1)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		want := []string{"", "a", "a", "d", "a", "c", "e"}
		if got, err := read(b.Bytes(), "text"); err != nil || !slices.Equal(got, want) {
			t.Errorf("deltas %v: %q, %v, want %q", deltas, got, err, want)
		}
	}
}

// TestColumns: those of the top level are found, and which hold texts.
func TestColumns(t *testing.T) {
	s := schema()
	data, _ := write(t, s, nil, false)
	r, err := arrow.NewReader(bytes.NewReader(data))
	if err != nil || len(r.Columns) != s.NumFields() {
		t.Fatal(len(r.Columns), err)
	}
	for i, c := range r.Columns {
		of := s.Field(i).Type
		if d, ok := of.(*library.DictionaryType); ok {
			of = d.ValueType
		}
		if want := slices.Contains([]library.Type{library.STRING, library.LARGE_STRING, library.STRING_VIEW},
			of.ID()); c.Name != s.Field(i).Name || c.Text != want {
			t.Errorf("column %d: %q, texts: %v, want %q, %v", i, c.Name, c.Text, s.Field(i).Name, want)
		}
	}
}

// TestCutShort: a stream that ends early is an error, but between two messages.
func TestCutShort(t *testing.T) {
	data, want := write(t, schema(), []int{5}, false)
	data = data[:len(data)-8] // without the mark of the end
	if got, err := read(data, "utf8"); err != nil || !slices.Equal(got, want["utf8"]) {
		t.Fatalf("%q, %v", got, err)
	}
	whole := 0
	for end := range len(data) {
		if _, err := read(data[:end], "utf8"); err == nil {
			whole++
		}
	}
	if messages := 1 + len(textTypes) - 3 + 1; whole > messages { // the schema and dictionaries
		t.Errorf("%d beginnings of a stream are read as whole", whole)
	}
}

// TestHostile: whatever bytes are changed, reading ends, without a panic, in bounded memory.
func TestHostile(t *testing.T) {
	var all [][]byte
	var names []string // of their columns
	for _, options := range [][]ipc.Option{nil, {ipc.WithLZ4()}, {ipc.WithZstd()}} {
		for name, of := range textTypes {
			s := library.NewSchema([]library.Field{{Name: "number", Type: library.PrimitiveTypes.Int32},
				{Name: "beside", Type: library.BinaryTypes.StringView}, {Name: name, Type: of}}, nil)
			for _, file := range []bool{false, true} {
				data, _ := write(t, s, []int{20}, file, options...)
				all, names = append(all, data), append(names, name)
			}
		}
	}
	tries := 20_000
	if testing.Short() {
		tries = 2000
	}
	random := rand.New(rand.NewPCG(12, 13))
	var before, after runtime.MemStats
	for range tries {
		i := random.IntN(len(all))
		data := bytes.Clone(all[i])
		for range 1 + random.IntN(4) {
			at := random.IntN(len(data))
			data[at] = []byte{byte(random.Uint32()), data[at] ^ 1<<random.IntN(8), 0xff, 0x7f, 0x80, 0, 1, 8}[random.IntN(8)]
		}
		runtime.ReadMemStats(&before)
		read(data, names[i]) // mostly damaged
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 300<<20 {
			t.Fatalf("%d MiB for a file of %d bytes: %q", grown>>20, len(data), data)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, of := range textTypes {
		s := library.NewSchema([]library.Field{{Name: "beside", Type: library.ListOf(library.BinaryTypes.StringView)},
			{Name: "text", Type: of}}, nil)
		for _, options := range [][]ipc.Option{nil, {ipc.WithLZ4()}, {ipc.WithZstd()}} {
			for _, file := range []bool{false, true} {
				data, _ := write(f, s, []int{3}, file, options...)
				f.Add(data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		read(data, "text") // mostly damaged
	})
}

func BenchmarkRead(b *testing.B) {
	s := library.NewSchema([]library.Field{{Name: "number", Type: library.PrimitiveTypes.Int32},
		{Name: "utf8", Type: library.BinaryTypes.String}}, nil)
	for name, options := range map[string][]ipc.Option{"plain": nil, "lz4": {ipc.WithLZ4()}, "zstd": {ipc.WithZstd()}} {
		data, want := write(b, s, []int{20_000, 20_000}, false, options...)
		size := int64(len(strings.Join(want["utf8"], "")))
		b.Run(name+"/ours", func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				if got, err := read(data, "utf8"); err != nil || len(got) != len(want["utf8"]) {
					b.Fatal(len(got), err)
				}
			}
		})
		b.Run(name+"/arrow-go", func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				r, err := ipc.NewReader(bytes.NewReader(data))
				if err != nil {
					b.Fatal(err)
				}
				var all []string
				for r.Next() {
					column := r.RecordBatch().Column(1).(*array.String)
					for i := range column.Len() {
						all = append(all, strings.Clone(column.Value(i)))
					}
				}
				if r.Err() != nil || len(all) != len(want["utf8"]) {
					b.Fatal(len(all), r.Err())
				}
				r.Release()
			}
		})
	}
}
