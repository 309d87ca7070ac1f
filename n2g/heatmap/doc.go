// Package heatmap draws a prompt as its tokens with values on them: activations, importances, predictions.
//
// One [HeatMap] becomes an HTML fragment for a notebook ([HeatMap.HTML]), a page of its own ([HeatMap.Page]), an SVG
// ([HeatMap.SVG]) or a PNG ([HeatMap.PNG]). It takes one of three forms: the published figure (arXiv 2304.12918,
// figure 2), in which a row of activations and a row of importances stand under the tokens with their values;
// strips, in which the rows are thin lines of colour under running text, to compare truth with prediction; and
// compact, one row as the background of running text.
//
// The pictures are meant to last. Nothing is loaded from elsewhere and no script runs, so that they survive nbviewer,
// the export of a notebook and a disk. They follow the reader's light or dark theme and paint their own background,
// because a page may be white on a dark desktop. Tokens are drawn by their glyphs (a blank as ·, a newline as ↵, a tab
// as →, a control character as its picture) and escaped, whatever they hold; the title of each box has the whole token
// and its values. Full colour stands for Row.Max, never for the largest value of the prompt at hand, so that maps of
// one neuron can be compared; the legend says so.
//
// Colours are those of the neuron graph: red for activation, blue for importance; violet is for predictions and grey
// for values below zero. Text keeps a contrast of at least 4.5 on every one of them.
package heatmap
