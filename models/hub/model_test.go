package hub_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/neuron2graph/neuron2graph/models/hub"
	"github.com/neuron2graph/neuron2graph/models/registry"
	"github.com/neuron2graph/neuron2graph/tokenizers"
)

// few makes files of a few bytes.
func few(names ...string) map[string][]byte {
	files := map[string][]byte{}
	for _, name := range names {
		files[name] = content(name, 30)
	}
	return files
}

// Of what a repository holds, a model needs little; which that is depends on what there is.
func TestChoice(t *testing.T) {
	common := []string{"config.json", "tokenizer.json", "README.md", "tf_model.h5", "flax_model.msgpack"}
	for _, c := range []struct {
		what    string
		weights string // how the registry says that the name ends
		files   []string
		want    []string // beside config.json and tokenizer.json
		problem string   // part of the error
	}{
		{what: "safetensors first", files: []string{"pytorch_model.bin", "model.safetensors"},
			want: []string{"model.safetensors"}},
		{what: "shards", files: []string{"model.safetensors.index.json", "model-00001-of-00002.safetensors",
			"model-00002-of-00002.safetensors", "model-extra.safetensors", "pytorch_model.bin"},
			want: []string{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
				"model.safetensors.index.json"}},
		{what: "a shard is missing", files: []string{"model.safetensors.index.json", "model-00001-of-00002.safetensors"},
			problem: "1 of the 2 parts"},
		{what: "PyTorch's file", files: []string{"pytorch_model.bin", "training_args.bin"},
			want: []string{"pytorch_model.bin"}},
		{what: "PyTorch's shards", files: []string{"pytorch_model.bin.index.json", "pytorch_model-00001-of-00001.bin"},
			want: []string{"pytorch_model-00001-of-00001.bin", "pytorch_model.bin.index.json"}},
		{what: "TransformerLens's last checkpoint", weights: "final.pth",
			files: []string{"checkpoints/solu_000.pth", "optimizer.pth", "SoLU_final.pth", "pytorch_model.bin"},
			want:  []string{"SoLU_final.pth"}},
		{what: "that of a repository that the registry does not know",
			files: []string{"checkpoints/final.pth", "model_final.pth", "model_init.pth"}, want: []string{"model_final.pth"}},
		{what: "one .pth", files: []string{"weights.pth"}, want: []string{"weights.pth"}},
		{what: "two of them", files: []string{"a.pth", "b.pth"}, problem: "weights"},
		{what: "none in a folder", weights: "final.pth", files: []string{"checkpoints/final.pth"}, problem: "weights"},
		{what: "TensorFlow's alone", problem: "model.safetensors"},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := newServer(t, map[string]map[string][]byte{"org/name": few(append(c.files, common...)...)})
			client := s.client(t, hub.Options{})
			m := registry.Model{Name: "x", Repo: "org/name", Weights: c.weights}
			err := client.Get(t.Context(), m, nil)
			if c.problem != "" {
				if err == nil || !strings.Contains(err.Error(), c.problem) || len(s.asked(".bin")) > 0 {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := append([]string{"config.json", "tokenizer.json"}, c.want...)
			slices.Sort(want)
			if got := list(t, client, m); !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

// list are the files of a model.
func list(t *testing.T, c *hub.Client, m registry.Model) []string {
	t.Helper()
	fsys, err := c.Open(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(fsys, "config.json"); err != nil {
		t.Error(err)
	}
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// TransformerLens's models take the tokenizer of another repository: the registry's, or that of their configuration.
func TestTokenizerOfAnother(t *testing.T) {
	own := few("config.json", "model_final.pth", "checkpoints/000.pth")
	own["config.json"] = []byte(`{"n_layers": 1, "n_ctx": 8, "tokenizer_name": "org/tokenizer"}`)
	repos := map[string]map[string][]byte{
		"NeelNanda/SoLU_1L512W_C4_Code": own,
		"someone/fine-tuned":            own,
		"NeelNanda/gpt-neox-tokenizer-digits": few("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
			"config.json"),
		"org/tokenizer": few("tokenizer.json", "tokenizer_config.json", "model.safetensors"),
	}
	for ref, lender := range map[string]string{"solu-1l": "NeelNanda/gpt-neox-tokenizer-digits",
		"someone/fine-tuned": "org/tokenizer"} {
		s := newServer(t, repos)
		cache := t.TempDir()
		client := s.client(t, hub.Options{Cache: cache})
		m := model(t, ref)
		if err := client.Get(t.Context(), m, nil); err != nil {
			t.Fatal(err)
		}
		if got, want := list(t, client, m), []string{"config.json", "model_final.pth", "tokenizer.json",
			"tokenizer_config.json"}; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", ref, got, want)
		}
		fsys, err := client.Open(m)
		if err != nil {
			t.Fatal(err)
		}
		for name, from := range map[string]map[string][]byte{"config.json": own, "tokenizer.json": repos[lender]} {
			if data, err := fs.ReadFile(fsys, name); err != nil || string(data) != string(from[name]) {
				t.Errorf("%s: %s is %q, error %v", ref, name, data, err)
			}
		}
		if len(s.asked(".safetensors"))+len(s.asked("000.pth")) > 0 {
			t.Errorf("%s: fetched %q", ref, s.asked(""))
		}
		// Without it the model is not there.
		if err := os.RemoveAll(filepath.Join(cache, "models--"+strings.ReplaceAll(lender, "/", "--"))); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Open(m); !errors.Is(err, hub.ErrNotCached) {
			t.Errorf("%s without its tokenizer: %v", ref, err)
		}
	}
}

// Old repositories hold vocab.json and merges.txt: tokenizer.json is made of them.
func TestVocabularyAndMerges(t *testing.T) {
	vocabulary := map[string]int{"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
	for _, token := range []string{"a", "b", "c", "Ġ", "ab", "Ġab"} {
		vocabulary[token] = len(vocabulary)
	}
	text, err := json.Marshal(vocabulary)
	if err != nil {
		t.Fatal(err)
	}
	repository := map[string][]byte{
		"config.json": []byte("{}"), "model.safetensors": content("weights", 10), "vocab.json": text,
		"merges.txt":            []byte("#version: 0.2\na b\nĠ ab\n"),
		"tokenizer_config.json": []byte(`{"bos_token": {"content": "</s>"}, "unk_token": "</s>"}`),
	}
	s := newServer(t, map[string]map[string][]byte{"facebook/opt-125m": repository})
	client := s.client(t, hub.Options{})
	m := model(t, "opt-125m")
	if err := client.Get(t.Context(), m, nil); err != nil {
		t.Fatal(err)
	}
	fsys, err := client.Open(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(fsys, "tokenizer.json", "vocab.json"); err != nil {
		t.Error(err)
	}
	made, err := fs.ReadFile(fsys, "tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	tokenizer, err := tokenizers.Parse(made, repository["tokenizer_config.json"])
	if err != nil {
		t.Fatal(err)
	}
	for input, want := range map[string][]int{"ab ab": {8, 9}, "cab": {6, 8}, "a</s> b": {4, 2, 7, 5}} {
		if got := tokenizer.Encode(input).IDs; !slices.Equal(got, want) {
			t.Errorf("%q is %v, want %v", input, got, want)
		}
	}
	if bos := tokenizer.Special().BOS; bos != 2 {
		t.Errorf("BOS is %d, want 2", bos)
	}
	repository["merges.txt"] = []byte("a b c\n")
	broken := newServer(t, map[string]map[string][]byte{"facebook/opt-125m": repository}).client(t, hub.Options{})
	if err := broken.Get(t.Context(), m, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := broken.Open(m); err == nil || !strings.Contains(err.Error(), "merges.txt") {
		t.Errorf("opened with broken merges: %v", err)
	}
}

// What other programs left in the cache is found.
func TestCacheOfOthers(t *testing.T) {
	lay := func(t *testing.T, cache, folder string, files map[string][]byte, refs bool) {
		t.Helper()
		root := filepath.Join(cache, folder)
		for _, dir := range []string{"blobs", "refs", "snapshots/" + commit} {
			if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		for name, data := range files {
			blob := filepath.Join("blobs", digest(data))
			err := errors.Join(
				os.WriteFile(filepath.Join(root, blob), data, 0o644),
				os.Symlink(filepath.Join("..", "..", blob), filepath.Join(root, "snapshots", commit, name)))
			if err != nil {
				t.Fatal(err)
			}
		}
		if refs {
			if err := os.WriteFile(filepath.Join(root, "refs", "main"), []byte(commit), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	files := few("config.json", "model.safetensors", "tokenizer.json", "onnx.bin")
	want := []string{"config.json", "model.safetensors", "tokenizer.json"}
	for _, c := range []struct {
		what, folder string
		refs         bool
	}{
		{"Python's", "models--openai-community--gpt2", true},
		{"under the name that the repository had", "models--gpt2", true},
		{"without refs", "models--gpt2", false},
	} {
		t.Run(c.what, func(t *testing.T) {
			cache := t.TempDir()
			lay(t, cache, c.folder, files, c.refs)
			client, err := hub.New(hub.Options{Cache: cache})
			if err != nil {
				t.Fatal(err)
			}
			if got := list(t, client, model(t, "gpt2")); !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
			if size := client.Size(model(t, "gpt2")); size != 90 {
				t.Errorf("size %d, want 90", size)
			}
		})
	}
	t.Run("in part", func(t *testing.T) {
		cache := t.TempDir()
		lay(t, cache, "models--gpt2", few("config.json", "tokenizer.json"), true)
		client, err := hub.New(hub.Options{Cache: cache})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Open(model(t, "gpt2")); !errors.Is(err, hub.ErrNotCached) {
			t.Errorf("opened without weights: %v", err)
		}
	})
	t.Run("with a link that leads nowhere", func(t *testing.T) {
		cache := t.TempDir()
		lay(t, cache, "models--gpt2", files, true)
		if err := os.Remove(filepath.Join(cache, "models--gpt2", "blobs", digest(files["model.safetensors"]))); err != nil {
			t.Fatal(err)
		}
		client, err := hub.New(hub.Options{Cache: cache})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Open(model(t, "gpt2")); !errors.Is(err, hub.ErrNotCached) {
			t.Errorf("opened without weights: %v", err)
		}
	})
	for _, revision := range []string{"../../x", "/etc", "a\\b", "nothing"} {
		client, err := hub.New(hub.Options{Cache: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Cached("org/name", revision); !errors.Is(err, hub.ErrNotCached) {
			t.Errorf("revision %q: %v", revision, err)
		}
	}
}

func TestRefused(t *testing.T) {
	s := newServer(t, nil)
	client := s.client(t, hub.Options{})
	m := model(t, "attn-only-2l")
	_, err := client.Open(m)
	for _, err := range []error{err, client.Get(t.Context(), m, nil)} {
		if err == nil || !strings.Contains(err.Error(), "attention-only") || len(s.asked("")) > 0 {
			t.Errorf("error %v", err)
		}
	}
}

// The environment says where everything is, as it does for Python's huggingface_hub.
func TestEnvironment(t *testing.T) {
	home := t.TempDir()
	tokenFile := filepath.Join(home, "elsewhere")
	for path, token := range map[string]string{tokenFile: "of a file\n", filepath.Join(home, "hf", "token"): "of home\n"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(token), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	variables := []string{"HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME", "HF_ENDPOINT", "HF_TOKEN",
		"HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HUB_DISABLE_IMPLICIT_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"}
	for _, c := range []struct {
		set     map[string]string
		cache   string // below home
		token   string // that a server is sent
		problem string
	}{
		{set: nil, cache: ".cache/huggingface/hub"},
		{set: map[string]string{"XDG_CACHE_HOME": home + "/xdg"}, cache: "xdg/huggingface/hub"},
		{set: map[string]string{"XDG_CACHE_HOME": home + "/xdg", "HF_HOME": "~/hf"}, cache: "hf/hub",
			token: "Bearer of home"},
		{set: map[string]string{"HF_HOME": home + "/hf", "HF_HUB_CACHE": home + "/models", "HF_TOKEN_PATH": tokenFile},
			cache: "models", token: "Bearer of a file"},
		{set: map[string]string{"HF_HOME": home + "/hf", "HF_TOKEN": " own "}, cache: "hf/hub", token: "Bearer own"},
		{set: map[string]string{"HF_HOME": home + "/hf", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}, cache: "hf/hub"},
		{set: map[string]string{"HF_ENDPOINT": "hub"}, problem: "HF_ENDPOINT"},
		{set: map[string]string{"HF_TOKEN": "two\nlines"}, problem: "line break"},
	} {
		t.Run(fmt.Sprint(c.set), func(t *testing.T) {
			for _, name := range variables {
				t.Setenv(name, "")
			}
			t.Setenv("HOME", home)
			t.Setenv("USERPROFILE", home)
			s := newServer(t, nil)
			t.Setenv("HF_ENDPOINT", s.URL+"/")
			var sent string
			s.fault = sentToken(&sent)
			for name, value := range c.set {
				t.Setenv(name, value)
			}
			client, err := hub.New(hub.Options{})
			if c.problem != "" {
				if err == nil || !strings.Contains(err.Error(), c.problem) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if want := filepath.Join(home, filepath.FromSlash(c.cache)); client.Cache() != want {
				t.Errorf("cache %s, want %s", client.Cache(), want)
			}
			if _, err := client.List(t.Context(), "org/name", ""); err == nil {
				t.Error("listed a repository that is not there")
			}
			if sent != c.token {
				t.Errorf("token %q, want %q", sent, c.token)
			}
			t.Setenv("HF_HUB_OFFLINE", "true")
			if client, err = hub.New(hub.Options{}); err != nil {
				t.Fatal(err)
			}
			if _, err := client.List(t.Context(), "org/name", ""); err == nil ||
				!strings.Contains(err.Error(), "HF_HUB_OFFLINE") {
				t.Errorf("offline: %v", err)
			}
		})
	}
}
