package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every kind of site is mined, explained into a store and asked there; what it promotes is shown, or why not.
func TestEveryKindOfSite(t *testing.T) {
	dir := t.TempDir()
	texts := filepath.Join(dir, "texts")
	if err := os.Mkdir(texts, 0o755); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"a.go", "b.go", "c.go", "d.go"} {
		text := strings.Repeat("package p\n\nfunc main() {\n\tif err != nil {\n\t\treturn err\n\t}\n}\n", 3*(i+1))
		if err := os.WriteFile(filepath.Join(texts, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sae := filepath.Join(dir, "sae")
	succeed(t, "train", "sae", "-site", "blocks.1.hook_resid_post", "-out", sae, "-features", "24", "-k", "4", "-steps",
		"3", "-batch", "64", "-buffer", "1")
	direction := "[" + strings.TrimSuffix(strings.Repeat("0.5,-0.25,", 64), ",") + "]"
	for kind, c := range map[string]struct{ all, one, hook, effects string }{
		"neuron":    {"blocks.1.mlp.hook_mid[all]", "blocks.1.mlp.hook_mid[17]", "hook_mid", "PROMOTED"},
		"negative":  {"", "blocks.1.mlp.hook_mid[-17]", "-hook_mid", "PROMOTED"},
		"stream":    {"blocks.1.hook_resid_post[all]", "blocks.1.hook_resid_post[5]", "hook_resid_post", "PROMOTED"},
		"direction": {"blocks.1.hook_resid_post[dir:all]", "blocks.1.hook_resid_post[dir:0]", "", "PROMOTED"},
		"result":    {"blocks.1.attn.hook_result[dir:all]", "blocks.1.attn.hook_result[dir:1]", "", "PROMOTED"},
		"head":      {"blocks.1.attn[hall].prev", "blocks.1.attn[h1].prev", "", "where a head looks"},
		"feature":   {"blocks.1.hook_resid_post[sae:all]", "", "", "PROMOTED"},
	} {
		t.Run(kind, func(t *testing.T) {
			out := t.TempDir()
			beside := []string{"-sae", sae, "-direction", direction}
			index, store := filepath.Join(out, "x.n2g"), filepath.Join(out, "x.db")
			mine := append([]string{"mine", "-o", index, "-corpus", texts}, beside...)
			if c.all != "" {
				mine = append(mine, "-site", c.all)
			} else {
				mine = append(mine, "-layers", "1", "-hook", c.hook)
			}
			succeed(t, mine...)
			run := append([]string{"run", "-index", index, "-store", store, "-context-splits", "0"}, beside...)
			if c.one != "" {
				run = append(run, "-site", c.one)
			} else {
				run = append(run, "-site", c.all, "-sample", "4")
			}
			if said := succeed(t, run...); !strings.Contains(said, "done") {
				t.Error(said)
			}
			succeed(t, "summary", "-store", store)
			if c.one == "" {
				c.one = "blocks.1.hook_resid_post[sae:3]"
			}
			status, stdout, message := call(t, "", append([]string{"effects", "-site", c.one}, beside...)...)
			if (status == 0) != (c.effects == "PROMOTED") || !strings.Contains(stdout+message, c.effects) {
				t.Errorf("effects: %d %s %s", status, stdout, message)
			}
			status, _, message = call(t, "", append([]string{"effects", "-site", c.one, "-index", index}, beside...)...)
			if refused := strings.Contains(message, "no neuron's"); refused == (kind == "neuron") || refused != (status != 0) {
				t.Errorf("effects -index: %d %s", status, message)
			}
		})
	}
}
