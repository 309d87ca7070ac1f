// Package index keeps what fires where: a corpus as token ids, and for every neuron of some layers the places at which
// its activation is high. A corpus is run once; every later question about a neuron is a look-up.
//
// An [Index] is one file, mapped into memory; docs/index-format.md describes it byte by byte. It knows token ids and
// numbers: no model, no tokenizer, no method. A position is the place of a token in the corpus, counted from 0 over all
// documents. The model reads a document in windows ([Window]), each a prompt of its own with BOS in front, which has no
// position.
//
// # Definitions
//
// These hold wherever the program speaks of them.
//
//   - Tokens that count are all but those that hold BOS, in front of a window or within it: BOS is context only.
//   - Maximum: the highest activation on any token that counts.
//   - Firing: an activation of at least [FireShare], a half, of the maximum.
//   - Density: the share of the tokens that count on which the neuron fires. It is computed once, over all of them,
//     when the index is made ([Stats]). A neuron whose activation is never above 0 has none.
//   - Top examples: the windows of highest maximum, best first; the earlier of equals first, no content twice, none
//     whose maximum is not above 0 ([Index.Top]).
//   - Split: build, validation or test, by a hash of the document's text ([SplitOf]), so that equal documents stand in
//     one.
//
// # Postings
//
// A posting is a position with the neuron's activation there ([Posting] says how exactly). A neuron has postings of
// every token at or above its keep level: [Options] says how that is chosen. What lies below is known from the
// histogram over all tokens, and from the values on a random sample of windows, which are kept whole.
//
// # Making one
//
// A [CorpusBuilder] takes documents as ids. A [Collector] over that corpus takes the activations of each window, in any
// order and from several goroutines. Its Index is the whole in memory; a [Work] keeps it in a folder while it grows, in
// bounded memory, resumes after a kill, and [Merge] joins the parts that several machines made to the bytes of one run.
package index
