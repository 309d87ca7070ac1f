package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g"
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
			if kind == "stream" {
				run = append(run, "-faithfulness")
			}
			if said := succeed(t, run...); !strings.Contains(said, "done") {
				t.Error(said)
			}
			succeed(t, "summary", "-store", store)
			explained := askOfStore(t, store)
			notes := succeed(t, "export", "-store", store, "-jsonl", "-")
			if strings.Contains(notes, "faithfulness is not measured") != (kind == "stream") {
				t.Errorf("faithfulness of what cannot be ablated: %s", notes)
			}
			told := succeed(t, "examples", "-index", index, "-site", explained, "-limit", "2")
			if one, err := n2g.ParseSite(explained); err != nil || !strings.Contains(told, "("+one.Hook+")") {
				t.Errorf("examples of %s, %v: %s", explained, err, told)
			}
			if c.one == "" {
				c.one = "blocks.1.hook_resid_post[sae:3]"
			}
			siteOfKind(t, store, explained, beside)
			sameIdentity(t, append([]string{"-index", index, "-store", store, "-context-splits", "0"}, beside...), store)
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
	// A store is of one hook point, and an index of one auto-encoder.
	store := filepath.Join(dir, "effects.db")
	succeed(t, "effects", "-site", "blocks.1.hook_resid_post[sae:all]", "-sae", sae, "-store", store)
	for _, site := range []string{"blocks.1.mlp.hook_mid[all]", "blocks.1.hook_resid_post[all]",
		"blocks.1.mlp.hook_mid[7]"} {
		status, stdout, message := call(t, "", "effects", "-site", site, "-store", store)
		if status != 1 || !strings.Contains(message, "of numbers at hook_resid_post[sae]") {
			t.Errorf("effects of %s into a store of features: %d %s %s", site, status, stdout, message)
		}
	}
	index, other := filepath.Join(dir, "x.n2g"), filepath.Join(dir, "other")
	const features = "blocks.1.hook_resid_post[sae:all]"
	succeed(t, "mine", "-o", index, "-corpus", texts, "-site", features, "-sae", sae)
	succeed(t, "train", "sae", "-site", "blocks.1.hook_resid_post", "-out", other, "-features", "24", "-k", "4", "-steps",
		"3", "-batch", "64", "-buffer", "1", "-seed", "7")
	status, _, message := call(t, "", "effects", "-site", "blocks.1.mlp.hook_mid[7]", "-index", index)
	if status != 1 || !strings.Contains(message, "not layer 1 at") {
		t.Errorf("a neuron by an index of features: %d %s", status, message)
	}
	status, _, message = call(t, "", "effects", "-site", features, "-sae", other, "-store", store)
	if status != 1 || !strings.Contains(message, "write to another file") {
		t.Errorf("effects of another auto-encoder's features: %d %s", status, message)
	}
	status, _, message = call(t, "", "run", "-index", index, "-store", filepath.Join(dir, "other.db"), "-site", features,
		"-sae", other)
	if status != 1 || !strings.Contains(message, "mine the corpus with it") {
		t.Errorf("features of another auto-encoder than was mined: %d %s", status, message)
	}
}

// siteOfKind writes the explorer of a store, and looks at the page of a site.
func siteOfKind(t *testing.T, store, site string, beside []string) {
	t.Helper()
	one, err := n2g.ParseSite(site)
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "pages")
	succeed(t, append([]string{"site", "-store", store, "-o", folder}, beside...)...)
	page, err := os.ReadFile(filepath.Join(folder, "neurons", strconv.Itoa(one.Layer), strconv.Itoa(one.Index)+".html"))
	if err != nil {
		t.Fatal(err)
	}
	title := site
	if one.IsNeuron() {
		title = fmt.Sprintf("Layer %d, neuron %d", one.Layer, one.Index)
	}
	if !strings.Contains(string(page), "<h1>"+title+" ") {
		t.Errorf("the page of %s is not called %s", site, title)
	}
}

