package corpus

import (
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"strings"
)

// Text is one document of a corpus, or a piece of one that is long.
type Text struct {
	Name    string // a path within the corpus, unique there but for pieces of one document
	Content string
	Offset  int // bytes of the document before Content
	// Packed says that Name is no plain file in which Content stands at Offset: a line of JSON, for instance, or what a
	// compressed file holds. An Index keeps such texts themselves, since it could not point to them.
	Packed bool
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
		file, err := os.Open(root)
		if err != nil {
			yield(Text{}, fmt.Errorf("corpus: %w", err))
			return
		}
		defer file.Close()
		for text, err := range Pieces(info.Name(), file, false) {
			if !yield(text, err) {
				return
			}
		}
	}, nil
}

// FS streams the text files of a file system in lexical order of their paths. Files that are not UTF-8 text, hidden
// files and hidden folders are passed over. A file of more than [PieceBytes] comes in pieces.
func FS(fsys fs.FS) Source {
	return Walk(fsys, func(name string) Source {
		return func(yield func(Text, error) bool) {
			file, err := fsys.Open(name)
			if err != nil {
				yield(Text{}, fmt.Errorf("corpus: %w", err))
				return
			}
			defer file.Close()
			for text, err := range Pieces(name, file, false) {
				if !yield(text, err) {
					return
				}
			}
		}
	})
}

// Walk streams what open makes of each file of a file system, in lexical order of their paths, but for hidden files and
// those in hidden folders.
func Walk(fsys fs.FS, open func(name string) Source) Source {
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
			for text, err := range open(name) {
				if !yield(text, err) || err != nil {
					return fs.SkipAll
				}
			}
			return nil
		})
		if err != nil {
			yield(Text{}, fmt.Errorf("corpus: %w", err))
		}
	}
}
