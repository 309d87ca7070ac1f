package parquet_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	library "github.com/parquet-go/parquet-go"

	"github.com/neuron2graph/neuron2graph/n2g/internal/parquet"
)

// row has a column of each kind.
type row struct {
	Number int32    `parquet:"number"`
	Place  int64    `parquet:"place"`
	Value  float32  `parquet:"value"`
	Text   string   `parquet:"text"`
	Word   string   `parquet:"word"`
	IDs    []int32  `parquet:"ids,list"`
	Tokens []string `parquet:"tokens,list"`
}

var rowColumns = []parquet.Column[row]{
	parquet.Int32("number", func(r *row) int32 { return r.Number }),
	parquet.Int64("place", func(r *row) int64 { return r.Place }),
	parquet.Float32("value", func(r *row) float32 { return r.Value }),
	parquet.Text("text", func(r *row) string { return r.Text }),
	parquet.Word("word", func(r *row) string { return r.Word }),
	parquet.Int32s("ids", func(r *row) []int32 { return r.IDs }),
	parquet.Texts("tokens", func(r *row) []string { return r.Tokens }),
}

// randomRows have lists of none to 20 elements and a few to thousands of different words.
func randomRows(n, words int) []row {
	random := rand.New(rand.NewPCG(3, uint64(n)))
	rows := make([]row, n)
	for i := range rows {
		r := row{Number: int32(random.Uint32()), Place: int64(random.Uint64()),
			Value: math.Float32frombits(random.Uint32() &^ (1 << 30)), Text: strings.Repeat("née", random.IntN(4)),
			Word: fmt.Sprint("word ", random.IntN(words)), IDs: []int32{}, Tokens: []string{}}
		if random.IntN(n) == 0 {
			r.Text = strings.Repeat("long ", 500_000) // more than a page
		}
		for range random.IntN(20) * random.IntN(2) {
			r.IDs = append(r.IDs, int32(random.Uint32()))
			r.Tokens = append(r.Tokens, []string{"", "a", "bcd", "\x00", "日本"}[random.IntN(5)])
		}
		rows[i] = r
	}
	return rows
}

func writeRows(t *testing.T, rows []row) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := parquet.NewWriter(&b, rowColumns...)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestWriter: another implementation reads every row as it was written, from none to several row groups, and our own
// reader the texts.
func TestWriter(t *testing.T) {
	for _, test := range []struct{ rows, words int }{
		{0, 1}, {1, 1}, {7, 1}, {8, 2}, {9, 3}, {3000, 300}, {140_000, 5000},
	} {
		rows := randomRows(test.rows, test.words)
		file := writeRows(t, rows)
		got, err := library.Read[row](bytes.NewReader(file), int64(len(file)))
		for i := range got { // it makes empty lists nil
			got[i].IDs, got[i].Tokens = append([]int32{}, got[i].IDs...), append([]string{}, got[i].Tokens...)
		}
		if err != nil || len(got) != len(rows) {
			t.Fatalf("%d rows of %d, %v", len(got), len(rows), err)
		}
		for i := range rows {
			if !reflect.DeepEqual(got[i], rows[i]) {
				t.Fatalf("%d rows, %d words, row %d: %s", test.rows, test.words, i, cmp.Diff(rows[i], got[i]))
			}
		}
		for name, of := range map[string]func(row) string{"text": func(r row) string { return r.Text },
			"word": func(r row) string { return r.Word }} {
			var want []string
			for _, r := range rows {
				want = append(want, of(r))
			}
			if got, err := read(file, name); err != nil || !slices.Equal(got, want) {
				t.Errorf("%d rows, %d words, column %s: our reader reads %d texts, %v", test.rows, test.words, name, len(got),
					err)
			}
		}
	}
}

