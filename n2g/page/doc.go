// Package page writes what is known of a neuron as a page that opens from disk: its graph, its scores beside the
// baselines, the train examples as heat maps with their pruned and augmented forms, and the test examples with truth
// and prediction aligned, row over row, the wrong ones marked.
//
// A page is one file. It loads nothing and runs no script, and says so to the browser by a Content-Security-Policy, so
// that no text of a model or a corpus can do either. It follows the reader's light or dark theme, fits a telephone and
// prints.
package page
