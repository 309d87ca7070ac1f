package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// serveModels speaks the hub's routes for folders of golden models, by repository, and makes it the hub of the program,
// with an empty cache. What it returns gives all repositories a new commit.
func serveModels(t *testing.T, repos map[string]string) (move func()) {
	t.Helper()
	commit := "0123456789abcdef0123456789abcdef01234567"
	move = func() { commit = "f" + commit[1:] }
	read := func(w http.ResponseWriter, repo, name string) []byte {
		data, err := os.ReadFile(filepath.Join(repos[repo], filepath.Base(name)))
		if err != nil || repos[repo] == "" {
			w.WriteHeader(http.StatusNotFound)
			return nil
		}
		return data
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest, ok := strings.CutPrefix(r.URL.Path, "/api/models/"); ok {
			repo, _, _ := strings.Cut(rest, "/revision/")
			var files []map[string]any
			for _, name := range []string{"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} {
				data := read(w, repo, name)
				if data == nil {
					return
				}
				sum := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(data)), data...))
				files = append(files, map[string]any{"rfilename": name, "size": len(data), "blobId": hex.EncodeToString(sum[:])})
			}
			if err := json.NewEncoder(w).Encode(map[string]any{"sha": commit, "siblings": files}); err != nil {
				t.Error(err)
			}
			return
		}
		repo, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/resolve/"+commit+"/")
		if data := read(w, repo, name); data != nil {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
		}
	}))
	t.Cleanup(server.Close)
	for name, value := range map[string]string{"HF_ENDPOINT": server.URL, "HF_HOME": t.TempDir(), "HF_HUB_CACHE": "",
		"HUGGINGFACE_HUB_CACHE": "", "HF_HUB_OFFLINE": "", "TRANSFORMERS_OFFLINE": "", "N2G_MODELS": t.TempDir()} {
		t.Setenv(name, value)
	}
	return move
}

// A model is listed, downloaded when asked, and then opens by its name.
func TestModelsGet(t *testing.T) {
	move := serveModels(t, map[string]string{"openai-community/gpt2": golden + "models/gpt2",
		"google-bert/bert-base-uncased": bert})
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
	run := []string{"activations", "-model", "gpt2-small", "-layer", "0", "-neuron", "1", "-ids", "[0,5]", "-backend",
		"go"}
	ask(1, nil, []string{"gpt2-small is not on this machine", "n2g models get gpt2-small"}, run...)
	ask(0, []string{"NAME", "gpt2-small", "gpt2", "12", "hook_post", "-"}, nil, "models")
	if out := ask(0, nil, nil, "models", "-here", "-json"); out != "" {
		t.Errorf("nothing is here, but listed is %q", out)
	}
	ask(0, []string{"gpt2:", "MB in", "hub", "bert-base-uncased:", "part of the program"}, nil, "models", "get", "gpt2",
		"bert-base-uncased", "tiny")
	ask(0, []string{"here already"}, nil, "models", "get", "gpt2-small")
	ask(0, []string{"gpt2-small has not changed"}, nil, "models", "get", "-update", "gpt2-small")
	move()
	ask(0, []string{"gpt2-small has changed"}, nil, "models", "get", "-update", "gpt2-small")
	ask(0, []string{"POSITION"}, nil, run...)
	ask(0, []string{"PROBABILITY"}, nil, "fill", "-masked", "bert-base-uncased", "-text", "if err != [MASK]", "-n", "1",
		"-backend", "go")
	var entry modelEntry
	line, _, _ := strings.Cut(ask(0, nil, nil, "models", "-here", "-json"), "\n")
	if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Name != "gpt2-small" ||
		entry.Hook != "hook_post" || entry.Bytes < 1000 {
		t.Errorf("%+v, error %v", entry, err)
	}
	ask(0, []string{"openai-community/gpt2", "google-bert/bert-base-uncased"}, nil, "models", "-here", "-all")

	ask(1, nil, []string{"models get -h"}, "models", "get")
	ask(1, nil, []string{"no repository org/absent"}, "models", "get", "org/absent")
	ask(1, nil, []string{"did you mean gpt2-small"}, "models", "get", "gpt2-smal")
	ask(1, nil, []string{"attention-only"}, "models", "get", "attn-only-2l")
	ask(1, nil, []string{`"models got"`}, "models", "got")
	t.Setenv("HF_HUB_OFFLINE", "1")
	ask(1, nil, []string{"HF_HUB_OFFLINE"}, "models", "get", "pythia-70m")
	ask(0, []string{"here already"}, nil, "models", "get", "gpt2-small")
	ask(1, nil, []string{"HF_HUB_OFFLINE"}, "models", "get", "-update", "gpt2-small")
	ask(1, nil, []string{"pythia-70m is not on this machine", "n2g models get pythia-70m"}, "activations", "-model",
		"pythia-70m", "-layer", "0", "-neuron", "1", "-ids", "[0,5]", "-backend", "go")
	ask(0, []string{"POSITION"}, nil, run...)
}

func TestByteCount(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 548_105_171: "548 MB",
		12_345_678: "12.3 MB", 2_500_000_000: "2.5 GB"} {
		if got := byteCount(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}
