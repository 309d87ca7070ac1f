package files_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/corpus/files"
)

// contents are the texts of a source, pieces joined.
func contents(t testing.TB, source corpus.Source) ([]string, error) {
	t.Helper()
	var all []string
	for text, err := range source {
		if err != nil {
			return all, err
		}
		if text.Offset > 0 {
			all[len(all)-1] += text.Content
			continue
		}
		all = append(all, text.Content)
	}
	return all, nil
}

// TestKindByContent: what a file is, its content says where its name does not.
func TestKindByContent(t *testing.T) {
	const a, b = "The farmer walked.", "The baker walked."
	line := func(s string) string { return fmt.Sprintf(`{"text": %q, "url": "https://example.org"}`, s) }
	lines := line(a) + "\n" + line(b) + "\n"
	array := "[\n  " + line(a) + ",\n  " + line(b) + "\n]\n"
	pretty := "{\n  \"text\": \"" + a + "\",\n  \"n\": 1\n}\n{\n  \"text\": \"" + b + "\"\n}\n"
	table := "id,text\n1,\"" + a + "\"\n2," + b + "\n"
	tabs := "id\ttext\r\n1\t" + a + "\r\n2\t" + b + "\r\n"
	long := line(strings.Repeat("long ", 50_000))
	both := []string{a, b}
	for name, test := range map[string]struct {
		content string
		want    []string
	}{
		"c4-train.00000-of-00001.json": {lines, both},
		"lines.json.gz":                {string(gzipped(t, lines)), both},
		"RC_2012-01.zst":               {string(zstandard(t, lines)), both},
		"lines.txt":                    {lines, both},
		"lines":                        {lines, both},
		"misnamed.parquet.jsonl":       {lines, both},
		"gzip-by-content":              {string(gzipped(t, lines)), both},
		"twice.gz":                     {string(gzipped(t, "text")), []string{"text"}},
		"array.json":                   {array, both},
		"array.json.zst":               {string(zstandard(t, array)), both},
		"array.jsonl":                  {array, both},
		"array":                        {array, both},
		"compact.json":                 {"[" + line(a) + "," + line(b) + "]", both},
		"strings.json":                 {`["` + a + `", "` + b + `"]`, both},
		"strings.jsonl":                {`"` + a + `"` + "\n" + `"` + b + `"`, both},
		"pretty.json":                  {pretty, both},
		"pretty.jsonl":                 {pretty, both},
		"bom.json":                     {"\ufeff" + array, both},
		"nan.json": {`[{"text": "` + a +
			`", "n": NaN}, {"text": "NaN \" -Infinity", "n": [-Infinity, NaN]}]`, []string{a, `NaN " -Infinity`}},
		"nan.jsonl": {`{"text": "` + a + `", "n": NaN}` + "\n" + `{"n": -Infinity, "text": "` + b + `"}`,
			both},
		"long.txt":     {long + "\n" + line(b), []string{strings.Repeat("long ", 50_000), b}},
		"table.csv":    {table, both},
		"table.csv.gz": {string(gzipped(t, table)), both},
		"table.CSV": {strings.ReplaceAll(strings.ReplaceAll(table, "id,", "id;"), "1,", "1;")[:3] +
			strings.ReplaceAll(table[3:], ",", ";"), both},
		"table.data": {table, both},
		"table.tsv":  {tabs, both},
		"tabs.txt":   {tabs, both},
		"quotes.tsv": {"text\tn\nsaid \"so\" he\t1\n", []string{`said "so" he`}},
		"breaks.csv": {"n,text\n1,\"two\nlines, \"\"quoted\"\"\"\n2," + b + "\n",
			[]string{"two\nlines, \"quoted\"", b}},
		"prose.txt": {"text, they said, is\nwhat, they say, it is\n",
			[]string{"text, they said, is\nwhat, they say, it is\n"}},
		"code.go":   {"{\n\"a\": 1}", []string{"{\n\"a\": 1}"}},
		"list.txt":  {"[1] a note\n", []string{"[1] a note\n"}},
		"brace.txt": {"{curly} text", []string{"{curly} text"}},
	} {
		got, err := contents(t, files.FS(fstest.MapFS{name: {Data: []byte(test.content)}}, files.Options{}))
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %.200q, %v; want %.200q", name, got, err, test.want)
		}
	}
}

