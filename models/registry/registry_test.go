package registry_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/neuron2graph/neuron2graph/models/registry"
)

func Example() {
	m, err := registry.Lookup("solu-8l-pile")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Repo, m.Layers, "layers of", m.DMLP, "neurons, read at", m.Hook)
	fmt.Println("tokenizer of", m.Tokenizer)
	// Output:
	// NeelNanda/SoLU_8L_v21_old 8 layers of 4096 neurons, read at hook_mid
	// tokenizer of EleutherAI/gpt-neox-20b
}

func TestTable(t *testing.T) {
	alias := regexp.MustCompile(`^([A-Za-z]+/)?[A-Za-z0-9][A-Za-z0-9._-]*$`)
	families := []string{"transformer_lens", "gpt2", "gpt_neo", "gpt_neox", "opt", "llama", "olmo", "qwen2", "bert",
		"distilbert"}
	owner := map[string]int{} // of a name in lower case
	for i, m := range registry.All() {
		for _, name := range append([]string{m.Name, m.Repo}, append(m.Aliases, m.Former...)...) {
			if !alias.MatchString(name) && !registry.IsRepo(name) {
				t.Errorf("%s: %q is no name", m.Name, name)
			}
			key := strings.ToLower(name)
			if other, ok := owner[key]; ok && other != i {
				t.Errorf("%q names both %s and %s", name, registry.All()[other].Name, m.Name)
			}
			owner[key] = i
		}
		if !registry.IsRepo(m.Repo) || m.Tokenizer != "" && !registry.IsRepo(m.Tokenizer) {
			t.Errorf("%s: repository %q, tokenizer %q", m.Name, m.Repo, m.Tokenizer)
		}
		if !slices.Contains(families, m.Family) {
			t.Errorf("%s: family %q", m.Name, m.Family)
		}
		if m.Layers < 1 || m.DMLP < 64 || m.Context < 512 || m.Refused != "" || m.Revision != "" {
			t.Errorf("%s: %+v", m.Name, m)
		}
		hook := "hook_post"
		if strings.Contains(m.Name, "solu") {
			hook = "hook_mid"
		}
		if m.Masked {
			hook = ""
		}
		if m.Hook != hook || (m.BOS == "") != m.Masked {
			t.Errorf("%s: hook %q, BOS %q, want hook %q", m.Name, m.Hook, m.BOS, hook)
		}
		if strings.HasPrefix(m.Repo, "NeelNanda/") != (m.Weights == "final.pth") || (m.Weights == "") != (m.Tokenizer == "") {
			t.Errorf("%s: weights %q, tokenizer %q", m.Name, m.Weights, m.Tokenizer)
		}
		// A name that tells the number of layers tells the truth.
		var layers int
		if _, err := fmt.Sscanf(m.Name, "solu-%dl", &layers); err == nil && layers != m.Layers {
			t.Errorf("%s has %d layers", m.Name, m.Layers)
		}
	}
	if n := len(registry.All()); n < 90 {
		t.Errorf("%d models only", n)
	}
}

