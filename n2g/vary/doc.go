// Package vary proposes words in place of others where there is no masked model: what stage 4 of the method,
// augmentation, varies a text with.
//
// [Self] asks the explained model itself: of the words that it expects where one was masked, those after which the rest
// of the text follows best. [Neighbours] takes the words whose embeddings are most like that of the masked one. Both
// are n2g.MaskedModel, and what they are asked for is declared here in basic types; models.Causal satisfies it.
//
// docs/findings.md says what each brings on a real model.
package vary
