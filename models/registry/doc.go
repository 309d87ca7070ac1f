// Package registry knows models by the short names that TransformerLens gives them (solu-8l-old, gpt2-small, pythia-70m):
// where on the Hugging Face hub each lies, which of its files are the weights, whose tokenizer it takes, and where the
// method reads its neurons.
//
// It is data and [Lookup]. Nothing here touches files or the network: package hub does that.
//
// The facts (names, repositories, sizes) are those of TransformerLens's loading_from_pretrained.py and of its table of
// model properties, as of version 2.
package registry
