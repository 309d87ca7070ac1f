package textcolumn_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"github.com/neuron2graph/neuron2graph/n2g/corpus/files/internal/textcolumn"
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
	options ...parquet.WriterOption) (file []byte, text, maybe []string) {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b, options...)
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
	c, err := textcolumn.Open(bytes.NewReader(file), int64(len(file)), name)
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
	for name, codec := range map[string]compress.Codec{"none": &parquet.Uncompressed, "snappy": &parquet.Snappy,
		"gzip": &parquet.Gzip, "zstd": &parquet.Zstd} {
		for version := 1; version <= 2; version++ {
			for _, size := range []int{1, 9, 3000} {
				options := []parquet.WriterOption{parquet.Compression(codec), parquet.DataPageVersion(version),
					parquet.PageBufferSize(5000)}
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
	schema := parquet.NewSchema("rows", parquet.Group{"text": parquet.Encoded(parquet.String(), &parquet.DeltaByteArray)})
	var b bytes.Buffer
	w := parquet.NewGenericWriter[map[string]string](&b, schema)
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
		parquet.Compression(&parquet.Lz4Raw))
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
		for _, codec := range []compress.Codec{&parquet.Uncompressed, &parquet.Snappy, &parquet.Zstd} {
			options := []parquet.WriterOption{parquet.Compression(codec), parquet.DataPageVersion(version),
				parquet.PageBufferSize(300)}
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

func FuzzRead(f *testing.F) {
	for version := 1; version <= 2; version++ {
		file, _, _ := written(f, 5, func(s string, o *string) dictionaryRow { return dictionaryRow{Text: s, Optional: o} },
			parquet.DataPageVersion(version))
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		read(file, "text")  // mostly damaged
		read(file, "maybe") // mostly damaged
	})
}
