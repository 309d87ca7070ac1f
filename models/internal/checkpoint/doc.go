// Package checkpoint opens the weights of a model folder whatever they are stored in: safetensors, or the pickles that
// PyTorch's torch.save writes (pytorch_model.bin and its shards, or one .pth file).
//
// A pickle is a program for a small stack machine, and Python's runs anything that it names. This package's machine
// knows only what weight files need: numbers, strings, containers, and references to tensors. It builds a list of
// tensors and where their values lie; the values stay in the file until they are asked for, as with safetensors.
// Anything else in a pickle is refused with an error that names it.
package checkpoint
