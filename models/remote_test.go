package models_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/models/tiny"
	"github.com/neuron2graph/neuron2graph/n2g"
	"github.com/neuron2graph/neuron2graph/n2g/n2gtest"
	"github.com/neuron2graph/neuron2graph/n2g/serve"
	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// served is a server that keeps a model warm.
func served(t *testing.T, m *models.Causal, change func(*serve.Options)) string {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "run.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	o := serve.Options{Model: m, Layers: m.Config().Layers, Neurons: m.Config().DMLP, Files: m.Files(), Shape: m.Config(),
		Store: s}
	if change != nil {
		change(&o)
	}
	server, err := serve.New(o)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(server)
	t.Cleanup(h.Close)
	return h.URL
}

// A model over HTTP keeps the contract, and answers as the model itself.
func TestRemote(t *testing.T) {
	m, err := models.Open(golden("solu"), models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	far, err := models.Open(served(t, m, nil), models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	if far.Name() != m.Name() || far.Config() != m.Config() || far.BOS() != m.BOS() || far.MaskID() != m.MaskID() ||
		far.DefaultHook() != m.DefaultHook() {
		t.Errorf("%s %+v, want %s %+v", far.Name(), far.Config(), m.Name(), m.Config())
	}
	n2gtest.TestLanguageModel(t, far, n2g.Site{Layer: 1, Index: 17}, texts...)
	var prompts [][]int
	for _, text := range texts {
		ids, err := n2g.Prompt(m, text)
		if err != nil {
			t.Fatal(err)
		}
		prompts = append(prompts, ids)
	}
	want, err := m.LayerActivations(t.Context(), 2, "", prompts)
	if err != nil {
		t.Fatal(err)
	}
	got, err := far.LayerActivations(t.Context(), 2, "", prompts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		for k := range want[i] {
			for n, v := range want[i][k] {
				if got[i][k][n] != v {
					t.Fatalf("prompt %d position %d neuron %d: %v, want %v", i, k, n, got[i][k][n], v)
				}
			}
		}
	}
	for what, err := range map[string]error{
		"scan":    far.Scan(t.Context(), []int{0}, "", prompts, func(int, int, []float32) {}),
		"cache":   func() error { _, err := far.RunWithCache(t.Context(), prompts[0]); return err }(),
		"weights": func() error { _, err := far.NeuronWeights(0); return err }(),
	} {
		if err == nil || !strings.Contains(err.Error(), "server") {
			t.Errorf("%s over HTTP: %v", what, err)
		}
	}
}

// TestRemoteSmolLM2: a GGUF model over HTTP tokenizes and answers as the model itself.
func TestRemoteSmolLM2(t *testing.T) {
	m, err := models.Open(smolLM2(t), models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	far, err := models.Open(served(t, m, nil), models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	var prompts [][]int
	for _, text := range append(texts, "3 million naïve ﬁgures, 漢字 and 😀<|im_start|>user") {
		want, err := n2g.Prompt(m, text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := n2g.Prompt(far, text)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: ids %v, want %v (%v)", text, got, want, err)
		}
		if a, b := far.Decode(want), m.Decode(want); a != b {
			t.Errorf("decoded %q, want %q", a, b)
		}
		prompts = append(prompts, want)
	}
	want, err := m.Activations(t.Context(), 3, "", 17, prompts, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := far.Activations(t.Context(), 3, "", 17, prompts, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if !slices.Equal(got[i], want[i]) {
			t.Errorf("prompt %d: %v, want %v", i, got[i], want[i])
		}
	}
}

// The environment names a server for the model that it serves, and for no other.
func TestServerVar(t *testing.T) {
	m, err := models.Open(tiny.Name, models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	t.Setenv(models.ServerVar, served(t, m, nil))
	far, err := models.Open(tiny.Name, models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	if got := far.Backend().Name; got != "server" {
		t.Errorf("tiny runs on %s", got)
	}
	near, err := models.Open(golden("solu"), models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	if got := near.Backend().Name; got != "go" {
		t.Errorf("a folder's model runs on %s", got)
	}
	t.Setenv(models.ServerVar, "http://127.0.0.1:1")
	alone, err := models.Open(tiny.Name, models.Options{Backend: "go"})
	if err != nil || alone.Backend().Name != "go" {
		t.Errorf("without its server: %v", err)
	}
}

func TestRemoteRefusals(t *testing.T) {
	for _, address := range []string{"http://", "http://127.0.0.1:1", "https://127.0.0.1:1/n2g"} {
		if m, err := models.Open(address, models.Options{}); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, %v", address, m, err)
		}
	}
	m, err := models.Open(tiny.Name, models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	guarded := served(t, m, func(o *serve.Options) { o.Token = "secret" })
	if _, err := models.Open(guarded, models.Options{}); err == nil || !strings.Contains(err.Error(), "token") {
		t.Errorf("without the token: %v", err)
	}
	if _, err := models.Open(guarded+"/?token=secret", models.Options{}); err != nil {
		t.Errorf("with the token: %v", err)
	}
	tries := 0
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tries++
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer busy.Close()
	done := make(chan error, 1)
	go func() {
		_, err := models.Open(busy.URL, models.Options{})
		done <- err
	}()
	select {
	case err := <-done:
		if err == nil || tries < 2 {
			t.Errorf("a busy server was asked %d times: %v", tries, err)
		}
	case <-time.After(time.Minute):
		t.Error("a busy server is waited for without end")
	}
	far, err := models.Open(served(t, m, nil), models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := far.Activations(ctx, 0, "", 0, [][]int{{0, 5}}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
