// Package run explains many neurons, into a store.
//
// [Run] explains several neurons at a time and writes each when it is done, so that a run that is stopped or killed
// goes on where it stopped: neurons that are in the store are not explained again. A neuron that fails is recorded with
// the reason, and the others go on. [Selection] chooses neurons, all or a sample; shardOf a fixed part of them, for
// several machines with a store each, which [store.Store.Merge] joins.
package run
