// Package corpus finds the texts that excite a neuron most: stage 1 of the method.
//
// A [Source] is a stream of named texts: those of a file system ([FS]), or anything that can be ranged over; package
// files reads folders of JSON, CSV, Parquet, Arrow and compressed files. Texts are cut into windows of a fixed number
// of tokens ([Windows]); the model runs each window with BOS in front, and the windows on which the neuron's maximum is
// highest become its examples, in descending order, as Neuroscope and Lexoscope list them. Windows do not overlap, and
// a text counts once however often the corpus repeats it.
//
// [Top] does this for one neuron. [Mine] does it for every neuron of some layers in one pass, when the model can reduce
// its activations to maxima itself ([Scanner]), and measures how each neuron's activations are distributed
// ([Histogram]); the result is an [Index], with its texts or small enough to ship beside a model. docs/mining.md
// describes its JSON.
//
// [ReadPage] takes examples from saved pages of Neuroscope and Lexoscope, and [ReadActivationMatrix] the maxima that
// the published program keeps.
package corpus
