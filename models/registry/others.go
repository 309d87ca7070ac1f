package registry

import (
	"slices"
	"strings"
)

// llama lists the models of Llama's kin whose tokenizers are byte-level BPE.
func llama() []Model {
	var list []Model
	const short, long = 32768, 131072
	for _, m := range []struct {
		size                  string
		layers, dMLP          int
		context, tunedContext int
		version, tuned        string
	}{
		{"0.5B", 24, 2816, short, short, "1.5", "-Chat"}, {"1.8B", 24, 5504, short, short, "1.5", "-Chat"},
		{"4B", 40, 6912, short, short, "1.5", "-Chat"}, {"7B", 32, 11008, short, short, "1.5", "-Chat"},
		{"14B", 40, 13696, short, short, "1.5", "-Chat"},
		{"0.5B", 24, 4864, long, short, "2", "-Instruct"}, {"1.5B", 28, 8960, long, short, "2", "-Instruct"},
		{"7B", 28, 18944, long, short, "2", "-Instruct"},
		{"0.5B", 24, 4864, short, short, "2.5", "-Instruct"}, {"1.5B", 28, 8960, long, short, "2.5", "-Instruct"},
		{"3B", 36, 11008, short, short, "2.5", "-Instruct"}, {"7B", 28, 18944, long, short, "2.5", "-Instruct"},
		{"14B", 48, 13824, long, short, "2.5", "-Instruct"},
	} {
		for _, suffix := range []string{"", m.tuned} {
			name, context := "Qwen"+m.version+"-"+m.size+suffix, m.context
			if suffix != "" {
				context = m.tunedContext
			}
			list = append(list, Model{
				Name: name, Repo: "Qwen/" + name, Family: "qwen2", BOS: endOfText,
				Layers: m.layers, DMLP: m.dMLP, Context: context, Hook: hookPost,
			})
		}
	}
	for _, m := range []struct {
		size         string
		layers, dMLP int
	}{{"1B", 16, 8192}, {"7B", 32, 11008}} {
		name := "OLMo-" + m.size + "-hf"
		list = append(list, Model{
			Name: name, Repo: "allenai/" + name, Family: "olmo", BOS: endOfText,
			Layers: m.layers, DMLP: m.dMLP, Context: 2048, Hook: hookPost,
		})
	}
	for _, m := range []struct {
		size         string
		layers, dMLP int
	}{{"8B", 32, 14336}, {"70B", 80, 28672}} {
		for _, instruct := range []string{"", "-Instruct"} {
			name := "Meta-Llama-3-" + m.size + instruct
			list = append(list, Model{
				Name: name, Repo: "meta-llama/" + name, Family: "llama", BOS: "<|begin_of_text|>",
				Layers: m.layers, DMLP: m.dMLP, Context: 8192, Hook: hookPost,
			})
		}
	}
	return list
}

// masked lists the models that vary words. The published program uses distilbert-base-uncased.
func masked() []Model {
	var list []Model
	for _, m := range []struct {
		name, owner, family string
		layers, dModel      int
		alias               []string
	}{
		{"distilbert-base-uncased", "distilbert", "distilbert", 6, 768, []string{"distilbert"}},
		{"distilbert-base-cased", "distilbert", "distilbert", 6, 768, nil},
		{"bert-base-uncased", "google-bert", "bert", 12, 768, []string{"bert"}},
		{"bert-base-cased", "google-bert", "bert", 12, 768, nil},
		{"bert-large-uncased", "google-bert", "bert", 24, 1024, nil},
		{"bert-large-cased", "google-bert", "bert", 24, 1024, nil},
	} {
		list = append(list, Model{
			Name: m.name, Aliases: m.alias, Repo: m.owner + "/" + m.name, Former: []string{m.name}, Family: m.family,
			Masked: true, Layers: m.layers, DMLP: 4 * m.dModel, Context: 512,
		})
	}
	return list
}

// refused is why TransformerLens's model of that name cannot be opened, empty where nothing is known against it.
// Repositories of other owners may be anything, whatever they are called.
func refused(name string) string {
	owner, rest, ok := strings.Cut(strings.ToLower(name), "/")
	if !ok {
		rest = owner
	} else if !slices.Contains(refusedOwners, owner) {
		return ""
	}
	for _, r := range refusals {
		if strings.HasPrefix(rest, r.prefix) {
			return r.reason
		}
	}
	return ""
}

// refusedOwners are those whose repositories TransformerLens means by the names in refusals.
var refusedOwners = []string{"neelnanda", "arthurconmy", "eleutherai", "baidicoot", "huggyllama", "meta-llama",
	"codellama",
	"mistralai", "01-ai", "google", "microsoft", "bigscience", "bigcode", "qwen", "google-t5", "stabilityai",
	"deepseek-ai"}

// refusals give a reason for names that begin alike, in lower case and without the owner.
var refusals = []struct{ prefix, reason string }{
	{"attn-only", noNeurons}, {"attn_only", noNeurons}, {"redwood_attn", noNeurons},
	{"gpt-j", "its rotary positions turn adjacent pairs, which is not supported: gpt-neo and pythia come closest"},
	{"gptj", "its rotary positions turn adjacent pairs, which is not supported: gpt-neo and pythia come closest"},
	{"othello-gpt", "it plays a game and has no texts"},
	{"mixtral", "its layers are mixtures of experts, which are not supported"}, {"gemma", gemma}, {"medgemma", gemma},
	{"bloom", "its attention is biased by distance (ALiBi), which is not supported"},
	{"santacoder", "its code is not part of Hugging Face's library, and its family is not supported"},
	{"qwen3", "its queries and keys are normalised, which is not supported: Qwen1.5, 2 and 2.5 can be opened"},
	{"stablelm-2", stableLM}, {"stablelm-3b", stableLM}, {"stablelm-zephyr", stableLM}, {"stable-code", stableLM},
	{"qwen-", "its code is not part of Hugging Face's library: Qwen1.5 and later can be opened"},
	{"phi-1", "the Phi family is not supported"}, {"phi-2", "the Phi family is not supported"},
	{"phi-3", "the Phi family is not supported"}, {"phi-4", "the Phi family is not supported"},
	{"t5-", "it is an encoder-decoder, but the method needs a causal model"},
}

const (
	noNeurons = "it is attention-only: it has no MLP, hence no neurons to explain"
	gemma     = "the Gemma family is not supported"
	stableLM  = "the StableLM family is not supported, but its first models, stablelm-base-alpha and " +
		"stablelm-tuned-alpha, are"
)
