package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func succeed(t *testing.T, args ...string) string {
	t.Helper()
	status, stdout, stderr := call(t, "", args...)
	if status != 0 {
		t.Fatalf("%q: %d %q", args, status, stderr)
	}
	return stdout
}

// -site is -layer, -neuron and -hook in one word, for every hook point.
func TestSiteFlag(t *testing.T) {
	short := succeed(t, "activations", "-layer", "1", "-neuron", "17", "-hook", "hook_mid", "-text", "func main() {",
		"-json")
	if long := succeed(t, "activations", "-site", "blocks.1.mlp.hook_mid[17]", "-text", "func main() {",
		"-json"); long != short {
		t.Errorf("%s, want %s", long, short)
	}
	var plain, negative struct{ Activations [][]float64 }
	for site, into := range map[string]any{"blocks.1.hook_resid_post[5]": &plain,
		"blocks.1.hook_resid_post[-5]": &negative} {
		out := succeed(t, "activations", "-site", site, "-text", "func main() {", "-json")
		if err := json.Unmarshal([]byte(out), into); err != nil {
			t.Fatal(err)
		}
	}
	for i, row := range plain.Activations {
		if negative.Activations[i][0] != -row[0] {
			t.Errorf("token %d: %g and %g", i, row[0], negative.Activations[i][0])
		}
	}
	if all := succeed(t, "activations", "-site", "blocks.0.attn[hall].prev", "-text",
		"func main() {"); !strings.Contains(all, "HIGHEST") {
		t.Error(all)
	}
	// The auto-encoder in the program, and a folder of its name, which is none.
	features := succeed(t, "activations", "-sae", "tiny", "-site", "blocks.1.hook_resid_post[sae:all]", "-text",
		"func main() {")
	if !strings.Contains(features, "HIGHEST") {
		t.Error(features)
	}
	if status, _, message := call(t, "", "sae", "-sae", "./tiny"); status != 1 || !strings.Contains(message, "tiny") {
		t.Errorf("%d %s", status, message)
	}
	for want, args := range map[string][]string{
		"give one of them": {"-site", "blocks.1.mlp.hook_mid[17]", "-layer", "1", "-text", "x"},
		"is no site":       {"-site", "blocks.1", "-text", "x"},
		"out of range":     {"-site", "blocks.1.hook_resid_post[99999]", "-text", "x"},
		"hook point":       {"-site", "blocks.1.hook_nothing[1]", "-text", "x"},
		"-sae":             {"-site", "blocks.1.hook_resid_post[sae:1]", "-text", "x"},
		"SAELens":          {"-site", "blocks.1.hook_resid_post[sae:1]", "-sae", t.TempDir(), "-text", "x"},
	} {
		if status, _, message := call(t, "", append([]string{"activations"}, args...)...); status != 1 ||
			!strings.Contains(message, want) {
			t.Errorf("%v: status %d, %s, want %s", args, status, message, want)
		}
	}
}
