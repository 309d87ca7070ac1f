package registry

import "fmt"

// What TransformerLens's own models have in common. They lie in its author's repositories, in its own format.
const (
	lensFamily  = "transformer_lens"
	lensContext = 1024
	// lensWeights ends the name of the last checkpoint; a repository holds many earlier ones.
	lensWeights = "final.pth"
	// digitsTokenizer is GPT-NeoX's with single digits; the models trained on C4 and code use it.
	digitsTokenizer = "NeelNanda/gpt-neox-tokenizer-digits"
	digitsBOS       = "<|BOS|>"
	// neoxTokenizer is that of the models trained on the Pile.
	neoxTokenizer = "EleutherAI/gpt-neox-20b"
	endOfText     = "<|endoftext|>"
)

// The hook points of a neuron.
const (
	hookMid  = "hook_mid"
	hookPost = "hook_post"
)

// transformerLens lists the SoLU and GELU models. Those with old in their repository's name were trained on the Pile,
// and store some weights transposed.
func transformerLens() []Model {
	var list []Model
	own := func(name, repo string, layers, dMLP int, hook string, aliases ...string) {
		list = append(list, Model{
			Name: name, Aliases: aliases, Repo: "NeelNanda/" + repo, Family: lensFamily, Weights: lensWeights,
			Tokenizer: digitsTokenizer, BOS: digitsBOS, Layers: layers, DMLP: dMLP, Context: lensContext, Hook: hook,
		})
	}
	for _, m := range []struct{ layers, dModel int }{
		{1, 512}, {2, 512}, {3, 512}, {4, 512}, {6, 768}, {8, 1024}, {10, 1280}, {12, 1536},
	} {
		name := fmt.Sprintf("solu-%dl", m.layers)
		own(name, fmt.Sprintf("SoLU_%dL%dW_C4_Code", m.layers, m.dModel), m.layers, 4*m.dModel, hookMid, name+"-new",
			name+"-c4-code")
	}
	for _, m := range []struct{ layers, dModel, version int }{
		{1, 1024, 9}, {2, 736, 10}, {4, 512, 11}, {6, 768, 13}, {8, 1024, 21}, {10, 1280, 22}, {12, 1536, 23},
	} {
		name := fmt.Sprintf("solu-%dl", m.layers)
		own(name+"-old", fmt.Sprintf("SoLU_%dL_v%d_old", m.layers, m.version), m.layers, 4*m.dModel, hookMid, name+"-pile")
		list[len(list)-1].Tokenizer, list[len(list)-1].BOS = neoxTokenizer, endOfText
	}
	for _, layers := range []int{1, 4} {
		name := fmt.Sprintf("solu-%dl-wiki", layers)
		own(name, fmt.Sprintf("SoLU_%dL512W_Wiki_Finetune", layers), layers, 2048, hookMid,
			name+"-finetune", fmt.Sprintf("solu-%dl-finetune", layers))
	}
	for layers := 1; layers <= 4; layers++ {
		name := fmt.Sprintf("gelu-%dl", layers)
		own(name, fmt.Sprintf("GELU_%dL512W_C4_Code", layers), layers, 2048, hookPost, name+"-new", name+"-c4-code")
	}
	return list
}
