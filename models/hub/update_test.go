package hub_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/models/hub"
)

const commit2 = "fedcba9876543210fedcba9876543210fedcba98"

// Of a branch that has moved on, only the files that changed are fetched, and both commits stay in the cache.
func TestUpdate(t *testing.T) {
	files := repo()
	s := newServer(t, map[string]map[string][]byte{"org/name": files})
	client := s.client(t, hub.Options{})
	m := model(t, "org/name")
	if err := client.Get(t.Context(), m, nil); err != nil {
		t.Fatal(err)
	}
	old := bytes.Clone(files["config.json"])
	files["config.json"] = content("changed", 200)
	s.commit = commit2
	if err := client.Get(t.Context(), m, nil); err != nil {
		t.Fatal(err)
	}
	checkFolder(t, client, m, files, []string{"config.json", "model.safetensors", "tokenizer.json",
		"tokenizer_config.json"})
	for name, times := range map[string]int{"config.json": 2, "model.safetensors": 1, "tokenizer.json": 1} {
		if asked := s.asked("/" + name); len(asked) != times {
			t.Errorf("%s was fetched %d times, want %d", name, len(asked), times)
		}
	}
	for commit, want := range map[string][]byte{commit: old, commit2: files["config.json"]} {
		snapshot, err := client.Cached("org/name", commit)
		if err != nil {
			t.Fatal(err)
		}
		if data, err := os.ReadFile(filepath.Join(snapshot.Dir, "config.json")); err != nil || !bytes.Equal(data, want) {
			t.Errorf("config.json of %s has %d bytes, want %d, error %v", commit, len(data), len(want), err)
		}
	}
	// An update that fails leaves what was there before.
	s.fault = func(w http.ResponseWriter, r *http.Request, n int) bool {
		if isFile(r, "tokenizer.json") {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return isFile(r, "tokenizer.json")
	}
	files["tokenizer.json"], s.commit = content("newest", 60), commit
	if err := client.Get(t.Context(), m, nil); err == nil {
		t.Fatal("no error")
	}
	if snapshot, err := client.Cached("org/name", ""); err != nil || snapshot.Commit != commit2 {
		t.Errorf("main is at %s, want %s, error %v", snapshot.Commit, commit2, err)
	}
}

// A transfer that was interrupted in the middle of a file leaves its first part, and the next asks for the rest.
func TestInterruptedMidFile(t *testing.T) {
	files := repo()
	weights := files["model.safetensors"]
	s := newServer(t, map[string]map[string][]byte{"org/name": files})
	stop := make(chan struct{})
	s.fault = func(w http.ResponseWriter, r *http.Request, n int) bool {
		if !isFile(r, "model.safetensors") || n > 1 {
			return false
		}
		w.Header().Set("Content-Length", "20000")
		w.Write(weights[:7000])
		w.(http.Flusher).Flush()
		close(stop)
		<-r.Context().Done()
		return true
	}
	cache := t.TempDir()
	client := s.client(t, hub.Options{Cache: cache})
	m := model(t, "org/name")
	ctx, cancel := context.WithCancel(t.Context())
	seen := make(chan struct{}, 100)
	go func() { // as Ctrl-C would, once the first part is in the file
		<-stop
		for range seen {
			part := filepath.Join(cache, "models--org--name", "blobs", digest(weights)+".incomplete")
			if stat, err := os.Stat(part); err == nil && stat.Size() == 7000 {
				cancel()
				return
			}
		}
	}()
	err := client.Get(ctx, m, func(hub.Progress) {
		select {
		case seen <- struct{}{}:
		default:
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if err := client.Get(t.Context(), m, nil); err != nil {
		t.Fatal(err)
	}
	asked := s.asked("/model.safetensors")
	if len(asked) != 2 || !strings.HasSuffix(asked[1], "bytes=7000-") {
		t.Errorf("asked %q", asked)
	}
	checkFolder(t, client, m, files, []string{"config.json", "model.safetensors", "tokenizer.json",
		"tokenizer_config.json"})
}

// pythonFinds looks a file up as Python's huggingface_hub does (try_to_load_from_cache): refs/REVISION holds a commit
// and nothing else, and the file lies in that commit's snapshot.
func pythonFinds(cache, repo, revision, file string) ([]byte, error) {
	root := filepath.Join(cache, "models--"+strings.ReplaceAll(repo, "/", "--"))
	ref, err := os.ReadFile(filepath.Join(root, "refs", filepath.FromSlash(revision)))
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(root, "snapshots", string(ref), file))
}

// What was downloaded here is found by Python, whichever revision was named.
func TestPythonFinds(t *testing.T) {
	files := repo()
	s := newServer(t, map[string]map[string][]byte{"org/name": files})
	cache := t.TempDir()
	client := s.client(t, hub.Options{Cache: cache})
	for _, revision := range []string{"main", "refs/pr/7", "v1.0"} {
		if err := client.Get(t.Context(), model(t, "org/name@"+revision), nil); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"config.json", "model.safetensors"} {
			if data, err := pythonFinds(cache, "org/name", revision, name); err != nil || !bytes.Equal(data, files[name]) {
				t.Errorf("%s at %s has %d bytes, error %v", name, revision, len(data), err)
			}
		}
	}
	// Nothing lies there that Python would take for something else.
	var found []string
	entries, err := os.ReadDir(filepath.Join(cache, "models--org--name"))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		found = append(found, entry.Name())
	}
	if !slices.Equal(found, []string{"blobs", "refs", "snapshots"}) {
		t.Errorf("the repository's folder holds %q", found)
	}
}
