package hub_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neuron2graph/neuron2graph/models/hub"
	"github.com/neuron2graph/neuron2graph/models/registry"
)

func Example() {
	client, err := hub.New(hub.Options{Cache: os.TempDir()})
	if err != nil {
		fmt.Println(err)
		return
	}
	model, err := registry.Lookup("EleutherAI/a-model-of-nobody")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Open(model)
	fmt.Println(errors.Is(err, hub.ErrNotCached))
	// Output: true
}

// repo is a model as it lies on the hub, with much that nobody needs.
func repo() map[string][]byte {
	return map[string][]byte{
		"config.json": content("config", 300), "tokenizer.json": content("tokenizer", 5000),
		"tokenizer_config.json": content("names", 20),
		"model.safetensors":     content("weights", 20_000), "pytorch_model.bin": content("pickle", 20_000),
		"README.md":  content("readme", 10),
		"vocab.json": content("vocabulary", 50), "merges.txt": content("merges", 50),
		"onnx/model.onnx": content("onnx", 2000),
	}
}

// model is that of the registry.
func model(t *testing.T, ref string) registry.Model {
	t.Helper()
	m, err := registry.Lookup(ref)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestGet(t *testing.T) {
	files := repo()
	s := newServer(t, map[string]map[string][]byte{"org/name": files})
	cache := t.TempDir()
	c := s.client(t, hub.Options{Cache: cache, Token: "secret"})
	m := model(t, "org/name")
	if _, err := c.Open(m); !errors.Is(err, hub.ErrNotCached) || c.Size(m) != 0 {
		t.Fatalf("opened what was never downloaded: %v", err)
	}
	var steps []hub.Progress
	if err := c.Get(t.Context(), m, func(p hub.Progress) { steps = append(steps, p) }); err != nil {
		t.Fatal(err)
	}
	needed := []string{"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
	checkFolder(t, c, m, files, needed)

	// The layout is that of Python's huggingface_hub.
	root := filepath.Join(cache, "models--org--name")
	if ref, err := os.ReadFile(filepath.Join(root, "refs", "main")); err != nil || string(ref) != commit {
		t.Errorf("refs/main is %q, error %v", ref, err)
	}
	for _, name := range needed {
		target, err := os.Readlink(filepath.Join(root, "snapshots", commit, name))
		if want := filepath.Join("..", "..", "blobs", digest(files[name])); err != nil || target != want {
			t.Errorf("%s leads to %q, want %q, error %v", name, target, want, err)
		}
	}
	blobs, err := os.ReadDir(filepath.Join(root, "blobs"))
	if err != nil || len(blobs) != len(needed) {
		t.Errorf("%d blobs, want %d, error %v", len(blobs), len(needed), err)
	}

	total := int64(300 + 5000 + 20 + 20_000)
	last := steps[len(steps)-1]
	if last.Done != total || last.Total != total || last.Repo != "org/name" {
		t.Errorf("the last progress is %+v of %d bytes", last, total)
	}
	if !slices.IsSortedFunc(steps, func(a, b hub.Progress) int { return int(a.Done - b.Done) }) {
		t.Error("progress goes backwards")
	}
	if c.Size(m) != total {
		t.Errorf("size %d, want %d", c.Size(m), total)
	}
	// The token went to the hub, not to its storage.
	if len(s.tokens) > 0 {
		t.Errorf("the storage was sent %q", s.tokens)
	}
	// A second time, nothing is fetched but the listing.
	before := len(s.asked(""))
	if err := c.Get(t.Context(), m, nil); err != nil || len(s.asked("")) != before+1 {
		t.Errorf("%d requests more, error %v", len(s.asked(""))-before, err)
	}
}

// checkFolder opens a model and compares its files.
func checkFolder(t *testing.T, c *hub.Client, m registry.Model, files map[string][]byte, names []string) {
	t.Helper()
	fsys, err := c.Open(m)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil || len(entries) != len(names) {
		t.Errorf("%d files, want %d, error %v", len(entries), len(names), err)
	}
	for _, name := range names {
		if data, err := fs.ReadFile(fsys, name); err != nil || string(data) != string(files[name]) {
			t.Errorf("%s has %d bytes, want %d, error %v", name, len(data), len(files[name]), err)
		}
	}
	file, err := fsys.Open(names[0])
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, ok := file.(*os.File); !ok {
		t.Errorf("%s is no file of the operating system, so it cannot be mapped", names[0])
	}
}

// half writes the first half of a file and breaks the connection.
func half(data []byte) func(w http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		w.Write(data[:len(data)/2])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

// Whatever the hub answers, there is either the right file or a sentence.
func TestFaults(t *testing.T) {
	weights := repo()["tokenizer.json"] // not redirected
	type fault = func(w http.ResponseWriter, r *http.Request, n int) bool
	on := func(name string, times int, answer func(w http.ResponseWriter)) fault {
		return func(w http.ResponseWriter, r *http.Request, n int) bool {
			if !isFile(r, name) || n > times {
				return false
			}
			answer(w)
			return true
		}
	}
	listing := func(times int, answer func(w http.ResponseWriter)) fault {
		return func(w http.ResponseWriter, r *http.Request, n int) bool {
			if !strings.HasPrefix(r.URL.Path, "/api/") || n > times {
				return false
			}
			answer(w)
			return true
		}
	}
	status := func(code int, header ...string) func(w http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
		}
	}
	write := func(data []byte) func(w http.ResponseWriter) {
		return func(w http.ResponseWriter) { w.Write(data) }
	}
	always := 1 << 20
	damaged := content("damaged", len(weights))
	for _, c := range []struct {
		what  string
		fault fault
		want  []string // parts of the error; none if the download succeeds
	}{
		{"broken off once", on("tokenizer.json", 1, half(weights)), nil},
		{"broken off, then no ranges", func(w http.ResponseWriter, r *http.Request, n int) bool {
			if !isFile(r, "tokenizer.json") {
				return false
			}
			if n == 1 {
				half(weights)(w)
			}
			w.Write(weights)
			return true
		}, nil},
		{"always broken off at the same place", on("tokenizer.json", always, half(weights)),
			[]string{"tokenizer.json", "attempts"}},
		{"truncated without a word", on("tokenizer.json", 1, write(weights[:100])), nil},
		{"always truncated", on("tokenizer.json", always, write(weights[:100])), []string{"tokenizer.json", "5000"}},
		{"empty", on("tokenizer.json", always, write(nil)), []string{"0 of 5000"}},
		{"too long", on("tokenizer.json", always, write(append(slices.Clone(weights), 'x'))), []string{"beyond"}},
		{"damaged once", on("tokenizer.json", 1, write(damaged)), nil},
		{"always damaged", on("tokenizer.json", always, write(damaged)), []string{"damaged", digest(weights)}},
		{"range of another place", func(w http.ResponseWriter, r *http.Request, n int) bool {
			if !isFile(r, "tokenizer.json") || n > 2 {
				return false
			}
			if n == 1 {
				half(weights)(w)
			}
			w.Header().Set("Content-Range", "bytes 7-4999/5000")
			w.WriteHeader(http.StatusPartialContent)
			w.Write(weights[7:])
			return true
		}, nil},
		{"range refused", func(w http.ResponseWriter, r *http.Request, n int) bool {
			if !isFile(r, "tokenizer.json") || n > 2 {
				return false
			}
			if n == 1 {
				half(weights)(w)
			}
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return true
		}, nil},
		{"500 twice", on("config.json", 2, status(500)), nil},
		{"always 503", on("config.json", always, status(503)), []string{"config.json", "503"}},
		{"429 once", on("config.json", 1, status(429)), nil},
		{"429 until a date gone by", on("config.json", 1, status(429, "Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT")), nil},
		{"a file is gone", on("config.json", always, status(404, "X-Error-Code", "EntryNotFound")),
			[]string{"config.json", "lists it"}},
		{"always 429", on("config.json", always, status(429)), []string{"429", "wait"}},
		{"gated", on("config.json", always, status(401, "X-Error-Code", "GatedRepo")),
			[]string{"terms", "HF_TOKEN", "org/name"}},
		{"forbidden", on("config.json", always, status(403)), []string{"terms", "HF_TOKEN"}},
		{"endless redirects", func(w http.ResponseWriter, r *http.Request, n int) bool {
			if isFile(r, "config.json") {
				http.Redirect(w, r, r.URL.Path, http.StatusFound)
			}
			return isFile(r, "config.json")
		}, []string{"redirects"}},

		{"listing 500 once", listing(1, status(500)), nil},
		{"listing broken off", listing(1, func(w http.ResponseWriter) { half(weights)(w) }), nil},
		{"listing 404", listing(always, status(404)), []string{"no repository org/name", "HF_TOKEN"}},
		{"no such revision", listing(always, status(404, "X-Error-Code", "RevisionNotFound")), []string{"no revision main"}},
		{"a page for people", listing(always, write([]byte("<html>log in</html>"))), []string{"JSON", "HF_ENDPOINT"}},
		{"no commit", listing(always, write([]byte(`{"sha": "../../x", "siblings": []}`))), []string{"commit"}},
		{"a path that leads out", listing(always,
			write([]byte(`{"sha": "`+commit+`", "siblings": [{"rfilename": "../../.bashrc"}]}`))), []string{".bashrc"}},
		{"no config",
			listing(always, write([]byte(`{"sha": "`+commit+`", "siblings": [{"rfilename": "model.safetensors"}]}`))),
			[]string{"config.json"}},
		{"no weights", listing(always, write([]byte(`{"sha": "`+commit+`", "siblings": [{"rfilename": "config.json"}]}`))),
			[]string{"weights"}},
		{"a size too small", func(w http.ResponseWriter, r *http.Request, n int) bool {
			if strings.HasPrefix(r.URL.Path, "/api/") {
				fmt.Fprintf(w, `{"sha": %q, "siblings": [{"rfilename": "config.json", "size": 3, "blobId": %q},
					{"rfilename": "model.safetensors", "size": 3, "blobId": %[2]q}]}`, commit, digest(repo()["config.json"]))
			}
			return strings.HasPrefix(r.URL.Path, "/api/")
		}, []string{"beyond", "3 bytes"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			files := repo()
			s := newServer(t, map[string]map[string][]byte{"org/name": files})
			s.fault = c.fault
			client := s.client(t, hub.Options{})
			m := model(t, "org/name")
			err := client.Get(t.Context(), m, nil)
			if len(c.want) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				checkFolder(t, client, m, files, []string{"config.json", "model.safetensors", "tokenizer.json",
					"tokenizer_config.json"})
				return
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in: %v", part, err)
				}
			}
			if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "secret") {
				t.Errorf("error %q", err)
			}
			if _, err := client.Open(m); !errors.Is(err, hub.ErrNotCached) {
				t.Errorf("what failed can be opened: %v", err)
			}
		})
	}
}

