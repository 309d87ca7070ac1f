package files

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/neuron2graph/neuron2graph/n2g/corpus"
)

// Options of reading.
type Options struct {
	Field string // of a JSON line, and column of a Parquet file, that holds the text; "" is text
}

func (o Options) field() string { return cmp.Or(o.Field, "text") }

// Open streams the documents of a folder or of one file.
func Open(root string, o Options) (corpus.Source, error) {
	info, err := os.Stat(root)
	if err != nil {
		return nil, fmt.Errorf("corpus: %w; name a folder of texts or one file", err)
	}
	if info.IsDir() {
		return FS(os.DirFS(root), o), nil
	}
	return o.open(os.DirFS(filepath.Dir(root)), filepath.Base(root)), nil
}

// FS streams the documents of a file system, hidden files and folders left out.
func FS(fsys fs.FS, o Options) corpus.Source {
	return corpus.Walk(fsys, func(name string) corpus.Source { return o.open(fsys, name) })
}

// maxWindow is the memory that unpacking a zstd file may take.
const maxWindow = 128 << 20

// open streams the documents of one file.
func (o Options) open(fsys fs.FS, name string) corpus.Source {
	return func(yield func(corpus.Text, error) bool) {
		file, err := fsys.Open(name)
		if err != nil {
			yield(corpus.Text{}, fmt.Errorf("corpus: %w", err))
			return
		}
		defer file.Close()
		var content io.Reader = file
		inner := name
		switch extension(name) {
		case ".gz":
			unpacked, err := gzip.NewReader(bufio.NewReader(file))
			if err != nil {
				yield(corpus.Text{}, fmt.Errorf("corpus: unpacking %s: %w", name, err))
				return
			}
			inner, content = strings.TrimSuffix(inner, path.Ext(inner)), unpacked
		case ".zst":
			unpacked, err := zstd.NewReader(file, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
			if err != nil {
				yield(corpus.Text{}, fmt.Errorf("corpus: unpacking %s: %w", name, err))
				return
			}
			defer unpacked.Close()
			inner, content = strings.TrimSuffix(inner, path.Ext(inner)), unpacked
		}
		packed := inner != name
		var documents corpus.Source
		switch extension(inner) {
		case ".jsonl", ".ndjson":
			documents = lines(name, content, o.field())
		case ".parquet":
			if packed {
				yield(corpus.Text{}, fmt.Errorf("corpus: %s: a Parquet file is read from its end, and so not through compression: unpack it", name))
				return
			}
			documents = rows(name, file, o.field())
		default:
			documents = corpus.Pieces(name, content, packed)
		}
		for text, err := range documents {
			if !yield(text, err) {
				return
			}
		}
	}
}

func extension(name string) string { return strings.ToLower(path.Ext(name)) }
