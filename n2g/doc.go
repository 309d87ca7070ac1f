// Package n2g finds out what a single neuron of a language model responds to, and says it as a graph that can be drawn,
// read, and tested: the Neuron to Graph method of Foote, Nanda, Kran, Konstas, Cohen and Barez ("N2G: A Scalable
// Approach for Quantifying Interpretable Neuron Representations in Large Language Models", arXiv 2304.12918, and
// "Neuron to Graph: Interpreting Language Model Neurons at Scale", arXiv 2305.19911).
//
// # What a neuron is
//
// Each layer of a transformer has a few thousand numbers in the middle of its MLP that are computed anew for every
// token of a text. One such number is a neuron; its value on a token is its activation there. Many neurons are near 0
// on nearly all tokens and high on a few, and what those have in common tells what the neuron has learnt to detect: a
// word, a word in a certain context, the end of a quotation. Looking at texts that excite a neuron invites guesses. The
// method makes a guess that can be checked: it predicts activations on texts it has not seen.
//
// # The method
//
// It begins with [Examples], the texts on which the neuron's highest activation is highest, twenty as a rule; package
// corpus finds them. They are divided into train and test prompts ([SplitExamples]). Then, for each train prompt,
//
//   - [PruneText] cuts away what stands before the activating token while the neuron stays excited, down to the
//     shortest text that does it;
//   - [MeasureImportance] masks each token of what is left and measures how much activation that costs: the tokens that
//     matter;
//   - [Augment] has a masked language model replace important words by others that fit, and tests which of them the
//     neuron responds to as well: one text becomes a family of texts.
//
// Every activating token of these texts makes a [Line]: the token, and before it the tokens that are important to it,
// others being ignored ([Lines]). The lines are gathered in a trie that is read backwards from the activating token
// ([BuildTrie], [Node.MergeIgnores]), and for people in a [Graph]. To predict the activation on a token, a [Predictor]
// walks the trie along the token and those before it. [Evaluate] compares predictions with the neuron on the test
// prompts; two simpler predictors ([FitBaselines]) tell how much the graph adds to just knowing the words.
//
// [Explain] does all of it in one call, and its result, an [Explanation], is a plain value with a stable JSON form that
// predicts without any model.
//
// # What it needs
//
// A [LanguageModel] answers activations and a [MaskedModel] substitutes. Package models has both for transformers, but
// the interfaces use only Go's own types, so that whatever has tokens and numbers on them can be explained: a feature
// of a sparse auto-encoder, a program in Python (package process), a function written by hand (see the example of
// LanguageModel). Package n2gtest tests implementations.
//
// [Options] hold every constant of the method; the zero value is the published program's. Where that program has a
// defect this package does otherwise, and comments say so by the number of the remedy: "section 10.2" and the like
// refer to the list in docs/algorithm.md, as do the sections named elsewhere.
package n2g
