package store

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/testdisk"
)

// TestFullDisk fills a real file system.
func TestFullDisk(t *testing.T) {
	path := filepath.Join(testdisk.Mount(t, "size=512k"), "run.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(7, 0))
	written := 0
	for ; err == nil && written < 1000; written++ {
		err = s.Put(ctx, madeUp(random, at(9, written), vocabulary(40), 30))
	}
	if err == nil || !strings.Contains(err.Error(), "full") {
		t.Fatalf("after %d neurons: %v", written, err)
	}
	s.Close() // the disk is full
	reader, err := Open(path, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if err := readAll(reader); err != nil {
		t.Error(err)
	}
	if done, err := reader.Done(ctx); err != nil || len(done) != written-1 {
		t.Errorf("%d neurons, want %d, %v", len(done), written-1, err)
	}
}

// TestReadOnlyFolder: a store there is read, not written.
func TestReadOnlyFolder(t *testing.T) {
	folder := testdisk.Mount(t, "size=8m")
	path := filepath.Join(folder, "run.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s, 61, 5)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	testdisk.ReadOnly(t, folder)
	for _, name := range []string{"run.db", "new.db"} {
		if _, err := Open(filepath.Join(folder, name), Options{}); err == nil ||
			!strings.Contains(err.Error(), "cannot be written") || !strings.Contains(err.Error(), name) {
			t.Errorf("writing %s: %v", name, err)
		}
	}
	reader, err := Open(path, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if err := readAll(reader); err != nil {
		t.Error(err)
	}
	if done, err := reader.Done(ctx); err != nil || len(done) != 5 {
		t.Errorf("%d neurons, %v", len(done), err)
	}
	// Read-only stores are merged from, too.
	into, err := Open(filepath.Join(t.TempDir(), "all.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer into.Close()
	if m, err := into.Merge(ctx, path); err != nil || m.Added != 5 {
		t.Errorf("merging: %+v, %v", m, err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}
