// Package kernels holds the inner loops of a transformer's forward pass on the processor: dense layers, attention over
// a path of rows, norms and activation functions, on flat float32 slices in row-major order.
//
// It exists because the pure Go backend of GoMLX runs all but matrix products one element at a time, and keeps each
// product's result in memory between any two operations. Here a dense layer's weight is packed once ([NewMatrix]), and
// its inner loop is written in assembly for AVX-512 and AVX2, chosen when the program starts, with the same bits;
// everything else uses the vectors of simd/archsimd where the program is built with GOEXPERIMENT=simd. On other
// processors the same functions run as plain Go.
//
// Every function computes a row's result by the same operations in the same order, whatever the number of rows beside
// it: results do not depend on what else is in a batch, to the last bit.
package kernels
