// Package graphviz draws a neuron graph as DOT, SVG and PNG.
//
// The look is the published one (Foote et al. 2023, arXiv 2304.12918, figures 1 and 2): the graph runs from right to
// left, so that a line reads like the text it stands for; the activating tokens stand at the right, red by their
// activation; the context that matters stands to their left, blue by its importance, one column a token of distance;
// a bold border marks a token that a line may end at, and an arrow leads from context to what it is the context of.
// Colours, fonts and legend are those of the heat maps.
//
// Every token is drawn as it is: blanks, newlines and tabs as glyphs (· ↵ →), other characters without a picture
// escaped, long tokens cut with the whole in the tooltip, which also gives depth, activation and importance. Sub-graphs
// without a common edge, the sign of a neuron with several meanings, stand in frames of their own, in a grid.
//
// The layout is the program's own: nothing is installed, started or loaded, and the same graph and options give the
// same bytes. [DOT] writes the graph in Graphviz's language, for those who have its program dot. A [Diagram] draws
// graphs of other kinds alike: nodes that are sets of tokens, edges with labels, what must be absent crossed out.
package graphviz
