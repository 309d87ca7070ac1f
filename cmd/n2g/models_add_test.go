package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/randmodel"
	"github.com/neuron2graph/neuron2graph/internal/safetensors"
)

// A model of one's own is taken in from a GGUF file, a package with one, or a folder, opens by its name, is listed, and
// goes.
func TestModelsAdd(t *testing.T) {
	t.Setenv("N2G_MODELS", filepath.Join(t.TempDir(), "models"))
	t.Setenv("HF_HUB_CACHE", t.TempDir())
	ask := func(wantStatus int, wantOut, wantErr []string, args ...string) string {
		t.Helper()
		status, stdout, stderr := call(t, "", args...)
		if status != wantStatus {
			t.Fatalf("n2g %s: exit status %d, want %d; it says %q", strings.Join(args, " "), status, wantStatus, stderr)
		}
		contains(t, "stdout", stdout, wantOut)
		contains(t, "stderr", stderr, wantErr)
		return stdout
	}
	file := filepath.Join(t.TempDir(), "small.gguf")
	settings, tensors := smallGGUF()
	if err := randmodel.WriteGGUF(file, settings, tensors); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("pkg/model.gguf")
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	wheel := filepath.Join(t.TempDir(), "small-1.0-py3-none-any.whl")
	if err := os.WriteFile(wheel, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	ask(0, []string{"small: ", "kB in"}, nil, "models", "add", file)
	ask(0, []string{"packed: "}, nil, "models", "add", wheel, "-name", "packed")
	ask(0, []string{"mine: "}, nil, "models", "add", "-name", "mine", golden+"models/gpt2")
	ask(0, []string{"words: "}, nil, "models", "add", "-name", "words", bert)
	for _, name := range []string{"small", "packed"} {
		ask(0, []string{"POSITION", "\"#5\""}, nil, "activations", "-model", name, "-layer", "0", "-neuron", "1", "-ids",
			"[0,5]", "-backend", "go")
	}
	ask(0, []string{"POSITION"}, nil, "activations", "-model", "mine", "-layer", "0", "-neuron", "1", "-text", "if err",
		"-backend", "go")
	ask(0, []string{"PROBABILITY"}, nil, "fill", "-masked", "words", "-text", "if err != [MASK]", "-n", "1", "-backend",
		"go")
	var names []string
	for line := range strings.Lines(ask(0, nil, nil, "models", "-here", "-json")) {
		var entry modelEntry
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if !entry.Added || entry.Bytes == 0 || entry.Layers == 0 || entry.Problem != "" {
			t.Errorf("%+v", entry)
		}
		names = append(names, entry.Name)
	}
	if got := strings.Join(names, " "); got != "mine packed small words" {
		t.Errorf("listed are %q", got)
	}

	ask(1, nil, []string{"already", "models remove small"}, "models", "add", file)
	ask(1, nil, []string{"name of another model"}, "models", "add", file, "-name", "gpt2-small")
	ask(1, nil, []string{"name of another model"}, "models", "add", file, "-name", "tiny")
	ask(1, nil, []string{"cannot be called"}, "models", "add", file, "-name", "../x")
	ask(1, nil, []string{"no such file"}, "models", "add", "nowhere.gguf")
	ask(1, nil, []string{"one file or folder"}, "models", "add", file, wheel)
	cut := filepath.Join(t.TempDir(), "cut.gguf")
	if err := os.WriteFile(cut, data[:len(data)-1000], 0o600); err != nil {
		t.Fatal(err)
	}
	ask(1, nil, []string{"cut short"}, "models", "add", cut)
	ask(1, nil, []string{"no model"}, "activations", "-model", "cut", "-layer", "0", "-neuron", "1", "-ids", "[0]")
	ask(0, []string{"small is gone"}, nil, "models", "remove", "small")
	ask(1, nil, []string{`"small"`}, "models", "remove", "small")
	if err := os.Remove(filepath.Join(os.Getenv("N2G_MODELS"), "mine", "config.json")); err != nil {
		t.Fatal(err)
	}
	ask(0, []string{"mine", "cannot be opened"}, nil, "models")
}

// smallGGUF is a Llama of one layer.
func smallGGUF() (settings []randmodel.Setting, tensors []safetensors.Tensor) {
	for key, value := range map[string]any{
		"general.architecture": "llama", "llama.block_count": 1, "llama.embedding_length": 8, "llama.feed_forward_length": 16,
		"llama.attention.head_count": 2, "llama.context_length": 32, "llama.attention.layer_norm_rms_epsilon": 1e-5,
	} {
		settings = append(settings, randmodel.Setting{Key: key, Value: value})
	}
	add := func(name string, shape ...int) {
		size := 1
		for _, n := range shape {
			size *= n
		}
		x := safetensors.Tensor{Name: name + ".weight", Shape: shape, Data: make([]float32, size)}
		for i := range x.Data {
			x.Data[i] = float32(i%7) / 10
		}
		tensors = append(tensors, x)
	}
	add("token_embd", 40, 8)
	add("output_norm", 8)
	for _, name := range []string{"attn_q", "attn_k", "attn_v", "attn_output"} {
		add("blk.0."+name, 8, 8)
	}
	add("blk.0.attn_norm", 8)
	add("blk.0.ffn_norm", 8)
	add("blk.0.ffn_gate", 16, 8)
	add("blk.0.ffn_up", 16, 8)
	add("blk.0.ffn_down", 8, 16)
	return settings, tensors
}
