package train

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Corpus is a folder of texts, split once and for all into a train part and a held-out part: a file is held out when
// the hash of its path says so, whatever else lies in the folder. Paths are relative and written with slashes, so the
// split is the same on every machine and stays the same for a file that the next release of Go still has.
type Corpus struct {
	root  fs.FS
	files []string
}

// heldOutShare is the part of the files held out of training: one in heldOutShare.
const heldOutShare = 20

// maxFile bounds a file's size: longer ones of the Go tree are tables.
const maxFile = 200_000

// HeldOut reports whether the file of that slash-separated path, relative to the corpus, is kept out of training: the
// first eight bytes of its SHA-256 are a multiple of 20.
func HeldOut(name string) bool {
	sum := sha256.Sum256([]byte(name))
	return binary.BigEndian.Uint64(sum[:8])%heldOutShare == 0
}

// GoRoot is where the Go toolchain on this machine keeps its source tree: $GOROOT, or what `go env GOROOT` says.
func GoRoot() (string, error) {
	if root := os.Getenv("GOROOT"); root != "" {
		return root, nil
	}
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("asking `go env GOROOT` for the Go source tree: %w: install Go or name a folder of texts", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// OpenCorpus lists the texts under root: Go source and documentation (.go, .md, .txt), except what is made by
// programs or made to be wrong (generated code, testdata, anything over 200,000 bytes or not UTF-8), and except copies
// (vendor). An empty root is the Go toolchain's own tree, GOROOT/src.
func OpenCorpus(root string) (*Corpus, error) {
	if root == "" {
		goroot, err := GoRoot()
		if err != nil {
			return nil, err
		}
		root = goroot + "/src"
	}
	c := &Corpus{root: os.DirFS(root)}
	err := fs.WalkDir(c.root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && skipFolder(entry.Name()):
			return fs.SkipDir
		case entry.Type().IsRegular() && wanted(name):
			info, err := entry.Info()
			if err != nil {
				return err
			}
			if info.Size() <= maxFile {
				c.files = append(c.files, name)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the texts under %s: %w", root, err)
	}
	if len(c.files) == 0 {
		return nil, fmt.Errorf("no .go, .md or .txt file lies under %s: name a folder that holds some", root)
	}
	slices.Sort(c.files)
	return c, nil
}

func skipFolder(name string) bool {
	return name == "testdata" || name == "vendor" || len(name) > 1 && (name[0] == '.' || name[0] == '_')
}

func wanted(name string) bool {
	ext := path.Ext(name)
	return ext == ".go" || ext == ".md" || ext == ".txt"
}

// Texts yields the path and text of every file of one part, in the order of their paths. Files that cannot be read
// are an error; generated ones and those that are not UTF-8 are left out.
func (c *Corpus) Texts(heldOut bool) iter.Seq2[string, Text] {
	return func(yield func(string, Text) bool) {
		for _, name := range c.files {
			if HeldOut(name) != heldOut {
				continue
			}
			data, err := fs.ReadFile(c.root, name)
			if err != nil {
				yield(name, Text{Err: fmt.Errorf("reading the corpus: %w", err)})
				return
			}
			if generated(data) || !utf8.Valid(data) {
				continue
			}
			if !yield(name, Text{Body: string(data)}) {
				return
			}
		}
	}
}

// Text is a file of a corpus, or the reason why it could not be read.
type Text struct {
	Body string
	Err  error
}

// generated reports whether a file says of itself that a program made it, in the words of
// https://go.dev/s/generatedcode, within its first lines.
func generated(data []byte) bool {
	head := data[:min(len(data), 4096)]
	return bytes.Contains(head, []byte("Code generated ")) && bytes.Contains(head, []byte("DO NOT EDIT"))
}

// Fingerprint identifies the texts of a corpus by path and size, for checkpoints: resuming on another is an error.
func (c *Corpus) Fingerprint() (string, error) {
	hash := sha256.New()
	for _, name := range c.files {
		info, err := fs.Stat(c.root, name)
		if err != nil {
			return "", fmt.Errorf("reading the corpus: %w", err)
		}
		fmt.Fprintf(hash, "%s\x00%d\n", name, info.Size())
	}
	return fmt.Sprintf("%x", hash.Sum(nil)[:8]), nil
}
