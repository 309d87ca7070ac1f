package files_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"

	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/corpus/files"
)

func gzipped(t testing.TB, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstandard(t testing.TB, content string) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll([]byte(content), nil)
}

type record struct {
	ID      int64   `parquet:"id"`
	Text    *string `parquet:"text,optional"`
	Content string  `parquet:"content"`
}

func parquetFile(t testing.TB, rows int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[record](&b, parquet.PageBufferSize(64), parquet.Compression(&parquet.Zstd))
	for i := range rows {
		r := record{ID: int64(i), Content: fmt.Sprintf("content %d", i)}
		if i%3 != 1 {
			r.Text = new(fmt.Sprintf("text %d", i))
		}
		if _, err := w.Write([]record{r}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read collects a source as NAME@OFFSET=CONTENT, with a * where it is packed.
func read(source corpus.Source) (all []string, err error) {
	for text, err := range source {
		if err != nil {
			return all, err
		}
		mark := ""
		if text.Packed {
			mark = "*"
		}
		all = append(all, fmt.Sprintf("%s@%d%s=%s", text.Name, text.Offset, mark, text.Content))
	}
	return all, nil
}

const jsonLines = "\ufeff{\"text\":\"one\",\"n\":1}\n\n{\"text\":\"\"}\n{\"text\":null}\r\n{\"text\":\"two\\nlines " +
	"\\u0000 \\ud83d\\ude42\"}"

func TestFormats(t *testing.T) {
	root := t.TempDir()
	for name, content := range map[string][]byte{
		"a.txt": []byte("plain"), "b.GZ": gzipped(t, "packed"), "c.go.zst": zstandard(t, "package c"),
		"d.jsonl":     []byte(jsonLines),
		"e.ndjson.gz": gzipped(t, `{"text":"e"}`), "f.jsonl.zst": zstandard(t, `{"text":"f"}`),
		"g.parquet": parquetFile(t, 5),
		"h.bin":     {0, 1, 2}, "i.gz": gzipped(t, "\x00"), ".hidden.txt": []byte("hidden"),
		"j.json": []byte(`{"text":"one object"}`),
	} {
		if err := os.WriteFile(filepath.Join(root, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	source, err := files.Open(root, files.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"a.txt@0=plain", "b.GZ@0*=packed", "c.go.zst@0*=package c",
		"d.jsonl:1@0*=one", "d.jsonl:5@0*=two\nlines \ufffd 🙂",
		"e.ndjson.gz:1@0*=e", "f.jsonl.zst:1@0*=f",
		"g.parquet:1@0*=text 0", "g.parquet:3@0*=text 2", "g.parquet:4@0*=text 3",
		"j.json:1@0*=one object",
	}
	for range 2 { // a source is the same at each iteration
		got, err := read(source)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
	one, err := files.Open(filepath.Join(root, "g.parquet"), files.Options{Field: "content"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := read(one); err != nil || len(got) != 5 || got[4] != "g.parquet:5@0*=content 4" {
		t.Errorf("another column: %q, %v", got, err)
	}
}

func TestManyRows(t *testing.T) {
	fsys := fstest.MapFS{"x.parquet": {Data: parquetFile(t, 2000)}}
	got, err := read(files.FS(fsys, files.Options{Field: "content"}))
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range got {
		if want := fmt.Sprintf("x.parquet:%d@0*=content %d", i+1, i); text != want {
			t.Fatalf("row %d is %q, want %q", i, text, want)
		}
	}
	if len(got) != 2000 {
		t.Errorf("%d rows of 2000", len(got))
	}
}

// TestBadFiles: each complaint names the file and what to do.
func TestBadFiles(t *testing.T) {
	whole := parquetFile(t, 50)
	for name, test := range map[string]struct {
		content []byte
		field   string
		says    []string
	}{
		"a.jsonl":   {content: []byte("{\"text\":\"a\"}\nnothing"), says: []string{"a.jsonl line 2", "no JSON object"}},
		"b.jsonl":   {content: []byte(`{"body":"b","id":1}`), says: []string{"b.jsonl:1", `"text"`, "body, id"}},
		"c.jsonl":   {content: []byte(`{"text":3}`), says: []string{"c.jsonl:1", "something else"}},
		"d.gz":      {content: []byte("no gzip"), says: []string{"d.gz"}},
		"e.txt.gz":  {content: gzipped(t, strings.Repeat("text ", 1000))[:30], says: []string{"e.txt.gz"}},
		"f.zst":     {content: []byte("no zstd"), says: []string{"f.zst"}},
		"g.parquet": {content: []byte("no parquet"), says: []string{"g.parquet", "Parquet"}},
		"h.parquet": {content: whole, field: "body", says: []string{"h.parquet", `"body"`, "content, id, text"}},
		"i.parquet": {content: whole, field: "id", says: []string{"i.parquet", "something else"}},
		"j.gz":      {content: gzipped(t, string(whole[:len(whole)-1])), says: []string{"j.gz", "Parquet"}},
		"k.parquet": {content: whole[:len(whole)/2], says: []string{"k.parquet"}},
	} {
		_, err := read(files.FS(fstest.MapFS{name: {Data: test.content}}, files.Options{Field: test.field}))
		if err == nil {
			t.Errorf("%s was accepted", name)
			continue
		}
		for _, want := range test.says {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q lacks %q", name, err, want)
			}
		}
	}
	if _, err := files.Open(filepath.Join(t.TempDir(), "missing"), files.Options{}); err == nil {
		t.Error("a missing folder was opened")
	}
}

// TestBombs: what unpacks to far more than it takes is refused, in bounded memory.
func TestBombs(t *testing.T) {
	if testing.Short() {
		t.Skip("left out with -short: it unpacks half a gigabyte")
	}
	// What is in use counts garbage too: how much of it there is must not hang on when the collector gets its turn.
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	long := strings.Repeat("a", 80<<20)
	line := `{"text":"` + long + `"}`
	for name, test := range map[string]struct {
		content []byte
		says    string
	}{
		"a.txt.gz":    {gzipped(t, long), "250 times its size"},
		"b.txt.zst":   {zstandard(t, long), "250 times its size"},
		"blank.gz":    {gzipped(t, strings.Repeat("\n", 80<<20)), "250 times its size"},
		"c.jsonl.gz":  {gzipped(t, line), "longer than 64 MiB"},
		"d.jsonl.zst": {zstandard(t, line), "longer than 64 MiB"},
		"e.json":      {[]byte("[" + line + "]"), "longer than 64 MiB"},
		"f.csv":       {[]byte("text\n\"" + long), "longer than 64 MiB"},
		"tail.zst": {zstandard(t, strings.Repeat(`{"text": "`+strings.Repeat("b", 9000)+`"}`+"\n", 10_000)),
			"250 times its size"},
		"same.parquet": {repetition(t, 100<<20), "250 times as long"},
	} {
		var before, now runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		peak := uint64(0)
		var failed error
		n := 0
		for _, err := range files.FS(fstest.MapFS{name: {Data: test.content}}, files.Options{}) {
			if n++; n%1000 == 1 {
				runtime.ReadMemStats(&now)
				peak = max(peak, now.HeapInuse)
			}
			failed = err
		}
		if failed == nil || !strings.Contains(failed.Error(), test.says) || !strings.Contains(failed.Error(), name) {
			t.Errorf("%s: %v, want %q", name, failed, test.says)
		}
		if grown := int64(peak) - int64(before.HeapInuse); grown > 300<<20 {
			t.Errorf("%s: %d MiB in use", name, grown>>20)
		}
	}
}

// repetition is a Parquet file of one text again and again, that long together.
func repetition(t testing.TB, size int) []byte {
	t.Helper()
	type row struct {
		Text string `parquet:"text,dict"`
	}
	var b bytes.Buffer
	w := parquet.NewGenericWriter[row](&b, parquet.Compression(&parquet.Zstd))
	text := strings.Repeat("again ", 4000)
	rows := slices.Repeat([]row{{text}}, size/len(text)+1)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func FuzzLines(f *testing.F) {
	f.Add([]byte(jsonLines))
	f.Add([]byte(`{"text":3}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		texts, err := read(files.FS(fstest.MapFS{"x.jsonl": {Data: data}}, files.Options{}))
		if err == nil && len(texts) > bytes.Count(data, []byte("\n"))+1 {
			t.Errorf("%d texts of %q", len(texts), data)
		}
	})
}

// FuzzContent gives arbitrary bytes names of all kinds.
func FuzzContent(f *testing.F) {
	names := []string{"x", "x.json", "x.csv", "x.tsv", "x.arrow", "x.gz", "x.txt"}
	samples, err := os.ReadDir("testdata")
	if err != nil {
		f.Fatal(err)
	}
	for i, sample := range samples {
		if sample.IsDir() {
			continue
		}
		data, err := os.ReadFile(filepath.Join("testdata", sample.Name()))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, uint8(i))
	}
	f.Add([]byte(`[{"text":"a","n":NaN},"b"]`), uint8(1))
	f.Add([]byte("text,n\n\"a\nb\",1\n"), uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, name uint8) {
		var report corpus.Report
		texts, err := read(files.FS(fstest.MapFS{names[int(name)%len(names)]: {Data: data}}, files.Options{Report: &report}))
		if err == nil && (len(texts) == 0 || report.Documents() == 0) {
			t.Errorf("neither a text nor an error: %+v", report)
		}
	})
}

func FuzzParquet(f *testing.F) {
	f.Add(parquetFile(f, 3))
	f.Fuzz(func(t *testing.T, data []byte) {
		read(files.FS(fstest.MapFS{"x.parquet": {Data: data}}, files.Options{}))
	})
}

func ExampleFS() {
	fsys := fstest.MapFS{"texts.jsonl": {Data: []byte("{\"body\": \"one\"}\n{\"body\": \"two\"}\n")}}
	for text, err := range files.FS(fsys, files.Options{Field: "body"}) {
		fmt.Println(text.Name, text.Content, err)
	}
	// Output:
	// texts.jsonl:1 one <nil>
	// texts.jsonl:2 two <nil>
}
