package registry

// gptNeoX lists Pythia, GPT-NeoX and StableLM's first models.
func gptNeoX() []Model {
	var list []Model
	add := func(name, repo string, layers, dModel, context int, aliases ...string) {
		list = append(list, Model{
			Name: name, Aliases: aliases, Repo: repo, Family: "gpt_neox", BOS: endOfText,
			Layers: layers, DMLP: 4 * dModel, Context: context, Hook: hookPost,
		})
	}
	const context = 2048
	add("pythia-14m", "EleutherAI/pythia-14m", 6, 128, context)
	add("pythia-31m", "EleutherAI/pythia-31m", 6, 256, context)
	// A suffix stands for the data (deduped) and for the runs before April 2023 (v0).
	for _, suffix := range []string{"", "-deduped", "-v0", "-deduped-v0"} {
		for _, m := range []struct {
			size, former   string // the models were renamed when embeddings came to be counted
			layers, dModel int
		}{
			{"70m", "19m", 6, 512}, {"160m", "125m", 12, 768}, {"410m", "350m", 24, 1024}, {"1b", "800m", 16, 2048},
			{"1.4b", "1.3b", 24, 2048}, {"2.8b", "2.7b", 32, 2560}, {"6.9b", "6.7b", 32, 4096}, {"12b", "13b", 36, 5120},
		} {
			former := "pythia-" + m.former + suffix
			aliases := []string{former, "EleutherAI/" + former}
			if m.size == "70m" && suffix == "" || m.size == "70m" && suffix == "-v0" {
				aliases = append(aliases, "pythia"+suffix)
			}
			name := "pythia-" + m.size + suffix
			add(name, "EleutherAI/"+name, m.layers, m.dModel, context, aliases...)
		}
	}
	for _, seed := range []string{"1", "2", "3"} {
		former := "pythia-125m-seed" + seed
		add("pythia-160m-seed"+seed, "EleutherAI/pythia-160m-seed"+seed, 12, 768, context, former, "EleutherAI/"+former)
	}
	add("gpt-neox-20b", "EleutherAI/gpt-neox-20b", 44, 6144, context, "gpt-neox", "neox")
	for _, kind := range []string{"base", "tuned"} {
		add("stablelm-"+kind+"-alpha-3b", "stabilityai/stablelm-"+kind+"-alpha-3b", 16, 4096, 4096, "stablelm-"+kind+"-3b")
		add("stablelm-"+kind+"-alpha-7b", "stabilityai/stablelm-"+kind+"-alpha-7b", 16, 6144, 4096, "stablelm-"+kind+"-7b")
	}
	return list
}