// TestWriterSchema: columns are of the types that libraries give such values, and row groups say between which numbers
// theirs lie.
func TestWriterSchema(t *testing.T) {
	rows := randomRows(140_000, 10)
	data := writeRows(t, rows)
	file, err := library.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	const want = `message schema {
	required int32 number (INT(32,true));
	required int64 place (INT(64,true));
	required float value;
	required binary text (STRING);
	required binary word (STRING);
	required group ids (LIST) {
		repeated group list {
			required int32 element (INT(32,true));
		}
	}
	required group tokens (LIST) {
		repeated group list {
			required binary element (STRING);
		}
	}
}`
	if diff := cmp.Diff(want, file.Schema().String()); diff != "" {
		t.Error(diff)
	}
	groups := file.Metadata().RowGroups
	if len(groups) != 2 {
		t.Fatalf("%d row groups", len(groups))
	}
	first := 0
	for _, group := range groups {
		own := rows[first : first+int(group.NumRows)]
		first += len(own)
		numbers := []int{int(slices.MinFunc(own, func(a, b row) int { return int(a.Number) - int(b.Number) }).Number),
			int(slices.MaxFunc(own, func(a, b row) int { return int(a.Number) - int(b.Number) }).Number)}
		statistics := group.Columns[0].MetaData.Statistics
		for i, bound := range [][]byte{statistics.MinValue, statistics.MaxValue} {
			if got := int(int32(binary.LittleEndian.Uint32(bound))); got != numbers[i] {
				t.Errorf("the numbers of a row group lie between %v, not %d", numbers, got)
			}
		}
	}
}

// TestWriterText: what is not UTF-8 is written as it is shown.
func TestWriterText(t *testing.T) {
	file := writeRows(t, []row{{Text: "a\xffb", Word: "\xc3", Tokens: []string{"\xf0\x9f"}}})
	for name, want := range map[string]string{"text": "a\uFFFDb", "word": "\uFFFD"} {
		if got, err := read(file, name); err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
}

// full is a disk that takes so many bytes.
type full int

var errFull = errors.New("no space is left")

func (f *full) Write(data []byte) (int, error) {
	if *f -= full(len(data)); *f < 0 {
		return 0, errFull
	}
	return len(data), nil
}

// TestWriterFull: a file that could not be written whole is an error, wherever it ends.
func TestWriterFull(t *testing.T) {
	rows := []row{{Number: 1, Text: "text", Word: "word", IDs: []int32{1, 2}, Tokens: []string{"a", "b"}}}
	whole := len(writeRows(t, rows))
	for size := 0; size < whole; size += 7 {
		disk := full(size)
		w, err := parquet.NewWriter(&disk, rowColumns...)
		for _, r := range rows {
			if err == nil {
				err = w.Write(r)
			}
		}
		if err == nil {
			err = w.Close()
		}
		if !errors.Is(err, errFull) {
			t.Fatalf("%d bytes of %d: %v", size, whole, err)
		}
	}
}

func BenchmarkWriter(b *testing.B) {
	rows := randomRows(20_000, 100)
	total := 0
	for _, r := range rows {
		total += 4 + 8 + 4 + len(r.Text) + len(r.Word) + 4*len(r.IDs) + len(strings.Join(r.Tokens, ""))
	}
	b.Run("ours", func(b *testing.B) {
		b.SetBytes(int64(total))
		for b.Loop() {
			var file bytes.Buffer
			w, err := parquet.NewWriter(&file, rowColumns...)
			if err != nil {
				b.Fatal(err)
			}
			for _, r := range rows {
				w.Write(r) // Close says what failed
			}
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(file.Len()), "file-bytes")
		}
	})
	b.Run("parquet-go", func(b *testing.B) {
		b.SetBytes(int64(total))
		for b.Loop() {
			var file bytes.Buffer
			w := library.NewGenericWriter[row](&file, library.Compression(&library.Zstd))
			if _, err := w.Write(rows); err != nil {
				b.Fatal(err)
			}
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(file.Len()), "file-bytes")
		}
	})
}
