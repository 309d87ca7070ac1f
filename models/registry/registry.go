package registry

import (
	"slices"
	"strings"
	"sync"
)

// Model says what is known of a model before its files are read. Of a repository that is not in the table only Name,
// Repo and Revision are known.
type Model struct {
	// Name is the first of the short names, or the repository where there is none.
	Name string
	// Aliases are the other short names.
	Aliases []string
	// Repo is the repository on the Hugging Face hub, owner/name.
	Repo string
	// Former are names that the repository had before, under which files may lie in a cache.
	Former []string
	// Revision is the branch, tag or commit; empty is the main branch.
	Revision string
	// Family is what models.Families calls the architecture, bert or distilbert for masked models.
	Family string
	// Masked says that the model fills masks; all others are causal.
	Masked bool
	// Weights is how the name of the weight file ends where that is not one of the names that Hugging Face's libraries
	// use: TransformerLens's own models keep it beside checkpoints of earlier steps.
	Weights string
	// Tokenizer is the repository of the tokenizer where the model's own holds none.
	Tokenizer string
	// BOS is the text of the token that stands in front of every prompt, as TransformerLens puts it there; empty for
	// masked models, which wrap a text in tokens of their own.
	BOS string
	// Layers, DMLP (neurons a layer) and Context (tokens, BOS included) are the model's sizes.
	Layers, DMLP, Context int
	// Hook is where the method reads a neuron: hook_mid of SoLU models, hook_post of all other causal ones.
	Hook string
	// Refused is why a model that TransformerLens knows cannot be opened here; empty otherwise.
	Refused string
}

// All lists the models of the table, the causal ones first. The caller may change the list.
func All() []Model {
	list := slices.Clone(table())
	for i := range list {
		list[i].Aliases, list[i].Former = slices.Clone(list[i].Aliases), slices.Clone(list[i].Former)
	}
	return list
}

// table is made once; its entries are not changed.
var table = sync.OnceValue(func() []Model {
	return slices.Concat(transformerLens(), gpt2(), gptNeo(), gptNeoX(), opt(), llama(), masked())
})

// index finds a model of the table by any of its names, in lower case.
var index = sync.OnceValue(func() map[string]int {
	byName := map[string]int{}
	for i, m := range table() {
		for _, name := range m.names() {
			byName[strings.ToLower(name)] = i
		}
	}
	return byName
})

// names are all the names by which a model is found.
func (m Model) names() []string {
	return slices.Concat([]string{m.Name, m.Repo}, m.Aliases, m.Former)
}
