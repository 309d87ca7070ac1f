// Package family knows the families of models: how the config.json of each is read, and where in its files each
// parameter lies. A family is one value, in one file; to add one, write it, name it in [families], and give it a row in
// the tests of package models.
//
// Parameters are asked for by TransformerLens's names, blocks.0.attn.W_Q, whatever the files call them; those of masked
// models by DistilBERT's.
package family
