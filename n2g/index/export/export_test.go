package export_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/neuron2graph/neuron2graph/n2g/index"
	"github.com/neuron2graph/neuron2graph/n2g/index/export"
)

// letters spells ids as letters, 0 being BOS.
type letters struct{}

func (letters) TokenString(id int) string { return string(rune('a' + id - 1)) }

func (l letters) Decode(ids []int) string {
	text := ""
	for _, id := range ids {
		text += l.TokenString(id)
	}
	return text
}

// small is an index of two neurons: the first's activation is 2 on each b behind an a, the second's is nowhere above 0.
func small(t *testing.T) *index.Index {
	t.Helper()
	b := index.NewCorpusBuilder(index.Corpus{Name: "letters", Model: "by-hand", Vocabulary: 27, Window: 8},
		index.Options{})
	texts := []string{"abcabd", "bbaab", "xyz<&>"}
	for d, text := range texts {
		if err := b.Begin(fmt.Sprintf("%d.txt", d)); err != nil {
			t.Fatal(err)
		}
		b.Hash(text)
		var ids []int
		for _, r := range text {
			ids = append(ids, max(1, min(26, int(r-'a'+1))))
		}
		window := index.WindowIDs{IDs: ids, Start: 0}
		if d == 2 {
			window.Text = text
		}
		if err := b.Window(window); err != nil {
			t.Fatal(err)
		}
	}
	text, err := b.Corpus()
	if err != nil {
		t.Fatal(err)
	}
	c, err := index.NewCollector(text, []index.Site{{Layer: 1, Hook: "hook_post", First: 5, Neurons: 2}},
		index.Options{SampleEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	for w := range text.Meta().Windows {
		window, _ := text.Window(w)
		ids, _ := text.IDs(window.First, window.End)
		values := make([]float32, 2*len(ids))
		for j, id := range ids {
			values[2*j+1] = -1
			if j > 0 && id == 2 && ids[j-1] == 1 {
				values[2*j] = 2 + float32(w)
			}
		}
		if err := c.Add(0, w, values); err != nil {
			t.Fatal(err)
		}
	}
	x, err := c.Index()
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestTables(t *testing.T) {
	x := small(t)
	wantWindows := []export.Window{
		{Window: 0, Document: "0.txt", Split: index.SplitOf(index.HashText("abcabd")).String(), Position: 0,
			IDs: []int32{1, 2, 3, 1, 2, 4}, Tokens: strings.Split("abcabd", ""), Text: "abcabd"},
		{Window: 1, Document: "1.txt", Split: index.SplitOf(index.HashText("bbaab")).String(), Position: 6,
			IDs: []int32{2, 2, 1, 1, 2}, Tokens: strings.Split("bbaab", ""), Text: "bbaab"},
		{Window: 2, Document: "2.txt", Split: index.SplitOf(index.HashText("xyz<&>")).String(), Position: 11,
			IDs: []int32{24, 25, 26, 1, 1, 1}, Tokens: strings.Split("xyzaaa", ""), Text: "xyz<&>"},
	}
	wantActivations := []export.Activation{
		{Layer: 1, Hook: "hook_post", Neuron: 5, Window: 0, Token: 1, ID: 2, Position: 1, Activation: 2},
		{Layer: 1, Hook: "hook_post", Neuron: 5, Window: 0, Token: 4, ID: 2, Position: 4, Activation: 2},
		{Layer: 1, Hook: "hook_post", Neuron: 5, Window: 1, Token: 4, ID: 2, Position: 10, Activation: 3},
	}
	var windows, activations bytes.Buffer
	if err := export.Parquet(t.Context(), x, letters{}, []int{0, 1}, &windows, &activations); err != nil {
		t.Fatal(err)
	}
	gotWindows, err := parquet.Read[export.Window](bytes.NewReader(windows.Bytes()), int64(windows.Len()))
	if diff := cmp.Diff(wantWindows, gotWindows); err != nil || diff != "" {
		t.Error(err, diff)
	}
	gotActivations, err := parquet.Read[export.Activation](bytes.NewReader(activations.Bytes()), int64(activations.Len()))
	if diff := cmp.Diff(wantActivations, gotActivations); err != nil || diff != "" {
		t.Error(err, diff)
	}
	windows.Reset()
	activations.Reset()
	if err := export.JSONLines(t.Context(), x, letters{}, []int{0, 1}, &windows, &activations); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantWindows, jsonLines[export.Window](t, windows.Bytes())); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(wantActivations, jsonLines[export.Activation](t, activations.Bytes())); diff != "" {
		t.Error(diff)
	}
}

func jsonLines[T any](t *testing.T, content []byte) (rows []T) {
	t.Helper()
	for line := range bytes.Lines(content) {
		var row T
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

// TestNeuronpedia: the folders hold what Neuronpedia's import reads, field by field.
func TestNeuronpedia(t *testing.T) {
	x, folder := small(t), t.TempDir()
	o := export.NeuronpediaOptions{Set: "mlp", Release: "tests", Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		PerBand: 1}
	if err := export.Neuronpedia(t.Context(), x, letters{}, []int{0, 1}, folder, o); err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(folder, "by-hand", "1-mlp")
	for name, fields := range map[string][]string{
		"release": {"name", "description", "creatorName", "creatorId", "visibility", "createdAt"},
		"model": {"id", "instruct", "creatorId", "displayName", "displayNameShort", "layers", "neuronsPerLayer",
			"createdAt", "updatedAt"},
		"sourceset": {"modelId", "name", "creatorId", "releaseName", "visibility", "createdAt"},
		"source":    {"id", "modelId", "setName", "creatorId", "dataset", "num_prompts", "num_tokens_in_prompt", "createdAt"},
	} {
		content, err := os.ReadFile(filepath.Join(source, name+".jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		rows := jsonLines[map[string]any](t, content)
		if len(rows) != 1 {
			t.Fatalf("%s has %d rows", name, len(rows))
		}
		for _, field := range fields {
			if _, ok := rows[0][field]; !ok {
				t.Errorf("%s lacks %s", name, field)
			}
		}
	}
	features := unzipped(t, filepath.Join(source, "features", "batch-0.jsonl.gz"))
	if len(features) != 2 || features[0]["index"] != "5" || features[0]["layer"] != "1-mlp" ||
		features[0]["maxActApprox"] != 3.0 || features[1]["maxActApprox"] != 0.0 {
		t.Errorf("features %v", features)
	}
	if share := features[0]["frac_nonzero"].(float64); share != 3.0/17 {
		t.Errorf("frac_nonzero %g", share)
	}
	activations := unzipped(t, filepath.Join(source, "activations", "batch-0.jsonl.gz"))
	first := activations[0]
	if diff := cmp.Diff([]any{0.0, 0.0, 0.0, 0.0, 3.0}, first["values"]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]any{"b", "b", "a", "a", "b"}, first["tokens"]); diff != "" {
		t.Error(diff)
	}
	for field, want := range map[string]any{"modelId": "by-hand", "layer": "1-mlp", "index": "5", "maxValue": 3.0,
		"minValue": 0.0, "maxValueTokenIndex": 4.0, "qualifyingTokenIndex": 4.0, "binMin": -1.0, "binMax": -1.0,
		"binContains": -1.0, "createdAt": "2026-01-02T03:04:05"} {
		if first[field] != want {
			t.Errorf("%s is %v, want %v", field, first[field], want)
		}
	}
	ids := map[any]bool{}
	banded := 0
	for _, a := range activations {
		if ids[a["id"]] || len(a["id"].(string)) != 25 {
			t.Errorf("the id %v", a["id"])
		}
		ids[a["id"]] = true
		if low := a["binMin"].(float64); low >= 0 {
			banded++
			if top := a["maxValue"].(float64); top <= low || top > a["binMax"].(float64) {
				t.Errorf("%g is outside of its bin", top)
			}
		}
	}
	if banded != 2 {
		t.Errorf("%d examples in bands", banded)
	}
	if left, _ := filepath.Glob(filepath.Join(source, "*", "*.tmp")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func unzipped(t *testing.T, path string) []map[string]any {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unpacked, err := gzip.NewReader(bufio.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var content bytes.Buffer
	if _, err := content.ReadFrom(unpacked); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(jsonLines[map[string]any](t, content.Bytes()))
}
