// Command english makes a corpus of English out of the files of some Debian packages: JSON Lines, one document a line,
// in an order that mixes them. make english calls it; docs/mining.md tells what it is for.
//
//	go run ./notebooks/english -o english.jsonl.gz FOLDER
//
// FOLDER holds what dpkg-deb -x takes out of fortunes, fortunes-min, jargon-text, dict-devil and anarchism; what is
// missing is left out and said.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

func main() {
	out := flag.String("o", "english.jsonl.gz", "`FILE` to write")
	most := flag.Int("n", 0, "`NUMBER` of documents, the first of all; 0 is all")
	flag.Parse()
	if err := run(flag.Arg(0), *out, *most); err != nil {
		fmt.Fprintln(os.Stderr, "english:", err)
		os.Exit(1)
	}
}

// document is a line of the corpus.
type document struct {
	Text   string `json:"text"`
	Source string `json:"source"` // package, and file within it
}

// documentBytes is about how long a document is that is cut out of a longer text.
const documentBytes = 8000

// source is a package's files and how documents stand in them.
type source struct {
	files string // below the folder
	split func(content string) []string
}

var sources = []source{
	{"usr/share/games/fortunes/*", fortunes},
	{"usr/share/doc/jargon-text/jargon.txt.gz",
		func(s string) []string { return grouped(paragraphs(s, 200), documentBytes) }},
	{"usr/share/dictd/devil.dict.dz", func(s string) []string { return paragraphs(s, 40) }},
	{"usr/share/doc/anarchism/markdown/*.md.gz", func(s string) []string {
		return grouped(paragraphs(marks.ReplaceAllString(links.ReplaceAllString(s, "$1"), ""), 60), documentBytes)
	}},
}

func run(folder, out string, most int) error {
	if folder == "" {
		return errors.New("name the folder that the packages were unpacked to")
	}
	var all []document
	for _, s := range sources {
		// Each package may lie in a folder of its own.
		var names []string
		for _, pattern := range []string{s.files, "*/" + s.files} {
			found, err := filepath.Glob(filepath.Join(folder, pattern))
			if err != nil {
				return err
			}
			names = append(names, found...)
		}
		if len(names) == 0 {
			fmt.Fprintf(os.Stderr, "english: nothing in %s is left out: the package is not there\n", s.files)
		}
		for _, name := range names {
			content, err := read(name)
			if err != nil {
				return err
			}
			relative, err := filepath.Rel(folder, name)
			if err != nil {
				return err
			}
			for _, text := range s.split(content) {
				all = append(all, document{text, filepath.ToSlash(relative)})
			}
		}
	}
	if len(all) == 0 {
		return fmt.Errorf("there is no text in %s: unpack the packages there with dpkg-deb -x", folder)
	}
	return write(out, all, most)
}

// read returns a file's text, unpacked; nothing for indexes and drawings among the fortunes, and for links to other
// files.
func read(name string) (string, error) {
	switch base := filepath.Base(name); {
	case strings.HasSuffix(base, ".dat"), strings.HasSuffix(base, ".u8"), base == "ascii-art", base == "translate-me":
		return "", nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	if bytes.HasPrefix(data, []byte("\x1f\x8b")) {
		unpacked, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		if data, err = io.ReadAll(unpacked); err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
	}
	if !utf8.Valid(data) {
		return "", fmt.Errorf("%s is no UTF-8 text", name)
	}
	return string(data), nil
}

// fortunes splits a file of fortunes, which stand between lines of a percent sign.
func fortunes(content string) []string {
	var texts []string
	for text := range strings.SplitSeq(content, "\n%\n") {
		if text = strings.TrimSpace(text); len(text) >= 40 {
			texts = append(texts, text)
		}
	}
	return texts
}

// links are Markdown's, of which the text stays.
var links = regexp.MustCompile(`\[([^\[\]]*)\]\([^()]*\)`)

// marks are Markdown's for headings, quotations, emphasis and line ends.
var marks = regexp.MustCompile(`(?m)\*\*|_(?:\b|\B)|^#+ |^ *> ?| {2,}$`)

// paragraphs are those of at least so many bytes, each on one line unless it is a poem or a list.
func paragraphs(content string, least int) []string {
	var all []string
	for paragraph := range strings.SplitSeq(content, "\n\n") {
		lines := strings.Split(strings.Trim(paragraph, "\n"), "\n")
		for i, line := range lines {
			lines[i] = strings.TrimSpace(line)
		}
		if text := strings.TrimSpace(strings.Join(lines, " ")); len(text) >= least && strings.Contains(text, " ") {
			all = append(all, text)
		}
	}
	return all
}

// grouped joins paragraphs to documents of about so many bytes.
func grouped(paragraphs []string, size int) []string {
	var texts []string
	var text strings.Builder
	for _, p := range paragraphs {
		if text.Len() > 0 {
			text.WriteString("\n\n")
		}
		text.WriteString(p)
		if text.Len() >= size {
			texts = append(texts, text.String())
			text.Reset()
		}
	}
	if text.Len() > 0 {
		texts = append(texts, text.String())
	}
	return texts
}

// write writes documents in the order of their hashes, each text once, and no more than most of them unless that is 0.
func write(name string, all []document, most int) error {
	type hashed struct {
		hash [sha256.Size]byte
		document
	}
	order := make([]hashed, len(all))
	for i, d := range all {
		order[i] = hashed{sha256.Sum256([]byte(d.Text)), d}
	}
	slices.SortFunc(order, func(a, b hashed) int {
		return cmp.Or(bytes.Compare(a.hash[:], b.hash[:]), strings.Compare(a.Source, b.Source))
	})
	order = slices.CompactFunc(order, func(a, b hashed) bool { return a.hash == b.hash })
	if most > 0 {
		order = order[:min(most, len(order))]
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	packed := gzip.NewWriter(file)
	out := bufio.NewWriter(packed)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	total := 0
	for _, d := range order {
		total += len(d.Text)
		if err := encoder.Encode(d.document); err != nil {
			return errors.Join(err, file.Close())
		}
	}
	if err := errors.Join(out.Flush(), packed.Close(), file.Close()); err != nil {
		return err
	}
	fmt.Printf("%s: %d documents, %.1f MB of text\n", name, len(order), float64(total)/1e6)
	return nil
}
