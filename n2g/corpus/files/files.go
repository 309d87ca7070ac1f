package files

import (
	"bufio"
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g/corpus"
)

// Options of reading.
type Options struct {
	Field string // of a JSON object, and column of a table, that holds the text; "" is text
	// Report, where set, is at the end of each iteration what it read and left out. Iterations that share it come one
	// after the other.
	Report *corpus.Report
}

func (o Options) field() string { return cmp.Or(o.Field, "text") }

// Open streams the documents of a folder or of one file.
//
// Beside what cannot be read, it is an error if there are records and none has the field, or if there is no document at
// all.
func Open(root string, o Options) (corpus.Source, error) {
	info, err := os.Stat(root)
	if err != nil {
		return nil, fmt.Errorf("corpus: %w; name a folder of texts or one file", err)
	}
	real, err := filepath.EvalSymlinks(root)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return nil, fmt.Errorf("corpus: %w", err)
	}
	if info.IsDir() {
		return o.source(os.DirFS(root), real, ""), nil
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("corpus: %s is %s, which cannot be read again when a pass goes on: write it to a file first",
			root, special(info.Mode()))
	}
	return o.source(os.DirFS(filepath.Dir(root)), "", filepath.Base(root)), nil
}

// FS streams the documents of a file system. Links are left out: [Open] follows them.
func FS(fsys fs.FS, o Options) corpus.Source { return o.source(fsys, "", "") }

// source streams one file, or the whole file system if name is empty. real is the path of a folder without links, empty
// where fsys is none of the operating system's.
func (o Options) source(fsys fs.FS, real, name string) corpus.Source {
	return func(yield func(corpus.Text, error) bool) {
		p := &pass{fsys: fsys, root: real, folders: map[string]bool{}, linked: map[string]bool{}, field: o.field(),
			tally: newTally(), yield: yield}
		p.run(name)
		if o.Report != nil {
			*o.Report = p.tally.report()
		}
	}
}

// pass is one iteration. Its methods report whether it goes on: not after an error, which they yield, nor once the
// caller has stopped.
type pass struct {
	fsys    fs.FS
	root    string          // see source
	folders map[string]bool // paths without links of the folders that were entered
	linked  map[string]bool // the same of files that links led to
	field   string
	buffers [2]*bufio.Reader // of a file, and of what it unpacks to
	tally   *tally
	yield   func(corpus.Text, error) bool
}

func (p *pass) run(name string) {
	goesOn := false
	if name != "" {
		goesOn = p.file(name)
	} else {
		goesOn = p.folder(".", p.root)
	}
	if !goesOn {
		return
	}
	if err := p.tally.missingField(p.field); err != nil {
		p.fail(err)
	} else if report := p.tally.report(); report.Documents() == 0 {
		_, leftOut, _ := strings.Cut(report.String(), "\n")
		p.fail(fmt.Errorf("corpus: there is no text in it: %s", cmp.Or(leftOut, "it is empty")))
	}
}

func (p *pass) fail(err error) bool {
	p.yield(corpus.Text{}, err)
	return false
}

// failf is fail for a file or a record.
func (p *pass) failf(name, format string, args ...any) bool {
	return p.fail(fmt.Errorf("corpus: %s: %w", name, fmt.Errorf(format, args...)))
}
