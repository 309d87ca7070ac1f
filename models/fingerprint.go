package models

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
)

// What of a file of weights goes into a fingerprint: all of it up to wholeFile bytes; of a larger one its beginning,
// where safetensors files have their header, and samples evenly spread over the rest, the end included.
const (
	wholeFile   = 8 << 20
	beginning   = 1 << 20
	samples     = 256
	sampleBytes = 4 << 10
)

// Fingerprint tells the model from others, of its name too: 32 hexadecimal digits of a SHA-256 of its configuration,
// its tokenizer, and the size, beginning and samples of its weights, so that it costs a few megabytes of reading
// whatever the model's size. Training changes every tensor, so models that differ are told apart; one number changed by
// hand between two samples is not seen. The same weights in another file format have another fingerprint.
func (m *Causal) Fingerprint() (string, error) { return fingerprint(m.name, m.fsys) }

// Fingerprint is that of [Causal.Fingerprint].
func (m *Masked) Fingerprint() (string, error) { return fingerprint(m.name, m.fsys) }

func fingerprint(name string, fsys fs.FS) (string, error) {
	sum := sha256.New()
	for _, file := range []string{"config.json", "tokenizer.json", "tokenizer_config.json"} {
		text, err := fs.ReadFile(fsys, file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("fingerprint of %s: %w", name, err)
		}
		fmt.Fprintf(sum, "%s %d\n", file, len(text))
		sum.Write(text)
	}
	weights, err := weightFiles(fsys)
	if err != nil {
		return "", fmt.Errorf("fingerprint of %s: %w", name, err)
	}
	for _, file := range weights {
		if err := sampleFile(sum, fsys, file); err != nil {
			return "", fmt.Errorf("fingerprint of %s: %w", name, err)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:16]), nil
}

// weightFiles are the files that weights are read from, in lexical order: the first kind that is there.
func weightFiles(fsys fs.FS) ([]string, error) {
	for _, pattern := range []string{"model.safetensors", "*.safetensors", "pytorch_model.bin", "*.bin", "*.pth", "*.pt",
		"*.gguf", "*.GGUF"} {
		if names, err := fs.Glob(fsys, pattern); err != nil || len(names) > 0 {
			return names, err
		}
	}
	return nil, nil
}

func sampleFile(sum hash.Hash, fsys fs.FS, name string) error {
	file, err := fsys.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	size := info.Size()
	fmt.Fprintf(sum, "weights %d\n", size) // not the name, which tells nothing
	at, ok := file.(io.ReaderAt)
	if !ok || size <= wholeFile {
		_, err := io.Copy(sum, file)
		return err
	}
	if _, err := io.Copy(sum, io.NewSectionReader(at, 0, beginning)); err != nil {
		return err
	}
	for i := range int64(samples) {
		offset := beginning + (size-beginning-sampleBytes)*i/(samples-1)
		if _, err := io.Copy(sum, io.NewSectionReader(at, offset, sampleBytes)); err != nil {
			return err
		}
	}
	return nil
}