// The names that TransformerLens documents, and what it reads from there.
func TestLookup(t *testing.T) {
	for _, c := range []struct {
		ref, repo, family, hook string
		layers, dMLP, context   int
	}{
		{"solu-1l", "NeelNanda/SoLU_1L512W_C4_Code", "transformer_lens", "hook_mid", 1, 2048, 1024},
		{"solu-12l-c4-code", "NeelNanda/SoLU_12L1536W_C4_Code", "transformer_lens", "hook_mid", 12, 6144, 1024},
		{"solu-2l-old", "NeelNanda/SoLU_2L_v10_old", "transformer_lens", "hook_mid", 2, 2944, 1024},
		{"solu-6l-pile", "NeelNanda/SoLU_6L_v13_old", "transformer_lens", "hook_mid", 6, 3072, 1024},
		{"solu-4l-finetune", "NeelNanda/SoLU_4L512W_Wiki_Finetune", "transformer_lens", "hook_mid", 4, 2048, 1024},
		{"gelu-3l", "NeelNanda/GELU_3L512W_C4_Code", "transformer_lens", "hook_post", 3, 2048, 1024},
		{"gpt2", "openai-community/gpt2", "gpt2", "hook_post", 12, 3072, 1024},
		{"GPT2-Small", "openai-community/gpt2", "gpt2", "hook_post", 12, 3072, 1024},
		{"gpt2-xl", "openai-community/gpt2-xl", "gpt2", "hook_post", 48, 6400, 1024},
		{"stanford-gpt2-medium-e", "stanford-crfm/eowyn-gpt2-medium-x777", "gpt2", "hook_post", 24, 4096, 1024},
		{"gpt-neo-125m", "EleutherAI/gpt-neo-125M", "gpt_neo", "hook_post", 12, 3072, 2048},
		{"pythia", "EleutherAI/pythia-70m", "gpt_neox", "hook_post", 6, 2048, 2048},
		{"pythia-14m", "EleutherAI/pythia-14m", "gpt_neox", "hook_post", 6, 512, 2048},
		{"pythia-350m-deduped", "EleutherAI/pythia-410m-deduped", "gpt_neox", "hook_post", 24, 4096, 2048},
		{"EleutherAI/pythia-13b-v0", "EleutherAI/pythia-12b-v0", "gpt_neox", "hook_post", 36, 20480, 2048},
		{"opt", "facebook/opt-125m", "opt", "hook_post", 12, 3072, 2048},
		{"solu-12l-old", "NeelNanda/SoLU_12L_v23_old", "transformer_lens", "hook_mid", 12, 6144, 1024},
		{"gelu-4l-c4-code", "NeelNanda/GELU_4L512W_C4_Code", "transformer_lens", "hook_post", 4, 2048, 1024},
		{"distilgpt2", "distilbert/distilgpt2", "gpt2", "hook_post", 6, 3072, 1024},
		{"stablelm-base-7b", "stabilityai/stablelm-base-alpha-7b", "gpt_neox", "hook_post", 16, 24576, 4096},
		{"tiny-stories-1M", "roneneldan/TinyStories-1M", "gpt_neo", "hook_post", 8, 256, 2048},
		{"opt-13b", "facebook/opt-13b", "opt", "hook_post", 40, 20480, 2048},
		{"qwen1.5-0.5b-chat", "Qwen/Qwen1.5-0.5B-Chat", "qwen2", "hook_post", 24, 2816, 32768},
		{"qwen2-1.5b", "Qwen/Qwen2-1.5B", "qwen2", "hook_post", 28, 8960, 131072},
		{"qwen2-1.5b-instruct", "Qwen/Qwen2-1.5B-Instruct", "qwen2", "hook_post", 28, 8960, 32768},
		{"qwen2.5-0.5b", "Qwen/Qwen2.5-0.5B", "qwen2", "hook_post", 24, 4864, 32768},
		{"qwen2.5-14b-instruct", "Qwen/Qwen2.5-14B-Instruct", "qwen2", "hook_post", 48, 13824, 32768},
		{"meta-llama/Meta-Llama-3-8B", "meta-llama/Meta-Llama-3-8B", "llama", "hook_post", 32, 14336, 8192},
		{"bert-large-cased", "google-bert/bert-large-cased", "bert", "", 24, 4096, 512},
		{"distilbert-base-uncased", "distilbert/distilbert-base-uncased", "distilbert", "", 6, 3072, 512},
		{"bert-base-uncased", "google-bert/bert-base-uncased", "bert", "", 12, 3072, 512},
	} {
		m, err := registry.Lookup(c.ref)
		if err != nil {
			t.Errorf("%s: %v", c.ref, err)
			continue
		}
		if m.Repo != c.repo || m.Family != c.family || m.Hook != c.hook || m.Layers != c.layers || m.DMLP != c.dMLP ||
			m.Context != c.context {
			t.Errorf("%s: %+v", c.ref, m)
		}
	}
}

func TestLookupElsewhere(t *testing.T) {
	m, err := registry.Lookup("someone/Their_model.v2@refs/pr/3")
	if err != nil || m.Repo != "someone/Their_model.v2" || m.Revision != "refs/pr/3" || m.Name != m.Repo ||
		m.Tokenizer != "" {
		t.Errorf("%+v, error %v", m, err)
	}
	m, err = registry.Lookup("pythia-70m@step3000")
	if err != nil || m.Repo != "EleutherAI/pythia-70m" || m.Revision != "step3000" {
		t.Errorf("%+v, error %v", m, err)
	}
	if m, err = registry.Lookup("solu-1l"); err != nil || m.Tokenizer == "" || m.Tokenizer == m.Repo || m.Revision != "" {
		t.Errorf("%+v, error %v", m, err)
	}
	for _, ref := range []string{"attn-only-2l", "NeelNanda/Attn_Only_2L512W_C4_Code", "gpt-j", "gemma-2b",
		"mistralai/Mixtral-8x7B-v0.1", "t5-small",
		"attn-only-demo", "redwood_attn_2l", "qwen3-0.6b", "Qwen/Qwen3-8B", "phi-4", "stablelm-2-1.6b", "gemma-3-1b-it"} {
		if m, err := registry.Lookup(ref); err != nil || m.Refused == "" {
			t.Errorf("%s: %+v, error %v", ref, m, err)
		}
	}
	if m, err := registry.Lookup("someone/gemma-like"); err != nil || m.Refused != "" {
		t.Errorf("%+v, error %v", m, err)
	}
}

func TestLookupRefuses(t *testing.T) {
	for ref, want := range map[string]string{
		"gtp2-small":               "gpt2-small",
		"pythia70m":                "pythia-70m",
		"no-such-thing-whatsoever": "n2g models",
		"":                         "n2g models",
		"../etc":                   "n2g models",
		"a/b/c":                    "n2g models",
		"a--b/c":                   "n2g models",
		"gpt2@../x":                "revision",
		"gpt2@":                    "revision",
	} {
		if m, err := registry.Lookup(ref); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, error %v, which should hold %q", ref, m, err, want)
		}
	}
}

// What a caller does to a list does not reach the table.
func TestAllIsACopy(t *testing.T) {
	list := registry.All()
	list[0].Aliases[0] = "changed"
	if registry.All()[0].Aliases[0] == "changed" {
		t.Error("the table was changed")
	}
}

func FuzzLookup(f *testing.F) {
	for _, ref := range []string{"gpt2", "a/b", "a/b@main", "@", "solu-1l@x", "Ä/b"} {
		f.Add(ref)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		m, err := registry.Lookup(ref)
		if err == nil && m.Refused == "" && !registry.IsRepo(m.Repo) {
			t.Errorf("%q became the repository %q", ref, m.Repo)
		}
	})
}
