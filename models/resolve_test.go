package models_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/registry"
)

// cacheModel lays files of a golden model into a hub cache, as a repository at its main revision.
func cacheModel(t *testing.T, cache, repo, model string, files ...string) {
	t.Helper()
	const commit = "0123456789abcdef0123456789abcdef01234567"
	root := filepath.Join(cache, "models--"+strings.ReplaceAll(repo, "/", "--"))
	snapshot := filepath.Join(root, "snapshots", commit)
	for _, folder := range []string{snapshot, filepath.Join(root, "refs")} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "refs", "main"), []byte(commit), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		whole, err := filepath.Abs(filepath.Join(golden(model), file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(whole, filepath.Join(snapshot, file)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenByName(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("HF_HUB_CACHE", cache)
	all := []string{"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
	cacheModel(t, cache, "openai-community/gpt2", "gpt2", all...)
	cacheModel(t, cache, "someone/solu", "solu", all...)
	cacheModel(t, cache, "distilbert-base-uncased", "distilbert", all...)
	t.Chdir(t.TempDir())
	for ref, want := range map[string]string{
		"gpt2-small": "gpt2-small", "GPT2": "gpt2-small", "openai-community/gpt2": "gpt2-small",
		"someone/solu": "someone/solu",
		"someone/solu@0123456789abcdef0123456789abcdef01234567": "someone/solu@0123456789abcdef0123456789abcdef01234567",
	} {
		m, err := models.Open(ref, models.Options{Backend: "go"})
		if err != nil {
			t.Errorf("%s: %v", ref, err)
			continue
		}
		if m.Name() != want || m.BOS() < 0 {
			t.Errorf("%s is called %s, BOS %d", ref, m.Name(), m.BOS())
		}
		m.Close()
	}
	// Under the name that the repository had when it was downloaded.
	masked, err := models.OpenMasked("distilbert-base-uncased", models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	defer masked.Close()
	if masked.Name() != "distilbert-base-uncased" {
		t.Errorf("the masked model is called %s", masked.Name())
	}

	// A folder of the same name stands in the way only if a model lies in it.
	if err := os.Mkdir("gpt2-small", 0o755); err != nil {
		t.Fatal(err)
	}
	if m, err := models.Open("gpt2-small", models.Options{Backend: "go"}); err != nil {
		t.Error(err)
	} else {
		m.Close()
	}
	if err := os.WriteFile("gpt2-small/config.json", []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string][]string{
		"gpt2-small":        {"open model gpt2-small", "config.json"}, // the folder
		"./gpt2-small":      {"open model gpt2-small", "config.json"},
		"gpt2-medium":       {"gpt2-medium is not on this machine", "n2g models get gpt2-medium"},
		"pythia-70m@step10": {"n2g models get pythia-70m@step10"},
		"nobody/nothing":    {"no folder", "nobody/nothing", "n2g models get nobody/nothing"},
		"gtp2-small":        {"did you mean gpt2-small"},
		"attn-only-1l":      {"attention-only"},
		"mistral-7b":        {"there is no model"},
		"./nothing":         {"./nothing", "folder", "n2g models"},
		"/no/such/model":    {"/no/such/model", "folder"},
		"":                  {"folder"},
	} {
		_, err := models.Open(ref, models.Options{Backend: "go"})
		if err == nil {
			t.Errorf("%q opened", ref)
			continue
		}
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: %q is not in: %v", ref, part, err)
			}
		}
	}
}

// Every family of the registry can be opened, and read where the registry says.
func TestRegistryFamilies(t *testing.T) {
	families := append(models.Families(), "bert", "distilbert")
	for _, m := range registry.All() {
		if !slices.Contains(families, m.Family) {
			t.Errorf("%s is of the family %s, which cannot be opened", m.Name, m.Family)
		}
	}
}
