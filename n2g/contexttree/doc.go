// Package contexttree learns context graphs ([n2g.ContextGraph]): trees of tests on a token and its context that
// predict a neuron's activation, from what the neuron did on all tokens of a corpus, positives and negatives alike.
//
// The published Neuron to Graph method (Foote and others 2023, arXiv 2304.12918 and 2305.19911) builds its graph from
// the few texts that excite the neuron most and asks the model about each. A context graph is learned like a
// probabilistic suffix tree (Ron, Singer, Tishby 1996) or a context tree (Willems, Shtarkov, Tjalkens 1995): as much
// context as the evidence pays for, with a back-off to less. Its tests ask for sets of tokens at a distance, for
// tokens anywhere within a window, and for repetition. docs/algorithm.md, part two, has every constant.
//
// A [Corpus] holds the text, [Activations] one neuron's values on it as an activation index keeps them, and [Learn]
// makes the graph. Documents are split: what is learned comes from [Build], what is chosen from [Validate], what is
// reported from [Test] ([Compare], which sets the graph beside baselines that had the same corpus).
package contexttree
