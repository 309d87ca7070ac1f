// Package n2gtest checks implementations of package n2g's model interfaces, and has small deterministic ones for tests
// of what uses them.
//
// [TestLanguageModel] and [TestMaskedModel] are the contract: whatever passes them can be explained. [Model] is a
// language model whose neurons follow rules written by hand, so that a test knows what an explanation should find;
// [Masked] is a masked model that answers from a list.
package n2gtest
