package train

import (
	"archive/zip"
	"compress/flate"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Sample writes the held-out part of a corpus as a zip archive, the same bytes for the same texts, with the file
// LICENSE of the Go toolchain first. An empty root is the Go toolchain's own source tree.
func Sample(ctx context.Context, root string, w io.Writer) (err error) {
	goroot, err := GoRoot()
	if err != nil {
		return err
	}
	license, err := os.ReadFile(filepath.Join(goroot, "LICENSE"))
	if err != nil {
		return fmt.Errorf("reading the licence of the Go source tree: %w", err)
	}
	corpus, err := OpenCorpus(root)
	if err != nil {
		return err
	}
	archive := zip.NewWriter(w)
	archive.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.BestCompression)
	})
	add := func(name, body string) error {
		file, err := archive.Create(name)
		if err == nil {
			_, err = io.WriteString(file, body)
		}
		if err != nil {
			return fmt.Errorf("packing %s: %w", name, err)
		}
		return nil
	}
	if err := add("LICENSE", string(license)); err != nil {
		return err
	}
	for name, text := range corpus.Texts(true) {
		if text.Err != nil {
			return text.Err
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("packing the sample, at %s: %w", name, err)
		}
		if err := add(name, text.Body); err != nil {
			return err
		}
	}
	return archive.Close()
}
