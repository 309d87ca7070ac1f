package backends_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/neuron2graph/neuron2graph/models/backends"
)

func Example() {
	backend, info, err := backends.Open("go")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(info.Name, backend.NumDevices())
	// Output: go 1
}

func TestOpenIsShared(t *testing.T) {
	var wg sync.WaitGroup
	first, _, err := backends.Open(backends.Go)
	if err != nil {
		t.Fatal(err)
	}
	for range 8 {
		wg.Go(func() {
			if b, _, err := backends.Open(backends.Go); err != nil || b != first {
				t.Errorf("a second Open gave another backend, error %v", err)
			}
		})
	}
	wg.Wait()
}

func TestEnvironment(t *testing.T) {
	t.Setenv(backends.EnvVar, "go")
	_, info, err := backends.Open("")
	if err != nil || info.Name != backends.Go {
		t.Fatalf("N2G_BACKEND=go opened %q, error %v", info.Name, err)
	}
	t.Setenv(backends.EnvVar, "abacus")
	if _, _, err = backends.Open(""); err == nil || !strings.Contains(err.Error(), "abacus") ||
		!strings.Contains(err.Error(), "xla:cuda") {
		t.Fatalf("an unknown backend gave error %v", err)
	}
}

func TestAutoIsAlwaysThere(t *testing.T) {
	t.Setenv(backends.EnvVar, "")
	_, info, err := backends.Open("")
	if err != nil || info.Name == backends.Auto || info.Name == "" {
		t.Fatalf("auto opened %q, error %v", info.Name, err)
	}
	if info.Why == "" || strings.Contains(info.Line(), "\n") {
		t.Errorf("one line should say why auto chose %s: %q", info.Name, info.Line())
	}
	if info.Name == backends.XLACPU {
		t.Error("auto opened xla:cpu, which compiles for longer than the kernels compute")
	}
}

func TestLine(t *testing.T) {
	for _, c := range []struct {
		info backends.Info
		want string
	}{
		{backends.Info{Name: "go"}, "GOEXPERIMENT=simd"},
		{backends.Info{Name: "go", SIMD: true}, "backend go"},
		{backends.Info{Name: "xla:cpu"}, "backend xla:cpu"},
		{backends.Info{Name: "go", SIMD: true, Why: "no GPU"}, "backend go (no GPU)"},
	} {
		if got := c.info.Line(); !strings.Contains(got, c.want) {
			t.Errorf("%+v says %q, want %q in it", c.info, got, c.want)
		}
	}
}