// A download goes on where another stopped, and starts anew where what lay there was no part of the file.
func TestResume(t *testing.T) {
	files := repo()
	weights := files["model.safetensors"]
	for _, c := range []struct {
		what    string
		partial []byte
		want    []string // requests of the weights
	}{
		{"half", weights[:10_000], []string{"bytes=10000-"}},
		{"all", weights, nil},
		{"another file", content("other", 10_000), []string{"bytes=10000-", ""}},
		{"too much", content("other", 40_000), []string{""}},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := newServer(t, map[string]map[string][]byte{"org/name": files})
			cache := t.TempDir()
			client := s.client(t, hub.Options{Cache: cache})
			blobs := filepath.Join(cache, "models--org--name", "blobs")
			if err := os.MkdirAll(blobs, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(blobs, digest(weights)+".incomplete"), c.partial, 0o644); err != nil {
				t.Fatal(err)
			}
			m := model(t, "org/name")
			if err := client.Get(t.Context(), m, nil); err != nil {
				t.Fatal(err)
			}
			var ranges []string
			for _, request := range s.asked("/model.safetensors") {
				_, r, _ := strings.Cut(strings.TrimPrefix(request, "GET "), " ")
				ranges = append(ranges, r)
			}
			if !slices.Equal(ranges, c.want) {
				t.Errorf("asked for %q, want %q", ranges, c.want)
			}
			checkFolder(t, client, m, files, []string{"model.safetensors", "config.json", "tokenizer.json",
				"tokenizer_config.json"})
		})
	}
}

