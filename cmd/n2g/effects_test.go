package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g/index"

	"github.com/neuron2graph/neuron2graph/internal/testfile"
)

// TestEffectsOfSmolLM2 compares with direct logit attribution and ablation by PyTorch on the same weights.
func TestEffectsOfSmolLM2(t *testing.T) {
	found, err := filepath.Glob("../../.cache/models/smollm2/*.gguf")
	if err != nil || len(found) != 1 {
		t.Skip("SmolLM2 is not here: `make smollm2` fetches it (93 MB)")
	}
	var ref struct {
		Inputs []struct {
			IDs json.RawMessage `json:"ids"`
		} `json:"inputs"`
		Attribution []struct {
			Layer, Neuron        int
			Promoted, Suppressed [][2]float64
		} `json:"logit_attribution"`
		Ablation []struct {
			Layer, Neuron, Input int
			Before               float64   `json:"loss_before"`
			After                float64   `json:"loss_after"`
			KL                   []float64 `json:"kl_per_position"`
		}
	}
	testfile.JSON(t, "../../testdata/golden/smollm2/ref.json", &ref)
	ask := func(into any, args ...string) {
		t.Helper()
		status, stdout, stderr := call(t, "", append([]string{args[0], "-model", found[0], "-json"}, args[1:]...)...)
		if status != 0 {
			t.Fatal(stderr)
		}
		if err := json.Unmarshal([]byte(stdout), into); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range ref.Attribution[:2] {
		var got effectsOutput
		ask(&got, "effects", "-layer", number(want.Layer), "-neuron", number(want.Neuron), "-connected=false")
		for i, w := range want.Promoted {
			if g := got.Promoted[i]; g.ID != int(w[0]) || math.Abs(g.Value-w[1]) > 1e-3 {
				t.Errorf("%d/%d promotes %v, want %v", want.Layer, want.Neuron, g, w)
			}
		}
		for i, w := range want.Suppressed {
			if g := got.Suppressed[i]; g.ID != int(w[0]) || math.Abs(g.Value-w[1]) > 1e-3 {
				t.Errorf("%d/%d suppresses %v, want %v", want.Layer, want.Neuron, g, w)
			}
		}
	}
	for _, want := range ref.Ablation[2:4] {
		var got ablateOutput
		ask(&got, "ablate", "-layer", number(want.Layer), "-neuron", number(want.Neuron), "-ids",
			string(ref.Inputs[want.Input].IDs))
		if math.Abs(got.LossBefore-want.Before) > 1e-4*want.Before || math.Abs(got.LossAfter-want.After) > 1e-4*want.After {
			t.Errorf("%d/%d: loss %g and %g, want %g and %g", want.Layer, want.Neuron, got.LossBefore, got.LossAfter,
				want.Before, want.After)
		}
		for p, kl := range want.KL {
			if math.Abs(got.KL[p]-kl) > 2e-5+1e-2*kl {
				t.Errorf("%d/%d: KL %g at %d, want %g", want.Layer, want.Neuron, got.KL[p], p, kl)
			}
		}
	}
}

func number(n int) string { b, _ := json.Marshal(n); return string(b) }

func TestEffectsCommands(t *testing.T) {
	status, stdout, stderr := call(t, "", "effects", "-layer", "all", "-neuron", "7", "-k", "3", "-json")
	if status != 0 || strings.Count(stdout, "\n") != 3 {
		t.Fatalf("%d %q %q", status, stdout, stderr)
	}
	var one effectsOutput
	if err := json.Unmarshal([]byte(strings.SplitN(stdout, "\n", 2)[0]), &one); err != nil || len(one.Promoted) != 3 ||
		one.Connected != nil {
		t.Errorf("%+v %v", one, err)
	}
	status, stdout, stderr = call(t, "", "effects", "-layer", "1", "-neuron", "254")
	if status != 0 || !strings.Contains(stdout, "PROMOTED") || !strings.Contains(stdout, "read by later neurons: 2/") {
		t.Errorf("%d %q %q", status, stdout, stderr)
	}
	// An edit that changes nothing changes nothing.
	status, stdout, _ = call(t, "", "ablate", "-layer", "1", "-neuron", "254", "-text", "if err != nil {", "-scale", "1",
		"-json")
	var none ablateOutput
	if err := json.Unmarshal([]byte(stdout), &none); status != 0 || err != nil || none.LossBefore != none.LossAfter ||
		none.LossBefore == 0 {
		t.Errorf("%d %q", status, stdout)
	}
	for p, kl := range none.KL {
		if math.Abs(kl) > 1e-9 {
			t.Errorf("KL %g at %d", kl, p)
		}
	}
	// One that comes at a position changes nothing before it.
	status, stdout, _ = call(t, "", "ablate", "-layer", "1", "-neuron", "254", "-text", "if err != nil {", "-add", "50",
		"-positions", "3", "-json")
	var late ablateOutput
	if err := json.Unmarshal([]byte(stdout), &late); status != 0 || err != nil || late.KL[2] != 0 || late.KL[3] < 1e-4 {
		t.Errorf("%d %q", status, stdout)
	}
	page := filepath.Join(t.TempDir(), "ablated.html")
	if status, _, stderr := call(t, "", "ablate", "-layer", "1", "-neuron", "254", "-text", "if err != nil {", "-html",
		page); status != 0 {
		t.Error(stderr)
	}
	if data, err := os.ReadFile(page); err != nil || !strings.Contains(string(data), "KL after") {
		t.Error(err)
	}
	steer := func(args ...string) (out steerOutput) {
		t.Helper()
		status, stdout, stderr := call(t, "",
			append([]string{"steer", "-layer", "1", "-neuron", "254", "-text", "func main() {", "-tokens", "6", "-json"},
				args...)...)
		if status != 0 {
			t.Fatal(stderr)
		}
		if err := json.Unmarshal([]byte(stdout), &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	same := steer("-scale", "1", "-temperature", "1", "-seed", "4")
	if same.TextBefore != same.TextAfter || len(same.Before) != 6 {
		t.Errorf("%+v", same)
	}
	if again := steer("-scale", "1", "-temperature", "1", "-seed", "4"); again.TextAfter != same.TextAfter {
		t.Errorf("the same seed drew %q and %q", same.TextAfter, again.TextAfter)
	}
	if moved := steer("-add", "500"); moved.TextAfter == moved.TextBefore {
		t.Errorf("%+v", moved)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"effects", "-layer", "3", "-neuron", "1"}, "0 to 2"},
		{[]string{"effects", "-layer", "1", "-neuron", "512"}, "0 to 511"},
		{[]string{"effects", "-layer", "1", "-neuron", "1", "-k", "0"}, "-k is 0"},
		{[]string{"ablate", "-layer", "1", "-neuron", "1"}, "give either a text"},
		{[]string{"ablate", "-text", "x"}, "name a neuron"},
		{[]string{"ablate", "-layer", "1", "-neuron", "1", "-text", "x", "-positions", "9"}, "0 to 1"},
		{[]string{"ablate", "-layer", "1", "-neuron", "1", "-text", "x", "-set", "1", "-add", "1"}, "one of -set"},
		{[]string{"ablate", "-layer", "1", "-neuron", "1", "-text", "x", "-set", "NaN"}, "NaN"},
		{[]string{"ablate", "-layer", "1", "-neuron", "999", "-text", "x"}, "999"},
		{[]string{"steer", "-layer", "1", "-neuron", "1", "-text", "x"}, "how the neuron is steered"},
		{[]string{"steer", "-layer", "1", "-neuron", "1", "-text", "x", "-add", "1", "-tokens", "1000"},
			"longer than the context"},
		{[]string{"steer", "-layer", "1", "-neuron", "1", "-text", "x", "-add", "1", "-temperature", "-1"}, "-temperature"},
	} {
		status, stdout, stderr := call(t, "", test.args...)
		if status != 1 || stdout != "" || !strings.Contains(stderr, test.want) {
			t.Errorf("%v: %d %q %q, want %q", test.args, status, stdout, stderr, test.want)
		}
	}
}

// TestEffectsWithoutUnembedding: a base checkpoint's neurons have connections, and a sentence in place of tokens.
func TestEffectsWithoutUnembedding(t *testing.T) {
	folder := t.TempDir()
	golden := "../../testdata/golden/models/pythia"
	files, err := os.ReadDir(golden)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(golden, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		data = bytes.ReplaceAll(data, []byte(`"embed_out.weight"`), []byte(`"other_out.weight"`))
		if err := os.WriteFile(filepath.Join(folder, f.Name()), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	status, stdout, stderr := call(t, "", "effects", "-model", folder, "-layer", "0", "-neuron", "3", "-json")
	var one effectsOutput
	if err := json.Unmarshal([]byte(stdout), &one); err != nil || status != 0 {
		t.Fatalf("%d %q %q", status, stdout, stderr)
	}
	if one.Connected == nil || len(one.Connected.Down) == 0 || len(one.Promoted) != 0 ||
		!strings.Contains(stderr, "no unembedding") {
		t.Errorf("%+v %q", one, stderr)
	}
	for _, args := range [][]string{{"effects", "-layer", "0", "-neuron", "all"},
		{"effects", "-layer", "0", "-neuron", "3", "-store", filepath.Join(folder, "x.db")},
		{"ablate", "-layer", "0", "-neuron", "3", "-ids", "[0,5]"},
		{"steer", "-layer", "0", "-neuron", "3", "-add", "1", "-text", "x"}} {
		status, stdout, stderr := call(t, "", append(args, "-model", folder)...)
		if status != 1 || stdout != "" || !strings.Contains(stderr, "no unembedding") {
			t.Errorf("%v: %d %q %q", args, status, stdout, stderr)
		}
	}
}

// TestFireTogether: neurons that fire where one does, by the embedded index.
func TestFireTogether(t *testing.T) {
	x, err := index.Read(tiny.Index())
	if err != nil {
		t.Fatal(err)
	}
	number, most := 0, 0
	for n := range x.Meta().Neurons() {
		stats, err := x.Stats(n)
		if err != nil {
			t.Fatal(err)
		}
		if stats.Firing > most && stats.Firing <= 512 {
			number, most = n, stats.Firing
		}
	}
	neuron := x.Meta().Neuron(number)
	_, stdout, stderr := call(t, "", "effects", "-layer", fmt.Sprint(neuron.Layer), "-neuron", fmt.Sprint(neuron.Index),
		"-k", "3", "-json")
	var one effectsOutput
	if err := json.Unmarshal([]byte(stdout), &one); err != nil || len(one.Together) == 0 {
		t.Fatalf("%+v %q", one, stderr)
	}
	// Counted plainly: the share of its firing positions at which the other fires.
	fires := func(number int) map[int]bool {
		n := x.Meta().Neuron(number)
		at, err := firingAt(x, n.Layer, n.Hook, n.Index)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	own := fires(number)
	promoted := map[int]bool{}
	for _, p := range one.Promoted {
		promoted[p.ID] = true
	}
	places, before := 0, 0
	for p := range own {
		window, err := x.WindowAt(p)
		if err != nil {
			t.Fatal(err)
		}
		if w, err := x.Window(window); err != nil || p+1 >= w.End {
			continue
		}
		next, err := x.IDs(p+1, p+2)
		if err != nil {
			t.Fatal(err)
		}
		if places++; promoted[next[0]] {
			before++
		}
	}
	if f := one.Followed; f == nil || f.Places != places || math.Abs(f.Promoted-float64(before)/float64(places)) > 1e-9 {
		t.Errorf("%+v, want %d of %d places before a promoted token", f, before, places)
	}
	for _, o := range one.Together {
		other, err := x.Meta().Number(o.Layer, "", o.Neuron)
		if err != nil {
			t.Fatal(err)
		}
		both := 0
		for p := range fires(other) {
			if own[p] {
				both++
			}
		}
		if want := float64(both) / float64(len(own)); math.Abs(o.Share-want) > 1e-9 || o.Share <= o.Chance {
			t.Errorf("%+v, want a share of %g", o, want)
		}
	}
}
