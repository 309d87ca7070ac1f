package local

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/gofrs/flock"
)

// EnvVar names the folder of all models.
const EnvVar = "N2G_MODELS"

// Shelf is a folder of models.
type Shelf struct{ dir string }

// Open is the user's shelf, whether there is such a folder or not.
func Open() (Shelf, error) {
	if dir := os.Getenv(EnvVar); dir != "" {
		return Shelf{dir}, nil
	}
	data := os.Getenv("XDG_DATA_HOME")
	if data == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return Shelf{}, fmt.Errorf("find the folder of models: %w; name it in %s", err, EnvVar)
		}
		data = filepath.Join(home, ".local", "share")
	}
	return Shelf{filepath.Join(data, "n2g", "models")}, nil
}

// Dir is the folder.
func (s Shelf) Dir() string { return s.dir }

// nameForm is what a model may be called: no path, no repository, nothing hidden.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$`)

// partEnding is that of folders that are not whole yet; they begin with a dot.
const partEnding = ".part"

// Names lists the models, sorted.
func (s Shelf) Names() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, entry := range entries {
		if entry.IsDir() && nameForm.MatchString(entry.Name()) {
			names = append(names, entry.Name())
		}
	}
	return names, err
}

// Model is the files of a model; ok is false where there is none of that name.
func (s Shelf) Model(name string) (fsys fs.FS, ok bool) {
	if !nameForm.MatchString(name) {
		return nil, false
	}
	dir := filepath.Join(s.dir, name)
	if stat, err := os.Stat(dir); err != nil || !stat.IsDir() {
		return nil, false
	}
	return os.DirFS(dir), true
}

// Size is the bytes of a model's files, 0 where there is none of that name.
func (s Shelf) Size(name string) (size int64) {
	fsys, ok := s.Model(name)
	if !ok {
		return 0
	}
	fs.WalkDir(fsys, ".", func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			if info, err := entry.Info(); err == nil {
				size += info.Size()
			}
		}
		return nil
	})
	return size
}

// Remove takes a model away.
func (s Shelf) Remove(name string) error {
	if _, ok := s.Model(name); !ok {
		return fmt.Errorf("no model called %q was added", name)
	}
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	// Out of sight first, so that nobody opens half of it.
	gone := filepath.Join(s.dir, "."+name+partEnding)
	if err := os.Rename(filepath.Join(s.dir, name), gone); err != nil {
		return fmt.Errorf("remove model %s: %w", name, err)
	}
	if err := os.RemoveAll(gone); err != nil {
		return fmt.Errorf("remove model %s: %w", name, err)
	}
	return nil
}

// lock keeps others from adding and removing, and clears what killed ones left.
func (s Shelf) lock() (unlock func(), err error) {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of models: %w", err)
	}
	lock := flock.New(filepath.Join(s.dir, ".lock"))
	if err := lock.Lock(); err != nil {
		return nil, fmt.Errorf("lock the folder of models: %w", err)
	}
	entries, err := os.ReadDir(s.dir)
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") && strings.HasSuffix(entry.Name(), partEnding) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(s.dir, entry.Name())))
		}
	}
	if err != nil {
		lock.Unlock()
		return nil, fmt.Errorf("clear the folder of models: %w", err)
	}
	return func() { lock.Unlock() }, nil
}

// Add puts a copy of the model at source on the shelf and returns its name, which is made of the source's where it is
// empty. check is asked about the copy before it stands under its name.
func (s Shelf) Add(ctx context.Context, source, name string,
	check func(fsys fs.FS, name string) error) (string, error) {
	from, err := open(source)
	if err != nil {
		return "", fmt.Errorf("add %s: %w", source, err)
	}
	defer from.close()
	if name == "" {
		name = from.name
	}
	if !nameForm.MatchString(name) {
		return "",
			fmt.Errorf("a model cannot be called %q: letters, digits and . _ + - make a name, which begins with a letter or a "+
				"digit; give one with -name", name)
	}
	unlock, err := s.lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	final, part := filepath.Join(s.dir, name), filepath.Join(s.dir, "."+name+partEnding)
	if _, err := os.Lstat(final); err == nil {
		return "",
			fmt.Errorf("there is a model called %s in %s already: give another name with -name, or take it away first with "+
				"n2g models remove %[1]s", name, s.dir)
	}
	if err := os.Mkdir(part, 0o755); err != nil {
		return "", fmt.Errorf("add %s: %w", source, err)
	}
	defer os.RemoveAll(part)
	for _, file := range from.files {
		if err := file.copy(ctx, part); err != nil {
			return "", fmt.Errorf("add %s: %w", source, err)
		}
	}
	if err := check(os.DirFS(part), name); err != nil {
		return "", err
	}
	if err := os.Rename(part, final); err != nil {
		return "", fmt.Errorf("add %s: %w", source, err)
	}
	return name, nil
}

