// Package randmodel writes models with random weights, of any size, into folders that package models opens. They know
// no language, but they cost what a trained model of their size costs: benchmarks need no download.
package randmodel