// What stops coming is given up and asked for again.
func TestStall(t *testing.T) {
	files := repo()
	s := newServer(t, map[string]map[string][]byte{"org/name": files})
	s.fault = func(w http.ResponseWriter, r *http.Request, n int) bool {
		if !isFile(r, "tokenizer.json") || n > 1 {
			return false
		}
		w.Header().Set("Content-Length", "5000")
		w.Write(files["tokenizer.json"][:1000])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	}
	client := s.client(t, hub.Options{Stall: 100 * time.Millisecond})
	if err := client.Get(t.Context(), model(t, "org/name"), nil); err != nil {
		t.Fatal(err)
	}
	if asked := s.asked("/tokenizer.json"); len(asked) != 2 || !strings.HasSuffix(asked[1], "bytes=1000-") {
		t.Errorf("asked %q", asked)
	}
}

// A download that is stopped leaves the cache as it was, and goes on later.
func TestCancel(t *testing.T) {
	files := repo()
	s := newServer(t, map[string]map[string][]byte{"org/name": files})
	client := s.client(t, hub.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	m := model(t, "org/name")
	err := client.Get(ctx, m, func(p hub.Progress) {
		if p.File == "model.safetensors" {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if _, err := client.Open(m); !errors.Is(err, hub.ErrNotCached) {
		t.Errorf("half a model can be opened: %v", err)
	}
	if err := client.Get(t.Context(), m, nil); err != nil {
		t.Fatal(err)
	}
	if asked := s.asked("/config.json"); len(asked) != 1 {
		t.Errorf("what was there is fetched again: %q", asked)
	}
}

// Clients that share a cache fetch each file once.
func TestConcurrent(t *testing.T) {
	s := newServer(t, map[string]map[string][]byte{"org/name": repo()})
	cache := t.TempDir()
	client := s.client(t, hub.Options{Cache: cache})
	other := s.client(t, hub.Options{Cache: cache})
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			c := client
			if i%2 == 1 {
				c = other
			}
			if err := c.Get(t.Context(), registry.Model{Name: "x", Repo: "org/name"}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, name := range []string{"config.json", "tokenizer.json", "model.safetensors"} {
		if asked := s.asked("/" + name); len(asked) != 1 {
			t.Errorf("%s was fetched %d times", name, len(asked))
		}
	}
}

func TestOffline(t *testing.T) {
	s := newServer(t, map[string]map[string][]byte{"org/name": repo()})
	client := s.client(t, hub.Options{Offline: true})
	err := client.Get(t.Context(), model(t, "org/name"), nil)
	if err == nil || !strings.Contains(err.Error(), "HF_HUB_OFFLINE") || len(s.asked("")) > 0 {
		t.Errorf("error %v, requests %q", err, s.asked(""))
	}
}

// Another revision is kept beside the main one.
func TestRevision(t *testing.T) {
	s := newServer(t, map[string]map[string][]byte{"org/name": repo()})
	client := s.client(t, hub.Options{})
	m := model(t, "org/name@refs/pr/7")
	if err := client.Get(t.Context(), m, nil); err != nil {
		t.Fatal(err)
	}
	if len(s.asked("/revision/refs/pr/7")) != 1 {
		t.Errorf("asked %q", s.asked(""))
	}
	if _, err := client.Open(m); err != nil {
		t.Error(err)
	}
	if snapshot, err := client.Cached("org/name", commit); err != nil || len(snapshot.Files) != 4 {
		t.Errorf("%d files, error %v", len(snapshot.Files), err)
	}
}

// A mirror that tells nothing in its listing is asked for each file.
func TestMirror(t *testing.T) {
	files := repo()
	s := newServer(t, map[string]map[string][]byte{"org/name": files})
	s.bare = true
	client := s.client(t, hub.Options{Token: "secret"})
	m := model(t, "org/name")
	if err := client.Get(t.Context(), m, nil); err != nil {
		t.Fatal(err)
	}
	checkFolder(t, client, m, files, []string{"config.json", "model.safetensors", "tokenizer.json",
		"tokenizer_config.json"})
	if len(s.tokens) > 0 {
		t.Errorf("the storage was sent %q", s.tokens)
	}
	for _, etag := range []string{"no hash", "../../../../outside", `W/"../x"`} {
		s.fault = func(w http.ResponseWriter, r *http.Request, n int) bool {
			if r.Method == http.MethodHead {
				w.Header().Set("X-Linked-Etag", etag)
				w.Header().Set("Etag", etag)
			}
			return r.Method == http.MethodHead
		}
		outside := t.TempDir()
		err := s.client(t, hub.Options{Cache: filepath.Join(outside, "cache")}).Get(t.Context(), m, nil)
		if err == nil || !strings.Contains(err.Error(), "verified") {
			t.Errorf("etag %s: took what cannot be verified: %v", etag, err)
		}
		if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
			t.Errorf("etag %s: %d files were made, error %v", etag, len(entries), err)
		}
	}
}

// The token reaches the hub through redirects of its own, and no one else.
func TestToken(t *testing.T) {
	files := repo()
	s := newServer(t, map[string]map[string][]byte{"org/new": files})
	var mu sync.Mutex
	seen := map[string][]string{}
	s.fault = func(w http.ResponseWriter, r *http.Request, n int) bool {
		mu.Lock()
		seen[r.Host] = append(seen[r.Host], r.Header.Get("Authorization"))
		mu.Unlock()
		if strings.Contains(r.URL.Path, "org/old") { // a repository that was renamed
			http.Redirect(w, r, strings.Replace(r.URL.Path, "org/old", "org/new", 1), http.StatusTemporaryRedirect)
			return true
		}
		return false
	}
	client := s.client(t, hub.Options{Token: "secret"})
	if err := client.Get(t.Context(), model(t, "org/old"), nil); err != nil {
		t.Fatal(err)
	}
	for _, token := range seen[host(t, s.URL)] {
		if token != "Bearer secret" {
			t.Errorf("the hub was sent %q", token)
		}
	}
	if len(s.tokens) > 0 || len(seen) != 1 {
		t.Errorf("the storage was sent %q", s.tokens)
	}
}
