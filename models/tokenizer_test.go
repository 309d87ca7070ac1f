package models_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/testfile"
	"github.com/neuron2graph/neuron2graph/models"
)

// A model's tokenizer opens by every reference that opens the model, and where its weights are not here.
func TestOpenTokenizer(t *testing.T) {
	model, err := models.Open(golden("solu"), models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	alone := t.TempDir()
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json"} {
		data, err := os.ReadFile(filepath.Join(golden("solu"), name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(alone, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const text = "if err != nil {\n\treturn <|endoftext|> 😀"
	want, err := model.Tokenize(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{golden("solu"), alone, filepath.Join(golden("solu"), "tokenizer.json"),
		served(t, model, nil)} {
		tokenizer, err := models.OpenTokenizer(ref)
		if err != nil {
			t.Errorf("%s: %v", ref, err)
			continue
		}
		if got := tokenizer.Encode(text).IDs; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", ref, got, want)
		}
		if strings.HasSuffix(ref, ".json") {
			continue // whose configuration stands in another file
		}
		if got := tokenizer.Special().BOS; got != model.BOS() {
			t.Errorf("%s: BOS is %d, want %d", ref, got, model.BOS())
		}
	}
	if _, err := models.OpenTokenizer("tiny"); err != nil {
		t.Error(err)
	}
	for ref, want := range map[string]string{t.TempDir(): "no tokenizer.json", "/no/such/folder": "no model at",
		"/no/such/tokenizer.json": "no such file"} {
		if _, err := models.OpenTokenizer(ref); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", ref, err, want)
		}
	}
}

// The tokenizer within a GGUF file is read without its weights, and outlives the open file.
func TestOpenTokenizerOfGGUF(t *testing.T) {
	file := smolLM2(t)
	var ref smolLM2Reference
	testfile.JSON(t, "../testdata/golden/smollm2/ref.json", &ref)
	tokenizer, err := models.OpenTokenizer(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range ref.Inputs {
		if got := tokenizer.Encode(in.Text).IDs; !slices.Equal(got, in.IDs) {
			t.Errorf("%q: %v, want %v", in.Text, got, in.IDs)
		}
		for i, id := range in.IDs {
			if got := tokenizer.TokenString(id); got != in.Tokens[i] {
				t.Errorf("token %d is %q, want %q", id, got, in.Tokens[i])
			}
		}
	}
}
