package models_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/models"
)

// What was cloned without Git LFS is called that, whichever file it is.
func TestGitLFSPointers(t *testing.T) {
	const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a4d7a\nsize 548105171\n"
	for _, name := range []string{"model.safetensors", "config.json", "tokenizer.json"} {
		m, err := models.Open(folder(t, "gpt2", map[string]string{name: pointer}), models.Options{Backend: "go"})
		if err == nil {
			m.Close()
			t.Errorf("a pointer for %s was opened", name)
		} else if !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "Git LFS pointer") {
			t.Errorf("a pointer for %s: %v", name, err)
		}
	}
}

// A token that the tokenizer got after the model was trained is named, and masks nothing.
func TestTokensBeyondTheEmbedding(t *testing.T) {
	text, err := os.ReadFile(golden("gpt2") + "/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]json.RawMessage
	var added []json.RawMessage
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(file["added_tokens"], &added); err != nil {
		t.Fatal(err)
	}
	added = append(added,
		json.RawMessage(
			`{"id": 4096, "content": "<|new|>", "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false}`))
	if file["added_tokens"], err = json.Marshal(added); err != nil {
		t.Fatal(err)
	}
	changed, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	m, err := models.Open(folder(t, "gpt2", map[string]string{"tokenizer.json": string(changed)}),
		models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if m.MaskID() >= m.Config().DVocab {
		t.Errorf("token %d masks, of %d", m.MaskID(), m.Config().DVocab)
	}
	if _, err := m.Tokenize("func main() <|new|>"); err == nil || !strings.Contains(err.Error(), `"<|new|>" (4096)`) {
		t.Errorf("error %v", err)
	}
	if _, _, err := m.TokenizeOffsets("<|new|>"); err == nil {
		t.Error("no error")
	}
}
