package hub_test

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/neuron2graph/neuron2graph/models/hub"
	"github.com/neuron2graph/neuron2graph/models/registry"
)

// answering is a transport that answers without a network.
type answering func(r *http.Request) *http.Response

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) { return a(r), nil }

// Whatever a hub answers, nothing is written outside of the cache, and every file that counts as fetched has the hash
// that it is named by.
func FuzzAnswers(f *testing.F) {
	body := []byte("{}")
	listing := `{"sha": "` + commit + `", "siblings": [{"rfilename": "config.json"}, {"rfilename": "model.safetensors"}]}`
	f.Add([]byte(listing), 200, `"`+digest(body)+`"`, "2", "", body)
	f.Add([]byte(listing), 206, digest(body), "2", "bytes 0-1/2", body)
	f.Add([]byte(listing), 416, "../../../x", "99", "bytes */2", []byte("<html>"))
	f.Add([]byte(`{"sha": "`+commit+`", "siblings": [{"rfilename": "../config.json", "size": 2, "blobId": "`+digest(body)+
		`"}]}`), 200, "", "", "", body)
	f.Add([]byte(listing), 302, "/elsewhere", "-1", "", []byte{})
	f.Fuzz(func(t *testing.T, listing []byte, status int, etag, size, contentRange string, body []byte) {
		if status < 100 || status > 599 {
			return
		}
		outside := t.TempDir()
		cache := filepath.Join(outside, "cache")
		transport := answering(func(r *http.Request) *http.Response {
			response := &http.Response{StatusCode: 200, Header: http.Header{}, Request: r, ProtoMajor: 1, ProtoMinor: 1}
			data := listing
			if !strings.HasPrefix(r.URL.Path, "/api/") {
				response.StatusCode, data = status, body
				for name, value := range map[string]string{"X-Linked-Etag": etag, "X-Linked-Size": size,
					"Content-Range": contentRange, "Location": etag, "Retry-After": size} {
					response.Header.Set(name, value)
				}
				if r.Method == http.MethodHead {
					response.StatusCode, data = 200, nil
				}
			}
			response.Body = io.NopCloser(bytes.NewReader(data))
			return response
		})
		client, err := hub.New(hub.Options{Endpoint: "http://hub.invalid", Cache: cache, Token: "secret",
			Transport: transport, Attempts: 1, Backoff: time.Nanosecond})
		if err != nil {
			t.Fatal(err)
		}
		err = client.Get(t.Context(), registry.Model{Name: "x", Repo: "org/name"}, nil)
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the token is in the error %v", err)
		}
		checkCache(t, outside, cache)
	})
}

// checkCache checks that all files lie in the cache and that blobs have the hash of their names.
func checkCache(t *testing.T, outside, cache string) {
	err := filepath.WalkDir(outside, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == outside || path == cache {
			return err
		}
		relative, err := filepath.Rel(cache, path)
		if err != nil || !filepath.IsLocal(relative) {
			t.Errorf("%s lies outside of the cache, %v", path, err)
		}
		if filepath.Base(filepath.Dir(path)) != "blobs" || strings.HasSuffix(path, ".incomplete") {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		large, small := sha256.Sum256(data), sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(data)), data...))
		if name := filepath.Base(path); name != hex.EncodeToString(large[:]) && name != hex.EncodeToString(small[:]) {
			t.Errorf("%s holds %q", path, data)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
