// Package gradient computes the loss of the models that this repository trains and its gradient, on the kernels of the
// processor: the causal SoLU model and the masked DistilBERT, with the way back written out.
//
// A model is packed once a step ([Model.Load]); then each part of a batch is computed by one goroutine, window by
// window, so that what lies between the layers stays within the cache. The order of all sums is fixed, so results
// depend neither on the number of cores nor on what runs beside them. Package models/train compares the gradients with
// those of automatic differentiation of the graph functions in internal/transformer, which define the models.
package gradient