// source is what is to be added.
type source struct {
	name  string // that it would have
	files []file
	close func() error
}

// file is one file of it.
type file struct {
	name string
	size int64
	open func() (io.ReadCloser, error)
}

// isGGUF tells a model file by its name.
func isGGUF(name string) bool { return strings.EqualFold(path.Ext(name), ".gguf") }

func stem(name string) string { return strings.TrimSuffix(path.Base(name), path.Ext(name)) }

// open looks at what source is.
func open(name string) (source, error) {
	stat, err := os.Stat(name)
	switch {
	case err != nil:
		return source{}, err
	case stat.IsDir():
		return openFolder(name)
	case !stat.Mode().IsRegular():
		return source{}, errors.New("it is neither a file nor a folder")
	}
	f, err := os.Open(name)
	if err != nil {
		return source{}, err
	}
	defer f.Close()
	head := make([]byte, 4)
	n, err := io.ReadFull(f, head)
	switch {
	case err != nil && err != io.ErrUnexpectedEOF && err != io.EOF:
		return source{}, err
	case bytes.Equal(head[:n], []byte("GGUF")):
		open := func() (io.ReadCloser, error) { return os.Open(name) }
		inside := filepath.Base(name)
		if !isGGUF(inside) {
			inside += ".gguf"
		}
		return source{stem(inside), []file{{inside, stat.Size(), open}}, nothing}, nil
	case bytes.Equal(head[:n], []byte("PK\x03\x04")):
		return openPackage(name)
	}
	return source{},
		errors.New("it is neither a GGUF file nor a Python package (.whl), by its first bytes; a model of other files is " +
			"added by its folder")
}

func nothing() error { return nil }

// openPackage finds the one GGUF file in a Python package, which is a zip archive.
func openPackage(name string) (source, error) {
	archive, err := zip.OpenReader(name)
	if err != nil {
		return source{}, fmt.Errorf("it is no whole package: %w", err)
	}
	var found []*zip.File
	for _, f := range archive.File {
		if isGGUF(f.Name) && !f.FileInfo().IsDir() {
			found = append(found, f)
		}
	}
	if len(found) != 1 {
		archive.Close()
		return source{}, fmt.Errorf("the package holds %d GGUF files: it must be one", len(found))
	}
	f := found[0]
	// Weights hardly shrink: what does is no model, and could fill the disk.
	const mostGrowth, small = 20, 1 << 20
	if f.UncompressedSize64 > mostGrowth*f.CompressedSize64+small {
		archive.Close()
		return source{}, fmt.Errorf("%s in the package would grow from %d to %d bytes, which no model does", f.Name,
			f.CompressedSize64, f.UncompressedSize64)
	}
	base := path.Base(strings.ReplaceAll(f.Name, `\`, "/")) // whatever folders the archive names
	return source{stem(base), []file{{base, int64(f.UncompressedSize64), f.Open}}, archive.Close}, nil
}

// folderFiles are the names of files that models are opened from.
var folderFiles = []string{
	"config.json", "tokenizer.json", "tokenizer_config.json", "*.safetensors", "*.safetensors.index.json",
	"pytorch_model*.bin", "pytorch_model.bin.index.json", "*.pth", "*.pt", "*.gguf", "*.GGUF",
}

// openFolder finds the files of a model.
func openFolder(name string) (source, error) {
	absolute, err := filepath.Abs(name)
	if err != nil {
		return source{}, err
	}
	s := source{name: filepath.Base(absolute), close: nothing}
	for _, pattern := range folderFiles {
		found, err := fs.Glob(os.DirFS(name), pattern)
		if err != nil {
			return source{}, err
		}
		for _, inside := range found {
			path := filepath.Join(name, inside)
			stat, err := os.Stat(path) // of what a link leads to: caches are full of links
			if err != nil {
				return source{}, err
			}
			if stat.Mode().IsRegular() {
				s.files = append(s.files, file{inside, stat.Size(), func() (io.ReadCloser, error) { return os.Open(path) }})
			}
		}
	}
	if !slices.ContainsFunc(s.files, func(f file) bool { return f.name == "config.json" || isGGUF(f.name) }) {
		return source{}, errors.New("no model lies in the folder: neither config.json nor a GGUF file is there")
	}
	return s, nil
}

// copy writes the file into a folder.
func (f file) copy(ctx context.Context, dir string) error {
	in, err := f.open()
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(filepath.Join(dir, f.name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	n, err := io.Copy(out, io.LimitReader(cancelled{ctx, in}, f.size+1))
	if err == nil && n != f.size {
		err = fmt.Errorf("%s has not the %d bytes that it had a moment ago", f.name, f.size)
	}
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

// cancelled is a reader that ends with its context.
type cancelled struct {
	ctx context.Context
	r   io.Reader
}

func (c cancelled) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
