package hub

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseListing(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	large := strings.Repeat("ab", 32)
	listing, err := parseListing([]byte(`{"sha": "` + commit + `", "private": false, "siblings": [
		{"rfilename": "config.json", "size": 7, "blobId": "` + commit + `"},
		{"rfilename": "a/b.bin", "size": 9, "blobId": "` + commit + `", "lfs": {"sha256": "` + large + `", "size": 10, "pointerSize": 1}},
		{"rfilename": "unknown"},
		{"rfilename": "strange", "size": 3, "blobId": "../../x"},
		{"rfilename": "negative", "size": -3, "blobId": "` + commit + `"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []File{{"config.json", 7, commit}, {"a/b.bin", 10, large}, {"unknown", -1, ""}, {"strange", -1, ""},
		{"negative", -1, ""}}
	if listing.Commit != commit || len(listing.Files) != len(want) {
		t.Fatalf("%+v", listing)
	}
	for i, file := range listing.Files {
		if file != want[i] {
			t.Errorf("%+v, want %+v", file, want[i])
		}
	}
}

// Whatever a hub sends, no path leads out of the cache and no hash is a path.
func FuzzListing(f *testing.F) {
	f.Add(
		[]byte(
			`{"sha": "0123456789abcdef0123456789abcdef01234567", "siblings": [{"rfilename": "config.json", "size": 1, "blobId": "0123456789abcdef0123456789abcdef01234567"},
		{"rfilename": "model-00001-of-00001.safetensors", "lfs": {"sha256": "x", "size": 3}}, {"rfilename": "model.safetensors.index.json"}]}`))
	f.Add([]byte(`{"sha": "../..", "siblings": [{"rfilename": "/etc/passwd"}]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		listing, err := parseListing(text)
		if err != nil {
			return
		}
		if !sha1Text.MatchString(listing.Commit) {
			t.Errorf("commit %q", listing.Commit)
		}
		for _, file := range listing.Files {
			if !fs.ValidPath(file.Path) || !filepath.IsLocal(file.Path) || (file.Hash == "") != (file.Size < 0) ||
				file.Hash != "" && !isHash(file.Hash) {
				t.Errorf("file %+v", file)
			}
		}
		for _, ending := range []string{"", "final.pth"} {
			if chosen, err := modelFiles(listing.Files, ending); err == nil && len(chosen) < 2 {
				t.Errorf("a model of %d files", len(chosen))
			}
		}
	})
}

func FuzzByteLevelTokenizer(f *testing.F) {
	f.Add([]byte(`{"a": 0, "b": 1, "ab": 2}`), []byte("#version: 0.2\na b\n"))
	f.Add([]byte(`[]`), []byte("a\r\n"))
	f.Fuzz(func(t *testing.T, vocabulary, merges []byte) {
		files := folder{vocabularyName: {data: vocabulary}, mergesName: {data: merges}}
		text, err := byteLevelTokenizer(files)
		if (err == nil) != (len(text) > 0) {
			t.Errorf("%d bytes, error %v", len(text), err)
		}
	})
}
