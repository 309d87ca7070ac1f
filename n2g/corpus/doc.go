// Package corpus finds the texts that excite a neuron most: stage 1 of the method.
//
// A [Source] is a stream of named texts: a folder ([Dir]), a file system ([FS]), or anything that can be ranged over.
// Texts are cut into windows of a fixed number of tokens ([Windows]); the model runs each window with BOS in front,
// and the windows on which the neuron's maximum is highest become its examples, in descending order, as Neuroscope
// and Lexoscope list them.
//
// [Top] does this for one neuron. [Mine] does it for every neuron of some layers in one pass, when the model can reduce
// its activations to maxima itself ([Scanner]); the result is an [Index], small enough to ship beside a model.
package corpus
