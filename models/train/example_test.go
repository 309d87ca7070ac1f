package train_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/neuron2graph/neuron2graph/models/train"
)

// A model of almost no size, trained for two steps on a folder of texts. The zero value of every option but Out trains
// the model that is part of the library.
func ExampleCausal() {
	folder, err := os.MkdirTemp("", "train")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	for i := range 40 {
		name := filepath.Join(folder, fmt.Sprintf("%d.txt", i))
		if err := os.WriteFile(name, []byte(strings.Repeat("a cat sat on a mat. ", 20)), 0o644); err != nil {
			fmt.Println(err)
			return
		}
	}
	report, err := train.Causal(context.Background(), train.CausalOptions{
		Out: filepath.Join(folder, "model"), Corpus: folder, Backend: "go", Steps: 2, Batch: 2,
		Layers: 1, DModel: 8, DMLP: 16, Context: 8, Vocabulary: 260, HeldOut: 1,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Steps, "steps,", report.Tokens, "tokens")
	// Output: 2 steps, 32 tokens
}
