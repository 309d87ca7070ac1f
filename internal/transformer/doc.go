// Package transformer writes transformers as GoMLX graphs: [Decoder] for causal models, [BERT] for masked ones, each a
// configuration whose methods build the graph of its parts from [Weights] given by name.
//
// There is one block function a family. A plain forward pass, the engine's pass over shared prefixes and a training
// step all call it and differ only in the [Attention] they pass in; a [Hook] sees the values on the way under the names
// of TransformerLens (blocks.3.mlp.hook_mid). The residual stream is [batch, seq, d_model].
//
// Building panics with a GoMLX error where shapes do not fit, as GoMLX's own graph functions do; package models, which
// checks configurations and weights first, turns that into errors.
package transformer
