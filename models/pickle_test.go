package models_test

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/safetensors"
	"github.com/neuron2graph/neuron2graph/models"
)

// writePickle writes tensors as torch.save writes a state dict: a zip archive of a pickle and a file a tensor.
func writePickle(t testing.TB, path string, tensors []safetensors.Tensor) {
	t.Helper()
	le32 := func(n int) string { return string(binary.LittleEndian.AppendUint32(nil, uint32(n))) }
	text := func(s string) string { return "X" + le32(len(s)) + s }
	tuple := func(list []int) string {
		s := "("
		for _, n := range list {
			s += "J" + le32(n)
		}
		return s + "t"
	}
	const empty = "ccollections\nOrderedDict\n)R"
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	archive := zip.NewWriter(f)
	add := func(name string, write func(w func(any) error) error) {
		entry, err := archive.CreateHeader(&zip.FileHeader{Name: "model/" + name}) // stored, not compressed
		if err == nil {
			err = write(func(data any) error { return binary.Write(entry, binary.LittleEndian, data) })
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	pickle := "\x80\x02" + empty + "("
	for i, tensor := range tensors {
		key, strides, elements := fmt.Sprint(i), make([]int, len(tensor.Shape)), 1
		for k := len(strides) - 1; k >= 0; k-- {
			strides[k] = elements
			elements *= tensor.Shape[k]
		}
		storage := "(" + text("storage") + "ctorch\nFloatStorage\n" + text(key) + text("cpu") + "J" + le32(elements) + "tQ"
		pickle += text(tensor.Name) + "ctorch._utils\n_rebuild_tensor_v2\n(" + storage + "J" + le32(0) +
			tuple(tensor.Shape) + tuple(strides) + "\x89" + empty + "tR"
		add("data/"+key, func(w func(any) error) error { return w(tensor.Data) })
	}
	add("data.pkl", func(w func(any) error) error { return w([]byte(pickle + "u.")) })
	if err := errors.Join(archive.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// The old SoLU models as the hub holds them: a configuration that names neither format nor family, transposed weights
// under other names in a .pth beside earlier ones, and the tokenizer in another repository.
func TestOldSoLUByName(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("HF_HUB_CACHE", cache)
	cacheModel(t, cache, "NeelNanda/SoLU_4L_v11_old", "solu")
	cacheModel(t, cache, "EleutherAI/gpt-neox-20b", "solu", "tokenizer.json", "tokenizer_config.json")
	snapshots, err := filepath.Glob(filepath.Join(cache, "models--NeelNanda--SoLU_4L_v11_old", "snapshots", "*"))
	if err != nil || len(snapshots) != 1 {
		t.Fatal(snapshots, err)
	}
	tensors := readTensors(t, "solu")
	for i := range tensors {
		tensors[i] = older(tensors[i])
	}
	c := openGolden(t, "solu").Config()
	config := fmt.Sprintf(
		`{"n_layers": %d, "d_model": %d, "d_mlp": %d, "d_head": %d, "n_heads": %d, "n_ctx": %d, "d_vocab": %d,
		"act_fn": "solu_ln", "attn_only": false, "normalization": "LN", "tokenizer_name": "EleutherAI/gpt-neox-20b"}`,
		c.Layers, c.DModel, c.DMLP, c.DHead, c.Heads, c.Positions, c.DVocab)
	for name, data := range map[string]string{"config.json": config, "SoLU_4L_v11_000.pth": "an earlier checkpoint"} {
		if err := os.WriteFile(filepath.Join(snapshots[0], name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	writePickle(t, filepath.Join(snapshots[0], "SoLU_4L_v11_final.pth"), tensors)

	m, err := models.Open("solu-4l-old", models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if m.DefaultHook() != "hook_mid" || !strings.Contains(m.Decode([]int{m.BOS()}), "endoftext") {
		t.Errorf("read at %s, BOS %q", m.DefaultHook(), m.Decode([]int{m.BOS()}))
	}
	reference := readReference(t, "solu")
	in := reference.Inputs[0]
	got, err := m.LayerActivations(t.Context(), 1, "hook_mid", [][]int{in.IDs})
	if err != nil {
		t.Fatal(err)
	}
	want, shape := reference.tensor(t, in.Prefix+"blocks.1.mlp.hook_mid")
	compareRows(t, "hook_mid of layer 1", got[0], want, shape)
}
