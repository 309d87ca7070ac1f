package family_test

import (
	"os"
	"testing"

	"github.com/neuron2graph/neuron2graph/models/internal/family"
)

func FuzzMaskedConfig(f *testing.F) {
	for _, name := range []string{"bert", "distilbert", "gpt2"} {
		text, err := os.ReadFile("../../../testdata/golden/models/" + name + "/config.json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		config, err := family.ParseMasked(text)
		if err != nil {
			return
		}
		if config.DModel%config.Heads != 0 || config.Layers < 1 || config.Positions < 3 {
			t.Errorf("accepted %+v", config)
		}
	})
}
