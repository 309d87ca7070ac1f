package models

import (
	"bytes"
	"io/fs"
	"maps"
	"testing"
	"testing/fstest"

	"github.com/neuron2graph/neuron2graph/models/tiny"
)

// TestFingerprint: equal files give equal fingerprints, and whatever changes what a model computes changes it.
func TestFingerprint(t *testing.T) {
	big := bytes.Repeat([]byte("0123456789abcdef"), 2*wholeFile/16)
	model := fstest.MapFS{
		"config.json":       {Data: []byte("{}")},
		"tokenizer.json":    {Data: []byte("{}")},
		"model.safetensors": {Data: big},
	}
	of := func(fsys fs.FS) string {
		t.Helper()
		print, err := fingerprint("x", fsys)
		if err != nil {
			t.Fatal(err)
		}
		return print
	}
	with := func(name string, content []byte) fs.FS {
		changed := maps.Clone(model)
		changed[name] = &fstest.MapFile{Data: content}
		return changed
	}
	flipped := func(at int) []byte {
		content := bytes.Clone(big)
		content[at] ^= 1
		return content
	}
	seen := map[string]string{of(model): "the model itself"}
	for name, fsys := range map[string]fs.FS{
		"configuration":      with("config.json", []byte("{ }")),
		"tokenizer":          with("tokenizer.json", []byte("{ }")),
		"first byte":         with("model.safetensors", flipped(0)),
		"end of the header":  with("model.safetensors", flipped(beginning-1)),
		"first sample":       with("model.safetensors", flipped(beginning)),
		"last byte":          with("model.safetensors", flipped(len(big)-1)),
		"size":               with("model.safetensors", big[:len(big)-1]),
		"a small file":       with("model.safetensors", []byte("x")),
		"tokenizer's config": with("tokenizer_config.json", nil),
	} {
		print := of(fsys)
		if print == of(model) != (name == "tokenizer's config") { // an empty one is as good as none
			t.Errorf("%s: %s, the model's is %s", name, print, of(model))
		}
		if other, ok := seen[print]; ok && name != "tokenizer's config" {
			t.Errorf("%s has the fingerprint of %s", name, other)
		}
		seen[print] = name
	}
	if of(with("optimizer.bin", big)) != of(model) {
		t.Error("a file that holds no weights of the model counts")
	}
	if len(of(model)) != 32 {
		t.Errorf("%q has not 32 digits", of(model))
	}
}

func TestFingerprintOfTiny(t *testing.T) {
	causal, err := Open(tiny.Name, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer causal.Close()
	masked, err := OpenMasked(tiny.Name, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer masked.Close()
	a, err := causal.Fingerprint()
	if err != nil {
		t.Fatal(err)
	}
	b, err := masked.Fingerprint()
	if err != nil {
		t.Fatal(err)
	}
	if a == b {
		t.Error("two models have one fingerprint")
	}
}
