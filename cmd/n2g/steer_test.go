package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/serve"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// TestSteer: what the workbench says of a neuron's effects and of what it promotes is what the model and its weights
// say: probabilities by a softmax of all logits, weights by a sort of all of them.
func TestSteer(t *testing.T) {
	model, err := models.Open(tiny.Name, models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	s, err := store.Open(filepath.Join(t.TempDir(), "run.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	server, err := serve.New(serve.Options{Store: s, Model: &steerable{Causal: model}, Layers: model.Config().Layers,
		Neurons: model.Config().DMLP})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	ask := func(method, path, body string, into any) {
		t.Helper()
		w := httptest.NewRecorder()
		server.ServeHTTP(w, httptest.NewRequest(method, "http://localhost/api/v1"+path, strings.NewReader(body)))
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s %v", path, w.Code, w.Body, err)
		}
	}

	const layer, neuron, text = 1, 254, "if err != nil {\n\treturn nil,"
	ids, err := n2g.Prompt(model, text)
	if err != nil {
		t.Fatal(err)
	}
	likely := func(edits ...models.Edit) (list []serve.Likely) {
		t.Helper()
		logits, err := model.Logits(t.Context(), ids, edits...)
		if err != nil {
			t.Fatal(err)
		}
		sum, last := 0.0, logits[len(logits)-1]
		for _, l := range last {
			sum += math.Exp(float64(l))
		}
		for id, l := range last {
			list = append(list, serve.Likely{Token: model.TokenString(id), Probability: math.Exp(float64(l)) / sum})
		}
		slices.SortStableFunc(list, func(a, b serve.Likely) int { return cmp.Compare(b.Probability, a.Probability) })
		return list
	}
	same := func(what string, got, all []serve.Likely) {
		t.Helper()
		if len(got) != 12 {
			t.Fatalf("%s: %d tokens", what, len(got))
		}
		for i, g := range got {
			if math.Abs(g.Probability-all[i].Probability) > 1e-6 || g.Token != all[i].Token {
				t.Errorf("%s, token %d: %+v, want %+v", what, i, g, all[i])
			}
		}
	}
	before := likely()
	for _, value := range []float64{0, 2.5} {
		var effects serve.Effects
		body := fmt.Sprintf(`{"layer":%d,"neuron":%d,"text":%q,"value":%g}`, layer, neuron, text, value)
		if value == 0 { // which is what none means
			body = fmt.Sprintf(`{"layer":%d,"neuron":%d,"text":%q}`, layer, neuron, text)
		}
		ask("POST", "/effects", body, &effects)
		after := likely(models.Edit{Layer: layer, Hook: model.DefaultHook(), Index: neuron, Op: models.Set, Value: value})
		same("as it is", effects.Before, before)
		same(fmt.Sprintf("set to %g", value), effects.After, after)
		if value > 0 && math.Abs(after[0].Probability-before[0].Probability) < 1e-4 {
			t.Error("the neuron does nothing here: choose another")
		}
	}

	var promoted serve.Promoted
	ask("GET", fmt.Sprintf("/neurons/%d/%d/promoted", layer, neuron), "", &promoted)
	weights, err := model.NeuronWeights(layer)
	if err != nil {
		t.Fatal(err)
	}
	var all []serve.Weighted
	err = model.ProjectToLogits(t.Context(), weights.Out[neuron:neuron+1], func(_ int, logits []float32) {
		for id, l := range logits[:model.Tokenizer().VocabSize()] {
			all = append(all, serve.Weighted{Token: model.TokenString(id), Weight: float64(l)})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(all, func(a, b serve.Weighted) int { return cmp.Compare(b.Weight, a.Weight) })
	if !slices.Equal(promoted.Up, all[:12]) {
		t.Errorf("promoted: %v, want %v", promoted.Up, all[:12])
	}
	slices.Reverse(all)
	if !slices.Equal(promoted.Down, all[:12]) {
		t.Errorf("suppressed: %v, want %v", promoted.Down, all[:12])
	}
}

// TestServeRefuses: a workbench that cannot be opened says why in one sentence.
func TestServeRefuses(t *testing.T) {
	dir := t.TempDir()
	stores := map[string]string{}
	for _, hook := range []string{"hook_mid", "hook_resid_post[sae]"} {
		stores[hook] = filepath.Join(dir, fmt.Sprintf("%d.db", len(stores)))
		s, err := store.Open(stores[hook], store.Options{})
		if err == nil {
			err = errors.Join(s.Begin(t.Context(), store.Identity{Model: tiny.Name, Hook: hook}), s.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for says, args := range map[string][]string{
		"no model at":     {"-store", stores["hook_mid"], "-model", filepath.Join(dir, "none")},
		"with -sae":       {"-store", stores["hook_resid_post[sae]"]},
		"say where the n": {"-model", "smollm2"},
		"no such file":    {"-store", stores["hook_mid"], "-index", filepath.Join(dir, "none.n2g")},
	} {
		for _, command := range []string{"serve", "site"} {
			status, stdout, message := call(t, "", append([]string{command}, args...)...)
			lines := strings.Split(strings.TrimSpace(message), "\n")
			if last := lines[len(lines)-1]; status != 1 || stdout != "" || !strings.HasPrefix(last, "n2g: ") ||
				len(lines) > 2 {
				t.Errorf("%s %v: %d %s %s, want a sentence about %q", command, args, status, stdout, message, says)
			} else if command == "serve" && !strings.Contains(last, says) {
				t.Errorf("%s %v: %s, want %q", command, args, last, says)
			}
		}
	}
}
