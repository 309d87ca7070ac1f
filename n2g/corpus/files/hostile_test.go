package files_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/fstest"

	"github.com/neuron2graph/neuron2graph/n2g/corpus/files"
)

// TestHostileArrow: whatever bytes of an Arrow file are changed, reading ends, without a panic, in bounded memory.
func TestHostileArrow(t *testing.T) {
	names, err := filepath.Glob("testdata/*.arrow")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	names = append(names, "testdata/file.feather", "testdata/version4.feather", "testdata/polars.feather")
	tries := 20_000
	if testing.Short() {
		tries = 2000
	}
	random := rand.New(rand.NewPCG(10, 11))
	var before, after runtime.MemStats
	for range tries {
		data, err := os.ReadFile(names[random.IntN(len(names))])
		if err != nil {
			t.Fatal(err)
		}
		data = bytes.Clone(data)
		for range 1 + random.IntN(4) {
			at := random.IntN(len(data))
			switch random.IntN(3) {
			case 0:
				data[at] = byte(random.Uint32())
			case 1:
				data[at] ^= 1 << random.IntN(8)
			default:
				data[at] = []byte{0xff, 0x7f, 0x80, 0, 1, 8}[random.IntN(6)]
			}
		}
		runtime.ReadMemStats(&before)
		read(files.FS(fstest.MapFS{"x.arrow": {Data: data}}, files.Options{})) // mostly damaged
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 1200<<20 {
			t.Fatalf("%d MiB for a file of %d bytes: %q", grown>>20, len(data), data)
		}
	}
}
