package lab_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/models"
	"github.com/neuron2graph/neuron2graph/n2g"
)

// What README.md shows of the library, as a program.
func Example_readme() {
	ctx := context.Background()
	texts := []string{
		"\tif strings.HasPrefix(line, \"go\") {\n", "\tif i > 0 || strings.Contains(s, sep) {\n",
		"\tname := strings.TrimSpace(text)\n", "\t\tif ok && strings.HasSuffix(s, \"x\") {\n",
	}
	model, _ := models.Open("tiny", models.Options{})
	masked, _ := models.OpenMasked("tiny", models.Options{})
	examples := n2g.Examples{Site: n2g.Site{Layer: 2, Index: 500}, Prompts: texts}
	explanation, err := n2g.Explain(ctx, model, masked, examples, n2g.Options{})
	predicted := explanation.Predict([]string{"\n\t", "if", " strings", "."}) // no model needed from here on
	fmt.Println(err, predicted[3] > 0.5, predicted[2])
	// Output: <nil> true 0
}

// TestReadme: the code that README.md shows is that of the example above.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("readme_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(readme), "```go\n")
	block, _, _ = strings.Cut(block, "```")
	if !found || strings.Count(block, "\n") < 3 {
		t.Fatal("README.md shows no code")
	}
	indented := "\t" + strings.ReplaceAll(strings.TrimSuffix(block, "\n"), "\n", "\n\t")
	if !strings.Contains(string(source), indented) {
		t.Errorf("the example is not what README.md shows:\n%s", indented)
	}
}
