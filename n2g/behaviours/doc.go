// Package behaviours tells whether a neuron does one thing or several: it groups examples of the neuron's firing by
// what the model feeds it there, and says which branches of the neuron's graph each group takes.
//
// A graph's branches are no measure of that. A neuron that fires on `if` and on `for` has two, whether one feature of
// the residual stream stands behind both words or each has its own. The neuron's input can tell: it is a sum of terms,
// the residual stream behind the norm times the neuron's weights, element by element (the neuron embedding of Foote
// 2024, "Tackling Polysemanticity with Neuron Embeddings", arXiv 2411.08166). Examples of one behaviour reach the
// neuron by like terms, those of two by different ones. docs/algorithm.md, section 17, has every constant and how it
// was chosen.
//
// [Find] compares examples, which [OfIndex] takes from an activation index and [OfPrompts] from the texts that an
// explanation was made of; [Complete] does all of it to an explanation.
package behaviours
