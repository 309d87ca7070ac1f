// Package graphviz draws a neuron graph as DOT, SVG and PNG.
//
// The look is the published one (Foote et al. 2023, arXiv 2304.12918, figures 1 and 2): the graph runs from right to
// left, so that a line reads like the text it stands for; the activating tokens stand at the right, red by their
// activation; the context that matters stands to their left, blue by its importance, one rank a token of distance;
// a bold border marks a token that a line may end at, and an edge leads from each token to its context.
//
// Every token is drawn as it is: blanks, newlines and tabs as glyphs (· ↵ →), other characters without a picture
// escaped, long tokens cut with the whole in the tooltip, which also gives depth, activation and importance.
// Sub-graphs without a common edge, the sign of a neuron with several meanings, stand in frames of their own.
//
// Layout is Graphviz's dot, compiled to WebAssembly and part of the binary: nothing needs to be installed. That
// module is one for the process and runs one layout at a time; [SVG] and [PNG] may be called concurrently and wait
// for each other. The same graph and options give the same bytes.
package graphviz
