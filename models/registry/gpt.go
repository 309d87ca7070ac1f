package registry

import "strings"

// gpt2 lists GPT-2, its distilled form and Stanford's retrainings of it.
func gpt2() []Model {
	var list []Model
	add := func(name, repo string, layers, dModel int, aliases ...string) {
		list = append(list, Model{
			Name: name, Aliases: aliases, Repo: repo, Family: "gpt2", BOS: endOfText,
			Layers: layers, DMLP: 4 * dModel, Context: 1024, Hook: hookPost,
		})
	}
	add("gpt2-small", "openai-community/gpt2", 12, 768)
	add("gpt2-medium", "openai-community/gpt2-medium", 24, 1024)
	add("gpt2-large", "openai-community/gpt2-large", 36, 1280)
	add("gpt2-xl", "openai-community/gpt2-xl", 48, 1600)
	add("distilgpt2", "distilbert/distilgpt2", 6, 768, "distillgpt2", "distill-gpt2", "distil-gpt2", "gpt2-xs")
	for i := range list {
		_, former, _ := strings.Cut(list[i].Repo, "/")
		list[i].Former = []string{former}
	}
	for i, star := range []string{"alias", "battlestar", "caprica", "darkmatter", "expanse"} {
		seed := []string{"21", "49", "81", "343", "777"}[i]
		letter := string(rune('a' + i))
		repo := star + "-gpt2-small-x" + seed
		add("stanford-gpt2-small-"+letter, "stanford-crfm/"+repo, 12, 768, repo, "gpt2-mistral-small-"+letter,
			"gpt2-stanford-small-"+letter)
	}
	for i, star := range []string{"arwen", "beren", "celebrimbor", "durin", "eowyn"} {
		seed := []string{"21", "49", "81", "343", "777"}[i]
		letter := string(rune('a' + i))
		repo := star + "-gpt2-medium-x" + seed
		add("stanford-gpt2-medium-"+letter, "stanford-crfm/"+repo, 24, 1024, repo, "gpt2-medium-small-"+letter,
			"gpt2-stanford-medium-"+letter)
	}
	return list
}

// gptNeo lists GPT-Neo and TinyStories, which is of the same family.
func gptNeo() []Model {
	var list []Model
	add := func(name, repo string, layers, dModel int, aliases ...string) {
		list = append(list, Model{
			Name: name, Aliases: aliases, Repo: repo, Family: "gpt_neo", BOS: endOfText,
			Layers: layers, DMLP: 4 * dModel, Context: 2048, Hook: hookPost,
		})
	}
	add("gpt-neo-125M", "EleutherAI/gpt-neo-125M", 12, 768, "gpt-neo-small", "neo-small", "neo")
	add("gpt-neo-1.3B", "EleutherAI/gpt-neo-1.3B", 24, 2048, "gpt-neo-medium", "neo-medium")
	add("gpt-neo-2.7B", "EleutherAI/gpt-neo-2.7B", 32, 2560, "gpt-neo-large", "neo-large")
	for _, m := range []struct {
		size           string
		layers, dModel int
	}{{"1M", 8, 64}, {"3M", 8, 128}, {"8M", 8, 256}, {"28M", 8, 512}, {"33M", 4, 768}} {
		add("tiny-stories-"+m.size, "roneneldan/TinyStories-"+m.size, m.layers, m.dModel)
		add("tiny-stories-instruct-"+m.size, "roneneldan/TinyStories-Instruct-"+m.size, m.layers, m.dModel)
	}
	add("tiny-stories-1L-21M", "roneneldan/TinyStories-1Layer-21M", 1, 1024)
	add("tiny-stories-2L-33M", "roneneldan/TinyStories-2Layers-33M", 2, 1024)
	// The first of these two is misspelled on the hub.
	add("tiny-stories-instruct-1L-21M", "roneneldan/TinyStories-Instuct-1Layer-21M", 1, 1024)
	add("tiny-stories-instruct-2L-33M", "roneneldan/TinyStories-Instruct-2Layers-33M", 2, 1024)
	return list
}

// opt lists Meta's OPT. opt-350m is not among TransformerLens's models either: its norms stand behind the layers.
func opt() []Model {
	var list []Model
	for _, m := range []struct {
		size           string
		layers, dModel int
		aliases        []string
	}{
		{"125m", 12, 768, []string{"opt-small", "opt"}},
		{"1.3b", 24, 2048, []string{"opt-medium"}},
		{"2.7b", 32, 2560, []string{"opt-large"}},
		{"6.7b", 32, 4096, []string{"opt-xl"}},
		{"13b", 40, 5120, []string{"opt-xxl"}},
		{"30b", 48, 7168, []string{"opt-xxxl"}},
		{"66b", 64, 9216, []string{"opt-xxxxl"}},
	} {
		list = append(list, Model{
			Name: "opt-" + m.size, Aliases: m.aliases, Repo: "facebook/opt-" + m.size, Family: "opt", BOS: "</s>",
			Layers: m.layers, DMLP: 4 * m.dModel, Context: 2048, Hook: hookPost,
		})
	}
	return list
}
