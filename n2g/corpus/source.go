package corpus

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
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

// FS streams the text files of a file system in lexical order of their paths. Files that are not UTF-8 text, hidden
// files, hidden folders and links are passed over. A file of more than [PieceBytes] comes in pieces. Package files
// reads more than text, follows links, and says what it left out.
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
			return textFile(fsys, name, yield)
		})
		if err != nil {
			yield(Text{}, fmt.Errorf("corpus: %w", err))
		}
	}
}

// textFile yields a file of text, and returns fs.SkipAll where no more is wanted.
func textFile(fsys fs.FS, name string, yield func(Text, error) bool) error {
	file, err := fsys.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	for text, err := range Pieces(name, file, false) {
		if errors.Is(err, ErrNotText) {
			return nil
		}
		if !yield(text, err) || err != nil {
			return fs.SkipAll
		}
	}
	return nil
}