// sameIdentity checks that a server would go on with what a run has begun: its examples are the store's.
func sameIdentity(t *testing.T, args []string, path string) {
	t.Helper()
	a := &app{stdout: io.Discard, text: io.Discard, stderr: io.Discard, screen: io.Discard}
	c := newCommand("serve", "")
	f := serveFlagsOf(c, asks)
	a.besideFlags(c)
	if err := c.flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	w, err := a.openWorkbench(t.Context(), f, true)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close() // it was only read
	identity, ok := w.options.Store.Identity()
	if got := w.options.ExamplesName; !ok || got != identity.Examples {
		t.Errorf("%s is served with examples %s, and was made with %s", path, got, identity.Examples)
	}
}

// askOfStore asks a store of few sites everything that can be asked of one, and returns a site that it has explained.
func askOfStore(t *testing.T, store string) string {
	t.Helper()
	folder := t.TempDir()
	file := func(name string) string { return filepath.Join(folder, name) }
	succeed(t, "export", "-store", store, "-stats", file("stats"), "-neuron-store", file("tokens"), "-jsonl",
		file("jsonl"), "-csv", file("csv"), "-dot", file("dot"), "-svg", file("svg"))
	text, err := os.ReadFile(file("jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	var first n2g.Explanation
	token := ""
	for _, line := range lines {
		if err := json.Unmarshal([]byte(line), &first); err != nil {
			t.Fatal(err)
		}
		for _, one := range n2g.NewTokenSets(first.Trie).Activating {
			if len(one) > len(token) {
				token = one
			}
		}
		if token != "" {
			break
		}
	}
	name := written(first.Site)
	word := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\t", `\t`, "*", `\*`).Replace(token) + ":activating"
	if found := succeed(t, "search", "-store", store, "-n", "0", "--", word); !strings.Contains(found, name) {
		t.Errorf("search %s: %s, want %s", word, found, name)
	}
	status, found, message := call(t, "", "find", "polysemantic", "-store", store, "-n", "0")
	switch b := first.Behaviours; {
	case b == nil: // nothing of the kind has any
		if status != 1 || !strings.Contains(message, "does not know the behaviours") {
			t.Errorf("find: %d %s %s", status, found, message)
		}
	case status != 0 || strings.Contains(found, name) != (len(b.List) > 1):
		t.Errorf("find: %s, and %s has %s", found, name, b.Summary())
	}
	pictures, err := filepath.Glob(file("svg/*.svg"))
	if err != nil || len(pictures) != len(lines) {
		t.Errorf("%d pictures of %d sites, %v", len(pictures), len(lines), err)
	}
	short := succeed(t, "similar", "-store", store, name)
	long := succeed(t, "similar", "-store", store, first.Site.String())
	if short != long || strings.Count(short, "\n") > len(lines) {
		t.Errorf("similar: %s and %s", short, long)
	}
	elsewhere := first.Site
	elsewhere.Hook = "hook_resid_mid"
	if status, _, message := call(t, "", "similar", "-store", store, elsewhere.String()); status != 1 {
		t.Errorf("similar to a site of another hook point: %d %s", status, message)
	}
	return first.Site.String()
}

// An index of neurons and features names each by what it is: both are called by numbers.
func TestNeuronsBesideFeatures(t *testing.T) {
	dir := t.TempDir()
	text, index := filepath.Join(dir, "a.go"), filepath.Join(dir, "both.n2g")
	content := strings.Repeat("package p\n\nfunc main() {\n\tif err != nil {\n\t\treturn err\n\t}\n}\n", 20)
	if err := os.WriteFile(text, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	succeed(t, "mine", "-o", index, "-corpus", text, "-layers", "1", "-hook", "hook_mid,hook_resid_post[sae]", "-sae",
		"tiny", "-window", "32")
	told := succeed(t, "fires", "-index", index, "-text", "return err", "-limit", "0")
	neurons, features := 0, 0
	for line := range strings.Lines(told) {
		switch fields := strings.Fields(line); {
		case len(fields) < 2 || fields[0] != "1":
		case strings.HasPrefix(fields[1], "blocks.1.hook_resid_post[sae:"):
			features++
		default:
			if _, err := strconv.Atoi(fields[1]); err != nil {
				t.Errorf("%q is no neuron", line)
			}
			neurons++
		}
	}
	if features == 0 || neurons == 0 {
		t.Errorf("%d features and %d neurons in %s", features, neurons, told)
	}
}
