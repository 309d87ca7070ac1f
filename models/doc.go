// Package models runs transformer language models and reads their neurons.
//
// [Open] opens a causal model, whose neurons are explained; [OpenMasked] a BERT-like one, which proposes words. Both
// are folders of the usual layout (config.json, weights, tokenizer.json); nothing is downloaded. A [Causal] answers
//
//   - [Causal.Activations]: one neuron on the tokens of many prompts, the method's own question,
//   - [Causal.LayerActivations]: all neurons of a layer,
//   - [Causal.Scan]: where in a corpus each neuron of some layers is highest,
//   - [Causal.RunWithCache]: every value of one run, for exploration.
//
// # How it works
//
// Package family says of each family how its configuration is read and where in the files a parameter lies, under
// TransformerLens's names. Weights are read when they are first needed, and once, so that asking for layer 0 reads
// layer 0.
//
// Package engine does no work that nobody reads: it ends at the site asked; of the values there only the asked column
// leaves the device; and prompts of one call that share a prefix, as masked variants of a text do, share its rows: each
// token's row follows the row of the token before it, and attends to its ancestors alone.
//
// Where the backend is the processor itself (go), the engine runs kernels, in the same steps as GoMLX's graphs: no
// shape is padded, attention walks a row's own path, and of the site's layer only the rows asked run past the keys and
// values. A result is equal to the last bit whatever is asked with it. Other backends run compiled programs, their rows
// padded to a few shapes, with attention under a mask of ancestors; there the order of sums depends on what runs beside
// a prompt, and values differ by up to some millionths of a token's highest (TestProgramsAmongOthers). The graphs are
// also what training differentiates, and what tests compare the kernels with at every hook of every family.
package models
