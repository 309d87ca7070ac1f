// Package effects says what a neuron does to a model's output, where the rest of n2g says what excites it: the tokens
// that it promotes and suppresses directly, what changes when it is ablated or steered, and which other neurons it is
// connected with.
//
// It computes on numbers that a model gives it through small interfaces and functions, and knows no model itself.
// docs/algorithm.md has the formulas, under "What a neuron does".
package effects
