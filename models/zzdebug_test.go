package models_test

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/neuron2graph/neuron2graph/models"
)

func TestZZ(t *testing.T) {
	dir := os.Getenv("ZZ")
	if dir == "" {
		t.Skip()
	}
	say := func(what string) {
		var ms runtime.MemStats
		runtime.ReadMemStats(&ms)
		fmt.Printf("%-10s HWM %d MB, heapalloc %d, sys %d, idle %d, released %d, numgc %d\n", what, peakMemory(t)>>20, ms.HeapAlloc>>20, ms.HeapSys>>20, ms.HeapIdle>>20, ms.HeapReleased>>20, ms.NumGC)
	}
	say("start")
	m, err := models.Open(dir, models.Options{Backend: "go"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ids := make([]int, 32)
	for i := range ids {
		ids[i] = i * 7
	}
	say("open")
	for layer := range m.Config().Layers {
		if _, err := m.Activations(t.Context(), layer, "", 5, [][]int{ids}, nil); err != nil {
			t.Fatal(err)
		}
		say(fmt.Sprint(layer))
	}
	if _, err := m.RunWithCache(t.Context(), ids); err != nil {
		t.Fatal(err)
	}
	say("cache")
}

func BenchmarkZZWrite(b *testing.B) {
	for i, kind := range largeModels {
		dir := fmt.Sprintf("/tmp/F/model%d", i)
		os.MkdirAll(dir, 0o755)
		kind.write(b, dir)
	}
}