// TestWhatOthersWrite reads what pyarrow and Python's compressors wrote: testdata/make.py.
func TestWhatOthersWrite(t *testing.T) {
	six := []string{"one", "two née", "five", "six"}
	packed := []string{"packed one", "packed two"}
	for name, want := range map[string][]string{
		"stream.arrow": six, "file.feather": six, "lz4.arrow": six, "large.arrow": six, "view.arrow": six,
		"dictionary.arrow": six, "version4.feather": six, "polars.feather": six,
		"empty-groups.parquet": six, "no-rows.parquet": nil, "no-groups.parquet": nil, "all-missing.parquet": nil,
		"lines.jsonl.bz2": packed, "lines.xz": packed, "lines.gz": packed, "rows.csv.xz": {"row, one"},
	} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		// A second name: no extension tells.
		names := map[string][]byte{name: data, strings.ReplaceAll(name, ".", "-"): data}
		if strings.HasSuffix(name, ".arrow") || strings.HasSuffix(name, ".parquet") {
			names[name+".gz"] = gzipped(t, string(data))
		}
		for name, data := range names {
			if strings.HasSuffix(name, "csv-xz") {
				name += ".csv"
			}
			source := files.FS(fstest.MapFS{name: {Data: data}, "~": {Data: []byte("last")}}, files.Options{})
			got, err := contents(t, source)
			if err != nil || !slices.Equal(got, append(slices.Clone(want), "last")) {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
		if strings.HasSuffix(name, ".arrow") {
			for _, end := range []int{len(data) / 3, len(data) / 2, 200} {
				if got, err := contents(t, files.FS(fstest.MapFS{name: {Data: data[:end]}}, files.Options{})); err == nil {
					t.Errorf("%s cut at %d: %q", name, end, got)
				}
			}
		}
	}
}

// TestReport: what was read and left out, and why.
func TestReport(t *testing.T) {
	fsys := fstest.MapFS{
		"README.md": {Data: []byte("# Card of the data set")},
		"a.jsonl": {Data: []byte(
			"{\"text\":\"one\"}\n{\"body\":\"no\"}\n{\"text\":null}\n{\"text\":7}\n[1]\n{\"text\":\"née\"}")},
		"b.csv":            {Data: []byte("text,n\nfive,1\nsix,2\n")},
		"c.csv":            {Data: []byte("body,n\nfive,1\n")},
		"d/state.json":     {Data: []byte("{\n  \"_format\": \"arrow\"\n}")},
		"d/latin.txt":      {Data: []byte("caf\xe9")},
		"d/plain.txt":      {Data: []byte("plain")},
		"d/mixed.txt":      {Data: []byte(strings.Repeat("line\n", 300_000) + "\x00")},
		"e.tar":            {Data: append(append(make([]byte, 257), "ustar"...), make([]byte, 250)...)},
		"empty":            {Data: nil},
		".git/config":      {Data: []byte("hidden")},
		"f.zip":            {Data: []byte("PK\x03\x04")},
		"g.json":           {Data: []byte("{ // settings\n}")},
		"h-utf16.txt":      {Data: []byte("\xff\xfeh\x00i\x00")},
		"z/LICENSE":        {Data: []byte("licence")},
		"z/LICENSE-TEXT.n": {Data: []byte("kept")},
	}
	var report corpus.Report
	got, err := contents(t, files.FS(fsys, files.Options{Report: &report}))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"one", "née", "five", "six", strings.Repeat("line\n", 209716), "plain",
		"kept"}; len(got) != len(want) || got[0] != want[0] || got[5] != "plain" {
		t.Errorf("%.100q", got)
	}
	mixed := int64(len(got[4]))
	want := corpus.Report{
		Read: []corpus.Read{{Kind: "CSV", Files: 1, Documents: 2, Bytes: 7},
			{Kind: "JSON Lines", Files: 1, Documents: 2, Bytes: 7}, {Kind: "text", Files: 3, Documents: 3, Bytes: mixed + 9}},
		LeftOut: []corpus.LeftOut{
			{Reason: `CSV without a field "text"`, Files: 1, Names: []string{"c.csv"}},
			{Reason: `JSON without a field "text"`, Files: 1, Names: []string{"d/state.json"}},
			{Reason: "UTF-16 text, which is to be converted to UTF-8", Files: 1, Names: []string{"h-utf16.txt"}},
			{Reason: "about the data set, not part of it", Files: 2, Names: []string{"README.md", "z/LICENSE"}},
			{Reason: "empty", Files: 1, Names: []string{"empty"}},
			{Reason: "hidden", Files: 1, Names: []string{".git"}},
			{Reason: "not UTF-8 text", Files: 1, Names: []string{"d/latin.txt"}},
			{Reason: "not UTF-8 text from somewhere on", Files: 1, Names: []string{"d/mixed.txt"}},
			{Reason: "not well-formed JSON, though named so", Files: 1, Names: []string{"g.json"}},
			{Reason: "tar archives, which are to be unpacked", Files: 1, Names: []string{"e.tar"}},
			{Reason: "that are neither JSON objects nor strings", Records: 1, Names: []string{"a.jsonl:5"}},
			{Reason: "whose field for the text holds something else", Records: 1, Names: []string{"a.jsonl:4"}},
			{Reason: "whose text is missing or empty", Records: 1, Names: []string{"a.jsonl:3"}},
			{Reason: `without a field "text"`, Records: 1, Names: []string{"a.jsonl:2"}},
			{Reason: "zip archives, which are to be unpacked", Files: 1, Names: []string{"f.zip"}},
		},
	}
	if diff := cmp.Diff(want, report); diff != "" {
		t.Error(diff)
	}
}

