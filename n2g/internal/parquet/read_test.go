package parquet_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	library "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"github.com/neuron2graph/neuron2graph/n2g/internal/parquet"
)

// One type of rows for each encoding, the column among others, nested ones too.
type (
	nested struct {
		Tags  []string `parquet:"tags,list"`
		Inner struct {
			Text string `parquet:"text"`
			Deep int64  `parquet:"deep"`
		} `parquet:"inner"`
	}
	plainRow struct {
		nested
		Number   int64   `parquet:"number"`
		Text     string  `parquet:"text,plain"`
		Optional *string `parquet:"maybe,optional,plain"`
	}
	dictionaryRow struct {
		nested
		Text     string  `parquet:"text,dict"`
		Optional *string `parquet:"maybe,optional,dict"`
	}
	lengthRow struct {
		Text     string  `parquet:"text,delta"`
		Optional *string `parquet:"maybe,optional"`
		nested
	}
	deltaRow struct {
		Text     []byte  `parquet:"text,delta"`
		Optional *string `parquet:"maybe,optional"`
	}
)

// texts are of all sizes, some more than once, some sharing a beginning, some missing.
func texts(n int) (all []string, missing []bool) {
	random := rand.New(rand.NewPCG(7, uint64(n)))
	for range n {
		text := strings.Repeat("née ", random.IntN(30)) + fmt.Sprint(random.IntN(200))
		if random.IntN(50) == 0 {
			text = strings.Repeat("long", random.IntN(5000))
		}
		all = append(all, text)
		missing = append(missing, random.IntN(3) == 0 && len(all)/100%2 == 0)
	}
	return all, missing
}

