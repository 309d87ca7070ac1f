package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// replaced is a copy of a model's folder with other content of a file.
func replaced(t *testing.T, model, file string, content []byte) string {
	t.Helper()
	folder := without(t, model, file)
	if err := os.WriteFile(filepath.Join(folder, file), content, 0o644); err != nil {
		t.Fatal(err)
	}
	return folder
}

// tensorFile is a safetensors file of such a header and so many bytes of data.
func tensorFile(header string, data int) []byte {
	file := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(file, header...), make([]byte, data)...)
}

// TestBadModels: what is wrong with a model's files is said in one sentence that names the model.
func TestBadModels(t *testing.T) {
	weights, err := os.ReadFile(solu + "/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	tokenizer, err := os.ReadFile(bert + "/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	unmasked := bytes.ReplaceAll(tokenizer, []byte("[MASK]"), []byte("[HIDE]"))
	config, err := os.ReadFile(bert + "/tokenizer_config.json")
	if err != nil {
		t.Fatal(err)
	}
	maskless := replaced(t, bert, "tokenizer.json", unmasked)
	if err := os.WriteFile(filepath.Join(maskless, "tokenizer_config.json"),
		bytes.ReplaceAll(config, []byte("mask_token"), []byte("other_token")), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, model, masked string
		want                []string
	}{
		{"unknown family", replaced(t, solu, "config.json", []byte(`{"model_type":"rwkv"}`)), "none",
			[]string{"rwkv", "gpt_neox"}},
		{"broken configuration", replaced(t, solu, "config.json", []byte(`{`)), "none", []string{"config.json"}},
		{"no weights", without(t, solu, "model.safetensors"), "none", []string{"no weights", "model.safetensors"}},
		{"truncated weights", replaced(t, solu, "model.safetensors", weights[:100_000]), "none",
			[]string{"model.safetensors", "cut short"}},
		{"empty weights", replaced(t, solu, "model.safetensors", nil), "none", []string{"model.safetensors", "0 bytes"}},
		{"header of 8 EiB", replaced(t, solu, "model.safetensors", append(bytes.Repeat([]byte{0xff}, 7), 0x7f, '{')), "none",
			[]string{"header claims"}},
		{"overlapping tensors", replaced(t, solu, "model.safetensors",
			tensorFile(
				`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`,
				12)), "none", []string{"model.safetensors", `"b"`}},
		{"offsets out of range", replaced(t, solu, "model.safetensors",
			tensorFile(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[9223372036854775800,9223372036854775808]}}`, 8)), "none",
			[]string{"model.safetensors"}},
		{"weights of another model", replaced(t, solu, "model.safetensors",
			tensorFile(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8)), "none", []string{"embed"}},
		{"masked model without a mask token", solu, maskless, []string{"no mask token"}},
		{"masked model for the causal one", bert, "none", []string{"bert"}},
		{"causal model for the masked one", solu, solu, []string{"masked"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, stdout, stderr := call(t, "func main", "explain", "-model", test.model, "-masked", test.masked, "-layer",
				"1", "-neuron", "3", "-file", "-")
			if status != 1 || stdout != "" {
				t.Fatalf("%d %q %q", status, stdout, stderr)
			}
			contains(t, "stderr", stderr, append([]string{"n2g: "}, test.want...))
			if lines := strings.Count(stderr, "\n"); lines > 2 || strings.Contains(stderr, "goroutine") {
				t.Errorf("the complaint is not one sentence: %q", stderr)
			}
		})
	}
}

// TestOutputsKept: an output that cannot be written costs none of the others, and what is known to fail is said before
// the work.
func TestOutputsKept(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full to fail writing to")
	}
	folder := t.TempDir()
	page := filepath.Join(folder, "page.html")
	args := []string{"explain", "-model", solu, "-masked", "none", "-layer", "1", "-neuron", "115", "-file", "-"}
	status, _, stderr := call(t, "func main() {}", append(args, "-json", "/dev/full", "-html", page)...)
	if status != 1 || strings.Count(stderr, "/dev/full") != 2 {
		t.Errorf("%d %q", status, stderr)
	}
	if content, err := os.ReadFile(page); err != nil || !bytes.Contains(content, []byte("neuron 115")) {
		t.Errorf("the page is lost: %v", err)
	}
	if status, _, stderr = call(t, "func main() {}", append(args, "-json", "/proc/x.json")...); status != 1 ||
		!strings.Contains(stderr, "/proc/x.json cannot be written") || strings.Contains(stderr, "backend") {
		t.Errorf("where nothing can be written: %d %q", status, stderr)
	}
	if entries, _ := os.ReadDir(folder); len(entries) != 1 {
		t.Errorf("files left: %v", entries)
	}
}

// TestExplainInterrupted: Ctrl-C in the middle leaves old outputs alone.
func TestExplainInterrupted(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	out := file(t, "old")
	n := readNeuron(t, "2_117")
	var stdout, stderr bytes.Buffer
	status := run(ctx, []string{"explain", "-model", solu, "-masked", "none", "-examples", "-", "-json", out},
		strings.NewReader(n.examples(t)), &stdout, &stderr)
	if content, _ := os.ReadFile(out); status != statusInterrupted || string(content) != "old" ||
		!strings.HasSuffix(stderr.String(), "n2g: interrupted\n") {
		t.Errorf("%d %q, file %q", status, &stderr, content)
	}
}
