//go:build unix

package files_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g/corpus"
	"github.com/neuron2graph/neuron2graph/n2g/corpus/files"
)

// TestPipe: a pipe is told, not waited for.
func TestPipe(t *testing.T) {
	folder := t.TempDir()
	pipe := filepath.Join(folder, "pipe.jsonl")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := files.Open(pipe, files.Options{}); err == nil || !strings.Contains(err.Error(), "is a pipe") {
		t.Errorf("a pipe: %v", err)
	}
	if err := os.WriteFile(filepath.Join(folder, "text"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	var report corpus.Report
	source, err := files.Open(folder, files.Options{Report: &report})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := contents(t, source); err != nil || len(got) != 1 || !strings.Contains(report.String(), "pipe.jsonl") {
		t.Errorf("%q, %v, %s", got, err, report)
	}
}