// written is a file of rows, and what its columns text and maybe hold.
func written[T any](t testing.TB, n int, row func(text string, optional *string) T,
	options ...library.WriterOption) (file []byte, text, maybe []string) {
	t.Helper()
	var b bytes.Buffer
	w := library.NewGenericWriter[T](&b, options...)
	all, missing := texts(n)
	for i, one := range all {
		var optional *string
		maybe = append(maybe, "")
		if !missing[i] {
			optional, maybe[i] = &all[n-1-i], all[n-1-i]
		}
		if _, err := w.Write([]T{row(one, optional)}); err != nil {
			t.Fatal(err)
		}
		if n > 10 && i == n/2 {
			if err := w.Flush(); err != nil { // another row group
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), all, maybe
}

func read(file []byte, name string) (all []string, err error) {
	c, err := parquet.Open(bytes.NewReader(file), int64(len(file)), name)
	if err != nil {
		return nil, err
	}
	for texts, err := range c.Pages() {
		if err != nil {
			return all, err
		}
		all = append(all, texts...)
	}
	return all, nil
}

// TestAgainstLibrary reads what another implementation writes, in every encoding, version, and compression.
func TestAgainstLibrary(t *testing.T) {
	for name, codec := range map[string]compress.Codec{"none": &library.Uncompressed, "snappy": &library.Snappy,
		"gzip": &library.Gzip, "zstd": &library.Zstd, "lz4": &library.Lz4Raw} {
		for version := 1; version <= 2; version++ {
			for _, size := range []int{1, 9, 3000} {
				options := []library.WriterOption{library.Compression(codec), library.DataPageVersion(version),
					library.PageBufferSize(5000)}
				for encoding, write := range map[string]func() ([]byte, []string, []string){
					"plain": func() ([]byte, []string, []string) {
						return written(t, size, func(s string, o *string) plainRow { return plainRow{Text: s, Optional: o} }, options...)
					},
					"dictionary": func() ([]byte, []string, []string) {
						return written(t, size, func(s string, o *string) dictionaryRow {
							return dictionaryRow{nested: nested{Tags: []string{"a", "b"}}, Text: s, Optional: o}
						}, options...)
					},
					"length": func() ([]byte, []string, []string) {
						return written(t, size, func(s string, o *string) lengthRow { return lengthRow{Text: s, Optional: o} },
							options...)
					},
					"delta": func() ([]byte, []string, []string) {
						return written(t, size, func(s string, o *string) deltaRow { return deltaRow{Text: []byte(s), Optional: o} },
							options...)
					},
				} {
					file, text, maybe := write()
					for column, want := range map[string][]string{"text": text, "maybe": maybe} {
						if got, err := read(file, column); err != nil || !slices.Equal(got, want) {
							t.Errorf("%s, version %d, %d rows, %s, column %s: %d texts, %v", name, version, size, encoding, column, len(got),
								err)
						}
					}
				}
			}
		}
	}
}

// TestDelta: DELTA_BYTE_ARRAY is written for sorted columns of the library's own choice only, so it is asked for by
// schema.
func TestDelta(t *testing.T) {
	all, _ := texts(2000)
	slices.Sort(all)
	schema := library.NewSchema("rows", library.Group{"text": library.Encoded(library.String(), &library.DeltaByteArray)})
	var b bytes.Buffer
	w := library.NewGenericWriter[map[string]string](&b, schema)
	for _, text := range all {
		if _, err := w.Write([]map[string]string{{"text": text}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := read(b.Bytes(), "text"); err != nil || !slices.Equal(got, all) {
		t.Errorf("%d texts, %v", len(got), err)
	}
}

func TestRefuses(t *testing.T) {
	file, _, _ := written(t, 9, func(s string, o *string) plainRow { return plainRow{Text: s, Optional: o} })
	packed, _, _ := written(t, 9, func(s string, o *string) plainRow { return plainRow{Text: s, Optional: o} },
		library.Compression(&library.Brotli))
	for _, test := range []struct {
		file       []byte
		name, want string
	}{
		{file, "body", `no column "body", only`},
		{file, "number", "holds no strings"},
		{file, "tags", "holds no strings"},
		{file, "inner", "holds no strings"},
		{packed, "text", "zstd, Snappy or gzip"},
		{file[:len(file)-1], "text", "whole"},
		{nil, "text", "too short"},
		{[]byte("\xff\xff\xff\xffPAR1"), "text", "whole"},
		// a list of two billion
		{append([]byte("PAR1\x19\xfc\xff\xff\xff\xff\x07"), "\x0b\x00\x00\x00PAR1"...), "text", "damaged"},
		// a struct of three million booleans, a byte each
		{slices.Concat([]byte("PAR1"), bytes.Repeat([]byte{0x11}, 3<<20), []byte("\x00\x01\x00\x30\x00PAR1")), "text",
			"more than 2097152 values"},
	} {
		if _, err := read(test.file, test.name); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s of %d bytes: %v, want %q", test.name, len(test.file), err, test.want)
		}
	}
}

// hostile changes some bytes of a file.
func hostile(random *rand.Rand, file []byte) []byte {
	file = bytes.Clone(file)
	for range 1 + random.IntN(4) {
		at := random.IntN(len(file))
		switch random.IntN(3) {
		case 0:
			file[at] = byte(random.Uint32())
		case 1:
			file[at] ^= 1 << random.IntN(8)
		default:
			file[at] = []byte{0xff, 0x7f, 0x80, 0, 1, 0x19, 0x1c}[random.IntN(7)]
		}
	}
	return file
}

// TestHostile: whatever bytes are changed, reading ends, without a panic, in memory in proportion to the file.
func TestHostile(t *testing.T) {
	var files [][]byte
	for version := 1; version <= 2; version++ {
		for _, codec := range []compress.Codec{&library.Uncompressed, &library.Snappy, &library.Zstd, &library.Gzip,
			&library.Lz4Raw} {
			options := []library.WriterOption{library.Compression(codec), library.DataPageVersion(version),
				library.PageBufferSize(300)}
			one, _, _ := written(t, 30, func(s string, o *string) dictionaryRow { return dictionaryRow{Text: s, Optional: o} },
				options...)
			two, _, _ := written(t, 30, func(s string, o *string) lengthRow { return lengthRow{Text: s, Optional: o} },
				options...)
			files = append(files, one, two)
		}
	}
	random := rand.New(rand.NewPCG(8, 9))
	tries := 20000
	if testing.Short() {
		tries = 1000
	}
	var before, after runtime.MemStats
	for range tries {
		file := hostile(random, files[random.IntN(len(files))])
		runtime.ReadMemStats(&before)
		read(file, "text")  // mostly damaged
		read(file, "maybe") // mostly damaged
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 600<<20 {
			t.Fatalf("%d MiB for a file of %d bytes: %q", grown>>20, len(file), file)
		}
	}
}

// FuzzRead damages a file by a list of changes, three bytes each: two for the place, one for the byte. The fuzzer would
// spend its time on shortening files.
func FuzzRead(f *testing.F) {
	var files [][]byte
	for version := 1; version <= 2; version++ {
		file, _, _ := written(f, 5, func(s string, o *string) dictionaryRow { return dictionaryRow{Text: s, Optional: o} },
			library.DataPageVersion(version))
		files = append(files, file)
	}
	f.Add([]byte{})
	f.Add([]byte{0, 4, 255, 0, 40, 0})
	f.Fuzz(func(t *testing.T, changes []byte) {
		for _, whole := range files {
			file := slices.Clone(whole)
			for change := range slices.Chunk(changes, 3) {
				if len(change) == 3 {
					file[(int(change[0])<<8|int(change[1]))%len(file)] = change[2]
				}
			}
			read(file, "text")  // mostly damaged
			read(file, "maybe") // mostly damaged
		}
	})
}

// libraryRead reads a column with the second implementation.
func libraryRead(file []byte, name string) (all []string, err error) {
	f, err := library.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, err
	}
	leaf, ok := f.Schema().Lookup(name)
	if !ok {
		return nil, fmt.Errorf("no column %q", name)
	}
	values := make([]library.Value, 1024)
	for _, group := range f.RowGroups() {
		pages := group.ColumnChunks()[leaf.ColumnIndex].Pages()
		defer pages.Close() // it is only read
		for {
			page, err := pages.ReadPage()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, err
			}
			for r, n := page.Values(), 1; n > 0; {
				n, err = r.ReadValues(values)
				if err != nil && !errors.Is(err, io.EOF) {
					return nil, err
				}
				for _, v := range values[:n] {
					all = append(all, string(v.ByteArray()))
				}
			}
			library.Release(page)
		}
	}
	return all, nil
}

func BenchmarkRead(b *testing.B) {
	for _, codec := range []compress.Codec{&library.Uncompressed, &library.Snappy, &library.Zstd} {
		file, text, _ := written(b, 30_000, func(s string, o *string) lengthRow { return lengthRow{Text: s, Optional: o} },
			library.Compression(codec))
		for _, reader := range []struct {
			name string
			read func(file []byte, name string) ([]string, error)
		}{{"ours", read}, {"parquet-go", libraryRead}} {
			b.Run(codec.String()+"/"+reader.name, func(b *testing.B) {
				b.SetBytes(int64(len(strings.Join(text, ""))))
				for b.Loop() {
					if got, err := reader.read(file, "text"); err != nil || len(got) != len(text) {
						b.Fatal(len(got), err)
					}
				}
			})
		}
	}
}
