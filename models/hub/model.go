package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/neuron2graph/neuron2graph/models/registry"
)

// Open puts together what the cache holds of a model: a flat folder of its configuration, its weights and its
// tokenizer, which may come from another repository. It fails with [ErrNotCached] if any of it is missing. The network
// is not used.
func (c *Client) Open(m registry.Model) (fs.FS, error) {
	files, err := c.open(m)
	if err != nil {
		return nil, err
	}
	return files, nil
}

// Size is how many bytes of the model's files the cache holds, 0 where it could not be opened.
func (c *Client) Size(m registry.Model) int64 {
	files, err := c.open(m)
	if err != nil {
		return 0
	}
	entries, err := files.ReadDir(".")
	if err != nil {
		return 0
	}
	var size int64
	for _, entry := range entries {
		if stat, err := entry.Info(); err == nil {
			size += stat.Size()
		}
	}
	return size
}

func (c *Client) open(m registry.Model) (folder, error) {
	if m.Refused != "" {
		return nil, fmt.Errorf("%s cannot be opened: %s", m.Name, m.Refused)
	}
	var first error
	for _, repo := range append([]string{m.Repo}, m.Former...) {
		files, err := c.openAs(m, repo)
		if err == nil {
			return files, nil
		}
		if first == nil || errors.Is(first, ErrNotCached) && !errors.Is(err, ErrNotCached) {
			first = err
		}
	}
	return nil, first
}

// openAs opens a model under one of the names that its repository has had.
func (c *Client) openAs(m registry.Model, repo string) (folder, error) {
	snapshot, err := c.Cached(repo, m.Revision)
	if err != nil {
		return nil, err
	}
	chosen, err := modelFiles(snapshot.Files, m.Weights)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", repo, err, ErrNotCached)
	}
	files := folder{}
	files.add(snapshot, chosen)
	if lender := c.lender(m, snapshot); lender != "" {
		if snapshot, err = c.Cached(lender, ""); err != nil {
			return nil, fmt.Errorf("the tokenizer: %w", err)
		}
		chosen, err := tokenizerFiles(snapshot.Files)
		if err != nil {
			return nil, fmt.Errorf("the tokenizer, %s: %w: %w", lender, err, ErrNotCached)
		}
		files.add(snapshot, chosen)
	}
	if _, ok := files[tokenizerName]; !ok && files.has(vocabularyName) && files.has(mergesName) {
		text, err := byteLevelTokenizer(files)
		if err != nil {
			return nil, fmt.Errorf("the tokenizer of %s: %w", repo, err)
		}
		files[tokenizerName] = source{data: text}
	}
	return files, nil
}

// add puts files of a snapshot into the folder.
func (f folder) add(snapshot Snapshot, files []File) {
	fsys := snapshot.FS()
	for _, file := range files {
		f[file.Path] = source{fsys: fsys, path: file.Path}
	}
}

func (f folder) has(name string) bool {
	_, ok := f[name]
	return ok
}

// lender is the repository whose tokenizer a model takes, empty if it has its own: the registry tells it, or, of a
// repository that the registry does not know, the configuration of TransformerLens's own models.
func (c *Client) lender(m registry.Model, snapshot Snapshot) string {
	if m.Tokenizer != "" {
		return m.Tokenizer
	}
	if _, err := tokenizerFiles(snapshot.Files); err == nil {
		return ""
	}
	text, err := fs.ReadFile(snapshot.FS(), configName)
	if err != nil {
		return ""
	}
	var config struct {
		Tokenizer string `json:"tokenizer_name"`
	}
	if json.Unmarshal(text, &config) != nil {
		return ""
	}
	known, err := registry.Lookup(config.Tokenizer)
	if err != nil || known.Refused != "" {
		return ""
	}
	return known.Repo
}

// Get downloads what a model needs and the cache does not hold: its configuration, its weights and its tokenizer.
// progress, which may be nil, is called by one goroutine.
func (c *Client) Get(ctx context.Context, m registry.Model, progress func(Progress)) error {
	if m.Refused != "" {
		return fmt.Errorf("%s cannot be opened: %s", m.Name, m.Refused)
	}
	choose := func(files []File) ([]File, error) { return modelFiles(files, m.Weights) }
	snapshot, err := c.Download(ctx, m.Repo, m.Revision, choose, progress)
	if err != nil {
		return err
	}
	if lender := c.lender(m, snapshot); lender != "" {
		if _, err := c.Download(ctx, lender, "", tokenizerFiles, progress); err != nil {
			return err
		}
	}
	return nil
}
