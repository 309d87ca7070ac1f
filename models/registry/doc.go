// Package registry knows models by the short names that TransformerLens gives them (solu-8l-old, gpt2-small,
// pythia-70m): where on the Hugging Face hub each lies, which of its files are the weights, whose tokenizer it takes,
// and where the method reads its neurons.
//
// It is data and [Lookup]. Nothing here touches files or the network: package hub does that.
//
// # Where the facts are from
//
//   - Names, aliases, repositories: OFFICIAL_MODEL_NAMES and MODEL_ALIASES of TransformerLens's
//     loading_from_pretrained.py (versions 1.4 to 2.16) and supported_models.py (version 3). Names of the hub's own
//     models (gpt2, bert-base-uncased) are those of the owners that they have had since 2024.
//   - SoLU models: layers, neurons, context (1,024 tokens of all of them), hook points and tokenizers as
//     TransformerLens itself prints them, model_properties_table.jsonl in its documentation. It opens both kinds with
//     BOS in front.
//   - GPT-2, GPT-Neo, GPT-NeoX, OPT, Stanford's models: layers and widths as TransformerLens prints them.
//   - Context lengths and neurons of Pythia (14m, 160m, 410m, 1.4b, 12b), OPT (125m), TinyStories (1M), StableLM-alpha
//     (3b, 7b), Qwen2 (0.5B, 1.5B, 7B) and Qwen2.5 (0.5B, 1.5B, 14B): config.json of these repositories, or of copies
//     that name them. The other sizes of each were entered by what is known of their series.
//   - Llama 3: constants of loading_from_pretrained.py. Qwen's contexts, which that shortens to 2,048 tokens to save
//     memory, are here what the models were made for.
//
// BOS is the token that the published method puts in front of every prompt of every model, and so do we, but where a
// model's own tokenizer says that nothing stands there (Qwen's: bos_token null). Newer versions of TransformerLens put
// none in front of GPT-NeoX models unless told to.
//
// What is listed here helps to choose; what a model computes follows from its own config.json and tokenizer alone.
package registry
