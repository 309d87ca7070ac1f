package hub_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/testdisk"
	"github.com/neuron2graph/neuron2graph/models/hub"
)

// On a disk that is full the download ends with a sentence, and goes on where it stopped once there is room.
func TestFullDisk(t *testing.T) {
	files := repo()
	files["model.safetensors"] = content("large", 300_000)
	s := newServer(t, map[string]map[string][]byte{"org/name": files})
	cache := testdisk.Mount(t, "size=128k")
	client := s.client(t, hub.Options{Cache: cache})
	m := model(t, "org/name")
	err := client.Get(t.Context(), m, nil)
	if err == nil || !strings.Contains(err.Error(), "full") || !strings.Contains(err.Error(), "HF_HOME") ||
		strings.Contains(err.Error(), "\n") {
		t.Fatalf("error %v", err)
	}
	if asked := s.asked("/model.safetensors"); len(asked) != 1 {
		t.Errorf("asked %q, though no other attempt makes room", asked)
	}
	if _, err := client.Open(m); !errors.Is(err, hub.ErrNotCached) {
		t.Errorf("half a model can be opened: %v", err)
	}
	testdisk.Remount(t, cache, 0, "size=4m")
	if err := client.Get(t.Context(), m, nil); err != nil {
		t.Fatal(err)
	}
	if asked := s.asked("/model.safetensors"); len(asked) != 2 || !strings.Contains(asked[1], "bytes=") {
		t.Errorf("asked %q", asked)
	}
	checkFolder(t, client, m, files, []string{"config.json", "model.safetensors", "tokenizer.json",
		"tokenizer_config.json"})
}

// A cache that may only be read serves what it holds, and says that it takes nothing new.
func TestReadOnlyCache(t *testing.T) {
	files := repo()
	s := newServer(t, map[string]map[string][]byte{"org/name": files, "org/other": files})
	cache := testdisk.Mount(t, "size=4m")
	client := s.client(t, hub.Options{Cache: cache})
	m := model(t, "org/name")
	if err := client.Get(t.Context(), m, nil); err != nil {
		t.Fatal(err)
	}
	testdisk.ReadOnly(t, cache)
	checkFolder(t, client, m, files, []string{"config.json", "model.safetensors", "tokenizer.json",
		"tokenizer_config.json"})
	if err := client.Get(t.Context(), m, nil); err != nil {
		t.Errorf("nothing has changed, so nothing need be written: %v", err)
	}
	err := client.Get(t.Context(), model(t, "org/other"), nil)
	if err == nil || !strings.Contains(err.Error(), "cannot be written") || !strings.Contains(err.Error(), "HF_HOME") {
		t.Errorf("error %v", err)
	}
	// A file where the cache should be is no folder.
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err = s.client(t, hub.Options{Cache: filepath.Join(file, "hub")}).Get(t.Context(), m, nil)
	if err == nil || !strings.Contains(err.Error(), "cannot be written") {
		t.Errorf("error %v", err)
	}
}
