package hub_test

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/neuron2graph/neuron2graph/models/hub"
)

const (
	commit = "0123456789abcdef0123456789abcdef01234567"
	// large files have their SHA-256 for a name, as those that the hub keeps outside git.
	large = 1 << 10
)

// server speaks the hub's routes.
type server struct {
	*httptest.Server
	storage *httptest.Server // where large files are redirected to
	repos   map[string]map[string][]byte
	// commit is that of all revisions; a file is served at it alone.
	commit string
	// bare leaves sizes and hashes out of listings.
	bare bool
	// fault answers a request in place of the server, unless it returns false. n counts the requests of that path.
	fault func(w http.ResponseWriter, r *http.Request, n int) bool

	mu       sync.Mutex
	counts   map[string]int
	requests []string // method, path and range
	tokens   []string // that reached the storage
}

func newServer(t *testing.T, repos map[string]map[string][]byte) *server {
	t.Helper()
	s := &server{repos: repos, commit: commit, counts: map[string]int{}}
	s.storage = httptest.NewServer(http.HandlerFunc(s.store))
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve)) // last: it reads all the rest
	t.Cleanup(s.Close)
	t.Cleanup(s.storage.Close)
	return s
}

// asked lists the requests whose path ends so.
func (s *server) asked(ending string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []string
	for _, request := range s.requests {
		if _, address, _ := strings.Cut(request, " "); strings.HasSuffix(strings.Fields(address)[0], ending) {
			found = append(found, request)
		}
	}
	return found
}

func (s *server) note(r *http.Request) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[r.URL.Path]++
	s.requests = append(s.requests, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+r.Header.Get("Range")))
	return s.counts[r.URL.Path]
}

func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	n := s.note(r)
	s.mu.Lock()
	fault := s.fault
	s.mu.Unlock()
	if fault != nil && fault(w, r, n) {
		return
	}
	if rest, ok := strings.CutPrefix(r.URL.Path, "/api/models/"); ok {
		repo, _, _ := strings.Cut(rest, "/revision/")
		s.list(w, repo)
		return
	}
	repo, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/resolve/"+s.commit+"/")
	data, ok := s.repos[repo][rest]
	if !ok {
		w.Header().Set("X-Error-Code", "EntryNotFound")
		http.NotFound(w, r)
		return
	}
	w.Header().Set("X-Linked-Etag", `"`+digest(data)+`"`)
	w.Header().Set("X-Linked-Size", fmt.Sprint(len(data)))
	if len(data) >= large {
		http.Redirect(w, r, s.storage.URL+r.URL.Path+"?signature=secret", http.StatusFound)
		return
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// store is another host.
func (s *server) store(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if token := r.Header.Get("Authorization"); token != "" {
		s.tokens = append(s.tokens, token)
	}
	s.mu.Unlock()
	repo, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/resolve/"+s.commit+"/")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(s.repos[repo][rest]))
}

func (s *server) list(w http.ResponseWriter, repo string) {
	files, ok := s.repos[repo]
	if !ok {
		w.Header().Set("X-Error-Code", "RepoNotFound")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var siblings []map[string]any
	for _, name := range slices.Sorted(maps.Keys(files)) {
		sibling := map[string]any{"rfilename": name}
		if data := files[name]; !s.bare {
			sibling["size"], sibling["blobId"] = len(data), gitHash(data)
			if len(data) >= large {
				sibling["lfs"] = map[string]any{"sha256": digest(data), "size": len(data), "pointerSize": 130}
			}
		}
		siblings = append(siblings, sibling)
	}
	json.NewEncoder(w).Encode(map[string]any{"id": repo, "sha": s.commit, "siblings": siblings})
}

func gitHash(data []byte) string {
	sum := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(data)), data...))
	return hex.EncodeToString(sum[:])
}

// digest is what the hub calls a file's bytes.
func digest(data []byte) string {
	if len(data) < large {
		return gitHash(data)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// client is one that gives up quickly.
func (s *server) client(t *testing.T, o hub.Options) *hub.Client {
	t.Helper()
	for _, name := range []string{"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN",
		"HF_TOKEN_PATH"} {
		t.Setenv(name, "")
	}
	t.Setenv("HF_HOME", t.TempDir())
	o.Endpoint = s.URL
	if o.Cache == "" {
		o.Cache = t.TempDir()
	}
	o.Attempts, o.Backoff = 3, time.Millisecond
	if o.Stall == 0 {
		o.Stall = 5 * time.Second
	}
	c, err := hub.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// content is text of some length that no other name gives.
func content(name string, length int) []byte {
	return bytes.Repeat([]byte(name+" "), length/(len(name)+1)+1)[:length]
}

// host is the host of an address.
func host(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// isFile says whether a request is for a file of that name.
func isFile(r *http.Request, name string) bool {
	return path.Base(r.URL.Path) == name && strings.Contains(r.URL.Path, "/resolve/")
}

// sentToken notes the token of a request and answers that there is nothing.
func sentToken(token *string) func(w http.ResponseWriter, r *http.Request, n int) bool {
	return func(w http.ResponseWriter, r *http.Request, n int) bool {
		*token = r.Header.Get("Authorization")
		http.NotFound(w, r)
		return true
	}
}
