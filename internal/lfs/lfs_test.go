package lfs_test

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/neuron2graph/neuron2graph/internal/lfs"
)

func TestFS(t *testing.T) {
	const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 548105171\n"
	fsys := lfs.FS(fstest.MapFS{
		"model.safetensors": {Data: []byte(pointer)},
		"config.json":       {Data: []byte("{}")},
		"empty":             {},
		"pipe":              {Mode: fs.ModeNamedPipe},
		"sub/about":         {Data: []byte("files begin with " + pointer)},
	})
	if _, err := fsys.Open("model.safetensors"); err == nil || !strings.Contains(err.Error(), "Git LFS pointer") ||
		!strings.Contains(err.Error(), "548105171") {
		t.Errorf("a pointer: %v", err)
	}
	if _, err := fsys.Open("pipe"); err == nil || !strings.Contains(err.Error(), "pipe") {
		t.Errorf("a pipe: %v", err)
	}
	if err := fstest.TestFS(lfs.FS(fstest.MapFS{"config.json": {Data: []byte("{}")}, "empty": {},
		"sub/about": {Data: []byte("x")}}), "config.json", "empty", "sub/about"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"config.json", "empty", "sub/about"} {
		if _, err := fs.ReadFile(fsys, name); err != nil {
			t.Error(err)
		}
	}
}