// TestNoRecordHasTheField: then the field is wrong, whatever else was read.
func TestNoRecordHasTheField(t *testing.T) {
	data, err := os.ReadFile("testdata/stream.arrow")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"a.jsonl": `{"content":"a"}`, "b.json": `[{"content":"a"}]`, "c.csv": "content,id\na,1\n", "d.arrow": string(data),
		"e.parquet": string(parquetFile(t, 3)),
		"f.json":    "{\"content\":\n\"a\"}", "many.jsonl": strings.Repeat("{\"content\":\"a\"}\n", 100_001),
	} {
		fsys := fstest.MapFS{name: {Data: []byte(content)}, "z.txt": {Data: []byte("a text beside it")}}
		if name == "f.json" { // it may be no data
			delete(fsys, "z.txt")
		}
		_, err := contents(t, files.FS(fsys, files.Options{Field: "body"}))
		if err == nil || !strings.Contains(err.Error(), `no record has a field "body"`) ||
			!strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := contents(t, files.FS(fstest.MapFS{"x.bin": {Data: []byte{0}}}, files.Options{})); err == nil ||
		!strings.Contains(err.Error(), "not UTF-8 text (x.bin)") {
		t.Errorf("a corpus without a text: %v", err)
	}
}

func TestPointers(t *testing.T) {
	const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
	for _, name := range []string{"a.parquet", "a.jsonl.gz", "a.arrow", "a.txt"} {
		if _, err := contents(t, files.FS(fstest.MapFS{name: {Data: []byte(pointer)}}, files.Options{})); err == nil ||
			!strings.Contains(err.Error(), "Git LFS pointer") {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := contents(t, files.FS(fstest.MapFS{"a.parquet": {Data: []byte("../../blobs/ff00")}}, files.Options{}))
	if err == nil || !strings.Contains(err.Error(), "link") {
		t.Errorf("a link that was copied as a text: %v", err)
	}
}

func TestWindowTooLarge(t *testing.T) {
	// A frame that asks for a window of 2 GiB, as zstd --long=31 writes it: RFC 8878, section 3.1.1.1.2.
	frame := "\x28\xb5\x2f\xfd\x00\xa8" + strings.Repeat("\x00", 20)
	_, err := contents(t, files.FS(fstest.MapFS{"RC.zst": {Data: []byte(frame)}}, files.Options{}))
	for _, want := range []string{"RC.zst", "2048 MiB", "128 MiB", "--long"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
}

// TestLinks: links lead wherever they lead, but nothing is read twice and nothing goes in a circle.
func TestLinks(t *testing.T) {
	parent := t.TempDir()
	put := func(name, content string) {
		t.Helper()
		path := filepath.Join(parent, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	link := func(target, name string) {
		t.Helper()
		path := filepath.Join(parent, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, path); err != nil {
			t.Skip("skipped: no symbolic links here: ", err)
		}
	}
	// A snapshot of the hub's cache: files are links to blobs outside.
	put("hub/blobs/ff00", string(parquetFile(t, 3)))
	put("hub/snapshots/0a1b/README.md", "Card of the data set")
	link("../../../blobs/ff00", "hub/snapshots/0a1b/data/train-00000-of-00001.parquet")
	// Links in circles, to folders outside and inside, to nothing.
	put("tree/a/one.txt", "one")
	put("tree/.kept/hidden.txt", "behind a hidden name")
	put("outside/two.txt", "two")
	link("..", "tree/a/up")
	link("../tree", "outside/back")
	link("../outside", "tree/b")
	link("b", "tree/c")
	link("../outside/two.txt", "tree/d.txt")
	link("a/one.txt", "tree/e.txt")
	link(".kept/hidden.txt", "tree/f.txt")
	link("nothing", "tree/g.txt")
	link("h.txt", "tree/h.txt")
	put("outside/deep/three.txt", "three")
	link("../outside/deep/three.txt", "tree/0.txt")

	for root, want := range map[string][]string{
		"hub/snapshots/0a1b": {"text 0", "text 2"},
		"hub":                {"text 0", "text 2"},
		"tree":               {"three", "one", "two", "behind a hidden name"},
		"outside":            {"one", "behind a hidden name", "three", "two"},
	} {
		var report corpus.Report
		source, err := files.Open(filepath.Join(parent, root), files.Options{Report: &report})
		if err != nil {
			t.Fatal(err)
		}
		got, err := contents(t, source)
		if err != nil || !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
			t.Errorf("%s: %q, %v; want %q\n%s", root, got, err, want, report)
		}
		if root == "tree" {
			for _, want := range []string{"2 files, links to nothing (g.txt, h.txt)",
				"links to what is read elsewhere in the corpus (a/up, b/back, b/deep/three.txt, c, d.txt, …)"} {
				if !strings.Contains(report.String(), want) {
					t.Errorf("%q lacks %q", report, want)
				}
			}
		}
	}
}
