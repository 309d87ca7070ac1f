// Package train trains the two small models that come with this repository, and others of their kind: a causal SoLU
// transformer ([Causal]) and a masked DistilBERT ([Masked]).
//
// Both learn from text that every Go user has, the Go toolchain's source tree ([OpenCorpus]), with a vocabulary that
// they learn there first. One file in twenty, chosen by the hash of its path, is held out: the loss and accuracy
// reported are measured on it, and the examples that come with the models are taken from it.
//
// The blocks are those of package internal/transformer, the same functions that inference runs. A step computes the
// gradients of the two halves of a batch side by side, averages them, and updates matrices with Muon and all else with
// AdamW. Everything that is random follows from the seed and the number of the step, so a run that is stopped, at any
// time and in any way, goes on from its checkpoint and ends with the same weights, bit for bit, on the same backend.
package train
