// Package store keeps the results of a run over many neurons in one SQLite file, and answers questions about them:
// which neurons know a token, which are alike, how well graphs predict, layer by layer.
//
// The file is plain: docs/store.md describes its tables, and DB Browser for SQLite or DuckDB opens it. Each explanation
// is written in one transaction with its scores and tokens, so that a process killed at any moment leaves whole neurons
// only. One process writes at a time, and a second is told the first's process id; any number may read beside it.
//
//	s, err := store.Open("run.db", store.Options{})
//	...
//	err = s.Begin(ctx, store.Identity{Model: "tiny", Hook: "hook_mid"})
//	err = s.Put(ctx, explanation)
//	hits, err := s.Search(ctx, store.Term{Token: "return", Kind: n2g.ActivatingKind})
//
// [Store.Search] asks the database. [Store.Tokens] reads every neuron's tokens into memory for comparisons:
// [Tokens.Pairs] finds the published similar and subset pairs of section 9 through an inverted index, [Tokens.Nearest]
// ranks by weighted Jaccard similarity. [Store.Summary] makes the papers' table, and [Store.Merge] joins the shards of
// a run.
package store
