// A module of its own, so that those who import the program's module do not download 32 MB of reference data. Tests read the files
// by their paths in the repository.
module github.com/neuron2graph/neuron2graph/testdata

go 1.26
