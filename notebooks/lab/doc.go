// Package lab is the one import of a Neuron2Graph notebook: it opens a language model, a masked model and a corpus
// together, and shows whatever the packages of this repository compute.
//
//	import "github.com/neuron2graph/neuron2graph/notebooks/lab"
//
//	%%
//	l := lab.Open()
//	lab.Show(l.Explain(2, 417))
//
// A GoNB cell is a program of its own: declarations live on in later cells, values do not, and a global initializer
// runs again in each. So open the lab inside the cell (it costs a few hundredths of a second) and never in a global
// variable.
//
// [Open] follows the environment: N2G_MODEL and N2G_MASKED name the models (tiny, which is part of the library, if
// unset; for another model without a masked one, words are varied by neighbours in its embedding), N2G_CORPUS a folder
// of texts to look for examples in, N2G_BACKEND what computes.
//
// Errors end the cell with one sentence, as they should in a notebook; programs use the packages that lab calls.
//
// With N2G_DISPLAY=png pictures are shown as PNG alone, for notebooks on pages that strip styles from HTML.
package lab
