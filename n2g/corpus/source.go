package corpus

import (
	"bytes"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"strings"
	"unicode/utf8"
)

// Text is one document of a corpus.
type Text struct {
	Name    string // a path within the corpus, unique there
	Content string
}

// Source is a stream of documents, the same at each iteration. An error ends it.
type Source = iter.Seq2[Text, error]

// Dir streams the text files below a folder, or the one file that root names, in lexical order.
func Dir(root string) (Source, error) {
	info, err := os.Stat(root)
	if err != nil {
		return nil, fmt.Errorf("corpus: %w; name a folder of text files or one text file", err)
	}
	if info.IsDir() {
		return FS(os.DirFS(root)), nil
	}
	return func(yield func(Text, error) bool) {
		content, err := os.ReadFile(root)
		yield(Text{Name: info.Name(), Content: string(content)}, err)
	}, nil
}

// FS streams the text files of a file system in lexical order of their paths. Files that are not UTF-8 text, hidden
// files and hidden folders are passed over.
func FS(fsys fs.FS) Source {
	return func(yield func(Text, error) bool) {
		err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			hidden := name != "." && strings.HasPrefix(path.Base(name), ".")
			switch {
			case entry.IsDir() && hidden:
				return fs.SkipDir
			case entry.IsDir() || hidden || !entry.Type().IsRegular():
				return nil
			}
			content, err := fs.ReadFile(fsys, name)
			if err != nil {
				return err
			}
			if !isText(content) {
				return nil
			}
			if !yield(Text{Name: name, Content: string(content)}, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(Text{}, fmt.Errorf("corpus: %w", err))
		}
	}
}

// isText tells UTF-8 text from anything else.
func isText(content []byte) bool {
	return len(content) > 0 && bytes.IndexByte(content, 0) < 0 && utf8.Valid(content)
}
