package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/corpus"
)

func (a *app) importPages() *command {
	c := newCommand("import", "turn saved pages of Neuroscope or Lexoscope into examples")
	c.long = `Reads pages of single neurons that were saved as HTML and writes one line of JSON for each, as n2g explain -examples
reads them. -activation-matrix takes the highest activations from the published program's activation_matrix.json instead of
the pages.`
	c.examples = []string{
		`-page neuroscope/3/1.html -o neuron.jsonl`,
		`-page neuroscope/ -activation-matrix activation_matrix.json -o neurons.jsonl`,
	}
	page := c.path(reads, "page", "", "`FILE` saved page, or a folder of them; - is standard input")
	matrix := c.path(reads, "activation-matrix", "", "`FILE` highest activations, JSON [layer][neuron]")
	out := c.path(replaces, "o", standard, "`FILE` to write JSON Lines to; - is standard output")
	c.run = func(ctx context.Context) error {
		if *page == "" {
			return errors.New("name a saved page, or a folder of them, with -page FILE")
		}
		maxima, err := readMatrix(a, *matrix)
		if err != nil {
			return err
		}
		names, err := pageNames(*page)
		if err != nil {
			return err
		}
		found := make([]n2g.Examples, 0, len(names))
		for _, name := range names {
			examples, err := a.importPage(name, maxima)
			if err != nil {
				return err
			}
			found = append(found, *examples)
		}
		return a.write(ctx, *out, func(w io.Writer) error {
			for _, examples := range found {
				if err := encodeJSON(w, examples); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return c
}

// importPage reads one page.
func (a *app) importPage(name string, maxima corpus.ActivationMatrix) (*n2g.Examples, error) {
	content, err := a.read(name)
	if err != nil {
		return nil, err
	}
	page, err := corpus.ReadPage(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if maxima != nil {
		if page.Examples.MaxActivation, err = maxima.Max(page.Examples.Site.Layer, page.Examples.Site.Index); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return &page.Examples, nil
}

// readMatrix returns nil for no path.
func readMatrix(a *app, path string) (corpus.ActivationMatrix, error) {
	if path == "" {
		return nil, nil
	}
	content, err := a.read(path)
	if err != nil {
		return nil, err
	}
	m, err := corpus.ReadActivationMatrix(strings.NewReader(string(content)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// pageNames are the one file, or the HTML files below a folder in lexical order.
func pageNames(path string) ([]string, error) {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return []string{path}, nil // where it cannot be read, reading says why
	}
	var names []string
	err := filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		if extension := strings.ToLower(filepath.Ext(name)); err == nil && entry.Type().IsRegular() &&
			(extension == ".html" || extension == ".htm") {
			names = append(names, name)
		}
		return err
	})
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("there is no HTML file below %s", path)
	}
	return names, err
}
